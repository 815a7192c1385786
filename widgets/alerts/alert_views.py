"""What the dialog of alerts shows, as values; a controller makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.market.alerts.alert import Repeat, Rule
from app.market.alerts.stored_alert import AlertState
from app.market.symbol import Symbol


@dataclass(frozen=True, slots=True)
class AlertRow:
    """
    One alert in the list.

    ``symbol``: None for all. ``title``: its name, or what it waits for; ``words``: what it waits for, and how often.
    ``distance``: percent between the last price and where it fires; None: not known. ``ends``: in words, and
    ``expires_us`` in UTC microseconds; None: never.
    """

    alert_id: int
    symbol: Symbol | None
    title: str
    words: str
    state: AlertState
    icon: str
    distance: float | None
    fired: int
    ends: str
    notifies: bool
    sounds: bool
    expires_us: int | None = None


@dataclass(frozen=True, slots=True)
class FiringRow:
    """
    One firing in the history.

    ``trade_id``: None where no trade caused it; ``price``: as text. ``late``: how late it was found, in words; empty:
    at once. ``is_provisional``: trades before it are missing.
    """

    alert_id: int
    time_us: int
    title: str
    symbol: Symbol | None
    price: str
    trade_id: int | None
    why: str
    late: str = ""
    is_provisional: bool = False


class DrawingChoice(NamedTuple):
    """
    A drawing that the price may cross, as it is offered. ``icon``: the name of its kind's.

    ``has_sides``: it is crossed upwards or downwards; not so a vertical line, which time crosses.
    """

    drawing_id: str
    title: str
    icon: str
    has_sides: bool = True


@dataclass(frozen=True, slots=True)
class AlertForm:
    """
    An alert as it is edited.

    ``alert_id``: None for a new one. ``symbol``: its name, empty for all. ``when``: the condition as it is written.
    """

    alert_id: int | None
    symbol: str
    when: str
    repeat: Repeat = Repeat.ONCE
    name: str = ""
    note: str = ""
    expires_us: int | None = None
    notifies: bool = True
    sounds: bool = False


@dataclass(frozen=True, slots=True)
class DraftCandle:
    """A candle of the small chart; ``open_time_us`` in UTC microseconds."""

    open_time_us: int
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True)
class DraftView:
    """
    What an alert would have fired on the stored trades.

    ``marks``: time (UTC microseconds) and price of each firing. ``levels``: prices at which it waits; ``paths``: lines
    of a drawing at which it waits, by points alike. ``sentence`` and ``detail``: the outcome in words; ``trouble``: why
    there is none. ``rule``: what was judged.
    """

    rule: Rule | None = None
    candles: Sequence[DraftCandle] = ()
    marks: Sequence[tuple[int, float]] = ()
    levels: Sequence[float] = ()
    span: str = ""
    sentence: str = ""
    detail: str = ""
    trouble: str = ""
    is_under_way: bool = False
    paths: Sequence[Sequence[tuple[int, float]]] = ()


@dataclass(frozen=True, slots=True)
class AlertsView:
    """All that the dialog lists. ``trouble``: a sentence why it is not known."""

    rows: Sequence[AlertRow] = ()
    history: Sequence[FiringRow] = ()
    symbols: Sequence[Symbol] = field(default_factory=tuple)
    trouble: str = ""
