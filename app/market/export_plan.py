"""What one export writes: its files, the rows of each, and their format. Pure."""

from __future__ import annotations

from typing import NamedTuple

from app.market.candle_request import ONE_MINUTE, window_minutes
from app.market.errors import UsageError
from app.market.file_columns import Rows, RowsOf
from app.market.file_format import FileFormat, FileLayout, Preset, freqtrade_name, name_in_folder
from app.market.indicators.chosen import ChosenIndicator
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.symbol import has_trades


class RowsRequest(NamedTuple):
    """
    The rows of one file: those of ``symbol`` in ``[start_us, end_us)``, UTC microseconds.

    None: from the first one stored, or to the newest there is. ``is_rolling``: a candle of the interval's length starts
    every minute, and all are made of minutes (`app.market.columns.rolling`).
    """

    symbol: str
    rows: Rows
    start_us: int | None = None
    end_us: int | None = None
    is_rolling: bool = False

    @property
    def is_of_quotes(self) -> bool:
        """Whether the symbol's broker has bid and ask, not trades."""
        return not has_trades(self.symbol)

    @property
    def unit(self) -> str:
        """What one row is: ``candle``, ``rolling candle``, ``trade``, ``quote``, ``session gap`` …"""
        if isinstance(self.rows, Interval):
            return "rolling candle" if self.is_rolling else "candle"
        return self.rows.removesuffix("s").replace("_", " ")

    @property
    def candles(self) -> Interval | None:
        """Which candles are read for the rows; None: none are."""
        if not isinstance(self.rows, Interval):
            return None
        return ONE_MINUTE if self.is_rolling else self.rows

    @property
    def name(self) -> str:
        """The rows, as names of files have them: ``1m``, ``1h-rolling``, ``trades``."""
        return f"{self.rows}-rolling" if self.is_rolling else str(self.rows)

    @property
    def subject(self) -> str:
        """Symbol and rows, as people write them: ``BTCUSDT 1m``, ``BTCUSDT 1h rolling``, ``BTCUSDT trades``."""
        return f"{self.symbol} {self.rows}{' rolling' if self.is_rolling else ''}"

    def check(self) -> None:
        """
        Check that the symbol's broker has such rows.

        Raises:
            UsageError: If it has trades and quotes are asked for, or the other way round, or if rows that cannot be are
                to be rolling.
        """
        if self.is_rolling:
            if not isinstance(self.rows, Interval):
                raise UsageError(f"Only candles are rolling: name a length such as 60m instead of {self.rows}.")
            window_minutes(self.rows)
        if self.is_of_quotes and self.rows in (RowsOf.TRADES, RowsOf.GAPS):
            raise UsageError(
                f"{self.symbol} has quotes, and neither trades nor gaps between them: name quotes instead."
            )
        if not self.is_of_quotes and self.rows is RowsOf.QUOTES:
            raise UsageError(f"{self.symbol} has trades, not quotes: name trades, or a symbol such as oanda:EURUSD.")


class ExportPlan(NamedTuple):
    """
    The files of one export, in their order, and the form of all.

    ``indicators`` are columns besides those of candles. ``fetch``: what is not stored comes as the exchange's candles.
    ``include_open``: also candles that have not ended, or that the range cuts off. ``price``: which price of quotes
    their candles are of.
    """

    files: tuple[RowsRequest, ...]
    file_format: FileFormat = FileFormat.CSV
    layout: FileLayout = FileLayout()
    indicators: tuple[ChosenIndicator, ...] = ()
    fetch: bool = True
    include_open: bool = False
    price: PriceSide = PriceSide.MID

    @property
    def is_several(self) -> bool:
        """Whether it is more than one file; they go into a folder then."""
        return len(self.files) > 1

    @property
    def fetches(self) -> bool:
        """Whether the exchange may be asked: all but the candles of its symbols comes from the database alone."""
        return self.fetch and any(isinstance(one.rows, Interval) and not one.is_of_quotes for one in self.files)

    def layout_of(self, request: RowsRequest) -> FileLayout:
        """Return how the rows of one of its files stand."""
        return self.layout._replace(is_of_quotes=request.is_of_quotes, is_rolling=request.is_rolling)

    def name_of(self, request: RowsRequest, pair: tuple[str, str] | None = None) -> str | None:
        """
        Return the name of the file in its folder; ``pair``: base and quote, if known.

        None: it is one file, which is named by the range that turns out to be in it.
        """
        if isinstance(request.rows, Interval) and self.layout.preset is Preset.FREQTRADE:
            return freqtrade_name(request.symbol, request.rows, self.file_format, pair)
        return name_in_folder(request.symbol, request.name, self.file_format) if self.is_several else None


def number_of(rows: int, unit: str) -> str:
    """Return ``60 candles``, ``1 trade``, ``1,200 gaps``."""
    return f"{rows:,} {unit}" if rows == 1 else f"{rows:,} {unit}s"


def files_of(
    symbols: tuple[str, ...],
    kinds: tuple[Rows, ...],
    start_us: int | None = None,
    end_us: int | None = None,
    *,
    is_rolling: bool = False,
) -> tuple[RowsRequest, ...]:
    """Return a request for each symbol and kind of rows, each once, all of one range."""
    return tuple(
        RowsRequest(symbol, kind, start_us, end_us, is_rolling)
        for symbol in dict.fromkeys(symbols)
        for kind in dict.fromkeys(kinds)
    )
