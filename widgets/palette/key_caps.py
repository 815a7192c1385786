"""Keys drawn as caps, for rows of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from widgets.theme import style

CAP_PX = 20
_TEXT_PX, _PADDING_PX, _GAP_PX, _RADIUS_PX = 12, 6, 4, 4


class CapColours(NamedTuple):
    """The colours of a cap; without a ``ground`` the row's shows through."""

    text: str
    edge: str
    ground: str = ""


def caps_width(keys: Sequence[str]) -> float:
    """Return the width of these keys beside each other, in logical pixels."""
    metrics = QFontMetricsF(style.font(_TEXT_PX))
    return sum(_cap_width(metrics, key) for key in keys) + style.px(_GAP_PX) * max(len(keys) - 1, 0)


def draw_caps(painter: QPainter, right: float, middle: float, keys: Sequence[str], colours: CapColours) -> None:
    """Draw these keys so that they end at ``right``, around the height ``middle``."""
    painter.setFont(style.font(_TEXT_PX))
    metrics, height = QFontMetricsF(painter.font()), style.px(CAP_PX)
    left = right - caps_width(keys)
    for key in keys:
        # On half pixels, so that a line one pixel wide is sharp.
        cap = QRectF(round(left) + 0.5, round(middle - height / 2) + 0.5, _cap_width(metrics, key) - 1, height - 1)
        painter.setPen(QPen(QColor(colours.edge), 1))
        painter.setBrush(QColor(colours.ground) if colours.ground else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(cap, _RADIUS_PX, _RADIUS_PX)
        painter.setPen(QColor(colours.text))
        painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, key)
        left += _cap_width(metrics, key) + style.px(_GAP_PX)


def _cap_width(metrics: QFontMetricsF, key: str) -> float:
    return max(round(metrics.horizontalAdvance(key)) + 2 * style.px(_PADDING_PX), style.px(CAP_PX))
