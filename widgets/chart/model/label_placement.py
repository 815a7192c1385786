"""
Which of an axis's labels are shown, and where: in order of value, close to it, and off the last price. Pure.

All heights are distances from the top, in logical pixels. Labels are admitted one by one as long as all admitted so far
can stand: without overlap, on their value's side of the last price, and within reach of their value. The others are
left out. The first lines of indicators come first, from the outside in; then alerts, from the last price outwards, as
the nearest fires first. Second lines come last, and have a label only where there is room without moving another one.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

_TOLERANCE_PX = 1e-6


class Span(NamedTuple):
    """From ``top`` down to ``bottom``."""

    top: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


class LabelKind(Enum):
    """What a label is of."""

    FIRST = auto()  # an indicator's first line, or a compared symbol
    ALERT = auto()
    SECOND = auto()  # a line that gives way to all others


class LabelWish(NamedTuple):
    """A label at a value's height ``y``, which may be out of view."""

    y: float
    kind: LabelKind = LabelKind.FIRST


class LabelRules(NamedTuple):
    """
    The height of labels, the least distance between their middles, and how far a middle may be from its value.

    ``second_reach``: how far that of a second line may be, for which no other one moves.
    """

    height: float
    pitch: float
    reach: float
    second_reach: float


class _Bound(NamedTuple):
    """A label on one side of the last price, ordered by height: the range of its middle, and where it wants to be."""

    y: float
    at: int
    low: float
    high: float
    anchor: float


def placed_labels(
    wishes: Sequence[LabelWish], rules: LabelRules, view: Span, room: Span, taken: Span | None = None, inside: float = 0
) -> list[float | None]:
    """
    Return the middle of each label, None for those left out.

    ``view``: the pane; a value outside has its label at that edge of ``room``, the part of the axis that labels may
    use. ``taken``: the last price's part of it; values from ``inside``, the last price's own height, upwards have their
    labels above it. Without it, the inside is the room's middle.
    """
    middle = room.middle if taken is None else inside
    between = rules.pitch - rules.height
    above = room if taken is None else Span(room.top, min(taken.top - between, room.bottom))
    below = room if taken is None else Span(max(taken.bottom + between, room.top), room.bottom)
    sides: tuple[list[_Bound], list[_Bound]] = ([], [])
    away = [abs(wish.y - middle) for wish in wishes]
    inwards = sorted(range(len(wishes)), key=lambda at: -away[at])
    by_kind = {kind: [at for at in inwards if wishes[at].kind is kind] for kind in LabelKind}
    fitted_together = [*by_kind[LabelKind.FIRST], *reversed(by_kind[LabelKind.ALERT])]
    for some in (fitted_together, by_kind[LabelKind.SECOND]):
        for at in some:
            is_above = taken is None or wishes[at].y <= inside
            bound = _bound_of(wishes[at], at, rules, view, above if is_above else below)
            _admit(sides[not is_above], bound, rules.pitch)
        for side in sides:
            centres = _settled(side, rules.pitch)
            side[:] = [one._replace(low=at, high=at, anchor=at) for one, at in zip(side, centres, strict=True)]
    middles: list[float | None] = [None] * len(wishes)
    for bound in (*sides[0], *sides[1]):
        middles[bound.at] = bound.low
    return middles


def _bound_of(wish: LabelWish, at: int, rules: LabelRules, view: Span, side: Span) -> _Bound:
    low, high = side.top + rules.height / 2, side.bottom - rules.height / 2
    anchor = low if wish.y < view.top else high if wish.y > view.bottom else wish.y
    reach = rules.second_reach if wish.kind is LabelKind.SECOND else rules.reach
    return _Bound(wish.y, at, max(low, anchor - reach), min(high, anchor + reach), anchor)


def _admit(side: list[_Bound], bound: _Bound, pitch: float) -> None:
    """Add a label to those of its side, unless one of them could not stand then."""
    insort(side, bound)
    before = float("-inf")
    for one in side:
        before = max(one.low, before + pitch)
        if before > one.high + _TOLERANCE_PX:
            side.remove(bound)
            return


def _settled(side: Sequence[_Bound], pitch: float) -> list[float]:
    """Return the middles of labels that can stand together, each as close to where it wants to be as the others let."""
    lows, highs = [one.low for one in side], [one.high for one in side]
    for at in range(1, len(side)):
        lows[at] = max(lows[at], lows[at - 1] + pitch)
        highs[-at - 1] = min(highs[-at - 1], highs[-at] - pitch)
    wanted = stacked([one.anchor for one in side], pitch)
    return [max(min(centre, high), low) for centre, low, high in zip(wanted, lows, highs, strict=True)]


def stacked(wanted: Sequence[float], pitch: float, weights: Sequence[float] = ()) -> list[float]:
    """
    Return heights at least ``pitch`` apart, in the order of ``wanted``, which ascends, and close to it.

    Those that meet are stacked about their mean; the heavier one is, the less it moves. Without ``weights``, all are
    alike.
    """
    groups: list[tuple[float, float, int]] = []  # of touching ones: height of the first, weight, count
    for at, height in enumerate(wanted):
        groups.append((height, weights[at] if weights else 1.0, 1))
        while len(groups) > 1 and groups[-2][0] + groups[-2][2] * pitch > groups[-1][0]:
            (second, more, under), (first, weight, count) = groups.pop(), groups.pop()
            mean = (first * weight + (second - count * pitch) * more) / (weight + more)
            groups.append((mean, weight + more, count + under))
    return [first + at * pitch for first, _, count in groups for at in range(count)]


def within(heights: Sequence[float], pitch: float, room: Span) -> list[float]:
    """Return ascending heights moved into ``room``, which is high enough for all of them, still ``pitch`` apart."""
    last = len(heights) - 1
    return [
        max(min(height, room.bottom - (last - at) * pitch), room.top + at * pitch) for at, height in enumerate(heights)
    ]
