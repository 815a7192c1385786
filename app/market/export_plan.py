"""What one export writes: its files, the rows of each, and their format. Pure."""

from __future__ import annotations

from typing import NamedTuple

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

    None: from the first one stored, or to the newest there is.
    """

    symbol: str
    rows: Rows
    start_us: int | None = None
    end_us: int | None = None

    @property
    def is_of_quotes(self) -> bool:
        """Whether the symbol's broker has bid and ask, not trades."""
        return not has_trades(self.symbol)

    @property
    def unit(self) -> str:
        """What one row is: ``candle``, ``trade``, ``quote``, ``gap``, ``session`` or ``session gap``."""
        return "candle" if isinstance(self.rows, Interval) else self.rows.removesuffix("s").replace("_", " ")

    @property
    def subject(self) -> str:
        """Symbol and rows, as people write them: ``BTCUSDT 1m``, ``BTCUSDT trades``."""
        return f"{self.symbol} {self.rows}"

    def check(self) -> None:
        """
        Check that the symbol's broker has such rows.

        Raises:
            UsageError: If it has trades and quotes are asked for, or the other way round.
        """
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
        return self.layout._replace(is_of_quotes=request.is_of_quotes)

    def name_of(self, request: RowsRequest, pair: tuple[str, str] | None = None) -> str | None:
        """
        Return the name of the file in its folder; ``pair``: base and quote, if known.

        None: it is one file, which is named by the range that turns out to be in it.
        """
        if isinstance(request.rows, Interval) and self.layout.preset is Preset.FREQTRADE:
            return freqtrade_name(request.symbol, request.rows, self.file_format, pair)
        return name_in_folder(request.symbol, str(request.rows), self.file_format) if self.is_several else None


def number_of(rows: int, unit: str) -> str:
    """Return ``60 candles``, ``1 trade``, ``1,200 gaps``."""
    return f"{rows:,} {unit}" if rows == 1 else f"{rows:,} {unit}s"


def files_of(
    symbols: tuple[str, ...], kinds: tuple[Rows, ...], start_us: int | None = None, end_us: int | None = None
) -> tuple[RowsRequest, ...]:
    """Return a request for each symbol and kind of rows, each once, all of one range."""
    return tuple(
        RowsRequest(symbol, kind, start_us, end_us)
        for symbol in dict.fromkeys(symbols)
        for kind in dict.fromkeys(kinds)
    )
