"""An alert as the database keeps it, and its firings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.market.alerts.alert import Alert, Direction, Firing, Repeat, Rule
from app.market.alerts.language import text_of_rule


class AlertState(StrEnum):
    """Whether an alert still waits."""

    WAITING = "waiting"
    FIRED = "fired"  # it fires once, and has
    EXPIRED = "expired"


class NewAlert(NamedTuple):
    """An alert to be kept. ``expires_us`` (UTC microseconds): no trade from then on meets it; None: never."""

    symbol: str
    rule: Rule
    repeat: Repeat = Repeat.ONCE
    name: str = ""
    note: str = ""
    expires_us: int | None = None


class StoredFiring(NamedTuple):
    """
    A firing as it is kept.

    ``is_late``: found among the stored trades, not when the trade was received. ``is_provisional``: it may still turn
    out that trades before it, which were missing, change it.
    """

    trade_id: int
    time_us: int
    price_e8: int
    direction: Direction
    is_late: bool
    is_provisional: bool


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """
    An alert, and what is known of its trades.

    It regards trades after ``start_id``, None before anything of the symbol was stored. From ``warm_from_id`` to there
    no trade was missing. ``judged_to``: every firing up to that trade is known for good.
    """

    alert_id: int
    symbol: str
    rule: Rule
    repeat: Repeat
    name: str
    note: str
    expires_us: int | None
    start_id: int | None
    warm_from_id: int | None
    judged_to: int | None
    firings: Sequence[StoredFiring] = ()

    @property
    def alert(self) -> Alert:
        """What a board is given."""
        return Alert(self.alert_id, self.rule, self.repeat)

    @property
    def text(self) -> str:
        """Its rule as it is written."""
        return text_of_rule(self.rule)

    def state(self, now_us: int) -> AlertState:
        """Return whether it still waits."""
        if self.repeat is Repeat.ONCE and self.firings:
            return AlertState.FIRED
        return AlertState.EXPIRED if self.expires_us is not None and self.expires_us <= now_us else AlertState.WAITING

    def regards(self, time_us: int) -> bool:
        """Whether a trade of that time may meet it: not once it has expired."""
        return self.expires_us is None or time_us < self.expires_us


class ProvenRun(NamedTuple):
    """
    What a live board judged in order without a hole: for these alerts, ``firings`` are all that trades after
    ``after_id`` up to ``last_id`` caused.
    """

    alert_ids: Collection[int]
    after_id: int
    last_id: int
    firings: Sequence[Firing]
