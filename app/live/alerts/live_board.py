"""
The alerts of one symbol, judged by its live trades in id order.

Trades beyond a hole wait for the repair, some seconds. Then judging goes on past the hole: from there on firings are
provisional, until the stored trades are judged again and the board is replaced. What is judged without a hole is proven
for good, once its trades are stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING

from app.market.coverage import IdRanges
from app.market.trade import Trade

if TYPE_CHECKING:  # the window opens without
    from app.market.alerts.alert import Firing
    from app.market.alerts.stored_alert import ProvenRun, StoredAlert
    from app.market.ports.alerts import CaughtUp

PATIENCE_S = 5.0
"""How long trades beyond a hole wait."""
_MOST_WAITING = 50_000  # trades beyond a hole; with more of them waiting ends at once
_MOST_KEPT = 500_000  # trades that may not be stored yet; without the older ones a board cannot be replaced exactly
_STEP = 1_000  # trades judged again before other work of the loop has its turn


class LiveBoard:
    """
    Give `add` every new trade of ``symbol``, and call `pass_time` a few times a second. All methods on the loop.

    Until the first `take_over` trades are only kept. ``on_firing`` is called with each firing; it must be quick.
    """

    def __init__(self, symbol: str, on_firing: Callable[[Firing, StoredAlert], None]) -> None:
        self.symbol = symbol
        self._on_firing = on_firing
        self._caught_up: CaughtUp | None = None
        self._alerts: dict[int, StoredAlert] = {}
        self._next_id: int | None = None
        self._kept: deque[Trade] = deque(maxlen=_MOST_KEPT)  # judged, not confirmed; before the first board all
        self._waiting: dict[int, Trade] = {}
        self._waiting_since_s: float | None = None
        self._proven_from = self._proven_to = -1
        self._is_proven = False
        self._firings: list[Firing] = []  # of the trades after `_proven_from`
        self._announced: set[tuple[int, int]] = set()

    @property
    def has_board(self) -> bool:
        """Whether trades are judged."""
        return self._caught_up is not None

    @property
    def is_proven(self) -> bool:
        """Whether everything was judged in order, without a hole, since the board was taken over."""
        return self._is_proven

    @property
    def proven_to(self) -> int:
        """The last trade that was judged in order."""
        return self._proven_to

    @property
    def versions(self) -> dict[int, int]:
        """The version of each alert on the board, by its number, also of those that have fired for the last time."""
        return {alert_id: alert.version for alert_id, alert in self._alerts.items()}

    def add(self, trade: Trade) -> None:
        """Judge a trade, or let it wait for those before it."""
        if trade.trade_id == self._next_id:
            self._judge(trade)
            if self._waiting:
                self._drain()
        elif self._next_id is None or trade.trade_id > self._next_id:
            if self._caught_up is None:
                self._kept.append(trade)
            else:
                self._waiting[trade.trade_id] = trade
                if len(self._waiting) > _MOST_WAITING:
                    self._skip()

    def pass_time(self, now_s: float, absent: IdRanges) -> None:
        """Go on past a hole whose trades do not exist, or after `PATIENCE_S`. ``now_s``: of a monotonic clock."""
        if not self._waiting or self._next_id is None:
            self._waiting_since_s = None
            return
        hole = absent.range_of(self._next_id)
        if hole is not None:
            self._proven_to = hole[1] if self._is_proven else self._proven_to
            self._next_id = hole[1] + 1
            self._waiting_since_s = None
            self._drain()
        elif self._waiting_since_s is None:
            self._waiting_since_s = now_s
        elif now_s - self._waiting_since_s >= PATIENCE_S:
            self._skip()

    def was_announced(self, firing: Firing) -> bool:
        """Whether `on_firing` was called with it, since it was last confirmed."""
        return (firing.alert_id, firing.trade_id) in self._announced

    def remove(self, alert_id: int) -> None:
        """Forget an alert that was removed or changed."""
        self._alerts.pop(alert_id, None)
        if self._caught_up is not None:
            self._caught_up.board.discard(alert_id)

    def run(self) -> ProvenRun | None:
        """Return what was judged in order since the board was taken over, and is not confirmed yet."""
        from app.market.alerts.stored_alert import ProvenRun

        if self._caught_up is None:
            return None
        versions = {key: one.version for key, one in self._alerts.items() if key in self._caught_up.proven}
        return ProvenRun(versions, self._proven_from, self._proven_to, list(self._firings))

    def forget_until(self, confirmed_id: int) -> None:
        """Forget what is only needed until it is confirmed: up to this trade."""
        while self._kept and self._kept[0].trade_id < confirmed_id:  # the last one, so that nothing seems to be missing
            self._kept.popleft()
        if self._firings and self._firings[0].trade_id <= confirmed_id:
            self._firings = [one for one in self._firings if one.trade_id > confirmed_id]
        self._announced = {key for key in self._announced if key[1] > confirmed_id}

    async def take_over(self, caught_up: CaughtUp, *, past_hole: bool) -> bool:
        """
        Go on with a board that has judged the stored trades, after judging those that came since.

        False, and nothing is changed, if trades between the stored ones and those received are not stored yet; with
        ``past_hole`` the board goes on past them.
        """
        start_id = caught_up.last_id
        later = [one.trade_id for one in self._kept if one.trade_id > start_id]
        first_id = min(later) if later else self._next_id
        if first_id is not None and first_id > start_id + 1 and not past_hole:
            return False
        fresh = _Replay(caught_up, start_id)
        while len(step := self._unseen(fresh)) > 0:
            for trade in step[:_STEP]:
                fresh.judge(trade)
            if len(step) <= _STEP:
                break  # the swap below follows without giving the loop a turn
            await asyncio.sleep(0)
        self._use(caught_up, fresh)
        return True

    def _unseen(self, fresh: _Replay) -> list[Trade]:
        # Before the first board trades are kept as they came.
        return sorted((one for one in self._kept if one.trade_id > fresh.last_id), key=itemgetter(1))

    def _use(self, caught_up: CaughtUp, fresh: _Replay) -> None:
        before = self._caught_up
        self._caught_up = caught_up
        self._alerts = {one.alert_id: one for one in caught_up.alerts}
        self._proven_from, self._proven_to = caught_up.last_id, fresh.proven_to
        self._is_proven = fresh.is_proven
        self._firings = []
        self._next_id = max(fresh.last_id + 1, self._next_id or 0)
        for firing in fresh.firings:
            self._note(firing)
        if before is None:
            return
        self._waiting = {key: trade for key, trade in self._waiting.items() if key >= self._next_id}
        self._drain()

    def _judge(self, trade: Trade) -> None:
        self._kept.append(trade)
        self._next_id = trade.trade_id + 1
        if self._is_proven:
            self._proven_to = trade.trade_id
        assert self._caught_up is not None
        for firing in self._caught_up.board.judge(trade):
            self._note(firing)

    def _note(self, firing: Firing) -> None:
        alert = self._alerts[firing.alert_id]
        if not alert.regards(firing.time_us):
            return
        if firing.trade_id <= self._proven_to:
            self._firings.append(firing)
        if (key := (firing.alert_id, firing.trade_id)) not in self._announced:
            self._announced.add(key)
            self._on_firing(firing, alert)

    def _drain(self) -> None:
        while self._next_id is not None and (trade := self._waiting.pop(self._next_id, None)) is not None:
            self._judge(trade)

    def _skip(self) -> None:
        """Go on past the hole; what follows is not proven."""
        self._is_proven = False
        self._waiting_since_s = None
        self._next_id = min(self._waiting)
        self._drain()


class _Replay:
    """Judges the trades that were received while a board was made."""

    def __init__(self, caught_up: CaughtUp, last_id: int) -> None:
        self._board = caught_up.board
        self.last_id = self.proven_to = last_id
        self.is_proven = True
        self.firings: list[Firing] = []

    def judge(self, trade: Trade) -> None:
        if trade.trade_id > self.last_id + 1:
            self.is_proven = False
        self.last_id = trade.trade_id
        if self.is_proven:
            self.proven_to = trade.trade_id
        self.firings += self._board.judge(trade)
