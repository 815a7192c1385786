"""
Builds series of rolling windows from the stored minutes, month by month, and keeps them true later.

One program at a time works on a series. The rows of a month are one transaction for each length, so a run that is
killed leaves whole months, and the next one changes only what differs; rows are made while those before are written.
The indicators follow in one transaction for each series; until then the series says that their values are due.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from app.market.calendar.calendar import Calendar
from app.market.columns.rolling import MINUTE_US
from app.market.indicators.research_names import NamedIndicator
from app.market.ports.storage import CandleReader
from storage.postgres.connection import Connection
from storage.research import tables
from storage.research.day_states import DayStateReader, DayStates
from storage.research.indicator_values import MOST_NEWEST, IndicatorValues
from storage.research.minutes import MinuteRange, between, read_minutes, stored_range
from storage.research.row_writer import Written, write_rows
from storage.research.window_rows import columns_of_rows, windows_ending
from storage.rollups.time_sql import microseconds

Item = TypeVar("Item")

_DAY_US = 86_400_000_000
_ANALYZED_FROM = 10_000  # rows with other values; for new rows autovacuum is soon enough
_WHOLE = tables.COLUMNS.index("window_minutes")


class ResearchStore(CandleReader, Protocol):
    """The source of rows: candles, and calendars."""

    def calendar_of(self, symbol: str) -> Calendar:
        """Return when the market of a symbol is open. Blocks."""


class BuiltSeries(NamedTuple):
    """
    The outcome of a series, in numbers of rows.

    ``rows``: in the range; ``written``: new or changed; ``incomplete``: with a missing minute; ``updated``: with
    changed values of indicators.

    ``first_us``, ``last_us``: the times of the first and last row; None without rows.
    """

    symbol: str
    minutes: int
    rows: int
    written: int
    incomplete: int
    updated: int
    first_us: int | None
    last_us: int | None


class SeriesBuilder:
    """Writes over one autocommit connection, reads from ``store``. One thread; raises StoreError and psycopg.Error."""

    def __init__(self, connection: Connection, store: ResearchStore) -> None:
        self._connection, self._store = connection, store
        self._states = DayStateReader(connection)
        self._partitions: set[tuple[str, int, np.datetime64]] = set()

    def build(
        self,
        symbol: str,
        lengths: Sequence[int],
        start_us: int | None,
        end_us: int | None,
        on_progress: Callable[[str, int], None] = lambda *_: None,
    ) -> list[BuiltSeries]:
        """
        Write the rows whose last minute lies in [start, end), and their indicators; the tables must exist.

        ``on_progress`` takes the name of the step, and the number of rows done since the last call.
        """
        named = tables.known_indicators(self._connection)
        for minutes in lengths:
            tables.add_series(self._connection, symbol, minutes, [one.name for one in named])
        with tables.locked_series(self._connection, symbol, lengths):
            stored = stored_range(self._store, symbol)
            if stored is None:
                return [BuiltSeries(symbol, minutes, 0, 0, 0, 0, None, None) for minutes in lengths]
            first_us = stored.first_us if start_us is None else max(_floor(start_us), stored.first_us)
            until_us = stored.end_us if end_us is None else min(-_floor(-end_us), stored.end_us)
            return self._build(symbol, lengths, first_us, until_us, stored, named, on_progress)

    def _build(
        self,
        symbol: str,
        lengths: Sequence[int],
        first_us: int,
        until_us: int,
        stored: MinuteRange,
        named: Sequence[NamedIndicator],
        on_progress: Callable[[str, int], None],
    ) -> list[BuiltSeries]:
        states = self._states.read(symbol)  # before the minutes: a change meanwhile is found the next time
        due = {one.minutes: one.indicators for one in tables.series_of(self._connection) if one.symbol == symbol}
        complete = {minutes for minutes in lengths if due[minutes] >= {one.name for one in named}}
        found = {minutes: (0, 0, Written(0, None, None)) for minutes in lengths}
        with closing(_one_ahead(self._rows(symbol, lengths, first_us, until_us, stored))) as parts:
            for minutes, columns in parts:
                written = self._write(symbol, minutes, columns, of_rest=len(named) > 0)
                rows, incomplete, before = found[minutes]
                incomplete += int(np.count_nonzero(columns[_WHOLE] < minutes))
                found[minutes] = (rows + len(columns[0]), incomplete, _joined(before, written))
                on_progress(f"Rows of {symbol}", len(columns[0]))
        built = []
        for minutes in lengths:
            rows, incomplete, written = found[minutes]
            updated = self._settle(
                symbol, minutes, named, stored, written if minutes in complete else None, on_progress
            )
            self._save_states(symbol, minutes, _whole_days(states, first_us, until_us, stored))
            if updated >= _ANALYZED_FROM:
                tables.analyze(self._connection, symbol, minutes)
            last_us = until_us if rows else None
            begins_us = max(first_us + MINUTE_US, stored.first_us + minutes * MINUTE_US) if rows else None
            built.append(BuiltSeries(symbol, minutes, rows, written.rows, incomplete, updated, begins_us, last_us))
        return built

    def _rows(
        self, symbol: str, lengths: Sequence[int], first_us: int, until_us: int, stored: MinuteRange
    ) -> Iterator[tuple[int, list[Any]]]:
        """Yield the columns of the rows of each month and length."""
        for part in _months(first_us, until_us):
            minutes_of = read_minutes(self._store, symbol, part[0] - max(lengths) * MINUTE_US, part[1])
            for minutes in lengths:
                yield minutes, self._columns(symbol, minutes, minutes_of, *part, stored)

    def compute_due(self, on_progress: Callable[[str, int], None] = lambda *_: None) -> None:
        """Compute the indicators of all series that lack some."""
        named = tables.known_indicators(self._connection)
        names = {one.name for one in named}
        for symbol, minutes in [one[:2] for one in tables.series_of(self._connection) if not one.indicators >= names]:
            with tables.locked_series(self._connection, symbol, [minutes]):
                # Again, as another program may have computed them meanwhile, or dropped the series.
                is_due = any(
                    one[:2] == (symbol, minutes) and not one.indicators >= names
                    for one in tables.series_of(self._connection)
                )
                stored = stored_range(self._store, symbol) if is_due else None
                if stored is not None:
                    self._settle(symbol, minutes, named, stored, None, on_progress)

    def keep(self, symbol: str, kept: Sequence[tables.Series], states: DayStates, stored: MinuteRange) -> int:
        """
        Update the kept series of a symbol where a day's state has changed. Return the number of changed rows.

        ``states`` were read before ``stored``.
        """
        changed = 0
        named = tables.known_indicators(self._connection)
        for one in kept:
            with tables.try_locked_series(self._connection, symbol, one.minutes) as is_free:
                if is_free:  # else a build is at work on it
                    changed += self._keep_series(one, named, states, stored)
        return changed

    def _keep_series(
        self, one: tables.Series, named: Sequence[NamedIndicator], states: DayStates, stored: MinuteRange
    ) -> int:
        changed = 0
        known = self._saved_states(one.symbol, one.minutes)
        from_us = stored.first_us if one.kept_from is None else int(one.kept_from.timestamp()) * 1_000_000
        # The windows after the newest row are new, even in a day whose state has not changed.
        newest_us = self._newest_row_us(one)
        reach_us = newest_us + one.minutes * MINUTE_US
        days = [
            day
            for day in states
            if _day_us(day) + _DAY_US > from_us
            and (states[day] != known.get(day) or newest_us - _DAY_US <= _day_us(day) < reach_us)
        ]
        for first_day, last_day in _runs(days):
            first_us = max(_day_us(first_day), from_us, stored.first_us)
            # Windows that cover a minute of the last day end as late as that.
            until_us = min(_day_us(last_day) + _DAY_US + (one.minutes - 1) * MINUTE_US, stored.end_us)
            changed += self._keep_range(one, named, first_us, until_us, stored)
            done = {day: states[day] for day in days if first_day <= day <= last_day}
            self._save_states(one.symbol, one.minutes, done)
        if not one.indicators >= {each.name for each in named}:
            self._settle(one.symbol, one.minutes, named, stored, None, lambda *_: None)
        return changed

    def _keep_range(
        self, one: tables.Series, named: Sequence[NamedIndicator], first_us: int, until_us: int, stored: MinuteRange
    ) -> int:
        changed = 0
        for part in _months(first_us, until_us):
            minutes_of = read_minutes(self._store, one.symbol, part[0] - one.minutes * MINUTE_US, part[1])
            columns = self._columns(one.symbol, one.minutes, minutes_of, *part, stored)
            if not len(columns[0]):
                continue
            self._make_partitions(one.symbol, one.minutes, columns[0])
            with self._connection.transaction():
                written = write_rows(self._connection, one.symbol, one.minutes, columns)
                changed += written.rows
                if written.first_us is None or not named:
                    continue
                values = IndicatorValues(self._connection, self._store, one.symbol, one.minutes, named, stored)
                is_newest = written.first_us > stored.end_us - MOST_NEWEST * MINUTE_US
                if is_newest:
                    values.update_newest(written.first_us)
                else:
                    values.update(written.first_us, written.last_us)
        return changed

    def _columns(
        self, symbol: str, minutes: int, minutes_of: Any, first_us: int, until_us: int, stored: MinuteRange
    ) -> list[Any]:
        """Return the columns of the rows whose last minute lies in [first, until)."""
        begin_us = max(first_us + MINUTE_US, stored.first_us + minutes * MINUTE_US)
        windows = windows_ending(minutes_of, minutes, begin_us, until_us)
        covered = between(minutes_of, begin_us - minutes * MINUTE_US, until_us)
        return columns_of_rows(windows, covered, minutes, self._store.calendar_of(symbol))

    def _write(self, symbol: str, minutes: int, columns: Sequence[Any], *, of_rest: bool) -> Written:
        if not len(columns[0]):
            return Written(0, None, None)
        self._make_partitions(symbol, minutes, columns[0])
        with self._connection.transaction():
            written = write_rows(self._connection, symbol, minutes, columns)
            if written.rows and of_rest:
                self._connection.execute(
                    "UPDATE research_series SET indicators = '{}' WHERE symbol = %s AND minutes = %s", (symbol, minutes)
                )
        return written

    def _make_partitions(self, symbol: str, minutes: int, times_us: NDArray[np.int64]) -> None:
        """Make the partitions of these times, rising, that this builder has not made or found before."""
        first, last = (np.datetime64(int(time_us), "us").astype("datetime64[M]") for time_us in times_us[[0, -1]])
        if not {(symbol, minutes, first), (symbol, minutes, last)} <= self._partitions:
            tables.make_partitions(self._connection, symbol, minutes, int(times_us[0]), int(times_us[-1]))
            self._partitions |= {(symbol, minutes, month) for month in np.arange(first, last + 1)}

    def _settle(
        self,
        symbol: str,
        minutes: int,
        named: Sequence[NamedIndicator],
        stored: MinuteRange,
        written: Written | None,
        on_progress: Callable[[str, int], None],
    ) -> int:
        """Compute the indicators of all rows, or of rows that depend on ``written``. Return the number changed."""
        if written is not None and written.first_us is None:
            return 0
        if not named:
            return 0
        with self._connection.transaction():
            values = IndicatorValues(self._connection, self._store, symbol, minutes, named, stored)
            first_us, last_us = (None, None) if written is None else (written.first_us, written.last_us)
            changed = values.update(first_us, last_us, lambda count: on_progress(f"Indicators of {symbol}", count))
            self._connection.execute(
                "UPDATE research_series SET indicators = %s WHERE symbol = %s AND minutes = %s",
                ([one.name for one in named], symbol, minutes),
            )
        return changed

    def _newest_row_us(self, one: tables.Series) -> int:
        """Return the time of the newest row; 0 if there is none."""
        row = self._connection.execute(
            sql.SQL("SELECT coalesce({}, 0) FROM {} WHERE symbol = %s").format(
                microseconds(sql.SQL("max(timestamp)")), tables.table_of(one.minutes)
            ),
            (one.symbol,),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _saved_states(self, symbol: str, minutes: int) -> DayStates:
        query = "SELECT day, state FROM research_days WHERE symbol = %s AND minutes = %s"
        return dict(self._connection.execute(query, (symbol, minutes)).fetchall())

    def _save_states(self, symbol: str, minutes: int, states: DayStates) -> None:
        self._connection.execute(
            """
            INSERT INTO research_days AS known (symbol, minutes, day, state)
            SELECT %s, %s, * FROM unnest(%s::date[], %s::text[]) ORDER BY 3
            ON CONFLICT (symbol, minutes, day) DO UPDATE SET state = excluded.state WHERE known.state <> excluded.state
            """,
            (symbol, minutes, list(states), list(states.values())),
        )


def _one_ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """Yield the items; while one is used, a thread makes the next. The thread has ended when this is closed."""
    with ThreadPoolExecutor(1, "research") as thread:
        following = thread.submit(next, items, None)
        while (one := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield one


def _floor(time_us: int) -> int:
    return time_us // MINUTE_US * MINUTE_US


def _day_us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _months(first_us: int, until_us: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a range in each calendar month (UTC)."""
    while first_us < until_us:
        month = np.datetime64(first_us, "us").astype("datetime64[M]") + 1
        next_us = int(month.astype("datetime64[us]").astype(np.int64))
        yield first_us, min(next_us, until_us)
        first_us = next_us


def _joined(before: Written, after: Written) -> Written:
    return Written(
        before.rows + after.rows,
        after.first_us if before.first_us is None else before.first_us,
        before.last_us if after.last_us is None else after.last_us,
    )


def _whole_days(states: DayStates, first_us: int, until_us: int, stored: MinuteRange) -> DayStates:
    """Return the states of the days whose stored minutes all lie in a range."""
    begins_us = first_us if first_us > stored.first_us else 0
    return {
        day: state
        for day, state in states.items()
        if _day_us(day) >= begins_us and (_day_us(day) + _DAY_US <= until_us or until_us == stored.end_us)
    }


def _runs(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Yield the first and last of each run of days that follow each other, rising."""
    ordered = sorted(days)
    first = 0
    for at, day in enumerate(ordered):
        if at + 1 == len(ordered) or (ordered[at + 1] - day).days > 1:
            yield ordered[first], day
            first = at + 1
