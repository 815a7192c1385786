"""
The columns of exported files: of candles for each preset, of trades, quotes, gaps and sessions. Pure.

`LAYOUTS` has the names, order and form that each preset's readers expect; `row_layout` returns the columns of one file.
`storage.files.arrangement` turns rows into them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from app.market.candle import CANDLE_FIGURES
from app.market.errors import UsageError
from app.market.file_format import FileFormat, FileLayout, Preset
from app.market.interval import Interval


class RowsOf(StrEnum):
    """What is exported besides candles."""

    TRADES = "trades"
    GAPS = "gaps"
    QUOTES = "quotes"
    SESSIONS = "sessions"
    SESSION_GAPS = "session_gaps"

    @property
    def are_of_sessions(self) -> bool:
        """Whether they are of the market's days, not of moments."""
        return self in (RowsOf.SESSIONS, RowsOf.SESSION_GAPS)


Rows = Interval | RowsOf
"""The rows of a file: candles of an interval, trades, quotes, gaps, sessions, or gaps between sessions."""


class Form(Enum):
    """The form of a column's values."""

    AS_IS = auto()
    NUMBER = auto()  # for programs that want numbers: a float, or in text the digits without zeros at their end
    MILLISECONDS = auto()  # since 1970
    SECONDS = auto()


class Column(NamedTuple):
    """A column of a file, and the column of the rows that it is made of."""

    name: str
    source: str
    form: Form = Form.AS_IS


@dataclass(frozen=True, slots=True)
class RowLayout:
    """
    The columns of a file.

    ``rows_are_arrays``: in JSON a row is an array of its values, not an object. ``index``: the column by which pandas
    finds a row; empty for none. ``kept_digits``: whether numbers are text in JSON, so that no reader rounds them.
    """

    columns: tuple[Column, ...]
    rows_are_arrays: bool = False
    index: str = ""
    kept_digits: bool = True


CANDLE_COLUMNS = ("open_time", *CANDLE_FIGURES, "vwap", "closed", "complete", "source")
TRADE_COLUMNS = ("symbol", "trade_id", "time", "price", "quantity", "is_buyer_maker")
QUOTE_COLUMNS = ("time", "bid", "ask", "bid_size", "ask_size")
SIDE_VOLUMES = ("bid_volume", "ask_volume")
"""What candles of quotes have besides: the sums of the sizes, in millions of the base asset."""
MINUTE_INDEX = "minute_index"
"""What rolling candles have besides: the minutes from 2000-01-03T00:00Z to their end, modulo their length."""
ROLLING_PRESETS = (Preset.DEFAULT, Preset.VECTORBT)
"""For programs that take rows as they are. The others read each row as the candle after the one before."""
SESSION_COLUMNS = (
    "exchange",
    "session_date",
    "session_start",
    "session_end",
    "total_minutes",
    "is_half_day",
    "is_holiday",
    "notes",
)
SESSION_GAP_COLUMNS = (
    "symbol",
    "session_date",
    "prior_close",
    "current_open",
    "gap_amount",
    "gap_percent",
    "gap_direction",
)
GAP_COLUMNS = ("symbol", "first_trade_id", "last_trade_id", "missing", "status", "after", "before")

_PRICES = ("open", "high", "low", "close", "volume")


def _numbers(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, source, Form.NUMBER) for name, source in zip(names, _PRICES, strict=True))


LAYOUTS = {
    Preset.DEFAULT: RowLayout(tuple(Column(name, name) for name in CANDLE_COLUMNS)),
    # Source: ccxt, Manual, "OHLCV Candlestick Charts".
    Preset.CCXT: RowLayout(
        (Column("timestamp", "open_time", Form.MILLISECONDS), *_numbers(*_PRICES)),
        rows_are_arrays=True,
        kept_digits=False,
    ),
    # Source: freqtrade, data/history/datahandlers: FeatherDataHandler, JsonDataHandler.
    Preset.FREQTRADE: RowLayout(
        (Column("date", "open_time"), *_numbers(*_PRICES)), rows_are_arrays=True, kept_digits=False
    ),
    # Source: backtesting.py, class Backtest, parameter data; vectorbt, class Data.
    Preset.VECTORBT: RowLayout(
        (Column("Date", "open_time"), *_numbers("Open", "High", "Low", "Close", "Volume")),
        index="Date",
        kept_digits=False,
    ),
    # Source: Binance, GET /api/v3/klines; the names are those of its archive.
    Preset.BINANCE: RowLayout(
        (
            Column("open_time", "open_time", Form.MILLISECONDS),
            *(Column(name, name) for name in _PRICES),
            Column("close_time", "close_time", Form.MILLISECONDS),
            Column("quote_volume", "quote_volume"),
            Column("count", "trades"),
            Column("taker_buy_volume", "taker_buy_volume"),
            Column("taker_buy_quote_volume", "taker_buy_quote_volume"),
            Column("ignore", "ignore"),
        ),
        rows_are_arrays=True,
    ),
    # Source: TradingView, "Export chart data".
    Preset.TRADINGVIEW: RowLayout(
        (Column("time", "open_time", Form.SECONDS), *_numbers("open", "high", "low", "close", "Volume")),
        kept_digits=False,
    ),
}
TRADES = RowLayout(tuple(Column(name, name) for name in TRADE_COLUMNS))
QUOTES = RowLayout(tuple(Column(name, name) for name in QUOTE_COLUMNS))
GAPS = RowLayout(tuple(Column(name, name) for name in GAP_COLUMNS))
SESSIONS = RowLayout(tuple(Column(name, name) for name in SESSION_COLUMNS))
SESSION_GAPS = RowLayout(tuple(Column(name, name) for name in SESSION_GAP_COLUMNS))


_OTHER = {
    RowsOf.TRADES: TRADES,
    RowsOf.QUOTES: QUOTES,
    RowsOf.GAPS: GAPS,
    RowsOf.SESSIONS: SESSIONS,
    RowsOf.SESSION_GAPS: SESSION_GAPS,
}


def row_layout(rows: Rows, layout: FileLayout, file_format: FileFormat) -> RowLayout:
    """
    Return the columns of a file of those rows.

    Raises:
        UsageError: If a column is chosen that the rows, or the preset, do not have, or the preset is not for them.
    """
    if isinstance(rows, RowsOf):
        return RowLayout(_chosen(_OTHER[rows].columns, layout.columns))
    known = LAYOUTS[layout.preset]
    columns = list(known.columns)
    if layout.preset is Preset.FREQTRADE and file_format.is_text:
        columns[0] = columns[0]._replace(form=Form.MILLISECONDS)
    more: tuple[str, ...] = ()
    if layout.is_of_quotes and layout.preset is Preset.DEFAULT:
        more = SIDE_VOLUMES
    if layout.is_rolling:
        if layout.preset not in ROLLING_PRESETS:
            raise UsageError(
                f"The preset {layout.preset} is for candles that follow each other, and rolling ones overlap: choose "
                f"{' or '.join(ROLLING_PRESETS)}."
            )
        more = (*more, MINUTE_INDEX)
    columns += [Column(name, name) for name in (*more, *layout.indicators)]
    return RowLayout(_chosen(columns, layout.columns), known.rows_are_arrays, known.index, known.kept_digits)


def _chosen(columns: Sequence[Column], wanted: Sequence[str]) -> tuple[Column, ...]:
    if not wanted:
        return tuple(columns)
    known = {column.name: column for column in columns}
    for name in wanted:
        if name not in known:
            raise UsageError(f"“{name}” is not a column here: choose from {', '.join(known)}.")
    return tuple(known[name] for name in dict.fromkeys(wanted))
