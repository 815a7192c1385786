"""
The writer: a thread that stores queued rows, trades or ticks, in batches.

`BatchQueue` holds what was put and says when a batch is due, a `Ledger` stores one, and `batch_failures` decides what
an error means. While the database is away the batch stays in hand and the thread tries again; a row that the database
refuses is set aside, and the rest goes on. `RowKind` says what the rows are.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import psycopg

from app.market.ports.storage import WriterStatus
from storage.postgres.connection import Connection, hang_up
from storage.writing.batch_failures import Decision, RefusedRow, decide, explain, store_by_bisection
from storage.writing.batch_queue import BatchQueue

logger = logging.getLogger(__name__)

_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.1, 2.0
_CANCEL_S = 1.0  # for each of the two ways to free a thread that waits for the server


class BatchResult(NamedTuple):
    """
    How many rows of a batch are stored now and were not before (``fresh``), contradict the stored one of their identity
    (``refused``), or were stored once and dropped by retention (``dropped``). All others were stored already.
    """

    fresh: int
    refused: int
    dropped: int = 0


Row = TypeVar("Row")
_Stored = TypeVar("_Stored", contravariant=True)


class Ledger(Protocol[_Stored]):
    """Stores batches over one connection of its own; one thread at a time."""

    @property
    def connection(self) -> Connection: ...

    def store(self, rows: Sequence[_Stored]) -> BatchResult:
        """Store the rows, at least one, each once, in one transaction. Raises psycopg.Error and StoreError."""

    def set_aside(self, refused: Sequence[tuple[_Stored, str]]) -> None:
        """Record rows with the reason each was refused for. Their fields may hold anything. Raises StoreError."""


@dataclass(frozen=True, slots=True)
class RowKind(Generic[Row]):
    """
    What a writer stores.

    ``name``, ``plural``: as ``"trade"``, ``"trades"``. ``refused_table`` keeps those that are set aside. ``identity``
    is what two of them may share though they contradict each other. ``unknown_rows``: see
    `storage.writing.batch_failures.explain`. ``refusal_reason`` says why no database can store a row, as a clause;
    empty if it can. ``open_ledger`` makes the ledger over a new connection.
    """

    name: str
    plural: str
    refused_table: str
    identity: str
    unknown_rows: str
    refusal_reason: Callable[[Row], str]
    open_ledger: Callable[[Connection], Ledger[Row]]


class _WriterReport(Generic[Row]):
    """What the writer has done since its start, and why it cannot write; logs each change."""

    def __init__(self, kind: RowKind[Row]) -> None:
        self._kind = kind
        self.reason = ""
        self.stored = 0
        self.refused = 0
        self.contradictions = 0

    def note_outage(self, reason: str) -> None:
        """The database does not take the batch, for the reason that this sentence gives."""
        if reason != self.reason:
            logger.warning("%s wait to be stored: %s", self._kind.plural.capitalize(), reason)
        self.reason = reason

    def note_progress(self) -> None:
        """The database takes rows, so an outage is over."""
        if self.reason:
            logger.info("%s are being stored again", self._kind.plural.capitalize())
            self.reason = ""

    def note_fault(self) -> None:
        """The thread ends because of a bug."""
        plural = self._kind.plural.capitalize()
        self.reason = f"{plural} are not being stored because of a fault in the program: restart it."

    def note_stored(self, result: BatchResult) -> None:
        """A batch, or a part of one, is committed."""
        self.note_progress()
        self.stored += result.fresh
        if result.dropped:
            logger.info(
                "%d %s came again after retention dropped them: they are not stored again",
                result.dropped,
                self._kind.plural,
            )
        if result.refused:
            self.contradictions += result.refused
            logger.error(
                "%d %s contradict the stored %s of the same %s: the stored ones stand, the others are kept in %s",
                result.refused,
                self._kind.plural,
                self._kind.plural,
                self._kind.identity,
                self._kind.refused_table,
            )

    def note_refused(self, count: int) -> None:
        """Rows are set aside, each with its reason."""
        self.note_progress()
        self.refused += count


class BatchWriter(Generic[Row]):
    """
    A `app.market.ports.storage.RowWriter`. Its thread runs from the start until `close`.

    ``connect`` makes a connection and may raise StoreError; it is called in the thread, again after each failure.
    ``batch_rows``, ``batch_seconds``, ``queue_limit``: see `storage.writing.batch_queue.BatchQueue`.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        kind: RowKind[Row],
        *,
        batch_rows: int = 100,
        batch_seconds: float = 1.0,
        queue_limit: int = 200_000,
    ) -> None:
        self._connect = connect
        self._kind = kind
        self._queue = BatchQueue[Row](batch_rows=batch_rows, batch_seconds=batch_seconds, limit=queue_limit)
        self._report = _WriterReport(kind)
        self._ledger: Ledger[Row] | None = None
        self._ledger_lock = threading.Lock()  # held where the ledger is replaced, or its connection hung up on
        self._on_stored: Callable[[Sequence[Row], float], None] | None = None
        self._thread = threading.Thread(target=self._run, name=f"{kind.name}-writer", daemon=True)
        self._thread.start()

    @property
    def status(self) -> WriterStatus:
        """See `app.market.ports.storage.RowWriter`. From any thread."""
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
        """How many rows since the start could not be stored as they are; each is in the table of refused ones."""
        return self._report.refused

    def on_stored(self, listener: Callable[[Sequence[Row], float], None]) -> None:
        """See `app.market.ports.storage.RowWriter`."""
        self._on_stored = listener

    def put(self, rows: Sequence[Row]) -> bool:
        """See `app.market.ports.storage.RowWriter`. From any thread. An empty queue takes more than its limit."""
        return self._queue.put(rows)

    async def wait_for_room(self, timeout_s: float) -> bool:
        """See `app.market.ports.storage.RowWriter`; room is a tenth of the queue, so that waiting pays."""
        return await self._queue.wait_for_room(timeout_s)

    async def flush(self, timeout_s: float) -> bool:
        """See `app.market.ports.storage.RowWriter`."""
        return await self._queue.flush(timeout_s)

    def drain(self, timeout_s: float) -> bool:
        """`flush` for a thread: block until everything put so far is committed; False past ``timeout_s``."""
        return self._queue.drain(timeout_s)

    def unwritten(self) -> list[Row]:
        """See `app.market.ports.storage.RowWriter`. From any thread."""
        return self._queue.unwritten()

    def close(self, timeout_s: float) -> bool:
        """
        Commit what is queued and end the thread; False if rows are left, which `unwritten` then returns.

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
                self._report.note_outage(explain(error, f"store {self._kind.plural}", self._kind.unknown_rows))
                self._queue.pause(retry_s)
                retry_s = min(2 * retry_s, _LONGEST_RETRY_S)

    def _write_in_hand(self) -> None:
        """
        Store the batch in hand part by part; what is settled before an error stays settled.

        Each part is reported before it is settled, so that a caller of `flush` finds the status up to date.
        """
        self._set_unstorable_aside()
        for outcome in store_by_bisection(self._queue.in_hand, self._store):
            if isinstance(outcome, RefusedRow):
                self._set_aside([(outcome.row, explain(outcome.error, f"store the {self._kind.name}"))])
                self._queue.settle(1)
            else:
                result, took_s = outcome.result
                self._report.note_stored(result)
                if self._on_stored is not None:
                    self._on_stored(outcome.rows, took_s)
                self._queue.settle(len(outcome.rows))
                self._log_batch(len(outcome.rows), took_s)

    def _log_batch(self, rows: int, took_s: float) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            # The names that other recorders of the field give these values, so that dashboards find them.
            values = {
                "batchSize": rows,
                "processingTime": round(took_s * 1000, 3),
                "bufferSize": self._queue.unsettled,
            }
            logger.debug("%d %s stored in %.1f ms", rows, self._kind.plural, took_s * 1000, extra=values)

    def _store(self, rows: Sequence[Row]) -> tuple[BatchResult, float]:
        """Store the rows; return the result and how many seconds it took."""
        began_s = time.perf_counter()
        result = self._open_ledger().store(rows)
        return result, time.perf_counter() - began_s

    def _set_unstorable_aside(self) -> None:
        """Set aside the rows in hand that no database could store: found here, they cost no bisection."""
        reason_of = self._kind.refusal_reason
        refused = [(row, reason) for row in self._queue.in_hand if (reason := reason_of(row))]
        if refused:
            # Rows are settled from the front.
            storable = [row for row in self._queue.in_hand if not reason_of(row)]
            self._queue.move_to_front([row for row, _ in refused], storable)
            self._set_aside(refused)
            self._queue.settle(len(refused))

    def _set_aside(self, refused: Sequence[tuple[Row, str]]) -> None:
        for row, reason in refused:
            logger.error("A %s was refused and set aside: %s: %s", self._kind.name, reason, row)
        self._open_ledger().set_aside(refused)
        self._report.note_refused(len(refused))

    def _open_ledger(self) -> Ledger[Row]:
        if self._ledger is None:
            self._ledger = self._kind.open_ledger(self._connect())
        return self._ledger

    def _disconnect(self) -> None:
        with self._ledger_lock:
            ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.connection.close()
