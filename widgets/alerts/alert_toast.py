"""The toast of a firing: what happened, by which trade, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from widgets.controls.labels import label
from widgets.controls.number_format import SPACE
from widgets.controls.toast import ToastFrame
from widgets.theme import icons, style
from widgets.theme.palettes import Palette


@dataclass(frozen=True, slots=True)
class ToastText:
    """
    What a toast says: ``title`` what happened, ``where`` at which price and time, ``by`` the trade and how often,
    ``name`` what the alert is called. Any but the title may be empty.
    """

    title: str
    where: str = ""
    by: str = ""
    name: str = ""

    @property
    def spoken(self) -> str:
        """All of it, for screen readers and notifications."""
        return ". ".join(filter(None, (self.title, self.where, self.by, self.name)))


class AlertToast(ToastFrame):
    """
    Says that an alert fired. ``fired``: its owner's, of the newest firing; ``times``: how often it has fired so far.

    Signals:
        show_requested(): show the place on the chart. pause_requested(): pause the alert for an hour.
    """

    show_requested = Signal()
    pause_requested = Signal()

    def __init__(self, window: QWidget, text: ToastText, *, can_show: bool, can_pause: bool) -> None:
        super().__init__(window, text.spoken)
        self.times, self._text = 1, text
        self.fired: object = None
        self._bell = QLabel()
        self.lines = [self._line(text.title, "", weight=QFont.Weight.DemiBold), self._line(text.where, "")]
        self.lines += [self._line(text.by, "dim", small=True), self._line(f"“{text.name}”" if text.name else "", "dim")]
        self.show_button = QPushButton("Show on chart")
        self.show_button.setDefault(True)
        self.pause_button = QPushButton("Pause 1 h")
        # Hidden only: what is shown before it is part of something is a window of its own for a moment.
        for button, is_wanted in ((self.show_button, can_show), (self.pause_button, can_pause)):
            if not is_wanted:
                button.hide()
        self.show_button.clicked.connect(self.show_requested)
        self.pause_button.clicked.connect(self.pause_requested)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.show_button, self.pause_button):
            button.setObjectName("toastButton")
            button.setFont(style.font(style.SMALL_PX))
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            buttons.addWidget(button)
        buttons.addStretch(1)
        title, *others = self.lines
        title.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 10, 8, 10)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self._bell, 0, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(title, 0, 1)
        grid.addWidget(self.close_button, 0, 2, Qt.AlignmentFlag.AlignTop)
        for row, line in enumerate(others, start=1):
            grid.addWidget(line, row, 1, 1, 2)
        if can_show or can_pause:
            grid.setRowMinimumHeight(len(self.lines), 4)
            grid.addLayout(buttons, len(self.lines) + 1, 1, 1, 2)

    def set_text(self, text: ToastText) -> None:
        """Say that the alert has fired once more: its newest firing, in the place of the one before."""
        self.times += 1
        self._text, self.spoken = text, text.spoken
        self.setAccessibleName(text.spoken)
        name = f"“{text.name}”" if text.name else ""
        said = (text.title, text.where, f"{text.by} · {self.times} times", name)
        for line, words in zip(self.lines, said, strict=True):
            line.setText(_in_parts(words))

    def set_name(self, name: str) -> bool:
        """Call the alert so from now on; return whether it was called otherwise."""
        if name == self._text.name:
            return False
        self._text = replace(self._text, name=name)
        self.spoken = self._text.spoken
        self.setAccessibleName(self.spoken)
        self.lines[-1].setText(f"“{name}”" if name else "")
        self.lines[-1].setVisible(bool(name))
        return True

    def set_palette(self, palette: Palette) -> None:
        super().set_palette(palette)
        size = style.px(16)
        self._bell.setPixmap(icons.pixmap("bell", palette.accent, size, self.devicePixelRatioF()))

    def _line(self, text: str, tone: str, *, small: bool = False, weight: QFont.Weight = QFont.Weight.Normal) -> QLabel:
        line = label(_in_parts(text), tone)
        line.setFont(style.font(style.SMALL_PX if small else style.BODY_PX, weight))
        line.setWordWrap(True)
        if not text:
            line.hide()
        return line


def _in_parts(text: str) -> str:
    """Let a text of several parts break at the dots between them, and not within a part."""
    return " · ".join(part.replace(" ", SPACE) for part in text.split(" · ")) if " · " in text else text
