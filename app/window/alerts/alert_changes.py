"""What the user changes about alerts: in threads, shown once the database has taken it; what is lost can be undone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.live.engine import Engine
from app.market.alerts.alert import Firing, Rule
from app.market.alerts.stored_alert import AlertState, NewAlert, StoredAlert
from app.market.errors import StoreError, UsageError
from app.market.ports.alerts import AlertBook
from app.window.alerts import alert_values as values
from app.window.alerts.announcer import Fired
from widgets.alerts.alert_views import AlertForm
from widgets.chart.alert_lines.alert_line import AlertLine
from widgets.controls.toast import Toasts

logger = logging.getLogger(__name__)

_PAUSE_US = 3_600_000_000


class AlertChanges:
    """
    Changes the alerts of the engine's database.

    ``settled`` is awaited before a rule is kept. ``on_changed`` is called after each change, ``on_refused`` where the
    database did not take it, once ``toasts`` say why.
    """

    def __init__(
        self,
        engine: Engine,
        tasks: Tasks,
        toasts: Toasts,
        settled: Callable[[Rule], Awaitable[None]],
        *,
        on_changed: Callable[[], object],
        on_refused: Callable[[], object],
    ) -> None:
        self._engine, self._tasks, self._toasts, self._settled = engine, tasks, toasts, settled
        self._on_changed, self._on_refused = on_changed, on_refused

    @property
    def can_change(self) -> bool:
        """Whether the database takes changes."""
        database = self._engine.database
        return database is not None and not database.read_only_reason

    def book(self) -> AlertBook:
        """Return the alerts of the database in use. Raises StoreError."""
        if self._engine.database is None:
            raise StoreError(self._engine.database_reason or "The database is not open yet: wait a moment.")
        return self._engine.database.alerts

    def save(self, form: AlertForm, done: Callable[[], object]) -> None:
        """Keep an alert as it was edited."""
        try:
            new = values.new_alert(form)
        except UsageError as error:
            self._toasts.show(str(error))
            return
        received_id = self._received_id(new.symbol)
        if form.alert_id is None:
            self._change(lambda alerts: alerts.add(new, received_id=received_id), done, new.rule)
        else:
            self._change(partial(_changed, form.alert_id, new, received_id), done, new.rule)

    def switch(self, alert: StoredAlert, is_on: bool) -> None:
        """Let an alert watch, or pause it."""
        if is_on:
            self._resume(alert)
        else:
            self._change(lambda alerts: alerts.pause(alert.alert_id))

    def delete(self, alert: StoredAlert, title: str, done: Callable[[], object]) -> None:
        """Remove an alert, which has that title; a toast offers to add it again."""
        self._change(lambda alerts: alerts.remove(alert.alert_id), partial(self._on_deleted, alert, title, done))

    def move(self, alert: StoredAlert, line: AlertLine, price: float) -> None:
        """Let an alert wait at the price where one of its lines was dropped."""
        moved, received_id = values.moved(alert, line, price), self._received_id(alert.symbol)
        self._change(partial(_changed, alert.alert_id, moved, received_id))

    def pause_for_an_hour(self, fired: Fired) -> None:
        """Pause an alert that has fired; a toast offers to resume it."""
        until_us = self._engine.exchange_clock.now_us() + _PAUSE_US
        after_id = fired.firing.trade_id if isinstance(fired.firing, Firing) else 0
        alert_id = fired.alert.alert_id
        self._change(
            lambda alerts: alerts.pause(alert_id, until_us, after_id),
            lambda: self._toasts.show("The alert is paused for an hour.", "Undo", lambda: self._resume(fired.alert)),
        )

    def _resume(self, alert: StoredAlert) -> None:
        received_id = self._received_id(alert.symbol)
        self._change(lambda alerts: alerts.resume(alert.alert_id, received_id=received_id))

    def _received_id(self, symbol: str) -> int:
        """Return the newest trade known of a symbol: what the user asks for now is not about it. 0 without one."""
        tracker = self._engine.recorder.tracker(symbol)
        return 0 if tracker is None else tracker.ids.newest or 0

    def _on_deleted(self, removed: StoredAlert, title: str, done: Callable[[], object]) -> None:
        done()
        again, now_us = values.new_alert(values.form_of(removed)), self._engine.exchange_clock.now_us()
        # One that has fired for the last time would wait once more.
        is_paused = removed.state(now_us) in (AlertState.PAUSED, AlertState.FIRED)
        until_us = removed.paused_until(now_us)
        self._toasts.show(
            f"The alert “{title}” is deleted, and its history.",
            "Undo",
            lambda: self._add_again(again, is_paused=is_paused, until_us=until_us),
        )

    def _add_again(self, new: NewAlert, *, is_paused: bool, until_us: int | None) -> None:
        received_id = self._received_id(new.symbol)
        self._change(
            lambda alerts: alerts.add(new, is_paused=is_paused, until_us=until_us, received_id=received_id),
            rule=new.rule,
        )

    def _change(
        self,
        change: Callable[[AlertBook], object],
        done: Callable[[], object] = lambda: None,
        rule: Rule | None = None,
    ) -> None:
        self._tasks.begin(self._run(change, done, rule))

    async def _run(self, change: Callable[[AlertBook], object], done: Callable[[], object], rule: Rule | None) -> None:
        if rule is not None:
            await self._settled(rule)
        try:
            alerts = self.book()
            await in_background(lambda: change(alerts), "change-alerts")
        except StoreError as error:
            logger.info("alerts were not changed: %s", error)
            self._toasts.show(f"The alert was not changed. {error}")
            self._on_refused()
            return
        done()
        self._on_changed()


def _changed(alert_id: int, new: NewAlert, received_id: int, alerts: AlertBook) -> bool:
    """Change an alert. Raises StoreError if another program has removed it."""
    if not alerts.change(alert_id, new, received_id=received_id):
        raise StoreError("It was removed meanwhile.")
    return True
