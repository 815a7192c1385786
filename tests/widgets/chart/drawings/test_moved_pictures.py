"""A moving view with many drawings: what is copied from pictures, beside what painting them directly has there."""

from __future__ import annotations

from dataclasses import replace
from math import sin

import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import BTC, FIRST_SLOT, candle, picture, series_of, settle
from tests.widgets.chart.drawings.helpers import assert_near, many, shot
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.chart_style import ChartStyle
from widgets.chart.scales.value_scale import ScaleMode
from widgets.theme.palettes import LIGHT

STYLES = {
    "linear": ChartStyle(),
    "inverted": ChartStyle(inverted=True),
    "percent": ChartStyle(scale_mode=ScaleMode.PERCENT),
    "logarithmic": ChartStyle(scale_mode=ScaleMode.LOG),
    "volume behind": ChartStyle(underlaid=True),
}


@pytest.fixture
def waves(qtbot: QtBot, chart: ChartWidget) -> CandleSeries:
    """Two hundred candles whose range differs from place to place, so that a pan fits the axis to others."""
    closes = [106 + (2 + at / 40) * sin(at / 9) for at in range(200)]
    made = series_of(candle(FIRST_SLOT + at, closes[at - 1] if at else 106, closes[at]) for at in range(200))
    chart.set_series(made, BTC)
    settle(qtbot, chart)
    return made


def set_many(qtbot: QtBot, chart: ChartWidget) -> None:
    """Show many drawings, of which one is hidden, one locked and one chosen."""
    first, second, third, *rest = many(40)
    drawings = [replace(first, hidden=True), replace(second, locked=True), third, *rest]
    chart.drawings.set_drawings(drawings)
    chart.drawings.choose(third.id)
    chart.navigator.pan(300)
    settle(qtbot, chart)


def without_ground(chart: ChartWidget, scale: float) -> QImage:
    """A full paint with the background and the fills one after the other."""
    scene = chart._scene
    ground, scene.price_ground = scene.price_ground, None
    try:
        return picture(chart, scale)
    finally:
        scene.price_ground = ground


def grounds_of(chart: ChartWidget, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that grows with each paint: whether the background was copied along with the fills."""
    copied: list[bool] = []
    paint = chart._scene.price_ground.paint_ground

    def noted(painter: object, pixels: object) -> object:
        area = paint(painter, pixels)
        copied.append(not area.isEmpty())
        return area

    monkeypatch.setattr(chart._scene.price_ground, "paint_ground", noted)
    return copied


@pytest.mark.parametrize("style", STYLES.values(), ids=list(STYLES))
def test_every_frame_of_a_pan_is_what_background_fills_and_lines_give_one_after_the_other(
    qtbot: QtBot, chart: ChartWidget, waves: CandleSeries, style: ChartStyle, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart.appearance.set_chart_style(style)
    set_many(qtbot, chart)
    copied, ends = grounds_of(chart, monkeypatch), set()
    for by in (7, -12, 60, 41.5, -90, 25):
        chart.navigator.pan(by)
        chart.frame_now()
        seen = shot(chart)
        ends.add(chart._scene.price.value_scale.ends)
        assert seen == without_ground(chart, 1.0)
    assert all(copied)
    assert len(ends) > 1  # the axis has fitted itself to other candles


@pytest.mark.parametrize("style", STYLES.values(), ids=list(STYLES))
@pytest.mark.parametrize("scale", [1.0, 1.25])
def test_once_the_view_rests_the_drawings_are_as_painted_directly(
    qtbot: QtBot, chart: ChartWidget, waves: CandleSeries, style: ChartStyle, scale: float
) -> None:
    chart.appearance.set_chart_style(style)
    set_many(qtbot, chart)
    for change in (lambda: chart.navigator.pan(40.5), lambda: chart.navigator.zoom(1.2), lambda: None):
        change()
        settle(qtbot, chart)
    chart.drawings.sharpen()
    from_pictures = picture(chart, scale)
    chart.drawings._painter.shift = lambda scale, area: None
    # On a logarithmic axis the pieces of a line end elsewhere in a picture, which is wider.
    assert_near(from_pictures, picture(chart, scale), 12 if style.scale_mode is ScaleMode.LOG else 6)


def test_a_measure_and_shaded_days_lie_between_background_and_fills(
    qtbot: QtBot, chart: ChartWidget, waves: CandleSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_many(qtbot, chart)
    copied = grounds_of(chart, monkeypatch)
    plain = picture(chart)
    assert copied[-1]
    left, right = chart._scene.time_scale.edges
    chart._scene.day_bands = [(left + (right - left) / 4, left + (right - left) / 2)]
    shaded = picture(chart)
    assert not copied[-1]
    assert shaded != plain
    assert shaded == without_ground(chart, 1.0)
    chart._scene.day_bands = []
    assert picture(chart) == plain


def test_a_theme_and_a_live_candle_are_painted_on_the_ground_of_now(
    qtbot: QtBot, chart: ChartWidget, waves: CandleSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_many(qtbot, chart)
    chart.navigator.follow_latest()
    settle(qtbot, chart)
    copied = grounds_of(chart, monkeypatch)
    for palette in (None, LIGHT):
        if palette is not None:
            chart.set_palette(palette)
            settle(qtbot, chart)
        waves.upsert(candle(FIRST_SLOT + 199, 104, 105 if palette is None else 103))
        chart.series_changed()
        settle(qtbot, chart)
        assert copied[-1]
        assert shot(chart) == without_ground(chart, 1.0)


def test_a_zoom_paints_pictures_as_wide_as_the_pane_and_the_next_pan_wider_ones(
    qtbot: QtBot, chart: ChartWidget, waves: CandleSeries
) -> None:
    set_many(qtbot, chart)
    painter = chart.drawings._painter
    for factor in (1.1, 0.9, 1.2):
        chart.navigator.zoom(factor)
        chart.frame_now()
        assert painter._pictures.reach == 0
        assert shot(chart) == without_ground(chart, 1.0)
    for by in (3, -40):
        chart.navigator.pan(by)
        chart.frame_now()
        assert painter._pictures.reach > 40
        assert shot(chart) == without_ground(chart, 1.0)
    settle(qtbot, chart)
    rested = shot(chart)
    painter.shift = lambda scale, area: None
    assert_near(rested, picture(chart))


def test_a_picture_taken_right_after_a_zoom_is_a_proper_one(
    qtbot: QtBot, chart: ChartWidget, waves: CandleSeries
) -> None:
    set_many(qtbot, chart)
    chart.navigator.zoom(1.3)
    taken = chart.picture().toImage()
    settle(qtbot, chart)
    assert chart.picture().toImage() == taken
