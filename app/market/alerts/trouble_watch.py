"""
Which alerts troubles meet: each once, when it has lasted as long as the alert says.

A gap stays the same gap while a repair shortens or splits it. All feeds that are lost at a time are one trouble to an
alert on all symbols. Pure: the time and what is wrong are passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.market.alerts.alert import Incident, Repeat, Trouble, TroubleKind
from app.market.alerts.stored_alert import StoredAlert


class SeenTrouble(NamedTuple):
    """What is wrong now. ``symbol``: empty for the program as a whole. ``first_id``, ``last_id``: of a gap."""

    kind: TroubleKind
    symbol: str
    reason: str
    first_id: int = 0
    last_id: int = 0


@dataclass
class _Open:
    seen: SeenTrouble
    since_s: float
    whole: tuple[int, int]  # the gap as it was first seen
    met: set[int] = field(default_factory=set)


class TroubleWatch:
    """Call `look` a few times a second with everything that is wrong."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._slots: dict[int, int] = {}  # the candle in which each alert of `Repeat.CANDLE` fired last
        self._done: set[int] = set()

    def look(
        self, now_s: float, now_us: int, seen: Iterable[SeenTrouble], alerts: Sequence[StoredAlert]
    ) -> list[tuple[StoredAlert, Incident]]:
        """
        Return what fires now, by alert.

        ``now_s``: of a monotonic clock; ``now_us``: UTC microseconds. ``alerts``: on troubles, with their incidents.
        """
        self._open = [self._continued(one, now_s) for one in seen]
        fired = list[tuple[StoredAlert, Incident]]()
        for alert in alerts:
            condition = alert.rule.condition
            if not isinstance(condition, Trouble) or not self._may_fire(alert, now_us):
                continue
            of_it = [one for one in self._open if _is_about(alert, condition.kind, one.seen)]
            due = [one for one in of_it if now_s - one.since_s >= condition.for_us / 1e6]
            fresh = [one for one in due if alert.alert_id not in one.met]
            for one in due:
                one.met.add(alert.alert_id)
            if condition.kind is TroubleKind.FEED and len(fresh) < len(due):
                continue  # of the others it was known
            if condition.kind is TroubleKind.FEED and len(fresh) > 1:
                more = f"{fresh[0].seen.symbol} and {len(fresh) - 1} more: {fresh[0].seen.reason}"
                fresh = [_Open(fresh[0].seen._replace(symbol="", reason=more), now_s, (0, 0))]
            for one in fresh:
                if self._may_fire(alert, now_us):
                    self._note(alert, now_us)
                    fired.append((alert, _incident(alert, one.seen, now_us)))
        return fired

    def _continued(self, seen: SeenTrouble, now_s: float) -> _Open:
        for one in self._open:
            is_same = (one.seen.kind, one.seen.symbol) == (seen.kind, seen.symbol)
            if is_same and one.whole[0] <= seen.last_id and one.whole[1] >= seen.first_id:
                return _Open(seen, one.since_s, one.whole, one.met)
        return _Open(seen, now_s, (seen.first_id, seen.last_id))

    def _may_fire(self, alert: StoredAlert, now_us: int) -> bool:
        if alert.is_paused(now_us) or (alert.expires_us is not None and now_us >= alert.expires_us):
            return False
        if alert.repeat is Repeat.ONCE:
            return not alert.incidents and alert.alert_id not in self._done
        is_of_candle = alert.repeat is Repeat.CANDLE
        return not is_of_candle or self._slots.get(alert.alert_id) != alert.rule.interval.slot(now_us)

    def _note(self, alert: StoredAlert, now_us: int) -> None:
        self._slots[alert.alert_id] = alert.rule.interval.slot(now_us)
        if alert.repeat is Repeat.ONCE:
            self._done.add(alert.alert_id)


def _is_about(alert: StoredAlert, kind: TroubleKind, seen: SeenTrouble) -> bool:
    return seen.kind is kind and (not seen.symbol or alert.symbol in ("", seen.symbol))


def _incident(alert: StoredAlert, seen: SeenTrouble, now_us: int) -> Incident:
    is_gap = seen.kind is TroubleKind.GAP
    first_id, last_id = (seen.first_id, seen.last_id) if is_gap else (None, None)
    return Incident(alert.alert_id, seen.symbol, now_us, seen.reason, first_id, last_id)
