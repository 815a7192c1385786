"""
Rows of a binary COPY, packed from columns by numpy.

Pure. All rows of a layout have the same size, because every amount takes the five digits that any 64-bit one needs;
PostgreSQL accepts leading zeros and strips them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.postgres.batch_columns import PG_EPOCH_US, Ints, write_digits

_NUMERIC = np.dtype(
    [("size", ">i4"), ("ndigits", ">i2"), ("weight", ">i2"), ("sign", ">i2"), ("scale", ">i2"), ("d", ">i2", 5)]
)


class ColumnType(Enum):
    """The type of a column; the value is the numpy type of its field, without the size that precedes it."""

    SMALLINT = ">i2"
    INTEGER = ">i4"
    BIGINT = ">i8"
    TIMESTAMP = "timestamp"
    """UTC microseconds since 1970."""
    AMOUNT = "amount"
    """A numeric, given in 1e-8 units, not negative."""


class RowLayout:
    """The columns of a table, in the order of a COPY."""

    def __init__(self, columns: Sequence[ColumnType]) -> None:
        self._columns = columns
        fields: list[Any] = [("fields", ">i2")]
        for number, column in enumerate(columns):
            if column is ColumnType.AMOUNT:
                fields.append((f"v{number}", _NUMERIC))
            else:
                kind = ">i8" if column is ColumnType.TIMESTAMP else column.value
                fields += [(f"s{number}", ">i4"), (f"v{number}", kind)]
        self._row = np.dtype(fields)

    def pack(self, columns: Sequence[Ints | NDArray[Any]]) -> bytes:
        """Return the rows of equally long columns, without header and trailer."""
        rows = np.zeros(len(columns[0]), dtype=self._row)
        rows["fields"] = len(self._columns)
        for number, (kind, values) in enumerate(zip(self._columns, columns, strict=True)):
            field = rows[f"v{number}"]
            if kind is ColumnType.AMOUNT:
                field["size"], field["ndigits"], field["weight"], field["scale"] = 18, 5, 2, 8
                write_digits(field["d"], values)
                continue
            rows[f"s{number}"] = field.dtype.itemsize
            field[:] = values - PG_EPOCH_US if kind is ColumnType.TIMESTAMP else values
        return rows.tobytes()
