"""
Judges the alerts of the recorded symbols while the program records.

A symbol with alerts has a `LiveBoard`, which the recorder gives every trade; the others cost nothing. Firings are
announced at once and kept in the database as soon as it takes them. From time to time what was judged in order is
confirmed there. Where that is not enough (at the start, for new alerts, after a hole) the database judges the trades
that are stored, and the board goes on from there. Alerts that another program adds or removes are seen within a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from app.concurrency.background import in_background
from app.live.alerts.live_board import PATIENCE_S, LiveBoard
from app.live.recording.recorder import Recorder
from app.market.errors import StoreError
from app.market.ports.alerts import AlertStore, FiringListener
from app.market.ports.clock import Clock
from app.market.ports.database import OpenedDatabase
from app.market.units import format_e8

if TYPE_CHECKING:  # the window opens without
    from app.live.alerts.trouble_keeper import TroubleKeeper
    from app.live.alerts.trouble_sources import TroubleSources
    from app.market.alerts.alert import Firing, Incident
    from app.market.alerts.stored_alert import StoredAlert

logger = logging.getLogger(__name__)

_TICK_S = 0.25
_LOOK_S = 0.5
_CONFIRM_S = 2.0
_AGAIN_S = 5.0  # after the database failed
_MOST_UNSAVED = 100_000  # firings in memory while the database is away; the others are found when it is back


class AlertKeeper:
    """
    Run `run` while recording; call `finish` at the end. All methods on the loop.

    ``database`` returns the one in use, ``troubles`` where to look for what no trade tells. ``on_firing`` is called
    with each firing at once, ``on_change`` once at the start and whenever alerts were added, changed or removed, by
    this program or another one: with how many there are.
    """

    def __init__(
        self,
        recorder: Recorder,
        database: Callable[[], OpenedDatabase | None],
        clock: Clock,
        troubles: Callable[[], TroubleSources] | None = None,
    ) -> None:
        self.on_firing: FiringListener | None = None
        self.on_change: Callable[[int], object] | None = None
        self._troubles = troubles
        self._trouble: TroubleKeeper | None = None
        self._recorder = recorder
        self._database = database
        self._clock = clock
        self._used: OpenedDatabase | None = None
        self._revision: int | None = None
        self._symbols: set[str] = set()
        self._boards: dict[str, LiveBoard] = {}
        self._behind: dict[str, float] = {}  # symbols whose stored trades have to be judged, and since when
        self._unsaved: dict[str, list[Firing]] = {}
        self._has_fired = asyncio.Event()
        self._confirmed_s = 0.0

    async def run(self) -> None:
        """Judge until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pass_time())
            tasks.create_task(self._save_firings())
            tasks.create_task(self._follow())

    async def finish(self) -> None:
        """Keep the firings found last, after `run` has ended; bounded by the database's time limit. Logs failures."""
        store = self._store()
        if store is None:
            return
        try:
            await self._save(store)
            for symbol, board in self._boards.items():
                await in_background(partial(store.confirm, symbol, board.run()), "confirm-alerts")
        except StoreError as error:
            logger.warning("firings of alerts are kept at the next start: %s", error)

    def _store(self) -> AlertStore | None:
        database = self._database()
        if database is None or database is not self._used or database.read_only_reason:
            return None
        return database.alerts

    async def _pass_time(self) -> None:
        while True:
            await self._clock.sleep(_TICK_S)
            now_s = self._clock.monotonic_s()
            for symbol, board in self._boards.items():
                tracker = self._recorder.tracker(symbol)
                if tracker is not None:
                    board.pass_time(now_s, tracker.absent)
            if self._trouble is not None and self._trouble.look():
                self._has_fired.set()

    async def _save_firings(self) -> None:
        while True:
            await self._has_fired.wait()
            self._has_fired.clear()
            store = self._store()
            if store is None:
                continue
            try:
                await self._save(store)
            except StoreError as error:
                logger.info("firings of alerts are not kept yet: %s", error)
                await self._clock.sleep(_AGAIN_S)
                self._has_fired.set()

    async def _save(self, store: AlertStore) -> None:
        for symbol, firings in list(self._unsaved.items()):
            saved = list(firings)
            await in_background(partial(store.save, symbol, saved), "save-alerts")
            del firings[: len(saved)]  # others may have come meanwhile
        if self._trouble is not None:
            await self._trouble.save(store)

    async def _follow(self) -> None:
        while True:
            wait_s = _LOOK_S
            try:
                await self._look()
            except StoreError as error:
                logger.info("alerts are not in step with the database: %s", error)
                wait_s = _AGAIN_S
            await self._clock.sleep(wait_s)

    async def _look(self) -> None:
        database = self._database()
        if database is not self._used:
            self._use(database)
        if database is None:
            return
        # In a thread also the first use of it, which loads modules.
        revision = await in_background(lambda: database.alerts.revision(), "look-for-alerts")
        symbols = set() if database.read_only_reason else set(self._recorder.symbols)
        if revision != self._revision or symbols != self._symbols:
            waiting = await in_background(lambda: database.alerts.waiting(symbols), "read-alerts")
            if database is not self._database():
                return
            self._set_alerts(waiting.versions)
            await self._follow_troubles(database, 0 if database.read_only_reason else waiting.of_trouble)
            is_changed = revision != self._revision
            self._revision, self._symbols = revision, symbols
            if is_changed and self.on_change is not None:
                self.on_change(waiting.total)
        for symbol in list(self._behind):
            await self._catch_up(database, symbol)
        if self._clock.monotonic_s() - self._confirmed_s >= _CONFIRM_S:
            self._confirmed_s = self._clock.monotonic_s()
            for symbol, board in list(self._boards.items()):
                await self._confirm(database, symbol, board)

    def _use(self, database: OpenedDatabase | None) -> None:
        """Begin with another database, or with none."""
        self._used, self._revision = database, None
        self._set_alerts({})
        self._unsaved.clear()

    async def _follow_troubles(self, database: OpenedDatabase, count: int) -> None:
        if self._trouble is None and count and self._troubles is not None:
            from app.live.alerts.trouble_keeper import TroubleKeeper  # here: most programs have none of these alerts

            self._trouble = TroubleKeeper(self._troubles(), self._clock, partial(self._announce, late=False))
        if self._trouble is not None:
            self._trouble.set_alerts(await in_background(lambda: database.alerts.of_trouble(), "read-alerts"))

    def _set_alerts(self, waiting: Mapping[str, Mapping[int, int]]) -> None:
        for symbol in [symbol for symbol in self._boards if symbol not in waiting]:
            del self._boards[symbol]
            self._behind.pop(symbol, None)
            self._recorder.on_trade_of.pop(symbol, None)
        for symbol, versions in waiting.items():
            board = self._boards.get(symbol)
            if board is None:
                board = self._boards[symbol] = LiveBoard(symbol, partial(self._on_live, symbol))
                self._recorder.on_trade_of[symbol] = board.add
            for alert_id, version in board.versions.items():
                if versions.get(alert_id) != version:
                    board.remove(alert_id)
            if versions.keys() - board.versions:
                self._behind.setdefault(symbol, self._clock.monotonic_s())

    async def _catch_up(self, database: OpenedDatabase, symbol: str) -> None:
        """Let the board of a symbol go on after the stored trades; to be repeated until the live ones follow them."""
        found = await in_background(partial(database.alerts.catch_up, symbol), "judge-alerts")
        board, since_s = self._boards.get(symbol), self._behind.get(symbol)
        if found is None or board is None or since_s is None or database is not self._database():
            return
        alerts = {one.alert_id: one for one in found.alerts}
        for firing in found.firings:
            if not board.was_announced(firing):
                self._announce(alerts[firing.alert_id], firing, late=True)
        is_late = self._clock.monotonic_s() - since_s >= PATIENCE_S
        if await board.take_over(found, past_hole=is_late):
            self._behind.pop(symbol, None)

    async def _confirm(self, database: OpenedDatabase, symbol: str, board: LiveBoard) -> None:
        if symbol in self._behind or not board.has_board:
            return
        done = await in_background(partial(database.alerts.confirm, symbol, board.run()), "confirm-alerts")
        board.forget_until(done.to_id)
        if done.needs_reading or (done.unread and not board.is_proven and done.to_id >= board.proven_to):
            self._behind.setdefault(symbol, self._clock.monotonic_s())

    def _on_live(self, symbol: str, firing: Firing, alert: StoredAlert) -> None:
        self._announce(alert, firing, late=False)
        unsaved = self._unsaved.setdefault(symbol, [])
        if len(unsaved) < _MOST_UNSAVED:
            unsaved.append(firing)
        self._has_fired.set()

    def _announce(self, alert: StoredAlert, firing: Firing | Incident, *, late: bool) -> None:
        from app.market.alerts.alert import Incident  # here: programs without alerts do without

        title = f"alert {alert.alert_id}{f' “{alert.name}”' if alert.name else ''}{' (late)' if late else ''}"
        if isinstance(firing, Incident):
            about = firing.symbol or "this program"
            logger.warning("%s: %s: %s", title, about, firing.reason, extra={"alert_id": alert.alert_id})
        else:
            logger.info(
                "%s: %s %s, by trade %d at %s",
                title,
                alert.symbol,
                alert.text,
                firing.trade_id,
                format_e8(firing.price_e8),
                extra={
                    "symbol": alert.symbol,
                    "alert_id": alert.alert_id,
                    "trade_id": firing.trade_id,
                    "late": late,
                },
            )
        if self.on_firing is not None:
            self.on_firing(alert, firing, late=late)
