"""
The badge of a chart's group of links: a number on a square in the group's colour, so that colour is not all.

A chain stands for no group.
"""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QToolButton

from widgets.chart.painting.colours import line_colour, text_on
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

NOT_LINKED, NOTHING = "Not linked", "nothing yet"
_SIDE_PX, _RADIUS_PX = 14, 3
_RATIOS = (1.0, 1.5, 2.0, 3.0)
_COLOUR_NUMBERS = (1, 0, 2, 3, 4, 5)  # of the line colours, from group 1 on


class LinkBadge(QToolButton):
    """A button that names its group."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("headButton")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFont(style.font(style.SMALL_PX, QFont.Weight.DemiBold))
        style.sized(self, fixed_width=_SIDE_PX + 4, fixed_height=_SIDE_PX + 4)
        self._group, self._palette = 0, DARK
        self._parts: tuple[str, ...] | None = None  # not said yet
        self.set_group(0, ())

    def set_group(self, group: int, parts: tuple[str, ...]) -> None:
        """Show the group and say what it links; 0: none."""
        if (group, parts) == (self._group, self._parts):
            return
        self._group, self._parts = group, parts
        words = f"Linked in group {group}: {', '.join(parts) or NOTHING}" if group else NOT_LINKED
        self.setAccessibleName(words)
        self.setToolTip(f"{words}; click to choose")
        self.update()

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(style.px(_SIDE_PX + 4), style.px(_SIDE_PX + 4))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        square = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        if self.hasFocus():
            painter.setPen(QPen(QColor(self._palette.accent), 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS_PX + 1, _RADIUS_PX + 1)
        chain = self._palette.text if self.underMouse() else self._palette.faint
        _paint(painter, square, self._palette, self._group, chain, self.devicePixelRatioF())
        painter.end()


def badge_icon(palette: Palette, group: int) -> QIcon:
    """Return the badge of a group, 0 for none, in the present size of text."""
    icon, side = QIcon(), style.px(_SIDE_PX + 2)
    for ratio in _RATIOS:
        pixmap = QPixmap(round(side * ratio), round(side * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(style.font(style.SMALL_PX, QFont.Weight.DemiBold))
        _paint(painter, QRectF(0, 0, side, side).adjusted(1, 1, -1, -1), palette, group, palette.dim, ratio)
        painter.end()
        icon.addPixmap(pixmap)
    return icon


def _paint(painter: QPainter, square: QRectF, palette: Palette, group: int, chain: str, ratio: float) -> None:
    """Paint the square of a group with its number; for none, a chain in that colour."""
    if not group:
        side = round(square.width())
        painter.drawPixmap(square.topLeft(), icons.pixmap("link", chain, side, ratio))
        return
    ground = group_colour(palette, group)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ground)
    painter.drawRoundedRect(square, _RADIUS_PX, _RADIUS_PX)
    painter.setPen(text_on(ground))
    painter.drawText(square, Qt.AlignmentFlag.AlignCenter, str(group))


def group_colour(palette: Palette, group: int) -> QColor:
    """Return the colour of a group, from 1."""
    return line_colour(palette, _COLOUR_NUMBERS[(group - 1) % len(_COLOUR_NUMBERS)])
