"""
How each dialog is laid out: a body that scrolls where the screen is low, and a foot with the buttons that never does.

In the foot stand help, tests and the like at the left, and at the right Cancel, then the default button. No dialog is
larger than its screen, whatever the size of text.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QLayout, QScrollArea, QVBoxLayout, QWidget

from widgets.theme import style

PADDING_PX = 20
_FOOT_PX = 56
_GAP_PX = 8
_TITLE_BAR_PX = 40  # the highest of the usual desktops


def room_for(dialog: QDialog) -> QSize:
    """Return the largest size that a dialog may have on its screen, in logical pixels."""
    return dialog.screen().availableSize() - QSize(0, _TITLE_BAR_PX)


def size_first(dialog: QDialog, width: int, height: int) -> None:
    """Give a dialog that the user may resize its first size: in pixels at the usual size of text, within its screen."""
    dialog.resize(QSize(style.px(width), style.px(height)).boundedTo(room_for(dialog)))


class DialogFrame(QObject):
    """
    Lays out one dialog, now and as the size of text changes.

    ``body`` has no margins of its own. ``status``: stands over the foot, and does not scroll either. ``left`` and
    ``right``: the buttons of the foot, from left to right. ``width``: in pixels at the usual size of text. Call `fit`
    when parts of the body were shown or hidden.
    """

    def __init__(
        self,
        dialog: QDialog,
        body: QWidget,
        *,
        status: QWidget | None = None,
        left: Sequence[QWidget] = (),
        right: Sequence[QWidget],
        width: int,
    ) -> None:
        super().__init__(dialog)
        self._dialog, self._body, self._width = dialog, body, width
        self._padded = padded = QWidget()
        padded.setObjectName("dialogBody")
        inside = QVBoxLayout(padded)
        inside.setContentsMargins(PADDING_PX, PADDING_PX, PADDING_PX, PADDING_PX // 2)
        inside.addWidget(body)
        self._scroll = QScrollArea()
        self._scroll.setObjectName("dialogScroll")
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(padded)
        self.foot = QWidget()
        style.sized(self.foot, minimum_height=_FOOT_PX)
        row = QHBoxLayout(self.foot)
        row.setContentsMargins(PADDING_PX, 0, PADDING_PX, 0)
        row.setSpacing(_GAP_PX)
        for button in left:
            row.addWidget(button)
        row.addStretch(1)
        for button in right:
            row.addWidget(button)
        layout = QVBoxLayout(dialog)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._scroll, 1)
        self._status = None if status is None else QWidget()
        self._status_layout = None if status is None else status.layout()
        if self._status is not None and status is not None:
            beside = QVBoxLayout(self._status)
            beside.setContentsMargins(PADDING_PX, PADDING_PX // 2, PADDING_PX, 0)
            beside.addWidget(status)
            layout.addWidget(self._status)
        layout.addWidget(self.foot)
        dialog.installEventFilter(self)

    def fit(self) -> None:
        """Make the dialog as high as its visible parts need, and no larger than its screen."""
        room = room_for(self._dialog)
        width = min(style.px(self._width), room.width())
        # Otherwise the layouts still count parts that were just hidden.
        for part in self._body.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            part.updateGeometry()
        self._body.updateGeometry()
        if (own := self._body.layout()) is not None:
            own.invalidate()
            own.activate()
        inside, foot = self._padded.layout(), self.foot.layout()
        if inside is None or foot is None:
            return
        inside.invalidate()
        inside.activate()
        foot.activate()
        needed = _height(inside, width)
        if self._status is not None and (status := self._status.layout()) is not None:
            for layout in (self._status_layout, status):  # from within: the outer one asks the inner one
                if layout is not None:
                    layout.invalidate()
                    layout.activate()
            needed += _height(status, width)
        height = needed + max(self.foot.minimumHeight(), foot.totalSizeHint().height())
        self._dialog.setFixedSize(width, min(height, room.height()))
        if self._dialog.isVisible():
            self._keep_on_screen()

    def _keep_on_screen(self) -> None:
        """Move a dialog that grew past the lower edge of its screen, where its buttons would be out of reach."""
        dialog, screen = self._dialog, self._dialog.screen().availableGeometry()
        if (over := dialog.geometry().bottom() - screen.bottom()) > 0:
            dialog.move(dialog.x(), max(dialog.y() - over, screen.top()))

    def reveal(self, part: QWidget) -> None:
        """Scroll to a part of the body, where that does not fit."""
        self._scroll.ensureWidgetVisible(part, 0, PADDING_PX // 2)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._dialog and event.type() == QEvent.Type.Show:
            self.fit()
        elif watched is self._dialog and event.type() == QEvent.Type.FontChange and self._dialog.isVisible():
            QTimer.singleShot(0, self, self.fit)  # after Qt has given every part its new font
        return False


def _height(layout: QLayout, width: int) -> int:
    return layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else layout.totalSizeHint().height()
