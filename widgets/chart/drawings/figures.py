"""
Drawings as columns: all strokes and fills of many drawings, brought into a view with a few operations of numpy. Pure.

Their slot positions are computed once for each interval; a frame turns them into pixels, cut off near the pane. A
stroke is straight in time and price. On a plain axis that is a straight line of pixels; on a logarithmic one, or where
closed time is left out, it becomes a line of short pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.drawings.drawing import Drawing
from app.market.interval import Interval
from widgets.chart.drawings.kinds import KINDS
from widgets.chart.drawings.shapes import Fill, Shape
from widgets.chart.model.line_style import LineDash
from widgets.chart.scales.time_scale import TimeScale, position_of
from widgets.chart.scales.value_scale import ValueScale

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_MARGIN_PX = 16.0  # beyond the pane, so that no end of a line that was cut off shows
_BENT_PX = 0.4  # how far a piece of a bent line may be from it
_MOST_PIECES = 64
_MOST_BREAKS = 200  # more closed time in view than that is sampled rather than followed
_HEAD_PX, _HEAD_ANGLE = 11.0, 0.42


class Look(NamedTuple):
    """How a stroke is drawn. ``colour``: as in `DrawingStyle`, the kind's own resolved; ``width``: logical pixels."""

    colour: str
    width: float
    dash: LineDash


def colour_name(drawing: Drawing) -> str:
    """Return the colour of a drawing, by its kind where it has none of its own."""
    return drawing.style.colour or f"line:{KINDS[drawing.kind].colour}"


class View(NamedTuple):
    """Where a pane shows what: its scales, and its rectangle in logical pixels."""

    time_scale: TimeScale
    value_scale: ValueScale
    top: float
    width: float
    height: float
    reach: float = 0.0  # how far beyond the pane's sides it goes, as a picture that is moved in a pan must

    @property
    def is_bent(self) -> bool:
        """Whether a line that is straight in time and price is not straight here."""
        return self.value_scale.is_log or not self.time_scale.axis.is_plain

    def xs(self, axis_positions: Floats) -> Floats:
        return np.asarray((axis_positions - self.time_scale.left) * self.time_scale.bar_px, np.float64)

    def ys(self, prices: Floats) -> Floats:
        return self.top + self.value_scale.shares_of(prices) * self.height

    def outline(self, fill: Fill, places: Sequence[float], start: float, end: float) -> list[tuple[float, float]]:
        """Return the corners of a fill between slot positions; it has its prices at the positions start and end."""
        scale, axis, share_of = self.time_scale, self.time_scale.axis, self.value_scale.share_of
        there, back = list[tuple[float, float]](), list[tuple[float, float]]()
        for place in places:
            share = (place - start) / (end - start) if isfinite(start) and isfinite(end) and end > start else 0.0
            x = (axis.at(place) - scale.left) * scale.bar_px
            for corners, one, other in ((there, fill.start, fill.end), (back, fill.other_start, fill.other_end)):
                y = share_of(one + share * (other - one))
                corners.append((x, self.top + min(max(y, -2.0), 3.0) * self.height))
        return there + back[::-1]

    @property
    def prices(self) -> tuple[float, float]:
        """The prices at the top and the bottom of what may be painted."""
        share = _MARGIN_PX / max(self.height, 1.0)
        return self.value_scale.value_at(-share), self.value_scale.value_at(1 + share)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what may be painted."""
        bottom = self.top + self.height + _MARGIN_PX
        side = _MARGIN_PX + self.reach
        return -side, self.top - _MARGIN_PX, self.width + side, bottom


@dataclass(slots=True)
class Lines:
    """
    Straight pieces in the view, in logical pixels: rows of x1, y1, x2, y2, sorted by look.

    ``owners``: numbers of their drawings. ``phases``: how far from the start of its line each piece begins.
    """

    pieces: Floats
    owners: Ints
    looks: Ints
    phases: Floats


@dataclass(slots=True)
class Projection:
    """The lines in a view. A level line's pieces have y1 = y2, an upright one's x1 = x2."""

    slants: Lines
    levels: Lines
    uprights: Lines


class Figures:
    """The strokes and fills of drawings, in the order of painting, for charts of one interval."""

    def __init__(self, drawings: Sequence[Drawing], shapes: Sequence[Shape], interval: Interval) -> None:
        self.looks: list[Look] = []
        numbers: dict[Look, int] = {}
        rows: list[tuple[float, ...]] = []
        fills: list[Fill] = []
        self._colours: list[str] = []
        heads: list[bool] = []
        for owner, (drawing, shape) in enumerate(zip(drawings, shapes, strict=True)):
            style, colour = drawing.style, colour_name(drawing)
            plain = Look(colour, float(style.width), LineDash(style.dash.value))
            soft = Look(colour, 1.0, LineDash.DASHED)
            for at, stroke in enumerate(shape.strokes):
                look = soft if stroke.is_soft else plain
                if look not in numbers:
                    numbers[look] = len(self.looks)
                    self.looks.append(look)
                rows.append((*stroke[:6], owner, numbers[look]))
                heads.append(shape.has_head and at == 0)
            fills += shape.fills
            self._colours += [colour] * len(shape.fills)
        table = np.array(rows, np.float64).reshape(-1, 8)
        has_head = np.array(heads, np.bool_)
        # One call paints all of a look, so they are sorted by it; within one, by the order of the drawings.
        order = np.argsort(table[:, 7], kind="stable")
        table, has_head = table[order], has_head[order]
        is_upright = table[:, 0] == table[:, 2]
        is_level = (table[:, 1] == table[:, 3]) & ~is_upright
        self._slants = _Strokes(table[~is_level & ~is_upright], interval)
        self._levels, self._uprights = _Strokes(table[is_level], interval), _Strokes(table[is_upright], interval)
        self._heads = _Strokes(table[has_head], interval)
        times = np.array([fill[:2] for fill in fills], np.float64).reshape(-1, 2)
        self._fill_positions = positions_of(interval, times)
        self._fill_opens = np.array([fill[6:] for fill in fills], np.bool_).reshape(-1, 2)
        self._fill_prices = np.array([fill[2:6] for fill in fills], np.float64).reshape(-1, 4)
        self._fills = fills

    def project(self, view: View) -> Projection:
        """Return what is in view."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            slants = self._slants.bent(view) if view.is_bent else self._slants.straight(view)
            has_heads = len(self._heads.owners) > 0
            return Projection(
                joined([slants, self._heads.heads(view)]) if has_heads else slants,
                self._levels.level(view),
                self._uprights.upright(view),
            )

    def areas(self, view: View) -> list[tuple[str, Sequence[Sequence[float]]]]:
        """Return the colours and the outlines of the fills in view, as corners in logical pixels."""
        if not self._fills:
            return []
        left, _, right, _ = view.box
        edges = view.time_scale.position_at(left), view.time_scale.position_at(right)
        starts, ends = self._fill_positions[:, 0], self._fill_positions[:, 1]
        firsts = np.where(self._fill_opens[:, 0], edges[0], np.maximum(starts, edges[0]))
        lasts = np.where(self._fill_opens[:, 1], edges[1], np.minimum(ends, edges[1]))
        shown = np.flatnonzero(firsts < lasts)
        if not view.is_bent:
            with np.errstate(invalid="ignore"):
                corners = self._corners(view, shown, firsts[shown], lasts[shown])
            return [(self._colours[at], outline) for at, outline in zip(shown.tolist(), corners.tolist(), strict=True)]
        areas: list[tuple[str, Sequence[Sequence[float]]]] = []
        for at in shown.tolist():
            fill = self._fills[at]
            is_level = fill.start == fill.end and fill.other_start == fill.other_end
            first, last = float(firsts[at]), float(lasts[at])
            places = [first, last]
            if not is_level:
                shares, breaks = _cuts(view, first, last)
                places = sorted([*(first + (last - first) * shares).tolist(), *breaks.tolist()])
            areas.append((self._colours[at], view.outline(fill, places, float(starts[at]), float(ends[at]))))
        return areas

    def _corners(self, view: View, at: Ints, firsts: Floats, lasts: Floats) -> Floats:
        """Return the four corners of fills whose edges are straight, as `View.outline` has them; all at once."""
        starts, spans = self._fill_positions[at, 0], np.diff(self._fill_positions[at])[:, 0]
        has_span = np.isfinite(spans) & (spans > 0)
        corners = np.empty((len(at), 4, 2))
        for places, one, other in ((firsts, 0, 3), (lasts, 1, 2)):
            shares = np.where(has_span, (places - starts) / np.where(has_span, spans, 1.0), 0.0)
            xs = view.xs(view.time_scale.axis.all_at(places))
            for corner, (begin, end) in ((one, (0, 1)), (other, (2, 3))):
                begins = self._fill_prices[at, begin]
                prices = begins + shares * (self._fill_prices[at, end] - begins)
                ys = np.clip(view.value_scale.shares_of(prices), -2.0, 3.0)
                corners[:, corner, 0], corners[:, corner, 1] = xs, view.top + ys * view.height
        return corners


class _Strokes:
    """Strokes of one sort as columns; see `Stroke`."""

    def __init__(self, table: Floats, interval: Interval) -> None:
        self.starts, self.ends = positions_of(interval, table[:, 0]), positions_of(interval, table[:, 2])
        self.start_prices, self.end_prices = table[:, 1], table[:, 3]
        self.least, self.most = np.where(table[:, 4] > 0, -inf, 0.0), np.where(table[:, 5] > 0, inf, 1.0)
        self.owners, self.looks = table[:, 6].astype(np.int64), table[:, 7].astype(np.int64)

    def _xs(self, view: View) -> tuple[Floats, Floats]:
        axis = view.time_scale.axis
        return view.xs(axis.all_at(self.starts)), view.xs(axis.all_at(self.ends))

    def level(self, view: View) -> Lines:
        left, top, right, bottom = view.box
        (x1, x2), y = self._xs(view), view.ys(self.start_prices)
        beyond = np.where(self.ends >= self.starts, inf, -inf)  # its first point may be the later one
        x1, x2 = np.where(self.least < 0, -beyond, x1), np.where(self.most > 1, beyond, x2)
        x1, x2 = np.minimum(x1, x2), np.maximum(x1, x2)
        shown = (x2 >= left) & (x1 <= right) & (y >= top) & (y <= bottom)
        x1, x2, y = x1[shown], x2[shown], y[shown]
        first = np.maximum(x1, left)
        phases = np.where(np.isfinite(x1), first - x1, 0.0)
        pieces = np.column_stack((first, y, np.minimum(x2, right), y))
        return Lines(pieces, self.owners[shown], self.looks[shown], phases)

    def upright(self, view: View) -> Lines:
        left, top, right, bottom = view.box
        x, _ = self._xs(view)
        one, other = view.ys(self.start_prices), view.ys(self.end_prices)
        beyond = np.where(other > one, inf, -inf)
        y1, y2 = np.where(self.least < 0, -beyond, one), np.where(self.most > 1, beyond, other)
        y1, y2 = np.minimum(y1, y2), np.maximum(y1, y2)
        shown = (x >= left) & (x <= right) & (y2 >= top) & (y1 <= bottom)
        x, y1, y2 = x[shown], y1[shown], y2[shown]
        first = np.maximum(y1, top)
        phases = np.where(np.isfinite(y1), first - y1, 0.0)
        pieces = np.column_stack((x, first, x, np.minimum(y2, bottom)))
        return Lines(pieces, self.owners[shown], self.looks[shown], phases)

    def straight(self, view: View) -> Lines:
        """Return the strokes where each is a straight line of pixels."""
        (x1, x2), y1, y2 = self._xs(view), view.ys(self.start_prices), view.ys(self.end_prices)
        dx, dy = x2 - x1, y2 - y1
        low, high = inside_box(x1, y1, dx, dy, self.least, self.most, view.box)
        shown = low < high
        x1, y1, dx, dy, low, high = (part[shown] for part in (x1, y1, dx, dy, low, high))
        pieces = np.column_stack((x1 + dx * low, y1 + dy * low, x1 + dx * high, y1 + dy * high))
        return Lines(pieces, self.owners[shown], self.looks[shown], low * np.hypot(dx, dy))

    def bent(self, view: View) -> Lines:
        """Return the strokes in pieces: short for a logarithmic axis, with steps where closed time is left out."""
        left, _, right, _ = view.box
        edges = view.time_scale.position_at(left), view.time_scale.position_at(right)
        spans = self.ends - self.starts
        one, other = (edges[0] - self.starts) / spans, (edges[1] - self.starts) / spans
        low = np.maximum(self.least, np.minimum(one, other))
        high = np.minimum(self.most, np.maximum(one, other))
        # Also where it is in view from top to bottom, so that its pieces are short there, however far it goes.
        rises = self.end_prices - self.start_prices
        one, other = ((price - self.start_prices) / rises for price in view.prices)
        low, high = np.maximum(low, np.minimum(one, other)), np.minimum(high, np.maximum(one, other))
        shown = low < high
        starts, spans = self.starts[shown, None], spans[shown, None]
        ends = starts[:, 0] + spans[:, 0] * low[shown], starts[:, 0] + spans[:, 0] * high[shown]
        first, last = np.minimum(*ends)[:, None], np.maximum(*ends)[:, None]
        # As many pieces for each line, however short: a steep one bends as much as a long one.
        shares, breaks = _cuts(view, *edges)
        at = first + (last - first) * shares[None, :]
        if len(breaks):
            at = np.sort(np.concatenate((at, np.clip(breaks[None, :], first, last)), axis=1), axis=1)
        from_price = self.start_prices[shown, None]
        prices = from_price + (at - starts) / spans * (self.end_prices[shown, None] - from_price)
        xs, ys = view.xs(view.time_scale.axis.all_at(at)), view.ys(prices)
        x1, y1, dx, dy = (part.ravel() for part in (xs[:, :-1], ys[:, :-1], np.diff(xs), np.diff(ys)))
        begin, end = inside_box(x1, y1, dx, dy, np.zeros(len(x1)), np.ones(len(x1)), view.box)
        kept = (begin < end) & ((np.abs(dx) > 1e-6) | (np.abs(dy) > 1e-6))
        rows = np.repeat(np.flatnonzero(shown), xs.shape[1] - 1)[kept]
        x1, y1, dx, dy, begin, end = (part[kept] for part in (x1, y1, dx, dy, begin, end))
        pieces = np.column_stack((x1 + dx * begin, y1 + dy * begin, x1 + dx * end, y1 + dy * end))
        # Dashes are counted along the straight line between the anchors, so that they stay where they are in a pan.
        (from_x, to_x), from_y, to_y = self._xs(view), view.ys(self.start_prices), view.ys(self.end_prices)
        wide = np.abs(to_x - from_x)
        stretch = np.where(wide > 1e-6, np.hypot(to_x - from_x, to_y - from_y) / np.maximum(wide, 1e-6), 1.0)
        phases = (pieces[:, 0] - from_x[rows]) * stretch[rows]
        return Lines(pieces, self.owners[rows], self.looks[rows], phases)

    def heads(self, view: View) -> Lines:
        """Return the two barbs at the end of each stroke."""
        (x1, x2), y1, y2 = self._xs(view), view.ys(self.start_prices), view.ys(self.end_prices)
        turn = np.arctan2(y1 - y2, x1 - x2)
        size = np.minimum(_HEAD_PX, np.hypot(x2 - x1, y2 - y1) / 2)
        left, top, right, bottom = view.box
        shown = (x2 >= left) & (x2 <= right) & (y2 >= top) & (y2 <= bottom) & (size > 0)
        barbs = [
            np.column_stack((x2, y2, x2 + size * np.cos(turn + by), y2 + size * np.sin(turn + by)))[shown]
            for by in (-_HEAD_ANGLE, _HEAD_ANGLE)
        ]
        pieces = np.concatenate(barbs)
        return Lines(pieces, np.tile(self.owners[shown], 2), np.tile(self.looks[shown], 2), np.zeros(len(pieces)))


def joined(parts: Sequence[Lines]) -> Lines:
    """Return lines as one, sorted by look."""
    looks = np.concatenate([part.looks for part in parts])
    order = np.argsort(looks, kind="stable")
    return Lines(
        np.concatenate([part.pieces for part in parts])[order],
        np.concatenate([part.owners for part in parts])[order],
        looks[order],
        np.concatenate([part.phases for part in parts])[order],
    )


def positions_of(interval: Interval, times_us: Floats) -> Floats:
    """Return the slot positions of times, UTC microseconds or infinite."""
    if interval.months:
        at = [position_of(interval, time) if isfinite(time) else time for time in times_us.ravel().tolist()]
        return np.array(at, np.float64).reshape(times_us.shape)
    return np.asarray((times_us - interval.origin_us) / interval.length_us - 0.5, np.float64)


def _cuts(view: View, first: float, last: float) -> tuple[Floats, Floats]:
    """
    Return where to cut a line between two slot positions so that it is as good as straight in between.

    First as shares of its length, then slot positions: the edges of closed time.
    """
    pieces, breaks = 1, list[float]()
    if view.value_scale.is_log:
        away = view.height / 8 * log(view.value_scale.high / view.value_scale.low)
        pieces = min(max(1, ceil(sqrt(away / _BENT_PX))), _MOST_PIECES)
    axis = view.time_scale.axis
    if not axis.is_plain:
        breaks = [edge for closed in axis.closed_between(first, last) for edge in closed if first < edge < last]
        if len(breaks) > _MOST_BREAKS:
            pieces, breaks = _MOST_PIECES, []
    return np.linspace(0.0, 1.0, pieces + 1), np.array(breaks, np.float64)


def inside_box(
    x: Floats, y: Floats, dx: Floats, dy: Floats, low: Floats, high: Floats, box: tuple[float, float, float, float]
) -> tuple[Floats, Floats]:
    """
    Return from where to where lines are inside of a box, as shares of their lengths; reversed for one outside.

    ``low``, ``high``: from where to where each goes at most. Liang and Barsky's way.
    """
    for start, by, least, most in ((x, dx, box[0], box[2]), (y, dy, box[1], box[3])):
        one, other = (least - start) / by, (most - start) / by
        is_inside = (start >= least) & (start <= most)
        enters = np.where(by == 0, np.where(is_inside, -inf, inf), np.minimum(one, other))
        leaves = np.where(by == 0, np.where(is_inside, inf, -inf), np.maximum(one, other))
        low, high = np.maximum(low, enters), np.minimum(high, leaves)
    return low, high
