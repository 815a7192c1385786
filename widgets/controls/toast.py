"""
Toasts: sentences in the window's lower right corner on what was just done, each with a button that undoes it.

They take no focus and go away by themselves; under the pointer, or while they have the focus, they stay. A screen
reader reads them out.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QEnterEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from widgets.controls.bar_parts import ICON_PX
from widgets.controls.labels import label
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

SHOWN_MS, PLAIN_SHOWN_MS = 10_000, 4_000
"""How long a toast stays that can be undone, and one that only says something."""
_MOST = 3
_WIDTH_PX, _MARGIN_PX, _GAP_PX = 276, 12, 8


class ToastFrame(QFrame):
    """
    What stands in the corner for a while; a subclass lays its parts and ``close_button`` out.

    ``spoken``: what a screen reader reads out. ``call``: what undoes what it says; None: nothing does.
    """

    def __init__(self, window: QWidget, spoken: str, call: Callable[[], object] | None = None) -> None:
        super().__init__(window)
        self.setObjectName("toast")
        self.spoken, self.call = spoken, call
        self.setAccessibleName(spoken)
        self.close_button = QToolButton()
        self.close_button.setAccessibleName("Close")
        self.close_button.setToolTip("Close")
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        style.sized(self.close_button, icon_size=ICON_PX)

    def set_palette(self, palette: Palette) -> None:
        """Draw in these colours."""
        self.close_button.setIcon(icons.icon("close", palette.dim))


class Toast(ToastFrame):
    """One sentence, with a button where ``call`` undoes what it says."""

    def __init__(self, window: QWidget, text: str, action: str, call: Callable[[], object] | None) -> None:
        super().__init__(window, text, call)
        self.text: QLabel = label(text)
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.button = QPushButton(action)
        if call is None:
            self.button.hide()  # shown before it is part of the toast, it would be a window for a moment
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(8)
        row.addWidget(self.text, 1)
        row.addWidget(self.button)
        row.addWidget(self.close_button)


class Toasts(QObject):
    """The toasts of ``window``, above the part that ``floor`` returns; the newest is the lowest."""

    def __init__(self, window: QWidget, floor: Callable[[], QWidget]) -> None:
        super().__init__(window)
        self._window, self._floor = window, floor
        self._palette = DARK
        self._toasts: list[ToastFrame] = []
        self._timers: dict[ToastFrame, QTimer] = {}
        window.installEventFilter(self)

    @property
    def shown(self) -> tuple[ToastFrame, ...]:
        """The toasts on the screen, oldest first."""
        return tuple(self._toasts)

    def show(self, text: str, action: str = "", call: Callable[[], object] | None = None) -> Toast:
        """Show a sentence; with ``call``, a button named ``action`` that calls it and closes the toast."""
        toast = Toast(self._window, text, action, call)
        toast.button.clicked.connect(lambda: self._run(toast))
        self.put(toast, SHOWN_MS if call is not None else PLAIN_SHOWN_MS)
        return toast

    def put(self, toast: ToastFrame, shown_ms: int = SHOWN_MS) -> None:
        """Show a toast made for this window; the oldest goes where there are too many."""
        while len(self._toasts) >= _MOST:
            self.close(self._toasts[0])
        toast.set_palette(self._palette)
        toast.close_button.clicked.connect(lambda: self.close(toast))
        timer = QTimer(toast)
        timer.setSingleShot(True)
        timer.setInterval(shown_ms)
        timer.timeout.connect(lambda: self._let_go(toast))
        timer.start()
        self._timers[toast] = timer
        self._toasts.append(toast)
        toast.installEventFilter(self)
        self._place()
        toast.show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(toast, toast.spoken))

    @property
    def can_undo(self) -> bool:
        """Whether `undo_latest` would undo something."""
        return any(toast.call is not None for toast in self._toasts)

    def renew(self, toast: ToastFrame) -> None:
        """Let a toast whose words have changed stay as long as a new one, and read it out again."""
        if toast in self._timers:
            self._timers[toast].start()
            self._place()
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(toast, toast.spoken))

    def undo_latest(self) -> bool:
        """Undo what the newest toast with a button says; return False where there is none."""
        for toast in reversed(self._toasts):
            if toast.call is not None:
                self._run(toast)
                return True
        return False

    def close(self, toast: ToastFrame) -> None:
        """Take a toast off the screen."""
        if toast not in self._timers:
            return
        self._timers.pop(toast).stop()
        self._toasts.remove(toast)
        toast.removeEventFilter(self)
        toast.hide()
        toast.deleteLater()
        self._place()

    def set_palette(self, palette: Palette) -> None:
        """Draw in these colours."""
        self._palette = palette
        for toast in self._toasts:
            toast.set_palette(palette)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and event.type() in (QEvent.Type.Resize, QEvent.Type.FontChange):
            self._place()
        elif isinstance(watched, ToastFrame) and isinstance(event, QEnterEvent):
            self._timers[watched].stop()
        elif isinstance(watched, ToastFrame) and event.type() == QEvent.Type.Leave and watched in self._timers:
            self._timers[watched].start()
        return False

    def _run(self, toast: ToastFrame) -> None:
        call = toast.call
        self.close(toast)
        if call is not None:
            call()

    def _let_go(self, toast: ToastFrame) -> None:
        focus = QApplication.focusWidget()
        if focus is not None and toast.isAncestorOf(focus):
            self._timers[toast].start()  # somebody is about to press its button
        else:
            self.close(toast)

    def _place(self) -> None:
        margin = style.px(_MARGIN_PX)
        bottom = self._window.height() - self._floor().height() - margin
        width = min(style.px(_WIDTH_PX), self._window.width() - 2 * margin)
        for toast in reversed(self._toasts):
            layout = toast.layout()
            height = layout.totalHeightForWidth(width) if layout is not None else toast.sizeHint().height()
            toast.setGeometry(self._window.width() - margin - width, bottom - height, width, height)
            toast.raise_()
            bottom -= height + _GAP_PX
