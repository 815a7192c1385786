"""Pictures of drawings moved and stretched: which row goes where, and that the pane is painted from edge to edge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPixmap

from tests.widgets.chart.charts import MINUTE
from widgets.chart.drawings.figures import Figures
from widgets.chart.drawings.pictures import PictureKey, Pictures, Shift, bands_of, stretched
from widgets.chart.painting.text_cache import TextStyles
from widgets.theme.palettes import DARK


@given(st.integers(1, 900), st.floats(0.66, 1.5), st.floats(-1.2, 1.2))
def test_each_row_of_the_pane_is_the_row_that_a_stretch_brings_there(height: int, stretch: float, down: float) -> None:
    moved, painted = round(down * height), list[int]()
    for top, source, rows in bands_of(height, stretch, down).tolist():
        for row in range(rows):
            painted.append(top + row)
            assert 0 <= source + row < height
            assert source + row == pytest.approx((top + row - moved) / stretch, abs=2)
    assert painted == list(range(max(moved, 0), min(moved + max(round(stretch * height), 1), height)))


def test_a_picture_that_is_not_stretched_is_one_band() -> None:
    assert bands_of(500, 1.0, 0.0).tolist() == [[0, 0, 500]]
    assert bands_of(500, 1.0, 0.1).tolist() == [[50, 0, 450]]
    assert bands_of(500, 1.0, -0.1).tolist() == [[0, 50, 450]]
    assert bands_of(500, 1.0, 2.0).tolist() == []


@pytest.mark.parametrize(("inverted", "down"), [(False, 0.25), (True, 0.25)])
def test_an_axis_of_twice_the_span_halves_the_picture(inverted: bool, down: float) -> None:
    assert stretched((100.0, 200.0), (50.0, 250.0), inverted=inverted) == (0.5, down)


def test_the_column_at_the_panes_edge_and_the_rows_are_painted(qapp: object) -> None:
    picture = QPixmap(60, 40)
    picture.fill(Qt.GlobalColor.transparent)
    on_picture = QPainter(picture)
    on_picture.fillRect(25, 10, 1, 30, QColor("#ff0000"))
    on_picture.end()
    image = QImage(80, 60, QImage.Format.Format_RGB32)
    image.fill(QColor("#000000"))
    painter = QPainter(image)
    area = QRect(5, 7, 30, 40)
    key = PictureKey(Figures([], [], MINUTE), (), DARK, TextStyles(QFont()), 1.0)
    shift = Shift(Pictures(key, 0.0, (0.0, 1.0), 15, None, picture, is_quick=False), 20, bands_of(40, 1.0, 0.25), area)
    shift.paint(painter, shift.pictures.fills)
    shift.paint(painter, shift.pictures.lines)
    painter.end()
    assert shift.rect == QRect(5, 17, 30, 30)
    red = {(x, y) for x in range(80) for y in range(60) if image.pixelColor(x, y).red() == 255}
    assert red == {(10, 7 + y) for y in range(20, 40)}
