"""
The download dialog: asks for symbols, data and range, shows how much is stored, then the download's progress.

It downloads nothing itself. `DownloadDialog.download_requested` asks for it; ``set_progress``, ``completed`` and
``failed`` report back. A download continues while the dialog is hidden. Stored rows are not fetched again, so starting
the same download again resumes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QWidget

from app.market.errors import UsageError
from app.market.symbol import Symbol
from widgets.controls.dialog_frame import DialogFrame
from widgets.controls.labels import label
from widgets.dialogs.download_form import ChosenDownload, DownloadForm, DownloadStart
from widgets.dialogs.download_rows import DownloadRows, SymbolRow
from widgets.dialogs.form_parts import (
    PROGRESS_STEPS,
    background_button,
    outcome_label,
    progress_bar,
    stacked,
    utc_minute,
)
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_WIDTH_PX = 680
_FORECAST_AFTER_MS = 80  # after the last change of a field
_MOST_NAMED = 6


class DownloadState(Enum):
    """What the dialog is doing."""

    EDITING = auto()
    RUNNING = auto()
    CANCELLING = auto()


class DownloadDialog(QDialog):
    """
    Asks what to download, and shows how it goes.

    Signals:
        forecast_requested: Report by `set_forecast` how much is stored; carries the `ChosenDownload`.
        download_requested: Download it; carries the `ChosenDownload`. End with `completed` or `failed`.
        cancel_requested: Stop the running download; answer with `completed` or `failed`.
        palette_changed: The window's theme is another one: call `set_palette`.
    """

    forecast_requested = Signal(object)
    download_requested = Signal(object)
    cancel_requested = Signal()
    palette_changed = Signal()

    def __init__(
        self,
        symbols: Sequence[Symbol],
        start: DownloadStart,
        *,
        palette: Palette = DARK,
        parent: QWidget | None = None,
    ) -> None:
        """Offer ``symbols``, and show ``start`` at first."""
        super().__init__(parent)
        self.setFont(style.font())
        self.setWindowTitle("Download")
        self.state = DownloadState.EDITING
        self._shown: ChosenDownload | None = None  # the one whose rows are shown or requested
        self.form = DownloadForm(symbols, start, self)
        self.rows = DownloadRows()
        self.set_palette(palette)
        self.outcome = outcome_label()
        self.lacks = outcome_label("warning", "What could not be had")
        self.lacks.hide()
        self.pace = label("", "dim")
        self.pace.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
        self.progress = progress_bar()
        self.hide_button = background_button()
        self.cancel_button, self.start_button = QPushButton("Close"), QPushButton("Download")
        self.cancel_button.setAutoDefault(False)
        self._forecast_timer = QTimer(self)
        self._forecast_timer.setSingleShot(True)
        self._forecast_timer.setInterval(_FORECAST_AFTER_MS)
        self._forecast_timer.timeout.connect(self.ask_for_forecast)
        self._arrange()
        self.start_button.setDefault(True)
        self.form.edited.connect(self._on_edited)
        self.form.refused.connect(lambda sentence: self._say(sentence, "warning"))
        self.start_button.clicked.connect(self._start)
        self.cancel_button.clicked.connect(self._cancel)
        self.hide_button.clicked.connect(self.reject)

    @property
    def is_running(self) -> bool:
        """Whether a download runs that was started here."""
        return self.state is not DownloadState.EDITING

    def ask_for_forecast(self) -> None:
        """Request how much of the chosen range is stored; call once `forecast_requested` is connected."""
        if self.is_running:
            return
        try:
            chosen = self.form.chosen()
        except UsageError as error:
            self._shown = None
            self.rows.show_rows((), ("", ""))
            self.rows.hide()
            self._say(str(error), "dim")
            return
        self._shown = chosen
        self._show_rows([SymbolRow(self.form.title(name)) for name in chosen.symbols])
        self.forecast_requested.emit(chosen)

    def set_forecast(self, chosen: ChosenDownload, rows: Sequence[SymbolRow], sentence: str) -> None:
        """Show how much of it is stored; ignored unless that is still chosen."""
        if chosen == self._shown and not self.is_running:
            self._show_rows(rows)
            self._say(sentence, "dim")

    def set_progress(self, rows: Sequence[SymbolRow], share: float, sentence: str, pace: str = "") -> None:
        """Show how far the download is; ``share``: 0 to 1. Ignored unless it runs."""
        if self.state is not DownloadState.RUNNING:
            return
        self._show_rows(rows)
        self.progress.setRange(0, PROGRESS_STEPS)
        self.progress.setValue(round(max(0.0, min(1.0, share)) * PROGRESS_STEPS))
        self._say(sentence, "dim", pace)

    def completed(self, rows: Sequence[SymbolRow], sentence: str, lacks: Sequence[str] = ()) -> None:
        """Show the outcome; ``lacks``: one sentence per part that could not be downloaded."""
        self._end()
        self._show_rows(rows)
        self._say(sentence, "" if lacks else "rising")
        said = list(lacks[:_MOST_NAMED])
        if len(lacks) > _MOST_NAMED:
            said.append(f"And {len(lacks) - _MOST_NAMED:,} more; the log names all.")
        self.lacks.setText("\n".join(said))
        self.lacks.setVisible(bool(said))
        self.start_button.setText("Try again" if said else "Download")
        self._frame.fit()
        if said:
            QTimer.singleShot(0, self, lambda: self._frame.reveal(self.lacks))  # once it has its place

    def failed(self, sentence: str) -> None:
        """Show why the download ended early: a failure, or that it was cancelled."""
        self._end()
        self._say(sentence, "warning")
        self.start_button.setText("Try again")
        self._frame.fit()

    def choose_view(self) -> None:
        """Choose the trades in view, unless a download runs."""
        if not self.is_running:
            self.form.choose_view()

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self.form.symbols.set_palette(palette)
        self.rows.set_palette(palette)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.palette_changed.emit()

    def reject(self) -> None:
        """Hide the dialog; a running download goes on."""
        self._forecast_timer.stop()
        super().reject()

    def _cancel(self) -> None:
        if self.state is DownloadState.EDITING:
            self.reject()
        elif self.state is DownloadState.RUNNING:
            self.state = DownloadState.CANCELLING
            self.cancel_button.setEnabled(False)
            self.progress.setRange(0, 0)
            self._say("Cancelling; what is stored stays…", "dim")
            self.cancel_requested.emit()

    def _start(self) -> None:
        if self.is_running or not self.form.symbols.take_typed():
            return
        try:
            chosen = self.form.chosen()
        except UsageError as error:
            self._say(str(error), "warning")
            return
        self._forecast_timer.stop()
        self._shown = chosen
        self.state = DownloadState.RUNNING
        self.form.set_editable(False)
        self.start_button.setEnabled(False)
        self.cancel_button.setText("Cancel")
        self.hide_button.show()
        self.lacks.hide()
        self.progress.setRange(0, 0)
        self.progress.show()
        self._say("Starting…", "dim")
        self._frame.fit()
        QTimer.singleShot(0, self, lambda: self._frame.reveal(self.rows))  # once it has its place
        self.hide_button.setFocus()
        self.download_requested.emit(chosen)

    def _end(self) -> None:
        self.state = DownloadState.EDITING
        self.form.set_editable(True)
        self.progress.hide()
        self.hide_button.hide()
        self.start_button.setEnabled(True)
        self.cancel_button.setText("Close")
        self.cancel_button.setEnabled(True)
        self.cancel_button.setFocus()

    def _on_edited(self) -> None:
        if self.is_running:
            return
        self.start_button.setText("Download")
        self.lacks.hide()
        self._frame.fit()
        self._forecast_timer.start()

    def _show_rows(self, rows: Sequence[SymbolRow]) -> None:
        assert self._shown is not None
        ends = utc_minute(self._shown.start_us), utc_minute(self._shown.end_us)
        was_hidden = self.rows.isHidden()
        self.rows.show()
        if self.rows.show_rows(rows, ends) or was_hidden:
            self._frame.fit()

    def _say(self, sentence: str, tone: str, pace: str = "") -> None:
        style.set_tone(self.outcome, tone)
        self.outcome.setText(sentence)
        self.pace.setText(pace)
        self.pace.setVisible(bool(pace))
        if self.state is not DownloadState.RUNNING:
            self._frame.fit()  # while it runs, the dialog must not change its size all the time

    def _arrange(self) -> None:
        said = QHBoxLayout()
        said.setSpacing(12)
        said.addWidget(self.outcome, 1)
        said.addWidget(self.pace)
        self._frame = DialogFrame(
            self,
            stacked(self.form.layout(), self.rows, self.lacks, spacing=12),
            status=stacked(said, self.progress, spacing=8),
            left=[self.hide_button],
            right=[self.cancel_button, self.start_button],
            width=_WIDTH_PX,
        )
