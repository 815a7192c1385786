"""Sessions of a market, and the gaps between them, as columns: the rows of their files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from app.market.calendar.session_gaps import SessionGap
from app.market.calendar.session_rows import SessionRow
from app.market.columns.arrow import arrow
from app.market.columns.wide_decimals import decimal_array
from app.market.file_columns import SESSION_COLUMNS, SESSION_GAP_COLUMNS


@cache
def session_schema() -> Any:
    """Return the Arrow schema of sessions, the columns of trading_sessions."""
    pa = arrow()
    time = pa.timestamp("us", "UTC")
    kinds = (pa.string(), pa.date32(), time, time, pa.int64(), pa.bool_(), pa.bool_(), pa.string())
    return pa.schema(list(zip(SESSION_COLUMNS, kinds, strict=True)))


@cache
def session_gap_schema() -> Any:
    """Return the Arrow schema of gaps between sessions, the columns of session_gaps."""
    pa = arrow()
    amount = pa.decimal128(20, 8)
    kinds = (pa.string(), pa.date32(), amount, amount, amount, amount, pa.string())
    return pa.schema(list(zip(SESSION_GAP_COLUMNS, kinds, strict=True)))


def session_columns(rows: Sequence[SessionRow]) -> Any:
    """Return sessions as an Arrow RecordBatch."""
    pa, kinds = arrow(), session_schema()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    arrays = [pa.array(values, kind.type) for kind, values in zip(kinds, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=kinds)


def session_gap_columns(gaps: Sequence[SessionGap]) -> Any:
    """Return gaps between sessions as an Arrow RecordBatch."""
    pa, kinds = arrow(), session_gap_schema()
    arrays = [
        pa.array([one.symbol for one in gaps], pa.string()),
        pa.array([one.session_date for one in gaps], pa.date32()),
        decimal_array([one.prior_close_e8 for one in gaps], kinds.field("prior_close").type),
        decimal_array([one.current_open_e8 for one in gaps], kinds.field("current_open").type),
        decimal_array([one.gap_amount_e8 for one in gaps], kinds.field("gap_amount").type),
        pa.array([one.gap_percent for one in gaps], kinds.field("gap_percent").type),
        pa.array([one.gap_direction for one in gaps], pa.string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=kinds)
