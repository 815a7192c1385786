"""
An Excel workbook: one sheet, dates as dates, numbers as numbers, the facts as properties of the document.

Excel keeps fifteen digits of a number, and times without a zone to the millisecond: a time stands as the clock of the
zone showed it, and never in the millisecond after, which may be of another candle. What would be another value that way
stands as text: an id or a count with more digits, and a time that the clock showed twice, with its offset.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO, cast
from zoneinfo import ZoneInfo

import pyarrow as pa
import xlsxwriter

from app.market.columns.wide_decimals import floats_of

_Put = Callable[[int, int, Any], object]

_LONGEST_PROPERTY = 255
_ROUNDED_FROM = 10**15
_TIME_FORM = "yyyy-mm-dd hh:mm:ss"
_DATE_FORM = "yyyy-mm-dd"
_FINE_TIME_FORM = "yyyy-mm-dd hh:mm:ss.000"


class WorkbookWriter:
    """
    Writes rows into a workbook, each as it comes: in memory is one row.

    ``zone``: the time zone of times. ``is_exact``: a time with microseconds stands as text: it tells rows apart.
    """

    def __init__(self, stream: BinaryIO, schema: Any, zone: str, title: str, *, is_exact: bool = False) -> None:
        self._zone = ZoneInfo(zone)
        self._is_exact = is_exact
        self._scratch = tempfile.TemporaryDirectory(prefix="cryptopipe-", ignore_cleanup_errors=True)
        options = {"constant_memory": True, "tmpdir": self._scratch.name, "nan_inf_to_errors": True}
        self._book = xlsxwriter.Workbook(stream, options)
        self._sheet = self._book.add_worksheet(title[:31])
        self._sheet.freeze_panes(1, 0)
        bold = self._book.add_format({"bold": True})
        forms = {"s": _TIME_FORM, "us": _FINE_TIME_FORM, "day": _DATE_FORM}
        self._time_forms = {key: self._book.add_format({"num_format": form}) for key, form in forms.items()}
        for at, field in enumerate(schema):
            self._sheet.set_column(at, at, 21 if pa.types.is_timestamp(field.type) else 14)
        for at, name in enumerate(schema.names):
            self._sheet.write_string(0, at, name, bold)
        self._rows = 1

    def write(self, rows: Any) -> None:
        """See `storage.files.writers.row_writer.RowWriter`."""
        columns = [(self._cell(column), self._values(column)) for column in rows.columns]
        for at in range(rows.num_rows):
            for number, (put, values) in enumerate(columns):
                value = values[at]
                if value is not None and value == value:  # not NaN
                    put(self._rows, number, value)
            self._rows += 1

    def finish(self, facts: Mapping[str, object]) -> None:
        """Write the properties and pack the workbook."""
        for name, text in properties(facts):
            self._book.set_custom_property(name, text)
        self._book.close()
        self._scratch.cleanup()

    def discard(self) -> None:
        """Delete the rows that wait to be packed."""
        for sheet in self._book.worksheets():
            if sheet.row_data_filename:
                sheet.row_data_fh.close()
        self._book.fileclosed = 1  # or collecting it warns that it was not closed
        self._scratch.cleanup()

    def _cell(self, column: Any) -> _Put:
        kind, sheet = column.type, self._sheet
        if pa.types.is_timestamp(kind):
            form = self._time_forms["us" if _has_fractions(column) else "s"]
            return lambda row, at, value: (
                sheet.write_string(row, at, value)
                if isinstance(value, str)
                else sheet.write_datetime(row, at, value, form)
            )
        if pa.types.is_date(kind):
            return lambda row, at, value: sheet.write_datetime(row, at, value, self._time_forms["day"])
        if pa.types.is_boolean(kind):
            return cast(_Put, sheet.write_boolean)
        if pa.types.is_integer(kind) and any(abs(value or 0) >= _ROUNDED_FROM for value in column.to_pylist()):
            return self._put_whole
        return cast(_Put, sheet.write_string if pa.types.is_string(kind) else sheet.write_number)

    def _put_whole(self, row: int, at: int, value: int) -> None:
        if abs(value) < _ROUNDED_FROM:
            self._sheet.write_number(row, at, value)
        else:
            self._sheet.write_string(row, at, str(value))

    def _values(self, column: Any) -> list[Any]:
        kind = column.type
        if pa.types.is_decimal(kind):
            amounts: list[Any] = floats_of(column).tolist()
            return amounts
        if pa.types.is_timestamp(kind):
            times_us = column.view(pa.int64()).to_pylist()
            return [None if at is None else self._clock(at) for at in times_us]
        values: list[Any] = column.to_pylist()
        return values

    def _clock(self, time_us: int) -> datetime | str:
        seconds, micros = divmod(time_us, 1_000_000)
        if self._is_exact and micros % 1_000:
            return datetime.fromtimestamp(seconds, self._zone).replace(microsecond=micros).isoformat()
        moment = datetime.fromtimestamp(seconds, self._zone).replace(microsecond=micros - micros % 1_000)
        if moment.utcoffset() != moment.replace(fold=1 - moment.fold).utcoffset():
            return moment.isoformat()
        return moment.replace(tzinfo=None)


def properties(facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """
    Yield the facts as properties, which hold 255 characters each: texts as they are, everything else as JSON.

    A list is cut to what fits; beside a cut one ``…_spans`` says how many it has, as in a Feather file. What else is
    too long, and cannot be cut, is left out: FILE.meta.json has all of it.
    """
    for name, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value)
        if len(text) <= _LONGEST_PROPERTY:
            yield name, text
        elif isinstance(value, str):
            yield name, f"{text[: _LONGEST_PROPERTY - 1]}…"
        elif isinstance(value, list):
            kept = len(value)
            while len(text) > _LONGEST_PROPERTY:
                kept //= 2
                text = json.dumps(value[:kept])
            yield name, text
            yield f"{name}_spans", str(len(value))


def _has_fractions(column: Any) -> bool:
    return any(time_us % 1_000_000 for time_us in column.view(pa.int64()).to_pylist() if time_us is not None)
