"""
Storing trades in a thread of its own.

Trades wait in a bounded queue. A batch is written when `batch_trades` wait or the oldest has waited `batch_seconds`,
and takes all that wait then, up to 10,000: so the busier the market, the larger the batches, and the cheaper each
trade. While the database is away the queue keeps what it holds and the thread tries again; when it is full, `put` says
so and takes nothing. What the database refuses as such is set aside, one trade at a time, and the rest goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import psycopg

from app.market.errors import StoreError, StoreUnavailable
from app.market.ports.storage import StoredListener, WriterStatus
from app.market.trade import Trade
from storage.postgres.batch_columns import unfit
from storage.postgres.connection import Connection, hang_up, store_error
from storage.trades.trade_ledger import BatchResult, TradeLedger

logger = logging.getLogger(__name__)

LARGEST_BATCH = 10_000
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.1, 2.0


class _Waiter:
    """A coroutine that waits for the thread; ``ready`` is asked under the writer's lock."""

    def __init__(self, ready: Callable[[], bool]) -> None:
        self.ready = ready
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class BatchWriter:
    """
    A `app.market.ports.storage.TradeWriter`. Its thread runs from the start until `close`.

    ``connect`` makes a connection and may raise StoreError; it is called in the thread, again after each failure.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        batch_trades: int = 100,
        batch_seconds: float = 1.0,
        queue_limit: int = 200_000,
    ) -> None:
        self._connect = connect
        self._batch_trades = batch_trades
        self._batch_seconds = batch_seconds
        self._queue_limit = queue_limit
        self._changed = threading.Condition()
        self._queue: deque[Trade] = deque()
        self._in_hand: list[Trade] = []
        self._waiting_since = 0.0
        self._at_work_since = 0.0
        self._taken = 0  # trades put so far
        self._settled = 0  # of those, stored, held already, or set aside
        self._hurry_to = 0  # settle without delay up to this count of trades
        self._waiters: list[_Waiter] = []
        self._closing = self._abandoned = False
        self._reason = ""
        self._stored = self._refused = self._contradictions = 0
        self._ledger: TradeLedger | None = None
        self._on_stored: StoredListener | None = None
        self._thread = threading.Thread(target=self._run, name="trade-writer", daemon=True)
        self._thread.start()

    @property
    def status(self) -> WriterStatus:
        return WriterStatus(
            reason=self._reason,
            queued=self._taken - self._settled,
            stored=self._stored,
            contradictions=self._contradictions,
            at_work_s=time.monotonic() - self._at_work_since if self._in_hand else 0.0,
        )

    def on_stored(self, listener: StoredListener) -> None:
        """See `app.market.ports.storage.TradeWriter`."""
        self._on_stored = listener

    @property
    def is_running(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    @property
    def refused(self) -> int:
        """Trades that the database would not take as they are; each is in the table refused_trades."""
        return self._refused

    def put(self, trades: Sequence[Trade]) -> bool:
        """See `TradeWriter`. Any thread may call it. An empty queue takes more than its limit."""
        with self._changed:
            waiting = len(self._queue)
            unsettled = self._taken - self._settled
            if self._closing or (unsettled and unsettled + len(trades) > self._queue_limit):
                return False
            self._queue.extend(trades)
            self._taken += len(trades)
            if not waiting:
                self._waiting_since = time.monotonic()
            # The thread sleeps through everything else: waking it for each trade would cost more than storing it.
            if not waiting or waiting < self._batch_trades <= len(self._queue):
                self._changed.notify()
            return True

    async def wait_for_room(self, timeout_s: float) -> bool:
        """See `app.market.ports.storage.TradeWriter`; room is a tenth of the queue, so that waiting pays."""
        enough = self._queue_limit - max(1, self._queue_limit // 10)
        return await self._wait(lambda: self._taken - self._settled <= enough, timeout_s)

    async def flush(self, timeout_s: float) -> bool:
        """See `app.market.ports.storage.TradeWriter`."""
        target = self._hurry()
        return await self._wait(lambda: self._settled >= target, timeout_s)

    def drain(self, timeout_s: float) -> bool:
        """`flush` for a thread: block until everything put so far is committed; False past ``timeout_s``."""
        target = self._hurry()
        with self._changed:
            return self._changed.wait_for(lambda: self._settled >= target, timeout_s)

    def close(self, timeout_s: float) -> bool:
        """
        Commit what is queued, end the thread; blocks for about ``timeout_s`` at most. False where trades are left.

        `unwritten` returns those. `put` takes nothing from now on.
        """
        self._hurry()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            with self._changed:
                self._abandoned = True
                self._changed.notify_all()
            ledger = self._ledger
            if ledger is not None:
                with contextlib.suppress(psycopg.Error):
                    ledger.connection.cancel_safe(timeout=1.0)
            self._thread.join(1.0)
            # What hears of no cancelling would leave the thread waiting for ever.
            with self._changed:
                if self._ledger is not None:
                    hang_up(self._ledger.connection)
            self._thread.join(1.0)
        return self._settled == self._taken

    def unwritten(self) -> list[Trade]:
        """See `app.market.ports.storage.TradeWriter`. From any thread."""
        with self._changed:
            return [*self._in_hand, *self._queue]

    def _hurry(self) -> int:
        with self._changed:
            self._hurry_to = self._taken
            self._changed.notify_all()
            return self._taken

    async def _wait(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        waiter = _Waiter(ready)
        with self._changed:
            if ready():
                return True
            self._waiters.append(waiter)
        try:
            await asyncio.wait_for(waiter.future, timeout_s)
        except TimeoutError:
            return False
        finally:
            with self._changed, contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
        return True

    def _run(self) -> None:
        try:
            while self._next_batch():
                self._write_until_settled()
        except Exception:
            # A bug, not the database: say so rather than vanish with a growing queue behind.
            logger.exception("The writer's thread ended by a fault in the program")
            self._reason = "Trades are not being stored because of a fault in the program: restart it."
        finally:
            self._disconnect()

    def _next_batch(self) -> bool:
        """Wait for a batch that is due and take it in hand; False when there is nothing more to do."""
        with self._changed:
            if self._abandoned:
                return False  # what is in hand stays there, for `unwritten`
            while not self._is_due():
                if self._closing:
                    return False
                wait_s = self._waiting_since + self._batch_seconds - time.monotonic() if self._queue else None
                self._changed.wait(wait_s)
            self._at_work_since = time.monotonic()
            self._in_hand = list(islice(self._queue, LARGEST_BATCH))
            for _ in self._in_hand:
                self._queue.popleft()
            self._waiting_since = time.monotonic()
            return True

    def _is_due(self) -> bool:
        if not self._queue:
            return False
        return (
            len(self._queue) >= self._batch_trades
            or self._closing
            or self._settled < self._hurry_to
            or time.monotonic() >= self._waiting_since + self._batch_seconds
        )

    def _write_until_settled(self) -> None:
        retry_s = _FIRST_RETRY_S
        while self._in_hand and not self._abandoned:
            try:
                self._write_in_hand()
                retry_s = _FIRST_RETRY_S
            except StoreError as error:
                self._disconnect()
                if str(error) != self._reason:
                    logger.warning("Trades wait to be stored: %s", error)
                self._reason = str(error)
                with self._changed:
                    self._changed.wait_for(lambda: self._abandoned, retry_s)
                retry_s = min(2 * retry_s, _LONGEST_RETRY_S)

    def _write_in_hand(self) -> None:
        """Store the batch in hand; raises StoreError where trying again may help."""
        bad = [(trade, reason) for trade in self._in_hand if (reason := unfit(trade))]
        if bad:
            self._in_hand = [trade for trade, _ in bad] + [trade for trade in self._in_hand if not unfit(trade)]
            self._set_aside(bad)
            self._settle(len(bad), stored=0)
        parts = [self._in_hand]
        while parts:
            part = parts.pop()
            half = len(part) // 2
            began_s = time.perf_counter()
            try:
                done = self._open_ledger().store(part) if part else BatchResult(0, 0)
            except psycopg.errors.UniqueViolation as error:
                raise StoreUnavailable(
                    "The database holds trades that its ranges of ids do not know: mend it with cryptopipe db rebuild."
                ) from error
            except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded) as error:
                # One trade of these is to blame: ever smaller parts, in their order, until it stands alone.
                if half:
                    parts += [part[half:], part[:half]]
                    continue
                self._set_aside([(part[0], str(store_error(error, "store the trade")))])
                done = BatchResult(0, 0)
            except psycopg.Error as error:
                raise store_error(error, "store trades") from error
            if self._reason:  # before anybody hears that it is done
                logger.info("Trades are being stored again")
                self._reason = ""
            if part and self._on_stored is not None:
                self._on_stored(part, time.perf_counter() - began_s)
            self._settle(len(part), stored=done.fresh)
            self._report(done)

    def _settle(self, count: int, *, stored: int) -> None:
        """Note that the first ``count`` trades in hand are done with."""
        with self._changed:
            self._in_hand = self._in_hand[count:]
            self._at_work_since = time.monotonic()
            self._settled += count
            self._stored += stored
            ready = [waiter for waiter in self._waiters if waiter.ready()]
            self._changed.notify_all()
        for waiter in ready:
            waiter.wake()

    def _report(self, done: BatchResult) -> None:
        if done.gone:
            logger.info("%d trades came again that retention has dropped: they are not stored once more", done.gone)
        if done.refused:
            self._contradictions += done.refused
            logger.error(
                "%d trades contradict the stored ones of the same ids: those stand, and the others are kept in "
                "refused_trades",
                done.refused,
            )

    def _set_aside(self, bad: list[tuple[Trade, str]]) -> None:
        for trade, reason in bad:
            logger.error("A trade was refused and set aside: %s: %s", reason, trade)
        ledger = self._open_ledger()
        rows = [
            (
                reason,
                json.dumps(trade._asdict() | {"symbol": _readable(trade.symbol)}, default=str),
                _readable(trade.symbol),
                trade.trade_id if 0 <= trade.trade_id < 2**63 else None,
            )
            for trade, reason in bad
        ]
        try:
            with ledger.connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO refused_trades (reason, trade, symbol, trade_id) VALUES (%s, %s, %s, %s)"
                    " ON CONFLICT DO NOTHING",
                    rows,
                )
        except psycopg.Error as error:
            raise store_error(error, "set refused trades aside") from error
        self._refused += len(bad)

    def _open_ledger(self) -> TradeLedger:
        if self._ledger is None:
            self._ledger = TradeLedger(self._connect())
        return self._ledger

    def _disconnect(self) -> None:
        with self._changed:
            ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.connection.close()


def _readable(name: object) -> str:
    """Return what may be anything as text that the database takes."""
    return str(name)[:200].replace("\0", "").encode(errors="replace").decode()
