"""The row whose keys are being changed: it listens, and names a clash before anything is taken over."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QColor,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets.controls.bar_parts import ICON_PX
from widgets.controls.labels import ElidedLabel, label
from widgets.key_map import steps_of
from widgets.keys import binding_of, current_keys, key_of, keys_of, texts_of
from widgets.palette.command_rows import title_of
from widgets.palette.key_caps import CapColours, caps_width, draw_caps
from widgets.palette.key_delegate import INSET_PX, ROW_PX
from widgets.palette.key_rules import first_refusal, is_modifier, refusal
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

_FIELD_PX, _FIELD_HEIGHT_PX = 190, 30
_LINE_PX = 40
_LEAST_SENTENCE_PX = 180
_MODIFIER_NAMES = (
    (Qt.KeyboardModifier.ControlModifier, "Ctrl"),
    (Qt.KeyboardModifier.MetaModifier, "Meta"),
    (Qt.KeyboardModifier.AltModifier, "Alt"),
    (Qt.KeyboardModifier.ShiftModifier, "Shift"),
)
_MODIFIER_OF: dict[int, Qt.KeyboardModifier] = {
    Qt.Key.Key_Control: Qt.KeyboardModifier.ControlModifier,
    Qt.Key.Key_Meta: Qt.KeyboardModifier.MetaModifier,
    Qt.Key.Key_Alt: Qt.KeyboardModifier.AltModifier,
    Qt.Key.Key_Shift: Qt.KeyboardModifier.ShiftModifier,
}


class KeyListener(QWidget):
    """
    A field that takes the next keys pressed, whatever they mean elsewhere.

    Signals:
        pressed: Keys were pressed; carries them as the table of keys writes them.
        stopped: Esc was pressed.
    """

    pressed = Signal(str)
    stopped = Signal()

    def __init__(self, title: str) -> None:
        super().__init__()
        self.palette_now: Palette = DARK
        self._keys: tuple[str, ...] = ()
        self._held = self._asked = ""
        self.setAccessibleName(f"Press the keys for “{title}”; Esc stops")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled, False)
        style.sized(self, fixed_height=_FIELD_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_keys(self, keys: Sequence[str], prompt: str = "") -> None:
        """Show these keys as the ones pressed; none: ask for some. ``prompt``: what to press, in words of one's own."""
        self._keys, self._held, self._asked = tuple(texts_of(keys)), "", prompt
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(style.font(12))
        needed = round(caps_width(self._keys)) + metrics.horizontalAdvance(self._prompt()) + 36
        return QSize(max(style.px(_FIELD_PX), needed), style.px(_FIELD_HEIGHT_PX))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # neither a shortcut nor a button's letter
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.key() == Qt.Key.Key_Escape and plain:
            self.stopped.emit()
        elif is_modifier(event.key()) or event.key() in (0, Qt.Key.Key_unknown):
            self._hold(event)
        elif not event.isAutoRepeat():
            self.pressed.emit(key_of(event))
        event.accept()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        self._hold(event)
        event.accept()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._held = ""
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        palette, painter = self.palette_now, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(palette.accent if self.hasFocus() else palette.edge), 1))
        painter.setBrush(QColor(palette.background))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        left, width = 9.0, caps_width(self._keys)
        if self._keys:
            colours = CapColours(palette.text, palette.edge, palette.panel)
            draw_caps(painter, left + width, self.height() / 2, self._keys, colours)
            left += width + 8
        painter.setFont(style.font(12))
        painter.setPen(QColor(palette.text if self._held else palette.dim))
        painter.drawText(
            QRectF(left, 0, self.width() - left - 8, self.height()), Qt.AlignmentFlag.AlignVCenter, self._prompt()
        )
        painter.end()

    def _prompt(self) -> str:
        return self._held or self._asked or ("or press others" if self._keys else "Press keys, Esc stops")

    def _hold(self, event: QKeyEvent) -> None:
        """Show which modifiers are held down."""
        # Whether the event of a modifier's own key counts that one differs from system to system.
        own, modifiers = _MODIFIER_OF.get(event.key(), Qt.KeyboardModifier.NoModifier), event.modifiers()
        modifiers = modifiers | own if event.type() == QEvent.Type.KeyPress else modifiers & ~own
        held = [name for modifier, name in _MODIFIER_NAMES if modifiers & modifier]
        self._held = "+".join([*held, "…"]) if held else ""
        self.update()


class KeyEditor(QWidget):
    """
    Changes the keys of one command in its row.

    ``is_adding``: keep those it has. ``has_steps``: take keys of two steps. Call `listen` or `offer` once it is shown.

    Signals:
        chosen: Give the command these keys; carries a tuple of them. Whom they are taken from has been named.
        stopped: Leave the keys as they are.
        resized: It needs another height; see `needed_px`.
    """

    chosen = Signal(tuple)
    stopped = Signal()
    resized = Signal()

    def __init__(self, command: str, palette: Palette, *, is_adding: bool = False, has_steps: bool = False) -> None:
        super().__init__()
        self.command, self._has_steps = command, has_steps
        self._first = ""  # the first of two steps, once it is pressed
        self._kept = keys_of(command) if is_adding else ()
        self._wanted: tuple[str, ...] = ()
        self.setObjectName("keyEditor")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        title = title_of(binding_of(command))
        self.listener = KeyListener(title)
        self.listener.palette_now = palette
        self.close_button = QToolButton()
        self.close_button.setAccessibleName("Leave the keys as they are")
        self.close_button.setToolTip("Leave the keys as they are (Esc)")
        self.close_button.setIcon(icons.icon("close", palette.dim))
        style.sized(self.close_button, icon_size=ICON_PX)
        self._sign = QLabel()
        self._sign.setPixmap(icons.pixmap("warning", palette.warning, style.px(16), self.devicePixelRatioF()))
        self.sentence = label("")
        self.sentence.setWordWrap(True)
        self.other_button = QPushButton("Choose others")
        self.take_button = QPushButton("Take it over")
        for button in (self.other_button, self.take_button):
            button.setAutoDefault(False)  # it would take the dialog's default away
        self._arrange(title)
        self.listener.pressed.connect(self._on_pressed)
        self.listener.stopped.connect(self.stopped)
        self.close_button.clicked.connect(lambda: self.stopped.emit())
        self.other_button.clicked.connect(lambda: self.listen())
        self.take_button.clicked.connect(lambda: self.chosen.emit(self._wanted))

    def listen(self) -> None:
        """Take the next keys pressed."""
        # The focus first: a button that is hidden gives it to whatever comes next, and the row would close.
        self.listener.setFocus(Qt.FocusReason.OtherFocusReason)
        self._ask_again("")

    def offer(self, keys: Sequence[str]) -> None:
        """Take these keys as if they had been pressed: at once where they are free, else after the user agrees."""
        self._wanted = tuple(dict.fromkeys((*self._kept, *keys)))
        self.listener.show_keys(keys)
        taken = current_keys.holders(self.command, self._wanted)
        if not taken:
            self.chosen.emit(self._wanted)
            return
        sentences = []
        for key, commands in taken.items():
            holders = " and ".join(f"“{title_of(binding_of(command))}”" for command in commands)
            sentences.append(f"{_clash_of(key, self._wanted)}: {holders}.")
        self._say(" ".join(sentences), is_clash=True)
        self.take_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def needed_px(self, width: int) -> int:
        """Return the height that it needs at a width, in logical pixels."""
        return style.px(ROW_PX) + 4 + (self._line_px(width) if not self._line.isHidden() else 0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.stopped.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            for button in (self.take_button, self.other_button, self.close_button):
                if button.hasFocus():
                    button.click()
                    break
        event.accept()  # the dialog must not close, nor the list move

    def _on_pressed(self, key: str) -> None:
        if self._has_steps and not self._first:
            if sentence := first_refusal(key):
                self._ask_again(sentence)
                return
            self._first = key
            self.listener.show_keys((key,), "then the second ones")
            self._say("")
            return
        key = f"{self._first}, {key}" if self._first else key
        if sentence := refusal(self.command, key):
            self._ask_again(sentence)
        else:
            self.offer((key,))

    def _ask_again(self, sentence: str) -> None:
        """Wait for keys from the start; say why those before cannot be, if they cannot."""
        self._first = ""
        self.listener.show_keys((), "Press the first ones, Esc stops" if self._has_steps else "")
        self._say(sentence)

    def _say(self, sentence: str, *, is_clash: bool = False) -> None:
        """Show a sentence below, or nothing; ``is_clash``: with the buttons that answer it."""
        self.sentence.setText(sentence)
        self._line.setVisible(bool(sentence))
        self._answers.setVisible(is_clash)
        self.resized.emit()
        if sentence:
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.listener, sentence))

    def _line_px(self, width: int) -> int:
        """Put the answers beside the sentence, or below it where that needs the room; return the height of both."""
        beside = width - 2 * INSET_PX - style.px(16) - 8
        answers = self._answers.sizeHint() if not self._answers.isHidden() else QSize()
        is_below = beside - answers.width() - 8 < style.px(_LEAST_SENTENCE_PX) and answers.width() > 0
        ways = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
        self._text_row.setDirection(ways[0] if is_below else ways[1])
        if is_below:
            return self.sentence.heightForWidth(beside) + 8 + answers.height() + 12
        room = beside - (answers.width() + 8 if answers.width() > 0 else 0)
        return max(style.px(_LINE_PX), self.sentence.heightForWidth(room) + 12, answers.height() + 8)

    def _arrange(self, title: str) -> None:
        first = QHBoxLayout()
        first.setContentsMargins(INSET_PX, 0, INSET_PX - 10, 0)
        first.setSpacing(8)
        name = ElidedLabel()
        name.setText(title)
        name.setToolTip(title)
        first.addWidget(name, 1)
        first.addWidget(self.listener)
        first.addWidget(self.close_button)
        self._line = QWidget()
        self._text_row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._line)
        self._text_row.setContentsMargins(INSET_PX, 0, INSET_PX, 6)
        self._text_row.setSpacing(8)
        words = QHBoxLayout()
        words.setSpacing(8)
        words.addWidget(self._sign)
        words.addWidget(self.sentence, 1)
        self._text_row.addLayout(words, 1)
        self._answers = QWidget()
        answers = QHBoxLayout(self._answers)
        answers.setContentsMargins(0, 0, 0, 0)
        answers.setSpacing(8)
        answers.addStretch(1)
        for button in (self.other_button, self.take_button):
            button.setFont(style.font(12))
            button.setObjectName("smallButton")
            answers.addWidget(button)
        self._text_row.addWidget(self._answers)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 2)
        layout.setSpacing(0)
        top = QWidget()
        top.setLayout(first)
        style.sized(top, fixed_height=ROW_PX)
        layout.addWidget(top)
        layout.addWidget(self._line, 1)
        self._line.hide()
        self._answers.hide()


def _clash_of(key: str, wanted: Sequence[str]) -> str:
    """Return in words how a key that another command has stands in the way of those wanted."""
    held = texts_of([key])[0]
    if key in wanted:
        return f"{held} is taken"
    if any(steps_of(each)[0] == key for each in wanted):
        return f"{held} alone would work no longer"
    return f"{held}, which begins with {texts_of(steps_of(key)[:1])[0]}, would work no longer"
