"""
The export dialog: which candles, over which time, into which file; then the progress of the writing.

It checks what can be checked without the data (names, times, the folder) and says beside the field what is wrong. The
writing is its owner's: `ExportDialog.export_started` goes up, ``set_progress``, ``completed``, ``failed`` and
``cancelled`` come down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QFileDialog, QMessageBox, QWidget

from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.symbol import Symbol
from widgets.controls.number_format import count
from widgets.dialogs.export_form import ExportForm
from widgets.theme import style


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Candles with open times in ``[start_us, end_us)`` (UTC microseconds; None: as far as stored) into ``path``."""

    symbol: Symbol
    interval: Interval
    start_us: int | None
    end_us: int | None
    path: Path


class ExportState(Enum):
    """What the dialog is doing."""

    EDITING = auto()
    RUNNING = auto()
    CANCELLING = auto()
    DONE = auto()


class ExportDialog(QDialog):
    """
    Asks what to export and shows how it goes.

    Signals:
        export_started: The form is complete and, where the file exists, overwriting was agreed to; carries the
            `ExportRequest`. The dialog shows progress until told the end.
        cancel_requested: The running export is to stop and leave no file; answer with `cancelled`.
    """

    export_started = Signal(object)
    cancel_requested = Signal()

    def __init__(
        self,
        symbols: Sequence[Symbol],
        symbol: Symbol,
        interval: Interval,
        *,
        visible_us: tuple[int, int] | None = None,
        folder: Path | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """
        ``symbols`` are offered, ``symbol`` and ``interval`` chosen at first. ``visible_us`` is the chart's visible
        range, if it has one; ``folder`` where the file goes unless told otherwise.
        """
        super().__init__(parent)
        self.setFont(style.font())
        self.setWindowTitle("Export candles")
        self.state = ExportState.EDITING
        self.form = ExportForm(symbols, symbol, interval, visible_us, folder or Path.home(), self)
        self.form.browse_button.clicked.connect(self._browse)
        self.form.start_button.clicked.connect(self._start)
        self.form.cancel_button.clicked.connect(self.reject)

    def set_progress(self, done_candles: int, fraction: float | None = None) -> None:
        """Show how far the writing is; ``fraction`` is None while the end is not known. Late news is passed over."""
        if self.state is not ExportState.RUNNING:
            return
        self.form.show_progress(f"{_candles(done_candles)} written", fraction)

    def completed(self, path: Path, candles: int) -> None:
        """The file is complete."""
        self._end(ExportState.DONE)
        self.form.show_outcome(f"{_candles(candles)} written to {path}", "rising")
        self.form.cancel_button.setText("Close")
        self.form.cancel_button.setFocus()

    def failed(self, sentence: str) -> None:
        """The export failed; the form can be changed and tried again."""
        self._end(ExportState.EDITING)
        self.form.show_outcome(sentence, "warning")

    def cancelled(self) -> None:
        """The export stopped as requested and left no file."""
        self._end(ExportState.EDITING)
        self.form.show_outcome("Cancelled; no file was written.", "dim")

    def reject(self) -> None:
        """Esc, Cancel or the window's own button: stop the running export first, then close."""
        if self.state is ExportState.CANCELLING:
            return
        if self.state is ExportState.RUNNING:
            self.state = ExportState.CANCELLING
            self.form.cancel_button.setEnabled(False)
            self.form.show_progress("Cancelling…", None)
            self.cancel_requested.emit()
            return
        super().reject()

    def _start(self) -> None:
        try:
            request = self._request()
        except UsageError as error:
            self.form.show_outcome(str(error), "warning")
            return
        if request.path.exists() and not self._may_overwrite(request.path):
            return
        self.state = ExportState.RUNNING
        self.form.set_editable(False)
        self.form.show_progress("Starting…", None)
        self.export_started.emit(request)

    def _request(self) -> ExportRequest:
        start_us, end_us = self.form.chosen_range()
        return ExportRequest(
            self.form.chosen_symbol(), self.form.chosen_interval(), start_us, end_us, self.form.chosen_path()
        )

    def _end(self, state: ExportState) -> None:
        self.state = state
        self.form.set_editable(state is ExportState.EDITING)
        self.form.cancel_button.setEnabled(True)

    def _may_overwrite(self, path: Path) -> bool:
        answer = QMessageBox.question(
            self,
            "Replace the file?",
            f"“{path.name}” exists already. Replace it?",
            QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
            QMessageBox.StandardButton.No,
        )
        return answer == QMessageBox.StandardButton.Yes

    def _browse(self) -> None:
        # Whether to overwrite is asked at the start of the export, once.
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Export to",
            self.form.path.text(),
            "CSV files (*.csv);;All files (*)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if path:
            self.form.set_path(path)


def _candles(number: int) -> str:
    return f"{count(number)} candle" if number == 1 else f"{count(number)} candles"
