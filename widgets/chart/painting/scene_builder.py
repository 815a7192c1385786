"""Builds a `Scene` from a series: bars at a detail level, value ranges, marks, texts and the crosshair."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from PySide6.QtCore import QPointF

from app.market.interval import Interval
from app.market.series.series import Bar, CandleSeries
from app.market.units import E8
from widgets.chart.model.legend import format_axis_quantity, format_quantity
from widgets.chart.painting.day_shading import day_bands, session_bands
from widgets.chart.painting.pane import Pane, ValueFormat, VisibleBars
from widgets.chart.painting.scene import NO_BARS, Crosshair, GapMark, Scene, TimeGuide
from widgets.chart.scales.time_marks import TimeTick, time_ticks
from widgets.chart.scales.time_text import full_time
from widgets.chart.scales.value_marks import (
    ValueTick,
    decimals_between,
    decimals_for,
    format_price,
    level_values,
    price_marks,
    price_text,
    round_values,
)
from widgets.view_values import DifferenceView, GapBand

_TIME_TICK_PX = 96.0
_LEVEL_TICK_PX = 18.0  # the least distance of marks at an indicator's levels
_UNKNOWN_DECIMALS = 2
_MOST_BARS_PER_PX = 2.5
_BREAK_PX = 48.0  # breaks closer than that have no lines

ViewKey = tuple[float, ...]


def update_scene(scene: Scene, series: CandleSeries | None, pixel_ratio: float) -> None:
    """Update bars, value ranges and the last bar from the series. Marks are `mark_value_axes` and `mark_time_axis`."""
    time_scale = scene.time_scale
    scene.guard.begin(series, series.shape_revision if series is not None else 0, len(series) if series else 0)
    if series is None or not len(series):
        scene.bars, scene.last, scene.last_text = NO_BARS, None, ""
        scene.shown_close = scene.shown_revision = None
        return
    time_scale.first, time_scale.last = int(series.slots[0]), int(series.slots[-1])
    left, right = time_scale.edges
    first, last = math.floor(left), math.ceil(right)
    level = detail_level(time_scale.bar_px * pixel_ratio)
    scene.bars = series.bars_between(first, last, level)
    if len(scene.bars.slot) > _MOST_BARS_PER_PX * time_scale.width_px * pixel_ratio:
        # Closed time between blocks takes no room, so that there may be several on a pixel.
        level += 1
        scene.bars = series.bars_between(first, last, level)
    scene.price.value_scale.base = _first_close(scene)
    visible = VisibleBars(first, last, level, scene.bars, scene.open_axis)
    for pane in scene.panes:
        pane.update(series, visible, _least_span(scene, pane), scene.guard)
    scene.last = series.bar(-1)
    scene.last_text = last_text(scene)


def _first_close(scene: Scene) -> float:
    """Return the close of the first bar whose centre is in view: percents count from it."""
    bars = scene.bars
    if not len(bars.slot):
        return 0.0
    at = int(np.searchsorted(bars.slot + (bars.span - 1) / 2, scene.time_scale.edges[0]))
    return float(bars.close[min(at, len(bars.slot) - 1)])


def _least_span(scene: Scene, pane: Pane) -> float:
    if pane.value_format is ValueFormat.PRICE:
        return 10 * (scene.symbol.tick_size_e8 / E8 if scene.symbol else 0.01)
    return 0.0


def detail_level(slot_px: float) -> int:
    """Return the finest detail level at which a bar is at least one device pixel wide; ``slot_px``: device pixels."""
    return max(0, math.ceil(-math.log2(slot_px)))


def view_key(scene: Scene) -> ViewKey:
    """Return the numbers that decide where bars are drawn: right, bar_px and width_px, then the panes' ranges."""
    time_scale = scene.time_scale
    value_scales = (pane.value_scale for pane in scene.panes)
    ranges = (
        part
        for scale in value_scales
        for part in (scale.low, scale.high, scale.base if scale.is_percent else 0.0, scale.auto)
    )
    return time_scale.right, time_scale.bar_px, time_scale.width_px, *ranges


def mark_value_axes(scene: Scene) -> None:
    """Set the panes' value marks for the ranges in view; none while there are no bars."""
    for pane in scene.panes:
        pane.set_ticks(_value_ticks(scene, pane) if scene.last is not None else [])


def mark_time_axis(scene: Scene, interval: Interval | None) -> None:
    """Set the time marks, shaded days or sessions, and breaks for the slots in view; none while there are no bars."""
    ticks: list[TimeTick] = []
    scene.day_bands, scene.session_names, scene.breaks = [], [], []
    if interval is not None and scene.last is not None:
        time_scale, zone = scene.time_scale, scene.time_style.zone
        least_slots = _TIME_TICK_PX * scene.styles.scale / time_scale.bar_px
        ticks = time_ticks(interval, *time_scale.edges, least_slots, zone, time_scale.axis)
        if scene.calendar is not None and scene.calendar.closes and scene.time_style.shows_sessions:
            scene.day_bands, scene.session_names = session_bands(interval, time_scale, scene.calendar)
        elif scene.time_style.shaded:
            scene.day_bands = day_bands(interval, time_scale, zone)
        if time_scale.axis.usual_distance * time_scale.bar_px >= _BREAK_PX:
            scene.breaks = [end for _, end in time_scale.axis.closed_between(*time_scale.edges)]
    scene.set_time_ticks(ticks)


def _value_ticks(scene: Scene, pane: Pane) -> list[ValueTick]:
    scale, height = pane.value_scale, pane.rect.height()
    if pane.value_format is ValueFormat.PRICE:
        return price_marks(scale, height, pane.tick_px * pane.scale, decimals_of(scene))
    values = level_values(scale.low, scale.high, height, _LEVEL_TICK_PX * pane.scale, pane.levels)
    values = values or round_values(scale.low, scale.high, height, pane.tick_px * pane.scale)
    if pane.value_format is ValueFormat.NUMBER:
        decimals = decimals_between(values)
        return [ValueTick(value, format_price(value, decimals)) for value in values]
    return [ValueTick(value, format_axis_quantity(value)) for value in values if value > 0 or not scale.grounded]


def value_text(scene: Scene, pane: Pane, value: float) -> str:
    """Return a value as text for a label on the pane's axis."""
    if pane.value_format is ValueFormat.PRICE:
        return price_text(pane.value_scale, value, decimals_of(scene))
    if pane.value_format is ValueFormat.NUMBER:
        return format_price(value, decimals_for(pane.value_scale.high - pane.value_scale.low))
    decimals = scene.symbol.quantity_decimals if scene.symbol else _UNKNOWN_DECIMALS
    if scene.symbol is not None and not scene.symbol.has_trades:
        decimals = 0  # ticks are counted
    return format_quantity(value, min(decimals, 2))


def last_text(scene: Scene) -> str:
    """Return the last price's label: of the price shown, on an axis of percents from the first bar in view."""
    return "" if scene.shown_close is None else value_text(scene, scene.price, scene.shown_close)


def difference_text(scene: Scene, pane: Pane, difference: float) -> str:
    """Return a difference of two values as text, in the pane's own unit even where its axis shows percents."""
    return (
        format_price(difference, decimals_of(scene))
        if pane.value_format is ValueFormat.PRICE
        else value_text(scene, pane, difference)
    )


def decimals_of(scene: Scene) -> int:
    return scene.symbol.price_decimals if scene.symbol else _UNKNOWN_DECIMALS


def gap_marks(gaps: Iterable[GapBand], interval: Interval) -> list[GapMark]:
    """
    Return the bands of gaps, each over all the candles that it touches.

    Gaps that share a candle become one band with one count: two overlapping texts could not be read.
    """
    bands: list[tuple[int, int, int, bool]] = []  # first and last slot, missing trades, whether under repair
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


def difference_marks(differing: Iterable[DifferenceView], interval: Interval) -> list[GapMark]:
    """Return the bands of differing candles; neighbours become one, and its text counts them."""
    bands: list[tuple[int, int, str]] = []
    for one in sorted(differing, key=lambda each: each.open_time_us):
        slot = interval.slot(one.open_time_us)
        if bands and slot <= bands[-1][1] + 1:
            first, _, _ = bands.pop()
            bands.append((first, slot, f"{slot - first + 1:,} candles differ"))
        else:
            bands.append((slot, slot, f"differs: {one.fields}"))
    return [GapMark(first - 0.5, last + 0.5, text) for first, last, text in bands]


def _missing(count: int, *, repairing: bool) -> str:
    text = "1 trade missing" if count == 1 else f"{count:,} trades missing"
    return f"{text} · repairing" if repairing else text


def missing_in(gaps: Iterable[GapBand], bar: Bar, interval: Interval) -> int:
    """Return the count of trades known to be missing in gaps that touch a candle."""
    return sum(gap.missing for gap in gaps_in(gaps, bar, interval))


def gaps_in(gaps: Iterable[GapBand], bar: Bar, interval: Interval) -> list[GapBand]:
    """Return the gaps that touch a candle."""
    end_us = interval.next_open_us(bar.open_time_us)
    return [gap for gap in gaps if gap.start_us < end_us and gap.end_us >= bar.open_time_us]


def crosshair_at(scene: Scene, interval: Interval, position: QPointF) -> Crosshair | None:
    """Return the crosshair at the candle nearest to a position in the view, with its labels; None outside of panes."""
    pane = scene.pane_at(position.y())
    if scene.last is None or pane is None or not scene.layout.panes.contains(position):
        return None
    slot = scene.time_scale.slot_at(position.x())
    text = value_text(scene, pane, pane.value_at(position.y()))
    rules = scene.time_style.zone.rules_for(interval)
    return Crosshair(slot, position.y(), full_time(interval.slot_open_us(slot), interval, rules), text)


def guide_at(scene: Scene, interval: Interval, time_us: int) -> TimeGuide | None:
    """Return the guide at the candle of a time, UTC microseconds; None while that is out of view."""
    slot = interval.slot(time_us)
    if scene.last is None or not 0 <= scene.time_scale.x_of(slot) <= scene.layout.panes.width():
        return None
    rules = scene.time_style.zone.rules_for(interval)
    return TimeGuide(slot, full_time(interval.slot_open_us(slot), interval, rules))


def bar_at(series: CandleSeries, slot: int) -> Bar | None:
    """Return the bar of a slot, or None if it has no candle."""
    at = series.index_at_slot(slot)
    if at < 0 or int(series.slots[at]) != slot:
        return None
    return series.bar(at)
