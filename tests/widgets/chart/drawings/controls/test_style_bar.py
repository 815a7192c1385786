"""The bar beside the chosen drawing: where it stands, and what it shows in a narrow chart."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QRectF, QSize
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import DrawingKind
from tests.widgets.chart.charts import BTC, series_of, settle, zigzag
from tests.widgets.chart.drawings.helpers import anchor, drawn
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.drawings.controls.style_bar import StyleBar, bar_place

PANE, BAR = QRectF(0, 0, 800, 500), QSize(300, 32)


@pytest.mark.parametrize(
    ("drawing", "place"),
    [
        (QRectF(300, 100, 200, 100), QPoint(250, 210)),  # below, in its middle
        (QRectF(300, 400, 200, 90), QPoint(250, 358)),  # above
        (QRectF(0, 100, 20, 100), QPoint(8, 210)),  # not beyond the pane's side
        (QRectF(0, 0, 400, 500), QPoint(492, 460)),  # in a corner beside it
        (QRectF(300, -60, 200, 20), QPoint(250, 8)),  # at the top, though the drawing is above the pane
    ],
)
def test_the_bar_stands_in_the_pane_and_covers_no_drawing(drawing: QRectF, place: QPoint) -> None:
    assert bar_place(BAR, drawing, PANE) == place


def test_in_a_narrow_chart_the_bar_leaves_out_what_its_menu_has(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(100)), BTC)
    size = chart.size()
    box = drawn(DrawingKind.RECTANGLE, anchor(60, 103), anchor(80, 108))
    chart.drawings.set_drawings([box])
    chart.drawings.choose(box.id)
    settle(qtbot, chart)
    bar = chart.findChild(StyleBar)
    whole = bar.width()
    for width in (280, 220):
        chart.resize(width, size.height())
        settle(qtbot, chart)
        assert bar.x() >= 0
        assert bar.geometry().right() <= chart.width()
        assert not bar.copy.isVisible()
        assert bar.colour.isVisible()
        assert bar.more.isVisible()
    chart.resize(size)
    settle(qtbot, chart)
    assert bar.width() == whole
    assert bar.copy.isVisible()
