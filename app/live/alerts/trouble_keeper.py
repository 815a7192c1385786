"""
Alerts that no trade meets: on gaps, on feeds that are lost, on the recorder itself.

What is wrong is kept in the database as soon as it takes it. A gap is announced once it is known that it is new, since
another program, or this one before a restart, may have announced it; while the database is away, at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from app.concurrency.background import in_background
from app.live.alerts.trouble_sources import TroubleSources
from app.market.alerts.alert import Incident, Trouble, TroubleKind
from app.market.alerts.stored_alert import StoredAlert
from app.market.alerts.trouble_watch import TroubleWatch
from app.market.errors import StoreError
from app.market.ports.alerts import AlertStore
from app.market.ports.clock import Clock

logger = logging.getLogger(__name__)

_MOST_UNSAVED = 10_000


class TroubleKeeper:
    """
    Call `look` a few times a second, and `save` after it returned True. All methods on the loop.

    ``announce`` is called with each alert and what it is about.
    """

    def __init__(
        self, sources: TroubleSources, clock: Clock, announce: Callable[[StoredAlert, Incident], object]
    ) -> None:
        self._sources, self._clock, self._announce = sources, clock, announce
        self._watch = TroubleWatch()
        self._alerts: Sequence[StoredAlert] = ()
        self._kinds = frozenset[TroubleKind]()
        self._unsaved: list[tuple[StoredAlert, Incident]] = []
        self._announced: set[int] = set()  # of the unsaved ones, by identity

    def set_alerts(self, alerts: Sequence[StoredAlert]) -> None:
        """Watch these from now on; what is wrong already stays known."""
        self._alerts = alerts
        conditions = [one.rule.condition for one in alerts]
        self._kinds = frozenset(one.kind for one in conditions if isinstance(one, Trouble))

    def look(self) -> bool:
        """Look for trouble; return whether anything waits to be saved."""
        if self._alerts:
            seen = self._sources.seen(self._kinds)
            for alert, incident in self._watch.look(
                self._clock.monotonic_s(), self._clock.now_us(), seen, self._alerts
            ):
                self._unsaved.append((alert, incident))
                if incident.first_id is None:
                    self._tell(alert, incident)
            del self._unsaved[:-_MOST_UNSAVED]
        return bool(self._unsaved)

    async def save(self, store: AlertStore) -> None:
        """Keep what was found. Raises StoreError; then the next call tries again."""
        saved = list(self._unsaved)
        if not saved:
            return
        try:
            fresh = await in_background(partial(store.save_incidents, [one for _, one in saved]), "save-troubles")
        except StoreError:
            for alert, incident in saved:
                self._tell(alert, incident)
            raise
        new = {(one.alert_id, one.symbol, one.first_id) for one in fresh}
        for alert, incident in saved:
            if (incident.alert_id, incident.symbol, incident.first_id) in new:
                self._tell(alert, incident)
        del self._unsaved[: len(saved)]
        self._announced.clear()
        self._announced.update(id(one) for _, one in self._unsaved if one.first_id is None)

    def _tell(self, alert: StoredAlert, incident: Incident) -> None:
        if id(incident) not in self._announced:
            self._announced.add(id(incident))
            self._announce(alert, incident)
