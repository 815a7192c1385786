"""All fields of the export dialog together: what they ask for, and the name of each file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.market.availability import StoredTimes
from app.market.calendar.calendar import Calendar
from app.market.calendar.of_symbol import usual_calendar
from app.market.candle_request import CandleRequest, file_name, whole_candles, window_count
from app.market.errors import UsageError
from app.market.export_plan import ExportPlan, RowsRequest
from app.market.file_columns import row_layout
from app.market.file_format import Preset, check_rows, name_in_folder
from app.market.interval import Interval
from app.market.symbol import Symbol
from widgets.dialogs.export.layout_fields import LayoutFields
from widgets.dialogs.export.rows_fields import FormStart, RowsFields
from widgets.dialogs.export.target_fields import TargetFields
from widgets.theme.palettes import Palette


class ExportRequest(NamedTuple):
    """
    An export to begin. ``path``: the file or, for several, the folder.

    Unless ``is_named``, one file gets a name beside ``path`` with the range that is in it.
    """

    plan: ExportPlan
    path: Path
    is_named: bool


class ExportForm(QObject):
    """
    The fields of the dialog, and what they mean together.

    Signals:
        edited: A field has changed.
    """

    edited = Signal()

    def __init__(self, symbols: Sequence[Symbol], start: FormStart, parent: QObject) -> None:
        super().__init__(parent)
        self._now_us = start.now_us
        self._stored: dict[tuple[str, Interval], StoredTimes] = {}
        self._calendars: dict[str, Calendar] = {}
        self._plan: ExportPlan | str = ""  # of the fields as they are, or why they have none
        self.rows = RowsFields(symbols, start, self)
        self.layout_of_rows = LayoutFields(start.indicators, self)
        self.target = TargetFields(start.folder, self)
        for part in (self.rows, self.layout_of_rows):
            part.edited.connect(self._on_edit)
        self.target.edited.connect(self.edited)
        self._renew()
        self.set_editable(True)

    def plan(self) -> ExportPlan:
        """
        Return what the fields ask for; made once per change of a field.

        Raises:
            UsageError: If a field is wrong, a symbol has no such rows, a file no such column, no candle lies in the
                range, nothing is stored of “All stored”, or a sheet would have too many rows.
        """
        if isinstance(self._plan, str):
            raise UsageError(self._plan)
        return self._plan

    def request(self) -> ExportRequest:
        """
        Return the export to begin.

        Raises:
            UsageError: As `plan`, or if it cannot go where the fields say.
        """
        plan = self.plan()
        is_named = self.target.is_typed or (not plan.is_several and plan.layout.preset is Preset.FREQTRADE)
        return ExportRequest(plan, self.target.chosen_path(), is_named)

    def names(self, plan: ExportPlan) -> list[str]:
        """Return the names of the files, as far as they are known. Raises UsageError if a symbol is unknown."""
        symbols = {one.name: one for one in self.rows.chosen_symbols()}
        return [self._name_of(plan, request, symbols.get(request.symbol)) for request in plan.files]

    def columns(self, plan: ExportPlan) -> list[str]:
        """Return the names of the columns of its first file."""
        first = plan.files[0]
        return [one.name for one in row_layout(first.rows, plan.layout_of(first), plan.file_format).columns]

    def candles_of(self, plan: ExportPlan, request: RowsRequest) -> CandleRequest | None:
        """
        Return which candles are read for the file; None for other rows, and as long as nobody knows.

        Raises:
            UsageError: If all that is stored is asked for, and nothing is.
        """
        interval = request.candles
        if interval is None:
            return None
        start_us, end_us = request.start_us, request.end_us
        if start_us is None or end_us is None:
            stored = self.stored_of(request)
            if stored is None:
                return None
            if stored.first_us is None:
                raise UsageError(f"Nothing of {request.symbol} is stored: choose another range.")
            start_us, end_us = whole_candles(
                interval, stored.first_us, self._now_us + 1, self._now_us, include_open=plan.include_open
            )
        fetch = plan.fetch and not request.is_of_quotes
        return CandleRequest(request.symbol, interval, start_us, end_us, fetch, plan.include_open)

    def stored_of(self, request: RowsRequest) -> StoredTimes | None:
        """Return what is stored of the candles of a file; None: not known."""
        return None if request.candles is None else self._stored.get((request.symbol, request.candles))

    def calendar_of(self, symbol: str) -> Calendar:
        """Return when the market of a symbol is open: the usual calendar until a better one is known."""
        return self._calendars.get(symbol) or usual_calendar(symbol)

    def set_stored(
        self, symbol: str, interval: Interval, stored: StoredTimes, calendar: Calendar | None = None
    ) -> None:
        """Accept what is stored, which determines where “All stored” begins, and the calendar of its market."""
        self._stored[symbol, interval] = stored
        if calendar is not None:
            self._calendars[symbol] = calendar
        self._renew()

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self.rows.set_palette(palette)
        self.layout_of_rows.set_palette(palette)

    def set_editable(self, editable: bool) -> None:
        """Enable or disable the fields; disabled while an export runs."""
        for part in (self.rows, self.layout_of_rows, self.target):
            part.set_editable(editable)

    def lay_out(self, into: QVBoxLayout, availability: QWidget, preview: QWidget) -> None:
        """Put all fields into a layout, with these two where they belong."""
        into.addLayout(self.rows.layout_fields())
        into.addWidget(availability)
        into.addWidget(self.rows.boxes())
        into.addLayout(self.layout_of_rows.layout_fields())
        into.addWidget(preview)
        into.addLayout(self.target.layout_fields())

    def _on_edit(self) -> None:
        self._renew()
        self.set_editable(True)
        self.edited.emit()

    def _renew(self) -> None:
        """Make the plan, offer the columns of the rows chosen, and suggest where they could go."""
        try:
            self.layout_of_rows.set_kinds(
                self.rows.chosen_rows(), are_of_quotes=self.rows.are_of_quotes, are_rolling=self.rows.is_rolling
            )
            plan = self._plan = self._made()
        except UsageError as error:
            self._plan = str(error)
            return  # it is shown, and the suggestion stays
        self.target.suggest(self.names(plan), plan.file_format)

    def _made(self) -> ExportPlan:
        layout = self.layout_of_rows
        plan = ExportPlan(
            self.rows.chosen_files(),
            layout.chosen_format,
            layout.chosen_layout(),
            layout.chosen_indicators(),
            self.rows.fetch.isChecked(),
            self.rows.include_open.isChecked() and not self.rows.is_rolling,
            self.rows.chosen_price,
        )
        for request in plan.files:
            request.check()
            row_layout(request.rows, plan.layout_of(request), plan.file_format)
            wanted = self.candles_of(plan, request)
            if wanted is not None and isinstance(request.rows, Interval):
                wanted.check()
                count = window_count(wanted, request.rows) if request.is_rolling else len(wanted.slots)
                check_rows(count, plan.file_format)
        return plan

    def _name_of(self, plan: ExportPlan, request: RowsRequest, symbol: Symbol | None) -> str:
        pair = (symbol.base, symbol.quote) if symbol is not None and symbol.base and symbol.quote else None
        name = plan.name_of(request, pair)
        if name is not None:
            return name
        candles = self.candles_of(plan, request)
        start_us, end_us = (request.start_us, request.end_us) if candles is None else candles[2:4]
        if start_us is None or end_us is None:
            return name_in_folder(request.symbol, request.name, plan.file_format)
        return file_name(request.symbol, request.name, start_us, end_us, plan.file_format)
