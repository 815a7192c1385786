"""
The price styles, each a function of a brush and bars, at every detail level.

Candles and bars are coloured by close against open. Hollow candles are coloured by close against the close before, and
are hollow if they close above their open. Incomplete bars are faded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.market.series.series import COMPLETE, BarColumns
from widgets.chart.painting.bar_geometry import Pixels
from widgets.chart.painting.pane_brush import PaneBrush

_LINE_PX = 1.6
_LEAST_HOLLOW_LINES = 3  # a body of fewer hairlines has no inside


def paint_candles(brush: PaneBrush, bars: BarColumns) -> None:
    edges = brush.bar_edges(bars)
    top, bottom, body_top, body_bottom = candle_rows(brush, bars)
    rects = np.empty((1 if edges.are_narrow else 2, len(top), 4), np.int32)  # one call per colour
    rects[0].T[:] = edges.wick_left, top, edges.wick_right, bottom
    if not edges.are_narrow:
        rects[1].T[:] = edges.body_left, body_top, edges.body_right, body_bottom
    for rising, complete, rows in groups(bars):
        at = rows.nonzero()[0]  # by number: numpy's boolean masks take several times as long
        brush.fill(brush.colours.candles[rising][complete], rects.take(at, axis=1).reshape(-1, 4))


def paint_hollow(brush: PaneBrush, bars: BarColumns) -> None:
    edges, line = brush.bar_edges(bars), brush.line
    top, bottom, body_top, body_bottom = candle_rows(brush, bars)
    close_before = np.concatenate((bars.open[:1], bars.close[:-1]))
    inside = edges.body_right - edges.body_left + 1 >= _LEAST_HOLLOW_LINES * line
    is_hollow = (bars.close > bars.open) & inside & (body_bottom - body_top + 1 >= _LEAST_HOLLOW_LINES * line)
    for rising, complete, rows in groups(bars, bars.close >= close_before):
        colour = brush.colours.candles[rising][complete]
        full, hollow = rows & ~is_hollow, rows & is_hollow
        left, right = edges.body_left[full], edges.body_right[full]
        wick, count = (edges.wick_left, edges.wick_right), len(left)
        brush.rects(colour, wick[0][full], top[full], wick[1][full], bottom[full], count)
        brush.rects(colour, left, body_top[full], right, body_bottom[full], count)
        left, right, count = edges.body_left[hollow], edges.body_right[hollow], int(hollow.sum())
        first, last = body_top[hollow], body_bottom[hollow]
        # The body is four lines and the wick stops at it, so that the grid shows through.
        brush.rects(colour, wick[0][hollow], top[hollow], wick[1][hollow], first, count)
        brush.rects(colour, wick[0][hollow], last, wick[1][hollow], bottom[hollow], count)
        brush.rects(colour, left, first, right, first + (line - 1), count)
        brush.rects(colour, left, last - (line - 1), right, last, count)
        brush.rects(colour, left, first, left + (line - 1), last, count)
        brush.rects(colour, right - (line - 1), first, right, last, count)


def paint_bars(brush: PaneBrush, bars: BarColumns) -> None:
    edges, thick = brush.bar_edges(bars), brush.line - 1
    top, bottom, _, _ = candle_rows(brush, bars)
    open_, close = brush.rows(bars.open) - brush.line // 2, brush.rows(bars.close) - brush.line // 2
    for rising, complete, rows in groups(bars):
        colour, count = brush.colours.candles[rising][complete], int(rows.sum())
        left, right = edges.wick_left[rows], edges.wick_right[rows]
        first, last = np.minimum(top, np.minimum(open_, close))[rows], np.maximum(bottom, open_ + thick)[rows]
        last = np.maximum(last, close[rows] + thick)
        brush.rects(colour, left, first, right, last, count)
        if not edges.are_narrow:
            brush.rects(colour, edges.body_left[rows], open_[rows], right, open_[rows] + thick, count)
            brush.rects(colour, left, close[rows], edges.body_right[rows], close[rows] + thick, count)


def paint_line(brush: PaneBrush, bars: BarColumns, width_px: float = _LINE_PX) -> None:
    brush.line_through(brush.colours.accent, bars, width_px)


def paint_area(brush: PaneBrush, bars: BarColumns) -> None:
    brush.area_below(brush.colours.accent, bars)  # translucent, above the grid
    paint_line(brush, bars)


def candle_rows(brush: PaneBrush, bars: BarColumns) -> tuple[Pixels, Pixels, Pixels, Pixels]:
    """Return first and last rows of wicks, then of bodies, inclusive; each at least a hairline high."""
    # One call for all four prices: for few bars the overhead of numpy's calls exceeds the work.
    high, low, open_, close = brush.rows(np.array((bars.high, bars.low, bars.open, bars.close)))
    top, bottom = (low, high) if brush.is_inverted else (high, low)
    body_top = np.minimum(open_, close)
    body_bottom = np.maximum(np.maximum(open_, close) - 1, body_top + (brush.line - 1))
    return top, np.maximum(bottom - 1, body_bottom), body_top, body_bottom


def groups(bars: BarColumns, rising: NDArray[np.bool_] | None = None) -> Iterator[tuple[bool, bool, NDArray[np.bool_]]]:
    """Yield the bars by colour, as (is rising, is complete, mask of bars). ``rising`` replaces close against open."""
    if rising is None:
        rising = bars.close >= bars.open
    complete = (bars.flags & COMPLETE) > 0
    whole = bool(complete.all())
    for rows, is_rising in ((rising, True), (~rising, False)):
        yield is_rising, True, rows if whole else rows & complete
        if not whole:
            yield is_rising, False, rows & ~complete
