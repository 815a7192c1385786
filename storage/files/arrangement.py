"""
Turns batches of rows into batches of a file's columns, which `app.market.file_columns` lists.

`storage.files.writers` knows formats and no presets. A number stays an exact decimal where the format is text;
elsewhere a program that wants numbers gets floats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.market.columns.candle_columns import open_times, schema, slots_of
from app.market.columns.gap_columns import gap_schema
from app.market.columns.quote_columns import quote_candle_schema, quote_schema
from app.market.columns.session_columns import session_gap_schema, session_schema
from app.market.columns.wide_decimals import floats_of, mean_prices
from app.market.file_columns import MINUTE_INDEX, TRADE_COLUMNS, Column, Form, RowLayout, Rows, RowsOf, row_layout
from app.market.file_format import FileFormat, FileLayout
from app.market.interval import Interval

_VWAP = pa.decimal128(38, 16)


def trade_schema() -> Any:
    """Return the Arrow schema of trades, the columns of trade_log."""
    amount = pa.decimal128(20, 8)
    kinds = (pa.string(), pa.int64(), pa.timestamp("us", "UTC"), amount, amount, pa.bool_())
    return pa.schema(list(zip(TRADE_COLUMNS, kinds, strict=True)))


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


def arrangement_of(rows: Rows, layout: FileLayout, file_format: FileFormat) -> Arrangement:
    """Return how those rows go into a file. Raises UsageError."""
    columns = row_layout(rows, layout, file_format)
    if isinstance(rows, Interval):
        kinds = quote_candle_schema() if layout.is_of_quotes else schema()
        if layout.is_rolling:
            kinds = kinds.append(pa.field(MINUTE_INDEX, pa.int32()))
        return Arrangement(columns, file_format, kinds, rows, layout.indicators)
    schemas: dict[RowsOf, Callable[[], Any]] = {
        RowsOf.TRADES: trade_schema,
        RowsOf.QUOTES: quote_schema,
        RowsOf.GAPS: gap_schema,
        RowsOf.SESSIONS: session_schema,
        RowsOf.SESSION_GAPS: session_gap_schema,
    }
    return Arrangement(columns, file_format, schemas[rows]())
