"""What an export will deliver, as far as is known before it: rows, size, and what the files will lack. Pure."""

from __future__ import annotations

from typing import NamedTuple

from app.market.availability import Origin, Stretch, availability, quote_availability
from app.market.candle_request import window_minutes
from app.market.export_plan import ExportPlan, RowsRequest, number_of
from app.market.file_columns import row_layout
from app.market.file_format import FileFormat
from app.market.interval import Interval
from widgets.controls.number_format import count, data_size
from widgets.dialogs.export.availability_card import FileAvailability, candles_by_origin
from widgets.dialogs.export.export_form import ExportForm
from widgets.dialogs.form_parts import utc_minute

_BYTES_A_ROW = {  # with all columns
    FileFormat.CSV: 190,
    FileFormat.CSV_GZ: 60,
    FileFormat.TSV: 190,
    FileFormat.PARQUET: 50,
    FileFormat.FEATHER: 70,
    FileFormat.JSON: 420,
    FileFormat.JSONL: 420,
    FileFormat.XLSX: 110,
}
_ALL_COLUMNS = 16


class Forecast(NamedTuple):
    """One bar for each file of candles, a sentence, and whether the files will lack anything."""

    files: list[FileAvailability]
    sentence: str
    lacks: bool


class _FileForecast(NamedTuple):
    request: RowsRequest
    ends: tuple[str, str]
    stretches: list[Stretch]
    columns: int
    is_known: bool = False

    @property
    def rows(self) -> int:
        found = sum(one.candles for one in self.stretches)
        if self.request.is_rolling and isinstance(self.request.rows, Interval):
            return max(0, found + 1 - window_minutes(self.request.rows))
        return found - self.missing

    @property
    def missing(self) -> int:
        return candles_by_origin(self.stretches)[Origin.NOWHERE]

    @property
    def first_missing(self) -> str:
        first = next(one.first for one in self.stretches if one.origin is Origin.NOWHERE)
        assert self.request.candles is not None
        return utc_minute(self.request.candles.slot_open_us(first))


def forecast(form: ExportForm, plan: ExportPlan, now_us: int) -> Forecast:
    """
    Return what the plan's files of candles will have; ``now_us`` is the exchange's time.

    Raises:
        UsageError: If all that is stored is asked for, and nothing is.
    """
    names = {one.name: one.full_name for one in form.rows.chosen_symbols()}
    files, shown = list[_FileForecast](), list[FileAvailability]()
    for request in plan.files:
        one = _of_file(form, plan, request, now_us)
        files.append(one)
        name = f"{names[request.symbol]} {request.rows}"
        shown.append(FileAvailability(name, one.stretches, one.ends, request.is_of_quotes))
    if not all(one.is_known for one in files):
        return Forecast(shown, "", lacks=False)  # not all is known yet
    return Forecast(shown, _sentence(plan, files), any(one.missing for one in files))


def _of_file(form: ExportForm, plan: ExportPlan, request: RowsRequest, now_us: int) -> _FileForecast:
    columns = len(row_layout(request.rows, plan.layout_of(request), plan.file_format).columns)
    wanted, stored = form.candles_of(plan, request), form.stored_of(request)
    if wanted is None:
        return _FileForecast(request, ("", ""), [], columns)
    ends = utc_minute(wanted.start_us), utc_minute(wanted.end_us)
    if stored is None:
        return _FileForecast(request, ends, [], columns)
    if request.is_of_quotes:
        found = quote_availability(wanted, stored, now_us, form.calendar_of(request.symbol))
    else:
        found = availability(wanted, stored, now_us)
    return _FileForecast(request, ends, found, columns, is_known=True)


def _sentence(plan: ExportPlan, files: list[_FileForecast]) -> str:
    rows = sum(one.rows for one in files)
    size = sum(one.rows * one.columns for one in files) * _BYTES_A_ROW[plan.file_format] // _ALL_COLUMNS
    where = f" in {len(files)} files" if plan.is_several else ""
    said = f"{count(rows)} rows{where}, about {data_size(max(size, 1_000))}."
    lacking = [one for one in files if one.missing]
    if not lacking:
        return said
    why = "not to be had" if plan.fetches else "not stored, or not to be had"
    missing = number_of(sum(one.missing for one in lacking), "minute" if files[0].request.is_rolling else "candle")
    who = f"{len(lacking)} files will lack" if plan.is_several and len(lacking) > 1 else "The file will lack"
    if plan.is_several and len(lacking) == 1:
        who = f"{lacking[0].request.subject} will lack"
    return f"{said} {who} {missing}, the first at {lacking[0].first_missing}: {why}."
