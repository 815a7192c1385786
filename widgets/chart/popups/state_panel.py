"""The panel that covers the chart while it has no candles: a title, a sentence, and buttons after an error."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from widgets.theme import style
from widgets.theme.palettes import Palette

RETRY, SIMULATED_MARKET = "Retry", "Use the simulated market"  # actions, by their buttons' texts
_TITLES = {"loading": "Loading candles …", "empty": "No candles yet", "error": "The chart cannot be shown"}
_MAXIMUM_WIDTH_PX = 440


class StatePanel(QWidget):
    """
    A view of the chart's state; hidden at first, and while the chart is ready.

    Signals:
        action_chosen(str): A button was pressed; carries its text.
    """

    action_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._text = QLabel(), QLabel()
        self._title.setObjectName("title")
        self._text.setObjectName("text")
        for label in (self._title, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        # The column is in a widget of its own: an aligned layout gives labels that wrap too little height.
        content = QWidget()
        style.sized(content, maximum_width=_MAXIMUM_WIDTH_PX)
        column = QVBoxLayout(content)
        column.setSpacing(8)
        column.addStretch(1)
        column.addWidget(self._title)
        column.addWidget(self._text)
        column.addSpacing(8)
        column.addLayout(self._buttons)
        column.addStretch(1)
        row = QHBoxLayout(self)
        # Beside 1000 the stretches get next to nothing until the content has its maximum width; then they centre it.
        row.addStretch(1)
        row.addWidget(content, 1000)
        row.addStretch(1)
        self.hide()

    def show_state(self, state: str, text: str, actions: Sequence[str]) -> None:
        """
        Show the state ``"loading"``, ``"empty"`` or ``"error"``; ``"ready"`` hides the panel.

        ``text``: a sentence below the state's title, or instead of the title while loading. ``actions``: the texts of
        the buttons to offer after an error; other states have none.
        """
        self.setVisible(state != "ready")
        title, text = (text, "") if state == "loading" and text else (_TITLES.get(state, ""), text)
        self._title.setText(title)
        self._text.setText(text)
        self._text.setVisible(bool(text))
        self._replace_buttons(actions if state == "error" else ())

    def set_palette(self, palette: Palette) -> None:
        """Use the palette's colours from now on."""
        # Polish first: Qt 6.11 goes on with the first style sheet of a widget that is not polished until the second.
        self.ensurePolished()
        self.setStyleSheet(
            f"QLabel#title {{ color: {palette.text}; font-weight: 600; }}"
            f"QLabel#text {{ color: {palette.dim}; }}"
            f"QPushButton {{ color: {palette.text}; background: {palette.raised}; border: 1px solid {palette.edge};"
            " border-radius: 6px; padding: 6px 14px; }"
            f"QPushButton:hover, QPushButton:focus {{ border-color: {palette.accent}; }}"
        )

    def _replace_buttons(self, actions: Sequence[str]) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            if widget := item.widget():
                widget.hide()  # at once: the deletion waits for the event loop
                widget.deleteLater()
        self._buttons.addStretch(1)
        for action in actions:
            button = QPushButton(action)
            button.clicked.connect(lambda _=False, action=action: self.action_chosen.emit(action))
            self._buttons.addWidget(button)
            button.show()
        self._buttons.addStretch(1)
