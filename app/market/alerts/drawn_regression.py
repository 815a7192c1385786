"""The lines of a regression channel as an alert judges by them: exact, so that every program computes the same."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from app.market.alerts.drawn_line import DrawnLine
from app.market.drawings.drawing import Drawing
from app.market.drawings.geometry import line_ends
from app.market.errors import UsageError

DEVIATIONS = 2
"""How many standard deviations both edges are away from the line of least squares."""


def span_of(drawing: Drawing) -> tuple[int, int]:
    """Return the first and the last time of a regression channel, UTC microseconds."""
    times = [anchor.time_us for anchor in drawing.anchors]
    return min(times), max(times)


def regression_lines(drawing: Drawing, times_us: Sequence[int], closes_e8: Sequence[int]) -> tuple[DrawnLine, ...]:
    """
    Return the lower edge, the line of least squares and the upper edge of a channel over these closes at these times.

    Raises:
        UsageError: If there are fewer than two closes, or the channel has no length.
    """
    start_us, end_us = span_of(drawing)
    if len(times_us) < 2 or start_us == end_us:
        raise UsageError("The regression channel is too short for an alert: let it go over some minutes with trades.")
    count, origin_us = len(times_us), times_us[0]
    xs = [time_us - origin_us for time_us in times_us]
    sum_x, sum_y = sum(xs), sum(closes_e8)
    sum_xx, sum_yy = sum(x * x for x in xs), sum(y * y for y in closes_e8)
    sum_xy = sum(x * y for x, y in zip(xs, closes_e8, strict=True))
    # All by `count` squared: the variance of the times, of the closes, and of both together.
    spread, of_closes, together = (
        count * sum_xx - sum_x * sum_x,
        count * sum_yy - sum_y * sum_y,
        count * sum_xy - sum_x * sum_y,
    )

    def price_e8(time_us: int) -> int:
        above = sum_y * spread + together * (count * (time_us - origin_us) - sum_x)
        return (2 * above + count * spread) // (2 * count * spread)

    square = of_closes * spread - together * together
    reach_e8 = isqrt(DEVIATIONS * DEVIATIONS * square // (count * count * spread))
    start_e8, end_e8 = price_e8(start_us), price_e8(end_us)
    ends = line_ends(start_us, end_us, drawing.style.extend)
    return tuple(
        DrawnLine(start_us, start_e8 + by, end_us, end_e8 + by, *ends) for by in dict.fromkeys((-reach_e8, 0, reach_e8))
    )


def are_of(drawing: Drawing, lines: Sequence[object]) -> bool:
    """
    Whether lines are those of the channel as it is now.

    Its times and how far it goes on decide about them: the minutes that it goes over do not change any more.
    """
    start_us, end_us = span_of(drawing)
    wanted = (start_us, end_us, *line_ends(start_us, end_us, drawing.style.extend))
    return bool(lines) and all(
        isinstance(one, DrawnLine) and (one.time0_us, one.time1_us, one.start_us, one.end_us) == wanted for one in lines
    )
