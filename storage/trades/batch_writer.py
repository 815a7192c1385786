"""
The writer: a thread that stores queued trades in batches.

`TradeQueue` holds what was put and says when a batch is due, `TradeLedger` stores one, and `batch_failures` decides
what an error means. While the database is away the batch stays in hand and the thread tries again; a trade that the
database refuses is recorded in `refused_trades`, and the rest goes on.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence

import psycopg

from app.market.ports.storage import StoredListener, WriterStatus
from app.market.trade import Trade
from storage.postgres.connection import Connection, hang_up
from storage.trades.batch_failures import Decision, RefusedTrade, decide, explain, store_by_bisection
from storage.trades.refused_trades import refusal_reason, save_refused
from storage.trades.trade_ledger import BatchResult, TradeLedger
from storage.trades.trade_queue import TradeQueue

logger = logging.getLogger(__name__)

_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.1, 2.0
_CANCEL_S = 1.0  # for each of the two ways to free a thread that waits for the server


class _WriterReport:
    """What the writer has done since its start, and why it cannot write; logs each change."""

    def __init__(self) -> None:
        self.reason = ""
        self.stored = 0
        self.refused = 0
        self.contradictions = 0

    def note_outage(self, reason: str) -> None:
        """The database does not take the batch, for the reason that this sentence gives."""
        if reason != self.reason:
            logger.warning("Trades wait to be stored: %s", reason)
        self.reason = reason

    def note_progress(self) -> None:
        """The database takes trades, so an outage is over."""
        if self.reason:
            logger.info("Trades are being stored again")
            self.reason = ""

    def note_fault(self) -> None:
        """The thread ends because of a bug."""
        self.reason = "Trades are not being stored because of a fault in the program: restart it."

    def note_stored(self, result: BatchResult) -> None:
        """A batch, or a part of one, is committed."""
        self.note_progress()
        self.stored += result.fresh
        if result.dropped:
            logger.info("%d trades came again after retention dropped them: they are not stored again", result.dropped)
        if result.refused:
            self.contradictions += result.refused
            logger.error(
                "%d trades contradict the stored trades of the same ids: the stored ones stand, the others are kept in "
                "refused_trades",
                result.refused,
            )

    def note_refused(self, refused: Sequence[tuple[Trade, str]]) -> None:
        """Trades are recorded in refused_trades, each with its reason."""
        self.note_progress()
        self.refused += len(refused)


class BatchWriter:
    """
    A `app.market.ports.storage.TradeWriter`. Its thread runs from the start until `close`.

    ``connect`` makes a connection and may raise StoreError; it is called in the thread, again after each failure.
    ``batch_trades``, ``batch_seconds``, ``queue_limit``: see `storage.trades.trade_queue.TradeQueue`.
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
        self._queue = TradeQueue(batch_trades=batch_trades, batch_seconds=batch_seconds, limit=queue_limit)
        self._report = _WriterReport()
        self._ledger: TradeLedger | None = None
        self._ledger_lock = threading.Lock()  # held where the ledger is replaced, or its connection hung up on
        self._on_stored: StoredListener | None = None
        self._thread = threading.Thread(target=self._run, name="trade-writer", daemon=True)
        self._thread.start()

    @property
    def status(self) -> WriterStatus:
        """See `app.market.ports.storage.TradeWriter`. From any thread."""
        return WriterStatus(
            reason=self._report.reason,
            queued=self._queue.unsettled,
            stored=self._report.stored,
            contradictions=self._report.contradictions,
            at_work_s=self._queue.at_work_s,
        )

    @property
    def is_running(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    @property
    def refused(self) -> int:
        """How many trades since the start could not be stored as they are; each is in the table refused_trades."""
        return self._report.refused

    def on_stored(self, listener: StoredListener) -> None:
        """See `app.market.ports.storage.TradeWriter`."""
        self._on_stored = listener

    def put(self, trades: Sequence[Trade]) -> bool:
        """See `app.market.ports.storage.TradeWriter`. From any thread. An empty queue takes more than its limit."""
        return self._queue.put(trades)

    async def wait_for_room(self, timeout_s: float) -> bool:
        """See `app.market.ports.storage.TradeWriter`; room is a tenth of the queue, so that waiting pays."""
        return await self._queue.wait_for_room(timeout_s)

    async def flush(self, timeout_s: float) -> bool:
        """See `app.market.ports.storage.TradeWriter`."""
        return await self._queue.flush(timeout_s)

    def drain(self, timeout_s: float) -> bool:
        """`flush` for a thread: block until everything put so far is committed; False past ``timeout_s``."""
        return self._queue.drain(timeout_s)

    def unwritten(self) -> list[Trade]:
        """See `app.market.ports.storage.TradeWriter`. From any thread."""
        return self._queue.unwritten()

    def close(self, timeout_s: float) -> bool:
        """
        Commit what is queued and end the thread; False if trades are left, which `unwritten` then returns.

        Blocks for ``timeout_s``, plus three seconds if the server does not answer. `put` takes nothing from now on.
        """
        self._queue.hurry()
        self._queue.close()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._stop_thread()
        return not self._queue.unsettled

    def _stop_thread(self) -> None:
        """Give up what is unwritten and free the thread from whatever it waits for."""
        self._queue.abandon()
        ledger = self._ledger
        if ledger is not None:
            with contextlib.suppress(psycopg.Error):
                ledger.connection.cancel_safe(timeout=_CANCEL_S)
        self._thread.join(_CANCEL_S)
        # A server that does not hear the cancellation would keep the thread waiting for its answer.
        with self._ledger_lock:
            if self._ledger is not None:
                hang_up(self._ledger.connection)
        self._thread.join(_CANCEL_S)

    # In its thread

    def _run(self) -> None:
        try:
            while self._queue.take_batch():
                self._write_until_settled()
        except Exception:
            # A bug, not the database: say so rather than vanish while the queue grows.
            logger.exception("The writer's thread ended because of a fault in the program")
            self._report.note_fault()
        finally:
            self._disconnect()

    def _write_until_settled(self) -> None:
        """Write the batch in hand; while the database does not take it, try again ever less often."""
        retry_s = _FIRST_RETRY_S
        while self._queue.in_hand and not self._queue.is_abandoned:
            try:
                self._write_in_hand()
            except Exception as error:
                if decide(error) is Decision.FAIL:
                    raise
                # Whatever state the session is in, the next attempt begins with a new one.
                self._disconnect()
                self._report.note_outage(explain(error, "store trades"))
                self._queue.pause(retry_s)
                retry_s = min(2 * retry_s, _LONGEST_RETRY_S)

    def _write_in_hand(self) -> None:
        """
        Store the batch in hand part by part; what is settled before an error stays settled.

        Each part is reported before it is settled, so that a caller of `flush` finds the status up to date.
        """
        self._set_unstorable_aside()
        for outcome in store_by_bisection(self._queue.in_hand, self._store):
            if isinstance(outcome, RefusedTrade):
                self._set_aside([(outcome.trade, explain(outcome.error, "store the trade"))])
                self._queue.settle(1)
            else:
                result, took_s = outcome.result
                self._report.note_stored(result)
                if self._on_stored is not None:
                    self._on_stored(outcome.trades, took_s)
                self._queue.settle(len(outcome.trades))
                self._log_batch(len(outcome.trades), took_s)

    def _log_batch(self, trades: int, took_s: float) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            # The names that other recorders of the field give these values, so that dashboards find them.
            values = {
                "batchSize": trades,
                "processingTime": round(took_s * 1000, 3),
                "bufferSize": self._queue.unsettled,
            }
            logger.debug("%d trades stored in %.1f ms", trades, took_s * 1000, extra=values)

    def _store(self, trades: Sequence[Trade]) -> tuple[BatchResult, float]:
        """Store the trades; return the result and how many seconds it took."""
        began_s = time.perf_counter()
        result = self._open_ledger().store(trades)
        return result, time.perf_counter() - began_s

    def _set_unstorable_aside(self) -> None:
        """Set aside the trades in hand that no database could store: found here, they cost no bisection."""
        refused = [(trade, reason) for trade in self._queue.in_hand if (reason := refusal_reason(trade))]
        if refused:
            # Trades are settled from the front.
            storable = [trade for trade in self._queue.in_hand if not refusal_reason(trade)]
            self._queue.move_to_front([trade for trade, _ in refused], storable)
            self._set_aside(refused)
            self._queue.settle(len(refused))

    def _set_aside(self, refused: Sequence[tuple[Trade, str]]) -> None:
        for trade, reason in refused:
            logger.error("A trade was refused and set aside: %s: %s", reason, trade)
        save_refused(self._open_ledger().connection, refused)
        self._report.note_refused(refused)

    def _open_ledger(self) -> TradeLedger:
        if self._ledger is None:
            self._ledger = TradeLedger(self._connect())
        return self._ledger

    def _disconnect(self) -> None:
        with self._ledger_lock:
            ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.connection.close()
