"""Gaps between stored trades as columns: the rows of a file of gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.market.columns.arrow import arrow
from app.market.coverage import StoredGap
from app.market.file_columns import GAP_COLUMNS


def gap_schema() -> Any:
    """Return the Arrow schema of gaps."""
    pa = arrow()
    time = pa.timestamp("us", "UTC")
    kinds = (pa.string(), pa.int64(), pa.int64(), pa.int64(), pa.string(), time, time)
    return pa.schema(list(zip(GAP_COLUMNS, kinds, strict=True)))


def gap_rows(gaps: Sequence[StoredGap]) -> Any:
    """Return the gaps as an Arrow RecordBatch; ``after`` and ``before`` are the times of the trades around each."""
    pa = arrow()
    rows = [
        (
            gap.symbol,
            gap.first_trade_id,
            gap.last_trade_id,
            gap.ids,
            "absent" if gap.absent else "repairing" if gap.repairing else "open",
            gap.start_us,
            gap.end_us,
        )
        for gap in gaps
    ]
    kinds = gap_schema()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    arrays = [pa.array(values, kind.type) for kind, values in zip(kinds, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=kinds)
