"""
The export dialog: which candles, of which time, into which file; then the progress of the export.

It checks names, times and the folder, and says what is wrong with them. The program writes the file:
`ExportDialog.export_started` asks for it; ``set_progress``, ``completed``, ``failed`` and ``cancelled`` report back.
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
    """
    Candles to write into the file ``path``.

    Their open times are in ``[start_us, end_us)``, in UTC microseconds; None: as far as candles are stored.
    """

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
    Asks which candles to export, and shows how the export goes.

    Signals:
        export_started: Write the file; carries the `ExportRequest`. The user has agreed to replace a file that exists.
            End with `completed`, `failed` or `cancelled`.
        cancel_requested: Stop the running export and leave no file; answer with `cancelled`.
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
        Offer ``symbols``, with ``symbol`` and ``interval`` chosen at first.

        ``visible_us`` is the chart's visible range, if it has one. ``folder`` is suggested for the file.
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
        """Show progress. ``fraction`` is None while the end is not known. Ignored unless the export is running."""
        if self.state is not ExportState.RUNNING:
            return
        self.form.show_progress(f"{_candles(done_candles)} written", fraction)

    def completed(self, path: Path, candles: int) -> None:
        """Show that the file is complete."""
        self._end(ExportState.DONE)
        self.form.show_outcome(f"{_candles(candles)} written to {path}", "rising")
        self.form.cancel_button.setText("Close")
        self.form.cancel_button.setFocus()

    def failed(self, sentence: str) -> None:
        """Show why the export failed, and let the user change the form."""
        self._end(ExportState.EDITING)
        self.form.show_outcome(sentence, "warning")

    def cancelled(self) -> None:
        """Show that the export stopped as requested and left no file."""
        self._end(ExportState.EDITING)
        self.form.show_outcome("Cancelled; no file was written.", "dim")

    def reject(self) -> None:
        """Cancel the running export or, where none runs, close: Esc, Cancel and the window's close button."""
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
            QMessageBox.StandardButton.No,  # the default: Enter must not replace a file
        )
        return answer == QMessageBox.StandardButton.Yes

    def _browse(self) -> None:
        # No question here whether to replace a file: it is asked once, when the export starts.
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
