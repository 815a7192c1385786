"""The foot of the export dialog: a sentence, how the export goes, and the buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from widgets.controls.labels import label
from widgets.dialogs.form_parts import PROGRESS_STEPS, outcome_label, progress_bar
from widgets.theme import style

_PADDING_PX = 20


class ExportFoot(QFrame):
    """Says one sentence over the buttons; while an export runs, with a bar and its pace."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("dialogFoot")
        self.outcome = outcome_label()
        self.pace = label("", "dim")
        self.pace.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.progress = progress_bar()
        self.folder_button = QPushButton("Show in folder")
        self.folder_button.hide()
        self.cancel_button, self.start_button = QPushButton("Cancel"), QPushButton("Export")
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
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_PADDING_PX, 12, _PADDING_PX, 12)
        layout.setSpacing(8)
        layout.addLayout(said)
        layout.addWidget(self.progress)
        layout.addLayout(buttons)

    def show_progress(self, text: str, fraction: float | None, pace: str = "") -> None:
        """Show a progress bar, filled to ``fraction``; for None, one that only moves."""
        self.progress.setRange(0, 0 if fraction is None else PROGRESS_STEPS)
        self.progress.setValue(0 if fraction is None else round(max(0.0, min(1.0, fraction)) * PROGRESS_STEPS))
        self.progress.show()
        self._say(text, "dim", pace)

    def show_outcome(self, text: str, tone: str) -> None:
        """Show a sentence in place of the progress bar."""
        self.progress.hide()
        self._say(text, tone)

    def _say(self, text: str, tone: str, pace: str = "") -> None:
        self.outcome.setText(text)
        self.pace.setText(pace)
        style.set_tone(self.outcome, tone)
