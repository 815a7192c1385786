"""The pictures of the price styles, and choosing and remembering one."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from tests.widgets.chart.charts import (
    BTC,
    FIRST_SLOT,
    candle,
    canvas_of,
    colour_at,
    count_of,
    is_drawn_at,
    picture,
    place,
    series_of,
    settle,
    zigzag,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.chart_style import ChartStyle, PriceStyle
from widgets.chart.model.pane_layout import PaneLayout
from widgets.chart.painting.device_pixels import mixed
from widgets.theme.palettes import DARK

RISING, FALLING = FIRST_SLOT + 31, FIRST_SLOT + 30
GROUND = (DARK.background, DARK.grid)


def draw(qtbot: QtBot, chart: ChartWidget, style: ChartStyle, zoom: float = 3.0) -> None:
    chart.set_series(series_of(zigzag(40)), BTC)
    chart.appearance.set_chart_style(style)
    chart.navigator.zoom(zoom)
    settle(qtbot, chart)


def around(image: QImage, point: QPointF) -> set[str]:
    """The colours within a pixel or so of a point."""
    return {colour_at(image, point + QPointF(x / 2, y / 2)) for x in range(-2, 3) for y in range(-2, 3)}


def choose(qtbot: QtBot, chart: ChartWidget, text: str) -> None:
    chart.open_style_menu(QPoint(10, 10))
    menu = chart.findChildren(QMenu)[-1]
    next(action for action in menu.actions() if action.text() == text).trigger()
    menu.close()
    settle(qtbot, chart)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_a_rising_hollow_candle_has_an_inside(qtbot: QtBot, chart: ChartWidget, scale: float) -> None:
    draw(qtbot, chart, ChartStyle(PriceStyle.HOLLOW))
    image = picture(chart, scale)
    assert colour_at(image, place(chart, RISING, 105)) in GROUND
    assert colour_at(image, place(chart, RISING, 111)) == DARK.rising
    assert DARK.rising in around(image, place(chart, RISING, 110) + QPointF(3, 0))
    assert colour_at(image, place(chart, FALLING, 105)) == DARK.falling


def test_a_hollow_candle_takes_its_colour_from_the_close_before(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of([candle(FIRST_SLOT, 100, 140), candle(FIRST_SLOT + 1, 110, 120)]), BTC)
    chart.appearance.set_chart_style(ChartStyle(PriceStyle.HOLLOW))
    settle(qtbot, chart)
    assert colour_at(picture(chart), place(chart, FIRST_SLOT + 1, 121)) == DARK.falling


def test_bars_show_their_open_at_the_left_and_their_close_at_the_right(qtbot: QtBot, chart: ChartWidget) -> None:
    draw(qtbot, chart, ChartStyle(PriceStyle.BARS))
    image = picture(chart)
    assert colour_at(image, place(chart, RISING, 105)) == DARK.rising
    assert DARK.rising in around(image, place(chart, RISING - 0.25, 100))
    assert DARK.rising in around(image, place(chart, RISING + 0.25, 110))
    for at, price in ((0.25, 105), (-0.25, 105), (-0.25, 108)):
        assert colour_at(image, place(chart, RISING + at, price)) in GROUND


def test_heikin_ashi_smooths_alternating_candles(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of([candle(FIRST_SLOT + at, 100 + at, 101 + at) for at in range(40)]), BTC)
    chart.appearance.set_chart_style(ChartStyle(PriceStyle.HEIKIN_ASHI))
    settle(qtbot, chart)
    image = picture(chart)
    # After a long rise it opens near the closes of before, and its body overlaps the one before.
    assert colour_at(image, place(chart, FIRST_SLOT + 30, 129.8)) == DARK.rising
    assert count_of(image, DARK.falling) == 0
    assert "O 139.00" in chart.legend_text  # the legend goes on saying what was traded


@pytest.mark.parametrize("kind", [PriceStyle.LINE, PriceStyle.AREA])
def test_a_line_goes_through_the_closes(qtbot: QtBot, chart: ChartWidget, kind: PriceStyle) -> None:
    draw(qtbot, chart, ChartStyle(kind))
    image = picture(chart, 2.0)
    for slot, price in ((RISING, 110.0), (FALLING, 100.0), (RISING - 0.5, 105.0)):
        assert is_drawn_at(image, place(chart, slot, price), DARK.accent)
    blues = [colour_at(image, place(chart, FALLING + 0.5, price))[5:] for price in (101, 99)]
    assert (blues[0] > DARK.background[5:]) == (kind is PriceStyle.AREA)
    assert (blues[0] > blues[1]) == (kind is PriceStyle.AREA)  # paler further down


def test_volume_is_split_into_taker_buys_and_sells(qtbot: QtBot, chart: ChartWidget) -> None:
    draw(qtbot, chart, ChartStyle(takers=True))
    image, box = picture(chart), canvas_of(chart).box_of("volume")
    bought, sold = (mixed(DARK.background, colour, 0.5).name() for colour in (DARK.rising, DARK.falling))
    assert colour_at(image, box.mapViewToScene(QPointF(FALLING, 1.0))) == bought  # 2 of 5
    assert colour_at(image, box.mapViewToScene(QPointF(FALLING, 4.0))) == sold


def test_volume_whose_taker_sides_nobody_knows_is_not_split(qtbot: QtBot, chart: ChartWidget) -> None:
    candles = zigzag(40)
    bare = {"quote_volume_e16": 0, "trades": 1, "taker_buy_volume_e8": 0, "taker_buy_quote_volume_e16": 0}
    for at in (RISING - FIRST_SLOT, FALLING - FIRST_SLOT):
        candles[at] = candles[at]._replace(**bare)
    sold_alone = candles[5] = candles[5]._replace(taker_buy_volume_e8=0, taker_buy_quote_volume_e16=0)
    chart.set_series(series_of(candles), BTC)
    chart.appearance.set_chart_style(ChartStyle(takers=True))
    chart.navigator.zoom(1.2)
    settle(qtbot, chart)
    image, box = picture(chart), canvas_of(chart).box_of("volume")
    rising, falling = (mixed(DARK.background, colour, 0.5).name() for colour in (DARK.rising, DARK.falling))
    for slot, colour in ((RISING, rising), (FALLING, falling), (FIRST_SLOT + 5, falling)):
        for height in (1.0, 4.0):
            assert colour_at(image, box.mapViewToScene(QPointF(slot, height))) == colour
    assert colour_at(image, box.mapViewToScene(QPointF(RISING + 2, 1.0))) == rising  # its neighbours are
    assert colour_at(image, box.mapViewToScene(QPointF(RISING + 2, 4.0))) == falling
    assert sold_alone.close_e8 > sold_alone.open_e8  # a rise without a taker's buy: split, and all of it sold


def test_volume_behind_prices_fills_the_lowest_sixth_clear_of_candles(qtbot: QtBot, chart: ChartWidget) -> None:
    draw(qtbot, chart, ChartStyle(underlaid=True))
    assert chart.appearance.pane_layout.keys == ("price",)
    pane = canvas_of(chart).box_of("price").sceneBoundingRect()
    image, faint = picture(chart), mixed(DARK.background, DARK.rising, 0.5).name()
    x = place(chart, RISING, 100).x()
    assert colour_at(image, QPointF(x, pane.bottom() - 3)) == faint
    assert colour_at(image, QPointF(x, pane.bottom() - pane.height() / 6 - 3)) in GROUND
    assert place(chart, RISING, 98).y() < pane.bottom() - pane.height() / 6


def test_a_style_chosen_in_the_menu_is_drawn_signalled_and_remembered(qtbot: QtBot, chart: ChartWidget) -> None:
    draw(qtbot, chart, ChartStyle())
    with qtbot.waitSignal(chart.appearance_changed):
        choose(qtbot, chart, "Heikin-Ashi")
    choose(qtbot, chart, "Volume behind the prices")
    choose(qtbot, chart, "Split volume into taker buys and sells")
    assert chart.chart_style == ChartStyle(PriceStyle.HEIKIN_ASHI, underlaid=True, takers=True)
    seen, values = picture(chart), chart.appearance_values()
    choose(qtbot, chart, "Volume in a pane of its own")
    assert not chart.chart_style.underlaid
    assert chart.appearance.pane_layout.keys == ("price", "volume")
    choose(qtbot, chart, "No volume")
    assert chart.appearance.pane_layout.keys == ("price",)
    chart.restore_appearance(values)
    settle(qtbot, chart)
    assert picture(chart) == seen


@pytest.mark.parametrize("values", [None, 7, "area", {"kind": []}, {"kind": "pie", "volume underlaid": "yes"}])
def test_an_invalid_stored_style_becomes_the_default(values: object) -> None:
    assert ChartStyle.from_values(values) == ChartStyle()


def test_an_invalid_stored_look_becomes_the_default(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.restore_appearance({"style": 3, "panes": "many"})
    assert (chart.chart_style, chart.appearance.pane_layout) == (ChartStyle(), PaneLayout())
