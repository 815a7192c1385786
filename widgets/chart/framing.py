"""From a series to a `Scene`: which bars, at which level of detail, in which ranges, with which marks and texts."""

from __future__ import annotations

import math
from collections.abc import Iterable

from PySide6.QtCore import QPointF

from app.market.interval import Interval
from app.market.series import Bar, CandleSeries
from app.market.units import E8
from widgets.chart.legend import format_quantity
from widgets.chart.price_view import volume_top
from widgets.chart.scene import NO_BARS, VOLUME_TEXT_PX, Crosshair, GapMark, Scene
from widgets.chart.ticks import format_price, full_time, price_ticks, time_ticks
from widgets.views import GapBand

_PRICE_TICK_PX = 56.0
_TIME_TICK_PX = 96.0
_UNKNOWN_DECIMALS = 2

ViewKey = tuple[float, ...]


def frame_scene(scene: Scene, series: CandleSeries | None, pixel_ratio: float) -> None:
    """Bring bars, ranges and the last bar up to date with the series; see `mark_axes` for the rest."""
    time = scene.time
    if series is None or not len(series):
        scene.bars, scene.last, scene.last_text = NO_BARS, None, ""
        return
    time.first, time.last = int(series.slots[0]), int(series.slots[-1])
    scene.bars = series.bars_between(math.floor(time.left), math.ceil(time.right), level_for(time.bar_px * pixel_ratio))
    scene.price.fit(scene.bars, scene.layout.price.height(), scene.symbol.tick_size_e8 / E8 if scene.symbol else 0.01)
    height = scene.layout.volume.height()
    # The tallest bar ends below the pane's text.
    room = height - VOLUME_TEXT_PX
    scene.volume_high = volume_top(scene.bars) * (height / room if room > VOLUME_TEXT_PX else 1.0)
    scene.last = series.bar(-1)
    scene.last_text = format_price(scene.last.close, decimals_of(scene))


def level_for(slot_px: float) -> int:
    """Return the level of detail at which a bar is a device pixel wide or a little more."""
    return max(0, math.ceil(-math.log2(slot_px)))


def view_key(scene: Scene) -> ViewKey:
    """Return numbers that differ whenever every bar is drawn elsewhere."""
    time, price = scene.time, scene.price
    return time.right, time.bar_px, time.width_px, price.low, price.high, scene.volume_high


def mark_axes(scene: Scene, interval: Interval | None) -> None:
    """Set the axes' marks for the ranges in view."""
    if interval is None or scene.last is None:
        scene.price_ticks, scene.time_ticks = [], []
        return
    time, price = scene.time, scene.price
    height = scene.layout.price.height()
    scene.price_ticks = price_ticks(price.low, price.high, height, _PRICE_TICK_PX, decimals_of(scene))
    scene.time_ticks = time_ticks(interval, time.left, time.right, _TIME_TICK_PX / time.bar_px)


def decimals_of(scene: Scene) -> int:
    return scene.symbol.price_decimals if scene.symbol else _UNKNOWN_DECIMALS


def gap_marks(gaps: Iterable[GapBand], interval: Interval) -> list[GapMark]:
    """
    Return where the gaps' bands stand: over every candle that they touch.

    Bands that share a candle are one, with one count: two on top of each other could not be read.
    """
    bands: list[tuple[int, int, int, bool]] = []  # first and last slot, trades missing, whether being repaired
    for gap in sorted(gaps, key=lambda one: one.start_us):
        first, last = interval.slot(gap.start_us), interval.slot(gap.end_us)
        if bands and first <= bands[-1][1]:
            first_before, last_before, missing, repairing = bands.pop()
            bands.append((first_before, max(last_before, last), missing + gap.missing, repairing or gap.repairing))
        else:
            bands.append((first, last, gap.missing, gap.repairing))
    return [
        GapMark(first - 0.5, last + 0.5, _missing(missing, repairing=repairing))
        for first, last, missing, repairing in bands
    ]


def _missing(count: int, *, repairing: bool) -> str:
    text = "1 trade missing" if count == 1 else f"{count:,} trades missing"
    return f"{text} · repairing" if repairing else text


def missing_in(gaps: Iterable[GapBand], bar: Bar, interval: Interval) -> int:
    """Return how many trades are known to be missing in or across a candle."""
    end_us = interval.next_open_us(bar.open_time_us)
    return sum(gap.missing for gap in gaps if gap.start_us < end_us and gap.end_us >= bar.open_time_us)


def read_crosshair(scene: Scene, interval: Interval, position: QPointF) -> Crosshair | None:
    """Return the crosshair for a pointer position in the view: at the nearest candle, with what the axes then say."""
    layout = scene.layout
    if scene.last is None or not layout.panes.contains(position):
        return None
    slot = round(scene.time.position_at(position.x()))
    if layout.price.contains(position):
        value_text = format_price(scene.price_at(position.y()), decimals_of(scene))
    else:
        share = (layout.volume.bottom() - position.y()) / layout.volume.height()
        decimals = scene.symbol.quantity_decimals if scene.symbol else _UNKNOWN_DECIMALS
        value_text = format_quantity(scene.volume_high * share, min(decimals, 2))
    return Crosshair(slot, position.y(), full_time(interval.slot_open_us(slot), interval), value_text)


def bar_at(series: CandleSeries, slot: int) -> Bar | None:
    """Return the bar of that slot, or None where there is no candle."""
    at = series.index_at_slot(slot)
    if at < 0 or int(series.slots[at]) != slot:
        return None
    return series.bar(at)
