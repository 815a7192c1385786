"""A field for several values: each is a chip with a cross, and behind them is room to type the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QCompleter, QFrame, QLineEdit, QSizePolicy, QToolButton

from app.market.errors import UsageError
from widgets.controls.flow_layout import FlowLayout
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

_ICON_PX, _ENTRY_PX, _WIDTH_PX = 12, 60, 90
_REMOVES = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)


class _Entry(QLineEdit):
    """The line to type in: short, because it takes what is left of the last line of chips."""

    def sizeHint(self) -> QSize:
        return QSize(style.px(_ENTRY_PX), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class ChipEntry(QFrame):
    """
    Holds texts, each once, in the order they were added.

    ``read`` returns the texts that a typed one means, several where it names several; it raises UsageError with the
    sentence to show. ``offered`` are completed while typing. Enter, a comma and leaving the field add what is typed;
    Backspace in the empty field removes the last chip, Delete the one that has the focus.

    Signals:
        changed(): the texts have changed.
        typed(): the text being typed has changed.
        refused(str): the typed text is not valid; carries the sentence.
    """

    changed = Signal()
    typed = Signal()
    refused = Signal(str)

    def __init__(
        self, name: str, read: Callable[[str], Sequence[str]], *, title: Callable[[str], str] = str, hint: str = "Add…"
    ) -> None:
        """``name`` is read out; ``title`` returns what stands on a text's chip."""
        super().__init__()
        self.setObjectName("chipEntry")
        self._name, self._read, self._title = name, read, title
        self._palette = DARK
        self._chips: dict[str, QToolButton] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.entry = _Entry()
        self.entry.setObjectName("chipText")
        self.entry.setAccessibleName(name)
        self.entry.setPlaceholderText(hint)
        style.sized(self, minimum_width=_WIDTH_PX)
        self.entry.installEventFilter(self)
        self.entry.editingFinished.connect(self.take_typed)
        self.entry.textEdited.connect(self._on_typed)
        self._flow = FlowLayout(4, last_fills=True)
        self._flow.addWidget(self.entry)
        self._flow.setContentsMargins(5, 3, 5, 3)
        self.setLayout(self._flow)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts in the field."""
        return tuple(self._chips)

    def meant(self) -> list[str]:
        """
        Return the texts in the field and those of the text being typed, each once.

        Raises:
            UsageError: If the text being typed is not valid.
        """
        typed = self.entry.text().strip(" ,;")
        return list(dict.fromkeys([*self._chips, *(self._read(typed) if typed else ())]))

    def set_texts(self, texts: Sequence[str]) -> None:
        """Replace the texts by these, in this order, and clear the typed text."""
        before = self.texts
        self.entry.clear()
        for text in [one for one in self._chips if one not in texts]:
            self._drop(text)
        for text in texts:
            if text not in self._chips:
                self._add_chip(text)
        self._chips = {text: self._chips[text] for text in texts}
        self._arrange()
        if self.texts != before:
            self._on_changed()

    def chip(self, text: str) -> QToolButton:
        """Return a text's chip: a click removes it."""
        return self._chips[text]

    def offer(self, texts: Iterable[str]) -> None:
        """Complete these while typing."""
        completer = QCompleter(list(texts), self.entry)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        popup = completer.popup()
        assert popup is not None
        popup.setObjectName("completions")
        # Queued: the completer writes its text into the field after this signal.
        completer.activated.connect(self.take_typed, Qt.ConnectionType.QueuedConnection)
        self.entry.setCompleter(completer)

    def add(self, texts: Iterable[str]) -> None:
        """Add texts that are not in the field."""
        before = self.texts
        for text in texts:
            if text not in self._chips:
                self._add_chip(text)
        if self.texts != before:
            self._on_changed()

    def remove(self, text: str) -> None:
        """Remove a text, if it is in the field."""
        if text in self._chips:
            if self._chips[text].hasFocus():
                self.entry.setFocus()
            self._drop(text)
            self._on_changed()

    def take_typed(self) -> bool:
        """Add the typed text; if it is not valid, emit `refused` and return False."""
        typed = self.entry.text().strip(" ,;")
        if not typed:
            return True
        try:
            found = self._read(typed)
        except UsageError as error:
            self.refused.emit(str(error))
            return False
        self.entry.clear()
        self.add(found)
        return True

    def set_palette(self, palette: Palette) -> None:
        """Draw the crosses in a theme's colours."""
        self._palette = palette
        for chip in self._chips.values():
            chip.setIcon(icons.icon("close", palette.dim))

    def sizeHint(self) -> QSize:
        # Many chips take more lines, not more width.
        return QSize(style.px(_WIDTH_PX), self._flow.sizeHint().height())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self.entry.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.entry and event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.setProperty("active", event.type() == QEvent.Type.FocusIn)
            self.style().unpolish(self)  # Qt does not look at properties again by itself
            self.style().polish(self)
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        if watched is self.entry:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Comma) and self.entry.text().strip():
                self.take_typed()  # Enter in the empty field is the dialog's
                return True
            if event.key() == Qt.Key.Key_Backspace and not self.entry.text() and self._chips:
                self.remove(self.texts[-1])
                return True
            return False
        if event.key() in _REMOVES:
            text = next((text for text, chip in self._chips.items() if chip is watched), None)
            if text is not None:
                self.remove(text)
                return True
        return False

    def _on_typed(self, typed: str) -> None:
        if typed.rstrip(" ") != typed.rstrip(" ,;"):  # pasted, with a comma at its end
            self.take_typed()
        self.typed.emit()

    def _add_chip(self, text: str) -> None:
        chip = QToolButton()
        chip.setObjectName("valueChip")
        chip.setText(self._title(text))
        chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        chip.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the cross stands behind the text
        chip.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        chip.setToolTip(f"Remove {self._title(text)}")
        chip.setAccessibleName(f"Remove {self._title(text)} from {self._name}")
        style.sized(chip, icon_size=_ICON_PX)
        chip.setIcon(icons.icon("close", self._palette.dim))
        chip.installEventFilter(self)
        chip.clicked.connect(lambda: self.remove(text))
        self._chips[text] = chip
        self._arrange()
        chip.show()

    def _drop(self, text: str) -> None:
        chip = self._chips.pop(text)
        self._flow.removeWidget(chip)
        chip.hide()
        chip.deleteLater()

    def _arrange(self) -> None:
        """Lay the chips out in their order, and let Tab go through them to the line."""
        self._flow.put_in_order([*self._chips.values(), self.entry])
        # First behind the line, whose place among the fields of the dialog is theirs, then the line behind them.
        chips = list(self._chips.values())
        for before, after in zip([self.entry, *chips], [*chips, self.entry], strict=True):
            if before is not after:
                self.setTabOrder(before, after)

    def _on_changed(self) -> None:
        self._flow.invalidate()
        self.updateGeometry()
        self.changed.emit()
