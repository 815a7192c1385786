"""A database that is away, hangs or is slow when a test says so, and runs of an outbox with a real spool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from app.live.outbox.backlog import OutboxListener
from app.live.outbox.outbox import Outbox
from app.market.coverage import IdRanges
from app.market.ports.storage import StoredListener, WriterStatus
from app.market.trade import Trade
from storage.spool.disk_spool import FILE_NAME, DiskSpool
from tests.live.helpers import SYMBOL, HandClock, trade, until

AWAY = "The database is away."


class Ledger:
    """The trades a database has committed, in order, each at its first commit."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, int], None] = {}

    def ids(self, symbol: str = SYMBOL) -> list[int]:
        return [number for name, number in self.stored if name == symbol]


class ShakyWriter:
    """A `TradeWriter` with a queue of ``limit`` that commits when the test says so, unless it is away or hangs."""

    def __init__(self, ledger: Ledger, limit: int = 10_000) -> None:
        self.ledger = ledger
        self.limit = limit
        self.reason = ""
        self.hangs = False
        self.manual = False
        self.clock: HandClock | None = None
        self.queue: list[Trade] = []
        self.longest = 0

    @property
    def status(self) -> WriterStatus:
        return WriterStatus(
            self.reason, len(self.queue), len(self.ledger.stored), at_work_s=99.0 if self.hangs and self.queue else 0.0
        )

    def on_stored(self, listener: StoredListener) -> None:
        """Call nobody: the ledger shows what is committed."""

    def put(self, trades: Sequence[Trade]) -> bool:
        if self.queue and len(self.queue) + len(trades) > self.limit:
            return False
        self.queue += trades
        self.longest = max(self.longest, len(self.queue))
        return True

    def commit(self, count: int = 1 << 60) -> None:
        if not self.reason and not self.hangs:
            done, self.queue = self.queue[:count], self.queue[count:]
            self.ledger.stored.update(dict.fromkeys((one.symbol, one.trade_id) for one in done))

    async def wait_for_room(self, timeout_s: float) -> bool:
        await asyncio.sleep(0.001)
        if not self.manual:
            self.commit()
        return len(self.queue) < self.limit

    async def flush(self, timeout_s: float) -> bool:
        await asyncio.sleep(0.001)
        if not self.manual:
            self.commit()
        if self.queue and self.clock is not None:
            await self.clock.sleep(timeout_s)
        return not self.queue

    def unwritten(self) -> list[Trade]:
        return list(self.queue)


class Run:
    """One run of a program: an outbox with a real spool in ``folder``; time passes as its parts ask for it."""

    def __init__(self, folder: Path, *, limit: int = 10_000, size_limit: int = 1 << 30) -> None:
        self.clock = HandClock()
        self.lost: list[int] = []
        self.spool_lost: dict[str, IdRanges] = {}
        self.recovered = 0
        self.spool = DiskSpool(folder / FILE_NAME, size_limit)
        self.box = Outbox(
            limit,
            OutboxListener(
                on_lost=lambda trades: self.lost.extend(one.trade_id for one in trades),
                on_recovered=self._on_recovered,
                on_spool_lost=self.spool_lost.update,
            ),
            plural="trades",
            spool=self.spool,
            clock=self.clock,
        )
        self.box.start()

    def _on_recovered(self) -> None:
        self.recovered += 1

    async def put(self, trades: Sequence[Trade]) -> None:
        """Put trades as the recorder does: await `make_room` when the outbox asks for it."""
        for one in trades:
            if not self.box.put(one):
                await self.box.make_room()

    async def kill(self) -> None:
        """End as a kill would: nothing more is handed over or written."""
        work = self.box._spool_path._work
        assert work is not None
        work.cancel()
        await asyncio.wait([work])
        self.box.close()
        assert await self.spool.close(10)

    async def is_straight(self) -> None:
        await until(lambda: not self.box.is_spooling and not self.box.waiting, "trades to go straight")


@asynccontextmanager
async def run_in(folder: Path, **options: int) -> AsyncIterator[Run]:
    run = Run(folder, **options)
    try:
        yield run
    finally:
        await run.box.finish()


@asynccontextmanager
async def spooled_in(folder: Path, writer: ShakyWriter, count: int = 100) -> AsyncIterator[Run]:
    """A run with the first ``count`` trades in its spool, because the writer's database is away."""
    writer.reason = AWAY
    async with run_in(folder) as run:
        run.box.attach(writer)
        await run.put(batch(1, count))
        await until(lambda: run.box.spool_status.rows == count)
        yield run


def batch(first: int, last: int) -> list[Trade]:
    return [trade(number, seconds=0) for number in range(first, last + 1)]
