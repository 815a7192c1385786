"""A line of an alert on the chart, and where it is while it is dragged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlertLine:
    """
    A price at which an alert waits.

    ``edge``: which price of the alert it is: ``"price"``, or ``"low"`` or ``"high"`` of a range. ``text``: what is to
    happen there, ``"Crosses up"``; ``detail``: how often, ``"once"``.
    """

    alert_id: int
    price: float
    text: str
    detail: str = ""
    edge: str = "price"


@dataclass(slots=True)
class Drag:
    """A line that is being dragged: where it began, where it is now, and the pointer's x in logical pixels."""

    line: AlertLine
    from_y: float
    price: float
    x: float
    has_moved: bool = False
