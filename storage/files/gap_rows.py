"""Gaps between stored trades as rows of a file; see `storage.files.row_layout.gap_schema`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa

from storage.files.row_layout import gap_schema


class Gap(Protocol):
    """A range of ids that are not stored; `storage.integrity.gap_report.StoredGap` is one."""

    @property
    def symbol(self) -> str: ...

    @property
    def first_trade_id(self) -> int: ...

    @property
    def last_trade_id(self) -> int: ...

    @property
    def start_us(self) -> int | None: ...

    @property
    def end_us(self) -> int | None: ...

    @property
    def ids(self) -> int: ...

    @property
    def absent(self) -> bool: ...

    @property
    def repairing(self) -> bool: ...


def gap_rows(gaps: Sequence[Gap]) -> Any:
    """Return the gaps as an Arrow RecordBatch; ``after`` and ``before`` are the times of the trades around each."""
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
