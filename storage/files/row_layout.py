"""
The columns of a file: which come in, under which names, in which order and form they go out.

`LAYOUTS` has one for each preset of candles, and those of trades and gaps. A layout turns a batch of rows into one of
the file's columns; `storage.files.writers` knows formats and no presets. A number stays an exact decimal where the
format is text; elsewhere a program that wants numbers gets floats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.market.columns.candle_columns import open_times, schema, slots_of
from app.market.columns.wide_decimals import floats_of, mean_prices
from app.market.errors import UsageError
from app.market.file_format import FileFormat, FileLayout, Preset
from app.market.interval import Interval

_VWAP = pa.decimal128(38, 16)


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


CANDLE_COLUMNS = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "first_trade_id",
    "last_trade_id",
    "vwap",
    "closed",
    "complete",
    "source",
)
TRADE_COLUMNS = ("symbol", "trade_id", "time", "price", "quantity", "is_buyer_maker")
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
GAPS = RowLayout(tuple(Column(name, name) for name in GAP_COLUMNS))


def trade_schema() -> Any:
    """Return the Arrow schema of trades, the columns of trade_log."""
    amount = pa.decimal128(20, 8)
    kinds = (pa.string(), pa.int64(), pa.timestamp("us", "UTC"), amount, amount, pa.bool_())
    return pa.schema(list(zip(TRADE_COLUMNS, kinds, strict=True)))


def gap_schema() -> Any:
    """Return the Arrow schema of gaps."""
    time = pa.timestamp("us", "UTC")
    kinds = (pa.string(), pa.int64(), pa.int64(), pa.int64(), pa.string(), time, time)
    return pa.schema(list(zip(GAP_COLUMNS, kinds, strict=True)))


def candle_layout(layout: FileLayout, file_format: FileFormat) -> RowLayout:
    """
    Return the columns of a file of candles.

    Raises:
        UsageError: If a column is chosen that the preset does not have.
    """
    known = LAYOUTS[layout.preset]
    columns = list(known.columns)
    if layout.preset is Preset.FREQTRADE and file_format.is_text:
        columns[0] = columns[0]._replace(form=Form.MILLISECONDS)
    columns += [Column(name, name) for name in layout.indicators]
    return RowLayout(_chosen(columns, layout.columns), known.rows_are_arrays, known.index, known.kept_digits)


def plain_layout(layout: RowLayout, wanted: Sequence[str]) -> RowLayout:
    """Return the layout with the columns chosen of it; all if none is. Raises UsageError."""
    return RowLayout(_chosen(layout.columns, wanted))


def _chosen(columns: Sequence[Column], wanted: Sequence[str]) -> tuple[Column, ...]:
    if not wanted:
        return tuple(columns)
    known = {column.name: column for column in columns}
    for name in wanted:
        if name not in known:
            raise UsageError(f"“{name}” is not a column here: choose from {', '.join(known)}.")
    return tuple(known[name] for name in dict.fromkeys(wanted))


class Arrangement:
    """
    Turns batches of rows into batches of the file's columns.

    ``kinds``: the schema of the rows. ``interval``: that of candles, for the time of their close. ``indicators``: the
    names of columns of floats that the rows have besides.
    """

    def __init__(
        self,
        layout: RowLayout,
        file_format: FileFormat,
        kinds: Any,
        interval: Interval | None = None,
        indicators: Sequence[str] = (),
    ) -> None:
        self.layout = layout
        self._is_text = file_format.is_text
        self._interval = interval
        self._derived: dict[str, Callable[[Any], Any]] = {
            "vwap": lambda rows: mean_prices(rows.column("quote_volume"), rows.column("volume"), _VWAP),
            "close_time": self._close_times,
            "ignore": lambda rows: pa.repeat(pa.scalar("0"), rows.num_rows),
        }
        derived = {"vwap": _VWAP, "close_time": pa.timestamp("us", "UTC"), "ignore": pa.string()}
        known = {field.name: field.type for field in kinds} | dict.fromkeys(indicators, pa.float64())
        fields = [
            pa.field(column.name, self._kind(column.form, known.get(column.source) or derived[column.source]))
            for column in layout.columns
        ]
        self.schema = pa.schema(fields, metadata=_pandas_index(fields, layout.index))

    def arranged(self, rows: Any) -> Any:
        """Return the rows as the file has them."""
        arrays = [self._values(column, rows) for column in self.layout.columns]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _values(self, column: Column, rows: Any) -> Any:
        derive = self._derived.get(column.source)
        known = column.source in rows.schema.names
        values = rows.column(column.source) if known or derive is None else derive(rows)
        if column.form is Form.NUMBER and not self._is_text:
            return pa.array(floats_of(values))
        if column.form is Form.MILLISECONDS:
            return pc.divide(values.view(pa.int64()), 1_000)
        if column.form is Form.SECONDS:
            return pc.divide(values.view(pa.int64()), 1_000_000)
        return values

    def _kind(self, form: Form, kind: Any) -> Any:
        if form is Form.NUMBER and not self._is_text:
            return pa.float64()
        return pa.int64() if form in (Form.MILLISECONDS, Form.SECONDS) else kind

    def _close_times(self, rows: Any) -> Any:
        """Return the last millisecond of each candle."""
        assert self._interval is not None
        opens, interval = open_times(rows), self._interval
        if interval.months:
            ends = np.array([interval.next_open_us(at) for at in opens.tolist()], dtype=np.int64)
        else:
            ends = (slots_of(interval, opens) + 1) * interval.length_us + interval.origin_us
        return pa.array(ends - 1_000).view(pa.timestamp("us", "UTC"))


def _pandas_index(fields: Sequence[Any], index: str) -> dict[str, str] | None:
    """Return the metadata by which pandas makes a column the index; None if there is none."""
    if index not in [field.name for field in fields]:
        return None

    def described(field: Any) -> dict[str, object]:
        is_time = pa.types.is_timestamp(field.type)
        kinds = ("datetimetz", "datetime64[us, UTC]") if is_time else (str(field.type),) * 2
        return {
            "name": field.name,
            "field_name": field.name,
            "pandas_type": kinds[0].replace("double", "float64"),
            "numpy_type": kinds[1].replace("double", "float64"),
            "metadata": {"timezone": "UTC"} if is_time else None,
        }

    description = {
        "index_columns": [index],
        "column_indexes": [],
        "columns": [described(field) for field in fields],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",
    }
    return {"pandas": json.dumps(description)}


def candle_arrangement(layout: FileLayout, file_format: FileFormat, interval: Interval) -> Arrangement:
    """Return how candles of that interval go into a file. Raises UsageError."""
    return Arrangement(candle_layout(layout, file_format), file_format, schema(), interval, layout.indicators)
