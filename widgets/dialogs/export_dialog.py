"""
The export dialog: which candles, of which time, into which file; what of them is there; then how the export goes.

It checks names, times and the folder, and says what is wrong with them. The program writes the file:
`ExportDialog.export_started` asks for it; ``set_progress``, ``completed``, ``failed`` and ``cancelled`` report back.
Head and foot stay where they are; what lies between scrolls where the screen is small or the text large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.market.availability import Origin, StoredTimes, availability
from app.market.candle_request import CandleRequest
from app.market.errors import UsageError
from app.market.file_format import FileFormat, FileLayout, check_rows
from app.market.indicators.chosen import ChosenIndicator
from app.market.interval import Interval
from app.market.symbol import Symbol
from widgets.controls.labels import label
from widgets.controls.number_format import count
from widgets.dialogs.availability_bar import AvailabilityCard, candles_by_origin
from widgets.dialogs.export_file_fields import Rows, format_filter
from widgets.dialogs.export_form import ExportForm, FormStart, utc_minute
from widgets.dialogs.form_parts import flow
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_WIDTH = 680
_BYTES_A_ROW = {
    FileFormat.CSV: 190,
    FileFormat.CSV_GZ: 60,
    FileFormat.TSV: 190,
    FileFormat.PARQUET: 50,
    FileFormat.FEATHER: 70,
    FileFormat.JSON: 420,
    FileFormat.JSONL: 420,
    FileFormat.XLSX: 110,
}
_PADDING = 20
_HEAD_PX = 136  # with two lines in the foot, and the times of a chosen range


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """
    Candles to write into ``path``; unless ``is_named``, a file beside it with the name of what is in it.

    ``rows`` are the candles, or the trades of their symbol and range.
    """

    candles: CandleRequest
    path: Path
    is_named: bool
    rows: Rows = Rows.CANDLES
    file_format: FileFormat = FileFormat.CSV
    layout: FileLayout = FileLayout()  # noqa: RUF009  a tuple
    indicators: tuple[ChosenIndicator, ...] = ()


class ExportState(Enum):
    """What the dialog is doing."""

    EDITING = auto()
    RUNNING = auto()
    CANCELLING = auto()
    DONE = auto()


class ExportDialog(QDialog):
    """
    Asks which candles to export, and shows how the export goes.

    Signals:
        stored_requested: Tell by `set_stored` what is stored; carries the `Symbol` and the `Interval`.
        export_started: Write the file; carries the `ExportRequest`. The user has agreed to replace a file that exists.
            End with `completed`, `failed` or `cancelled`.
        cancel_requested: Stop the running export and leave no file; answer with `cancelled`.
        folder_requested: Show the file's folder; carries the file's `Path`.
    """

    stored_requested = Signal(object, object)
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
        self._asked: tuple[Symbol, Interval] | None = None
        self._stored: StoredTimes | None = None
        self._written: Path | None = None
        self.form = ExportForm(symbols, start, self)
        self.card = AvailabilityCard()
        self.card.set_palette(palette)
        self.outcome = label("", "dim")
        self.outcome.setWordWrap(True)
        self.outcome.setAccessibleName("Outcome")
        self.outcome.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.pace = label("", "dim")
        self.pace.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(8)
        self.progress.setAccessibleName("Progress")
        self.progress.hide()
        self.folder_button = QPushButton("Show in folder")
        self.folder_button.hide()
        self.cancel_button = QPushButton("Cancel")
        self.start_button = QPushButton("Export")
        self._arrange()
        self.start_button.setDefault(True)  # only once it is in the dialog
        self.form.edited.connect(self._on_edited)
        self.form.browse_button.clicked.connect(self._browse)
        self.start_button.clicked.connect(self._start)
        self.cancel_button.clicked.connect(self.reject)
        self.folder_button.clicked.connect(lambda: self.folder_requested.emit(self._written))

    def ask_what_is_stored(self) -> None:
        """Request what is stored of the symbol and interval chosen; call once `stored_requested` is connected."""
        self._on_edited()

    def set_stored(self, symbol: Symbol, interval: Interval, stored: StoredTimes) -> None:
        """Take in what is stored; ignored unless these are still chosen."""
        if (symbol, interval) == self._asked:
            self._stored = stored
            self.form.set_stored(stored)
            self._show_availability()

    def set_progress(self, done: int, total: int, pace: str = "", waits_because: str = "") -> None:
        """Show progress in candles; ignored unless the export is running. ``pace`` is how fast, and how long yet."""
        if self.state is not ExportState.RUNNING:
            return
        work = f"Waiting: {waits_because}" if waits_because else f"{count(done)} of {count(total)} candles"
        if not waits_because and self.form.file.chosen_rows is Rows.TRADES:
            work = f"{count(done)} of {count(total)} trades"
        self._show_progress(work, done / total if total else None, pace)
        self.card.bar.set_done(done)

    def completed(self, path: Path, candles: int, lack: str = "") -> None:
        """Show that the file is written, and in ``lack`` what is missing in it."""
        self._end(ExportState.DONE)
        self._written = path
        said = f"{self._counted(candles)} written to {path}."
        self._show_outcome(f"{said} {lack}" if lack else said, "warning" if lack else "rising")
        self.folder_button.show()
        self.cancel_button.setText("Close")
        self.cancel_button.setFocus()
        if self._asked is not None:
            self.stored_requested.emit(*self._asked)  # what was fetched is stored now

    def _counted(self, number: int) -> str:
        if self.form.file.chosen_rows is Rows.CANDLES:
            return _candles(number)
        return f"{count(number)} trade" if number == 1 else f"{count(number)} trades"

    def failed(self, sentence: str) -> None:
        """Show why the export failed, and let the user change the form."""
        self._end(ExportState.EDITING)
        self._show_outcome(sentence, "warning")

    def cancelled(self) -> None:
        """Show that the export stopped as requested and left no file."""
        self._end(ExportState.EDITING)
        self._show_outcome("Cancelled; no file was written. What was fetched is stored.", "dim")

    def reject(self) -> None:
        """Cancel the running export or, where none runs, close: Esc, Cancel and the window's close button."""
        if self.state is ExportState.CANCELLING:
            return
        if self.state is ExportState.RUNNING:
            self.state = ExportState.CANCELLING
            self.cancel_button.setEnabled(False)
            self._show_progress("Cancelling…", None)
            self.cancel_requested.emit()
            return
        super().reject()

    def _start(self) -> None:
        try:
            file, candles = self.form.file, self.form.chosen_request()
            request = ExportRequest(
                candles,
                self.form.chosen_path(),
                self.form.path_is_typed,
                file.chosen_rows,
                file.chosen_format,
                file.chosen_layout(),
                file.chosen_indicators(),
            )
            if request.rows is Rows.CANDLES:
                check_rows(len(candles.slots), request.file_format)
        except UsageError as error:
            self._show_outcome(str(error), "warning")
            return
        if request.is_named and request.path.exists() and not self._may_overwrite(request.path):
            return
        self.state = ExportState.RUNNING
        self.form.set_editable(False)
        self.start_button.setEnabled(False)
        self._show_progress("Starting…", None)
        self.export_started.emit(request)

    def _end(self, state: ExportState) -> None:
        self.state = state
        self.form.set_editable(state is ExportState.EDITING)
        self.start_button.setEnabled(state is ExportState.EDITING)
        self.cancel_button.setEnabled(True)

    # What is there

    def _on_edited(self) -> None:
        try:
            chosen = self.form.chosen_symbol(), self.form.chosen_interval()
        except UsageError:
            chosen = None
        if chosen is not None and chosen != self._asked:
            if self._asked is None or self._asked[0] != chosen[0]:
                self.form.set_stored(StoredTimes())
            self._asked, self._stored = chosen, None
            self.stored_requested.emit(*chosen)
        self._show_availability()

    def _show_availability(self) -> None:
        """Show what the export will deliver; quick, so that it follows every key."""
        try:
            request = self.form.chosen_request()
            symbol = self.form.chosen_symbol()
        except UsageError as error:
            self.card.show_stretches("", (), ("", ""))
            self._say_idle(str(error) if self._stored is not None else "", "dim")
            return
        is_trades = self.form.file.chosen_rows is Rows.TRADES
        self.card.setVisible(not is_trades)
        if is_trades:
            self._say_idle("Trades that are stored; what is missing between them is named.", "dim")
            return
        stretches = [] if self._stored is None else availability(request, self._stored, self._now_us)
        ends = utc_minute(request.start_us), utc_minute(request.end_us)
        self.card.show_stretches(f"{symbol.display_name} {request.interval}", stretches, ends)
        candles = candles_by_origin(stretches)
        missing, rows = candles[Origin.NOWHERE], sum(candles.values()) - candles[Origin.NOWHERE]
        size = _size(rows * _BYTES_A_ROW[self.form.file.chosen_format])
        said = f"{count(rows)} rows, about {size}." if stretches else ""
        if missing:
            why = "not stored, or not to be had" if not request.fetch else "not to be had"
            first = next(one.first for one in stretches if one.origin is Origin.NOWHERE)
            since = utc_minute(request.interval.slot_open_us(first))
            said += f" The file will lack {_candles(missing)}, the first at {since}: {why}."
        self._say_idle(said, "warning" if missing else "dim")

    def _say_idle(self, text: str, tone: str) -> None:
        if self.state is ExportState.EDITING:
            self._show_outcome(text, tone)

    # The foot

    def _show_progress(self, text: str, fraction: float | None, pace: str = "") -> None:
        """Show a progress bar, filled to ``fraction``; for None, one that only moves."""
        self.progress.setRange(0, 0 if fraction is None else 1000)
        self.progress.setValue(0 if fraction is None else round(max(0.0, min(1.0, fraction)) * 1000))
        self.progress.show()
        self._say(text, "dim", pace)

    def _show_outcome(self, text: str, tone: str) -> None:
        """Show a sentence in place of the progress bar."""
        self.progress.hide()
        self._say(text, tone)

    def _say(self, text: str, tone: str, pace: str = "") -> None:
        self.outcome.setText(text)
        self.pace.setText(pace)
        style.set_tone(self.outcome, tone)

    def _arrange(self) -> None:
        fields_holder = QWidget()
        fields = QVBoxLayout(fields_holder)
        fields.setContentsMargins(_PADDING, 0, _PADDING, 12)
        fields.setSpacing(12)
        fields.addWidget(flow(*self.form.file.rows.values(), spacing=4))
        fields.addLayout(self.form.layout_above())
        fields.addWidget(self.card)
        fields.addLayout(self.form.layout_below())
        fields.addStretch(1)
        self.body = QScrollArea()
        self.body.setWidgetResizable(True)
        self.body.setFrameShape(QFrame.Shape.NoFrame)
        self.body.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.body.setWidget(fields_holder)
        said = QHBoxLayout()
        said.setSpacing(12)
        said.addWidget(self.outcome, 1)
        said.addWidget(self.pace, 0, Qt.AlignmentFlag.AlignTop)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.folder_button)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.start_button)
        self.foot = QFrame()
        self.foot.setObjectName("dialogFoot")
        foot = QVBoxLayout(self.foot)
        foot.setContentsMargins(_PADDING, 12, _PADDING, 12)
        foot.setSpacing(8)
        foot.addLayout(said)
        foot.addWidget(self.progress)
        foot.addLayout(buttons)
        head = QHBoxLayout()
        head.setContentsMargins(_PADDING, 14, _PADDING, 0)
        head.addWidget(label("Export", "", style.font(style.TITLE_PX)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(self.body, 1)
        layout.addWidget(self.foot)
        self._fit(fields)

    def _fit(self, fields: QVBoxLayout) -> None:
        """Take the room that all fields need, as far as the screen has it."""
        room = self.screen().availableSize()
        width = min(style.px(_WIDTH), room.width() - 40)
        height = fields.totalHeightForWidth(width) + self.foot.sizeHint().height() + style.px(_HEAD_PX)
        self.resize(width, min(height, room.height() - 60))

    def _may_overwrite(self, path: Path) -> bool:
        answer = QMessageBox.question(
            self,
            "Replace the file?",
            f"“{path.name}” exists already. Replace it?",
            QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
            QMessageBox.StandardButton.No,  # the default: Enter must not replace a file
        )
        return answer == QMessageBox.StandardButton.Yes

    def _browse(self) -> None:
        # No question here whether to replace a file: it is asked once, when the export starts.
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Export to",
            self.form.path.text(),
            format_filter(self.form.file.chosen_format),
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if path:
            self.form.set_path(path)


def _candles(number: int) -> str:
    return f"{count(number)} candle" if number == 1 else f"{count(number)} candles"


def _size(size_bytes: int) -> str:
    if size_bytes < 1_000_000:
        return f"{max(round(size_bytes / 1_000), 1)} kB"
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:,.1f} GB"
