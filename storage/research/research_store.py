"""Builds, drops and describes the tables of research, for the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from app.market.errors import UsageError
from app.market.indicators.research_names import named_indicators
from storage.postgres.advisory_locks import without_time_limit
from storage.postgres.connection import Connection, translated
from storage.research import tables
from storage.research.series_builder import BuiltSeries, ResearchStore, SeriesBuilder
from storage.research.status import SeriesStatus, read_status

OnProgress = Callable[[str, int], None]


class Research:
    """``connect`` opens a connection for each call and may raise StoreError; ``store`` has the minutes. Blocks."""

    def __init__(self, connect: Callable[[], Connection], store: ResearchStore) -> None:
        self._connect, self._store = connect, store

    def build(
        self,
        symbols: Sequence[str],
        lengths: Sequence[int],
        start_us: int | None = None,
        end_us: int | None = None,
        *,
        indicators: str = "",
        keep: bool | None = None,
        on_progress: OnProgress = lambda *_: None,
    ) -> list[BuiltSeries]:
        """
        Write the rows of these symbols and lengths whose last minute lies in [start, end), UTC microseconds.

        Without ``start_us`` and ``end_us``: all stored minutes. ``indicators``: names of further indicators, which all
        tables get. ``keep``: whether recording programs keep the rows from ``start_us`` on; None leaves it as it is.

        Raises:
            UsageError: If a length, a symbol or an indicator is not possible. Nothing was changed.
            StoreError: If the database cannot be read or written.
        """
        for minutes in lengths:
            tables.check_minutes(minutes)
        for symbol in symbols:
            tables.check_symbol(symbol)
        wanted = named_indicators(indicators) if indicators else ()
        doing = translated("build the tables of research")
        with closing(self._connect()) as connection, doing, without_time_limit(connection):
            for minutes in lengths:
                tables.make_table(connection, minutes)
            tables.add_indicators(connection, wanted)
            builder = SeriesBuilder(connection, self._store)
            built = []
            for symbol in symbols:
                built += builder.build(symbol, lengths, start_us, end_us, on_progress)
                for minutes in lengths if keep is not None else ():
                    tables.keep_series(connection, symbol, minutes, kept=bool(keep), from_us=start_us)
            builder.compute_due(on_progress)
            return built

    def drop(self, symbols: Sequence[str], lengths: Sequence[int] = ()) -> list[tuple[str, int]]:
        """
        Drop the rows of these symbols and lengths, of all lengths if none is given. Return the dropped series.

        Raises:
            UsageError: If there is no such series.
            StoreError: If the database cannot be changed.
        """
        with closing(self._connect()) as connection, translated("drop tables of research"):
            found = [
                (one.symbol, one.minutes)
                for one in tables.series_of(connection)
                if one.symbol in symbols and (not lengths or one.minutes in lengths)
            ]
            if not found:
                raise UsageError("No such rows are there to drop: cryptopipe research status lists what is.")
            return [(symbol, minutes) for symbol, minutes in found if tables.drop_series(connection, symbol, minutes)]

    def status(self, symbols: Sequence[str] = (), lengths: Sequence[int] = ()) -> list[SeriesStatus]:
        """Return the state of these series, or of all. Raises StoreError."""
        with closing(self._connect()) as connection, translated("read the tables of research"):
            return read_status(connection, symbols, lengths)
