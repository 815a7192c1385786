"""
The export dialog: asks for rows, range, format and target, shows how much is stored, then the export's progress.

It checks names, times and the folder, and explains errors. The program writes the files:
`ExportDialog.export_started` asks for it; ``set_progress``, ``completed``, ``failed`` and ``cancelled`` report back.
Head and foot stay where they are; what lies between scrolls where the screen is small or the text large.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QMessageBox, QScrollArea, QVBoxLayout, QWidget

from app.market.availability import StoredTimes
from app.market.calendar.calendar import Calendar
from app.market.errors import UsageError
from app.market.export_plan import ExportPlan, RowsRequest, number_of
from app.market.interval import Interval
from app.market.symbol import Symbol, has_trades
from widgets.controls.dialog_frame import PADDING_PX, room_for
from widgets.controls.labels import label
from widgets.controls.number_format import count
from widgets.dialogs.export.availability_card import AvailabilityCard
from widgets.dialogs.export.export_foot import ExportFoot
from widgets.dialogs.export.export_forecast import forecast
from widgets.dialogs.export.export_form import ExportForm, ExportRequest
from widgets.dialogs.export.preview_table import PreviewTable
from widgets.dialogs.export.rows_fields import FormStart, RowKind
from widgets.dialogs.form_parts import flow, stacked
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_WIDTH_PX = 720
_HEAD_PX = 64
_PREVIEW_AFTER_MS = 200
_MOST_LACKS = _MOST_NAMED = 3
_SAID = {
    RowKind.TRADES: "Trades that are stored; what is missing between them is named.",
    RowKind.QUOTES: "Quotes that are stored; open time without them is named.",
    RowKind.GAPS: "The ids missing between stored trades, and the times around them.",
    RowKind.SESSIONS: "The days on which the market is open, with its holidays, as far as they are stored.",
    RowKind.SESSION_GAPS: "What the price did between two sessions, where it is stored.",
}


class ExportState(Enum):
    """What the dialog is doing."""

    EDITING = auto()
    RUNNING = auto()
    CANCELLING = auto()
    DONE = auto()


class WrittenFile(NamedTuple):
    """A file that is whole; ``lack`` says what is missing in it, empty where nothing is."""

    request: RowsRequest
    path: Path
    rows: int
    lack: str = ""


class ExportDialog(QDialog):
    """
    Asks which rows to export, and shows how the export goes.

    Signals:
        stored_requested: Report by `set_stored` what is stored; carries pairs of a symbol's name and an `Interval`.
            Of quotes it is about the price chosen in the form.
        preview_requested: Report by `set_preview` a file's first rows; carries an `ExportPlan` of that file alone.
        export_started: Write the files; carries the `ExportRequest`. The user has agreed to replace those that exist.
            End with `completed`, `failed` or `cancelled`.
        cancel_requested: Stop the running export and leave no half file; answer with `cancelled`.
        folder_requested: Show the folder of a file; carries its `Path`.
    """

    stored_requested = Signal(object)
    preview_requested = Signal(object)
    export_started = Signal(object)
    cancel_requested = Signal()
    folder_requested = Signal(object)

    def __init__(
        self,
        symbols: Sequence[Symbol],
        start: FormStart,
        *,
        palette: Palette = DARK,
        parent: QWidget | None = None,
    ) -> None:
        """Offer ``symbols``, and show ``start`` at first."""
        super().__init__(parent)
        self.setFont(style.font())
        self.setWindowTitle("Export")
        self.state = ExportState.EDITING
        self._now_us = start.now_us
        self._asked = set[tuple[str, Interval]]()
        self._price = start.price  # of quotes, about which was asked
        self._previewed: ExportPlan | None = None
        self._plan: ExportPlan | None = None  # of the running export
        self._written: list[WrittenFile] = []
        self.form = ExportForm(symbols, start, self)
        self.card = AvailabilityCard()
        self.card.set_palette(palette)
        self.form.set_palette(palette)
        self.preview, self.preview_note = PreviewTable(), label("", "faint", style.font(style.SMALL_PX))
        self.preview_note.setWordWrap(True)
        self.preview_note.hide()
        self.foot = ExportFoot()
        self._preview_timer = QTimer(self)
        self._preview_timer.setSingleShot(True)
        self._preview_timer.setInterval(_PREVIEW_AFTER_MS)
        self._preview_timer.timeout.connect(self._ask_for_preview)
        self._arrange()
        self.foot.start_button.setDefault(True)  # only once it is in the dialog
        self.form.edited.connect(self._on_edited)
        self.foot.start_button.clicked.connect(self._start)
        self.foot.cancel_button.clicked.connect(self.reject)
        self.foot.folder_button.clicked.connect(lambda: self.folder_requested.emit(self._written[0].path))

    def ask_what_is_stored(self) -> None:
        """Request what is stored, and the first rows; call once the signals are connected."""
        self._on_edited()

    def set_stored(
        self, symbol: str, interval: Interval, stored: StoredTimes, calendar: Calendar | None = None
    ) -> None:
        """Accept what is stored of a symbol, for candles of one interval and the chosen price, and its calendar."""
        self._asked.add((symbol, interval))
        self.form.set_stored(symbol, interval, stored, calendar)
        self._show_availability()
        self._preview_timer.start()

    def set_preview(self, plan: ExportPlan, header: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> None:
        """Show the first rows of the plan's file, and ``note`` on them; ignored if others are wanted by now."""
        if plan == self._previewed:
            self.preview.show_rows(header, rows)
            self.preview_note.setText(note)
            self.preview_note.setVisible(bool(note))

    def set_progress(
        self, request: RowsRequest, files: int, done: int, total: int, pace: str = "", waits_because: str = ""
    ) -> None:
        """
        Show how far the file of a request is; ignored unless the export is running.

        ``files`` before it are whole. ``pace`` is how fast it goes, and how long it takes yet.
        """
        if self.state is not ExportState.RUNNING or self._plan is None:
            return
        work = f"{count(done)} of {count(total)} {request.unit}s"
        if self._plan.is_several:
            work = f"File {files + 1} of {len(self._plan.files)}, {request.subject}: {work}"
        text = f"Waiting: {waits_because}" if waits_because else work
        share = (files + (done / total if total else 0.0)) / len(self._plan.files) if total or files else None
        self.foot.show_progress(text, share, pace)
        self.card.set_done(files, done)

    def completed(self, files: Sequence[WrittenFile]) -> None:
        """Show that the files are written, and what is missing in them."""
        self._end(ExportState.DONE)
        self._written = list(files)
        lacking = [one for one in files if one.lack]
        self.foot.show_outcome(_outcome(files, lacking), "warning" if lacking else "rising")
        self.foot.folder_button.show()
        self.foot.cancel_button.setText("Close")
        self.foot.cancel_button.setFocus()
        self._asked.clear()  # what was fetched is stored now
        self._ask_what_is_stored()
        self._preview_timer.start()

    def failed(self, sentence: str, written: Sequence[WrittenFile] = ()) -> None:
        """Show why the export failed, and let the user change the form; the files ``written`` before are whole."""
        self._end(ExportState.EDITING)
        self.foot.show_outcome(f"{sentence} {_whole_ones(written)}".rstrip(), "warning")

    def cancelled(self, written: Sequence[WrittenFile] = ()) -> None:
        """Show that the export stopped as requested and left no half file; the files ``written`` are whole."""
        self._end(ExportState.EDITING)
        left = f"Cancelled. {_whole_ones(written)}" if written else "Cancelled; no file was written."
        self.foot.show_outcome(f"{left} What was fetched is stored.", "dim")

    def reject(self) -> None:
        """Cancel the running export or, where none runs, close: Esc, Cancel and the window's close button."""
        if self.state is ExportState.CANCELLING:
            return
        if self.state is ExportState.RUNNING:
            self.state = ExportState.CANCELLING
            self.foot.cancel_button.setEnabled(False)
            self.foot.show_progress("Cancelling…", None)
            self.cancel_requested.emit()
            return
        super().reject()

    def _start(self) -> None:
        try:
            request = self.form.request()
        except UsageError as error:
            self.foot.show_outcome(str(error), "warning")
            return
        if not self._may_replace(request):
            return
        if self._preview_timer.isActive():
            self._ask_for_preview()  # now: nothing is asked for while it runs
        self._plan = request.plan
        self.state = ExportState.RUNNING
        self.form.set_editable(False)
        self.foot.start_button.setEnabled(False)
        self.foot.show_progress("Starting…", None)
        self.export_started.emit(request)

    def _end(self, state: ExportState) -> None:
        self.state = state
        self._plan = None
        self.form.set_editable(state is ExportState.EDITING)
        self.foot.start_button.setEnabled(state is ExportState.EDITING)
        self.foot.cancel_button.setEnabled(True)

    def _may_replace(self, request: ExportRequest) -> bool:
        """Return whether no file exists that would be replaced, or the user agrees."""
        plan, path = request.plan, request.path
        if not plan.is_several:
            if not request.is_named or not path.exists():
                return True
            return self._agrees("Replace the file?", f"“{path.name}” exists already. Replace it?")
        names = self.form.names(plan)
        existing = [name for name in names if (path / name).exists()]
        if not existing:
            return True
        said = f"“{existing[0]}” exists" if len(existing) == 1 else f"{len(existing)} of the {len(names)} files exist"
        it = "it" if len(existing) == 1 else "them"
        return self._agrees("Replace the files?", f"{said} already in “{path}”. Replace {it}?")

    def _agrees(self, title: str, question: str) -> bool:
        answer = QMessageBox.question(
            self,
            title,
            question,
            QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
            QMessageBox.StandardButton.No,  # the default: Enter must not replace a file
        )
        return answer == QMessageBox.StandardButton.Yes

    # What is there

    def _on_edited(self) -> None:
        if self._price is not self.form.rows.chosen_price:
            self._price = self.form.rows.chosen_price
            self._asked = {(symbol, interval) for symbol, interval in self._asked if has_trades(symbol)}
        self._ask_what_is_stored()
        self._show_availability()
        self._preview_timer.start()

    def _ask_what_is_stored(self) -> None:
        """Request what is stored of the chosen candles that were not requested yet."""
        try:
            files = self.form.rows.chosen_files()
        except UsageError:
            return
        wanted = [(one.symbol, one.candles) for one in files if one.candles is not None]
        lacking = [one for one in dict.fromkeys(wanted) if one not in self._asked]
        if lacking:
            self._asked.update(lacking)
            self.stored_requested.emit(lacking)

    def _show_availability(self) -> None:
        """Show what the export will deliver. Runs at every key press, so it reads no data."""
        kind = self.form.rows.chosen_kind
        try:
            plan = self.form.plan()
            expected = forecast(self.form, plan, self._now_us)
        except UsageError as error:
            self.card.hide()
            self._say_idle(str(error), "dim")
            return
        self.card.setVisible(kind is RowKind.CANDLES)
        self.preview.show_header(self.form.columns(plan))
        if kind is not RowKind.CANDLES:
            self._say_idle(_SAID[kind], "dim")
            return
        self.card.show_files(expected.files)
        self._say_idle(expected.sentence, "warning" if expected.lacks else "dim")

    def _ask_for_preview(self) -> None:
        self._preview_timer.stop()
        try:
            plan = self.form.plan()
        except UsageError:
            return  # the last rows stay while a field is being typed
        if self.state in (ExportState.EDITING, ExportState.DONE):
            self._previewed = plan._replace(files=plan.files[:1])
            self.preview_requested.emit(self._previewed)

    def _say_idle(self, text: str, tone: str) -> None:
        if self.state is ExportState.EDITING:
            self.foot.show_outcome(text, tone)

    # Layout

    def _arrange(self) -> None:
        fields_holder = QWidget()
        fields_holder.setObjectName("dialogBody")
        fields = QVBoxLayout(fields_holder)
        fields.setContentsMargins(PADDING_PX, 0, PADDING_PX, 12)
        fields.setSpacing(12)
        self.form.lay_out(fields, self.card, stacked(self.preview, self.preview_note, spacing=4))
        fields.addStretch(1)
        self.body = QScrollArea()
        self.body.setObjectName("dialogScroll")
        self.body.setWidgetResizable(True)
        self.body.setFrameShape(QFrame.Shape.NoFrame)
        self.body.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.body.setWidget(fields_holder)
        head = QHBoxLayout()
        head.setContentsMargins(PADDING_PX, 14, PADDING_PX, 0)
        head.setSpacing(16)
        head.addWidget(label("Export", "", style.font(style.TITLE_PX)))
        head.addWidget(flow(*self.form.rows.kinds.values(), spacing=4), 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(self.body, 1)
        layout.addWidget(self.foot)
        self._fit(fields)

    def _fit(self, fields: QVBoxLayout) -> None:
        """Take the room that all fields need, as far as the screen has it."""
        room = room_for(self)
        width = min(style.px(_WIDTH_PX), room.width())
        height = fields.totalHeightForWidth(width) + self.foot.sizeHint().height() + style.px(_HEAD_PX + 16)
        self.resize(width, min(height, room.height()))


def _whole_ones(files: Sequence[WrittenFile]) -> str:
    """Return which files are whole although others are not there; empty if none is."""
    if not files:
        return ""
    names = ", ".join(one.path.name for one in files[:_MOST_NAMED])
    more = f" and {len(files) - _MOST_NAMED:,} more" if len(files) > _MOST_NAMED else ""
    said = "1 file is" if len(files) == 1 else f"{len(files):,} files are"
    return f"{said} whole in {files[0].path.parent}: {names}{more}."


def _outcome(files: Sequence[WrittenFile], lacking: Sequence[WrittenFile]) -> str:
    """Return what was written, where, and what is missing in it."""
    if len(files) == 1:
        one = files[0]
        return f"{number_of(one.rows, one.request.unit)} written to {one.path}. {one.lack}".rstrip()
    rows = number_of(sum(one.rows for one in files), files[0].request.unit)
    said = [f"{len(files)} files with {rows} written to {files[0].path.parent}."]
    said += [f"{one.request.subject}: {one.lack}" for one in lacking[:_MOST_LACKS]]
    if len(lacking) > _MOST_LACKS:
        said.append(f"{len(lacking) - _MOST_LACKS} more files lack rows; each says so beside it, in .meta.json.")
    return " ".join(said)
