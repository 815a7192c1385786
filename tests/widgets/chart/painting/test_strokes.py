"""Lines composed of thin strokes have as much colour as Qt's own, at every slope and width."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from widgets.chart.painting.device_pixels import stroke


def colour_of(width: float, slope: float, *, own: bool) -> float:
    """The amount of colour of a line of 200 pixels, as its width in pixels."""
    image = QImage(300, 300, QImage.Format.Format_RGB32)
    image.fill(0)
    across, down = 100 * math.cos(slope), 100 * math.sin(slope)
    line = QPolygonF([QPointF(150.3 - across, 150.2 - down), QPointF(150.3 + across, 150.2 + down)])
    painter = QPainter(image)
    if own:
        stroke(painter, QColor("white"), line, width)
    else:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor("white"), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
        painter.drawPolyline(line)
    painter.end()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(300, 300, 4)
    return float(pixels[:, :, 0].sum()) / 255 / 200


@pytest.mark.parametrize("width", [1.0, 1.25, 1.5, 1.6, 1.875, 2.25, 3.0, 3.2, 5.0])
def test_a_line_has_about_as_much_colour_as_one_by_qt(width: float) -> None:
    ratios = [
        colour_of(width, slope, own=True) / colour_of(width, slope, own=False) for slope in np.linspace(0, 1.57, 9)
    ]
    assert min(ratios) > 0.68
    assert max(ratios) < 1.35
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.2)
