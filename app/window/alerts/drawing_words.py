"""Drawings in the words of alerts: what one is called, where it is, and which can be crossed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from app.market.drawings.drawing import Drawing, DrawingKind
from app.market.symbol import Symbol
from widgets.alerts.alert_views import DrawingChoice
from widgets.chart.drawings.kinds import KINDS, icon_of
from widgets.controls.number_format import price

_MOST_LETTERS = 40  # of a drawing's text


def choices_of(drawings: Iterable[Drawing], symbol: Symbol | None) -> list[DrawingChoice]:
    """Return the drawings that an alert may wait for, the topmost first; given in the order of painting."""
    found = [
        DrawingChoice(one.id, title_of(one, symbol), icon_of(one.kind), has_sides(one))
        for one in drawings
        if KINDS[one.kind].has_lines
    ]
    return found[::-1]


def title_of(drawing: Drawing, symbol: Symbol | None) -> str:
    """Return what a drawing is called: its kind with its text or, without one, with its place."""
    kind, text = KINDS[drawing.kind].title, " ".join(drawing.text.split())
    if text:
        return f"{kind} “{text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + '…'}”"
    if drawing.kind is DrawingKind.VERTICAL_LINE:
        return f"{kind} at {_time_text(drawing.anchors[0].time_us)}"
    first, last = drawing.anchors[0], drawing.anchors[-1]
    if drawing.kind is DrawingKind.REGRESSION_CHANNEL:
        start, end = sorted((first.time_us, last.time_us))
        return f"{kind}, {_time_text(start)} to {_time_text(end)}"
    prices = dict.fromkeys(_price_text(one.price, symbol) for one in (first, last))
    if drawing.kind is DrawingKind.HORIZONTAL_LINE:
        return f"{kind} at {next(iter(prices))}"
    return f"{kind}, {' to '.join(prices)}"


def has_sides(drawing: Drawing) -> bool:
    """Whether a drawing is crossed upwards or downwards."""
    return drawing.kind is not DrawingKind.VERTICAL_LINE


def _price_text(amount: float, symbol: Symbol | None) -> str:
    return f"{amount:,.10g}" if symbol is None else price(amount, symbol)


def _time_text(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us / 1e6, UTC):%d %b %Y %H:%M} UTC".lstrip("0")
