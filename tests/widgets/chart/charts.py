"""Helpers of the chart's tests: candles, series, a picture of the chart, and the colours at positions in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPixmap
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from app.market.units import E8
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.painting.canvas import ChartCanvas

MINUTE = Interval.parse("1m")
BTC = Symbol("BTCUSDT", "BTC", "USDT", tick_size_e8=1_000_000, step_size_e8=1_000)
ETH = Symbol("ETHUSDT", "ETH", "USDT", tick_size_e8=1_000_000, step_size_e8=10_000)
FIRST_SLOT = 12_000_000


def candle(slot: int, open_: float, close: float, *, interval: Interval = MINUTE, **fields: Any) -> Candle:
    """A candle whose wicks reach 2 beyond its body."""
    o, c = round(open_ * E8), round(close * E8)
    high, low = max(o, c) + 2 * E8, min(o, c) - 2 * E8
    usual = Candle(interval.slot_open_us(slot), o, high, low, c, 5 * E8, 500 * E8 * E8, 42, 2 * E8, 200 * E8 * E8)
    return usual._replace(**fields)


def zigzag(count: int, first: int = FIRST_SLOT, interval: Interval = MINUTE) -> list[Candle]:
    """Candles that rise by 10 and fall by 10 in turn."""
    return [
        candle(slot, *((100.0, 110.0) if slot % 2 else (110.0, 100.0)), interval=interval)
        for slot in range(first, first + count)
    ]


def series_of(candles: Iterable[Candle], interval: Interval = MINUTE) -> CandleSeries:
    series = CandleSeries("BTCUSDT", interval)
    series.replace(list(candles))
    return series


def canvas_of(chart: ChartWidget) -> ChartCanvas:
    return chart.findChild(ChartCanvas)


def settle(qtbot: QtBot, chart: ChartWidget) -> None:
    """Wait until every frame that is due is painted."""
    qtbot.waitUntil(lambda: chart.is_up_to_date)
    QApplication.processEvents()


def place(chart: ChartWidget, slot: float, price: float) -> QPointF:
    """The position of a slot and a price in the chart, by its ViewBox."""
    return canvas_of(chart).box_of("price").mapViewToScene(QPointF(slot, price))


def slot_at(chart: ChartWidget, x: float) -> float:
    return canvas_of(chart).box_of("price").mapSceneToView(QPointF(x, 10.0)).x()


def price_range(chart: ChartWidget) -> tuple[float, float]:
    """The lowest and highest price in view, by the price pane's ViewBox."""
    low, high = canvas_of(chart).box_of("price").viewRange()[1]
    return low, high


def picture(chart: ChartWidget, scale: float = 1.0) -> QImage:
    """A full paint of the chart at a device pixel ratio."""
    pixmap = QPixmap(round(chart.width() * scale), round(chart.height() * scale))
    pixmap.setDevicePixelRatio(scale)
    chart.render(pixmap, QPoint())
    return pixmap.toImage().convertToFormat(QImage.Format.Format_RGB32)


def colour_at(image: QImage, point: QPointF) -> str:
    scale = image.devicePixelRatio()
    return image.pixelColor(int(point.x() * scale), int(point.y() * scale)).name()


def is_drawn_at(image: QImage, point: QPointF, colour: str, share: float = 0.6) -> bool:
    """Whether the colour is within a pixel of there; a share of it will do, as at an antialiased edge."""
    wanted, least = QColor(colour), (1 - share) * 255
    for x in range(-2, 3):
        for y in range(-2, 3):
            seen = QColor(colour_at(image, point + QPointF(x / 2, y / 2)))
            parts = zip(wanted.getRgb(), seen.getRgb(), strict=True)
            if max(abs(one - other) for one, other in parts) <= least:
                return True
    return False


def run_of(image: QImage, x: int, y: int) -> tuple[int, int]:
    """The first and last pixel of the unbroken run in row ``y`` with the colour of pixel ``x``."""
    colour, first, last = image.pixel(x, y), x, x
    while first > 0 and image.pixel(first - 1, y) == colour:
        first -= 1
    while last < image.width() - 1 and image.pixel(last + 1, y) == colour:
        last += 1
    return first, last


def count_of(image: QImage, colour: str) -> int:
    """The number of pixels that have exactly that colour."""
    data = image.constBits().tobytes()
    red, green, blue = (bytes.fromhex(colour[at : at + 2]) for at in (1, 3, 5))
    pixel = blue + green + red + b"\xff"
    return sum(data[at : at + 4] == pixel for at in range(0, len(data), 4))


LEFT_BUTTON, NO_BUTTON = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
