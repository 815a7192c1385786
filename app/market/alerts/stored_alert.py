"""An alert as the database keeps it, and its firings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.market.alerts.alert import Alert, Direction, Firing, Pause, Repeat, Rule
from app.market.alerts.language import text_of_rule


class AlertState(StrEnum):
    """Whether an alert still waits."""

    WAITING = "waiting"
    PAUSED = "paused"
    FIRED = "fired"  # it fires once, and has
    EXPIRED = "expired"
    REPLACED = "replaced"  # changed after it had fired: what it fired by its old rule is kept


class NewAlert(NamedTuple):
    """
    An alert to be kept.

    ``symbol``: empty for all that are recorded, which only troubles may be about. ``expires_us`` (UTC microseconds): no
    trade from then on meets it; None: never. ``notifies`` and ``sounds``: how the window announces a firing.
    """

    symbol: str
    rule: Rule
    repeat: Repeat = Repeat.ONCE
    name: str = ""
    note: str = ""
    expires_us: int | None = None
    notifies: bool = True
    sounds: bool = False


class StoredFiring(NamedTuple):
    """
    A firing as it is kept. ``reason``: see `app.market.alerts.alert.Firing`; empty for those of older versions.

    ``is_late``: found among the stored trades, not when the trade was received. ``is_provisional``: it may still turn
    out that trades before it, which were missing, change it.
    """

    trade_id: int
    time_us: int
    price_e8: int
    direction: Direction
    is_late: bool
    is_provisional: bool
    reason: str = ""
    noted_us: int = 0


class StoredIncident(NamedTuple):
    """A trouble as it is kept: see `app.market.alerts.alert.Incident`."""

    symbol: str
    time_us: int
    reason: str
    first_id: int | None
    last_id: int | None


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """
    An alert, and what is known of its trades.

    It regards trades after ``start_id``, None before anything of the symbol was stored. From ``warm_from_id`` to there
    no trade was missing. ``judged_to``: every firing up to that trade is known for good.

    ``version`` grows with each change of it. ``ends_at``: one that was replaced regards no trade after that one.
    ``replaced_by``: the alert that it is now.
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
    version: int = 1
    pauses: tuple[Pause, ...] = ()
    notifies: bool = True
    sounds: bool = False
    replaced_by: int | None = None
    ends_at: int | None = None
    incidents: Sequence[StoredIncident] = ()

    @property
    def alert(self) -> Alert:
        """What a board is given."""
        ended = () if self.ends_at is None else (Pause(self.ends_at),)
        return Alert(self.alert_id, self.rule, self.repeat, (*self.pauses, *ended))

    @property
    def text(self) -> str:
        """Its rule as it is written."""
        return text_of_rule(self.rule)

    def state(self, now_us: int) -> AlertState:
        """Return whether it still waits."""
        if self.replaced_by is not None:
            return AlertState.REPLACED
        if self.repeat is Repeat.ONCE and (self.firings or self.incidents):
            return AlertState.FIRED
        if self.expires_us is not None and self.expires_us <= now_us:
            return AlertState.EXPIRED
        return AlertState.PAUSED if self.is_paused(now_us) else AlertState.WAITING

    def is_paused(self, now_us: int) -> bool:
        """Whether a pause lasts at that time."""
        return bool(self._pause_ends(now_us))

    def paused_until(self, now_us: int) -> int | None:
        """Return when the pauses that last at that time end, UTC microseconds; None: by no time, or there is none."""
        ends = self._pause_ends(now_us)
        return None if None in ends else max(filter(None, ends), default=None)

    def _pause_ends(self, now_us: int) -> list[int | None]:
        lasting = (one for one in self.pauses if one.until_id is None)
        return [one.until_us for one in lasting if one.until_us is None or one.until_us > now_us]

    def regards(self, time_us: int) -> bool:
        """Whether a trade of that time may meet it: not once it has expired."""
        return self.expires_us is None or time_us < self.expires_us


class ProvenRun(NamedTuple):
    """
    What a live board judged in order without a hole: for these alerts, ``firings`` are all that trades after
    ``after_id`` up to ``last_id`` caused. ``versions``: which version of each alert, by its number.
    """

    versions: Mapping[int, int]
    after_id: int
    last_id: int
    firings: Sequence[Firing]
