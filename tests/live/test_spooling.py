"""Trades on their way by the disk: a database that goes, hangs, is slow, comes back or does not; a real spool."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.live.outbox import TradeOutbox
from app.market.coverage import IdRanges
from app.market.ports import SpoolStatus, WriterStatus
from app.market.trade import Trade
from storage.spool import FILE_NAME, DiskSpool
from tests.live.helpers import PATIENCE_S, SYMBOL, HandClock, trade, until

AWAY = "The database is away."


class Ledger:
    """What a database has committed, in the order it did: the first time of each trade."""

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
        self.box = TradeOutbox(
            limit,
            on_lost=lambda trades: self.lost.extend(one.trade_id for one in trades),
            on_recovered=self._on_recovered,
            on_spool_lost=self.spool_lost.update,
            spool=self.spool,
            clock=self.clock,
        )
        self.box.start()

    def _on_recovered(self) -> None:
        self.recovered += 1

    async def put(self, trades: Sequence[Trade]) -> None:
        """Put trades as the recorder does: waiting where the outbox asks for it."""
        for one in trades:
            if not self.box.put(one):
                await self.box.make_room()

    async def kill(self) -> None:
        """End as a kill would: nothing more is handed to anybody."""
        assert self.box._disk is not None
        work = self.box._disk._work
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


def batch(first: int, last: int) -> list[Trade]:
    return [trade(number, seconds=0) for number in range(first, last + 1)]


async def test_while_the_database_is_away_all_that_waits_goes_to_disk_also_what_the_writer_holds(
    tmp_path: Path,
) -> None:
    writer = ShakyWriter(ledger := Ledger())
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.is_straight()
        await run.put(batch(1, 700))
        await until(lambda: len(writer.queue) == 700)
        writer.commit(300)
        writer.reason = AWAY
        await until(lambda: run.box.spool.trades == 400)
        await run.put(batch(701, 1_500))
        await until(lambda: run.box.spool.trades == 1_200)
        assert list(run.box.spooled(SYMBOL)) == [(301, 1_500)]
        assert len(writer.queue) == 400
        writer.reason = ""
        await run.is_straight()
        assert run.box.spool.trades == 0
        await run.put(batch(1_501, 1_600))
        await until(lambda: len(writer.queue) == 100)
        writer.commit()
    assert ledger.ids() == list(range(1, 1_601))
    assert run.lost == []


async def test_a_moment_away_leaves_the_disk_alone(tmp_path: Path) -> None:
    writer = ShakyWriter(Ledger())
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.is_straight()
        looks = 0

        def count_looks(_: float) -> None:
            nonlocal looks
            looks += 1
            writer.reason = AWAY if looks % 2 else ""

        await run.put(batch(1, 10))
        await until(lambda: writer.queue)
        run.clock.on_sleep = count_looks
        await until(lambda: looks > 50)
        run.clock.on_sleep = lambda _: None
        assert run.spool.last_number == 0


async def test_a_database_that_hangs_is_not_trusted_with_what_it_was_given(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.is_straight()
        writer.hangs = True
        await run.put(batch(1, 600))
        await until(lambda: run.box.spool.trades == 600)
        assert run.box.is_hopeless
    # Killed now, the next run stores them.
    async with run_in(tmp_path) as run:
        run.box.attach(ShakyWriter(ledger))
        await run.is_straight()
    assert ledger.ids() == list(range(1, 601))


async def test_a_full_queue_goes_to_disk_and_the_feed_never_waits_for_it(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger(), limit=1_000)
    writer.manual = True
    async with run_in(tmp_path, limit=5_000) as run:
        writer.clock = run.clock
        run.box.attach(writer)
        await run.is_straight()
        for first in range(1, 20_001, 1_000):
            for one in batch(first, first + 999):
                assert run.box.put(one)
            await until(lambda: run.box.waiting < 1_000)
        assert run.box.is_spooling
        writer.manual = False
        await run.is_straight()
        writer.commit()
    assert ledger.ids() == list(range(1, 20_001))
    assert run.lost == []
    assert writer.longest <= 10_000


async def test_a_busy_market_with_the_database_away_for_long_is_stored_in_order(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    writer.reason = AWAY
    count = 20 * 5_000
    async with run_in(tmp_path, limit=20_000) as run:
        run.box.attach(writer)
        most = 0
        for first in range(1, count, 5_000):
            await run.put(batch(first, first + 4_999))
            most = max(most, run.box.waiting)
            await asyncio.sleep(0)
        await until(lambda: run.box.spool.trades == count)
        assert most <= 20_000
        assert run.box.spool.size_bytes < count * 48
        writer.reason = ""
        number = count
        while run.box.is_spooling:  # the market goes on while it is drained
            await run.put(batch(number + 1, number + 50))
            number += 50
            await asyncio.sleep(0.001)
        await until(lambda: run.box.waiting == 0)
        writer.commit()
    assert ledger.ids() == list(range(1, number + 1))
    assert run.lost == []


async def test_what_even_the_spool_cannot_take_is_given_up_counted_and_asked_for_again(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    writer.reason = AWAY
    async with run_in(tmp_path, limit=1_000, size_limit=500_000) as run:
        run.box.attach(writer)
        for first in range(1, 30_000, 1_000):
            await run.put(batch(first, first + 999))
        await until(lambda: run.lost and run.box.spool.reason)
        kept = 30_000 - len(run.lost)
        assert run.box.spool.trades + run.box.waiting == kept
        assert run.recovered == 0
        writer.reason = ""
        await run.is_straight()
        await until(lambda: run.recovered == 1)
        writer.commit()
    assert sorted([*ledger.ids(), *run.lost]) == list(range(1, 30_001))
    assert ledger.ids() == sorted(ledger.ids())


async def test_a_spool_that_breaks_hands_back_what_it_lost(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    writer.reason = AWAY
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.put(batch(1, 5_000))
        await until(lambda: run.box.spool.trades == 5_000)
        run.spool._file._connection.execute("UPDATE batches SET checksum = 1 WHERE number = 1")
        writer.reason = ""
        await run.is_straight()
        writer.commit()
    held = IdRanges((number, number) for number in ledger.ids())
    assert held.missing(1, 5_000) == list(run.spool_lost[SYMBOL])
    assert 0 < run.spool_lost[SYMBOL].count() <= 2_000


async def test_a_database_that_may_only_be_read_gets_nothing_of_the_spool_and_fills_it_no_more(tmp_path: Path) -> None:
    away, reading, writing = ShakyWriter(Ledger()), ShakyWriter(Ledger()), ShakyWriter(ledger := Ledger())
    away.reason = AWAY
    async with run_in(tmp_path) as run:
        run.box.attach(away)
        await run.put(batch(1, 100))
        await until(lambda: run.box.spool.trades == 100)
        await run.put(batch(101, 110))
        assert await run.box.save() == []
        run.box.attach(reading, recording=False)
        await run.put(batch(111, 2_000))
        await until(lambda: len(reading.queue) == 1_890)
        assert run.box.spool.trades == 110
        run.box.attach(writing)
        await run.is_straight()
    assert ledger.ids() == list(range(1, 111))


async def test_while_another_database_is_about_to_come_its_trades_wait_in_memory(tmp_path: Path) -> None:
    old, new = ShakyWriter(Ledger()), ShakyWriter(ledger := Ledger())
    old.manual = True
    async with run_in(tmp_path) as run:
        run.box.attach(old)
        await run.is_straight()
        await run.put(batch(1, 10))
        await until(lambda: len(old.queue) == 10)
        run.clock.on_sleep = lambda _: setattr(run.clock, "time_us", 0)  # no time passes
        run.box.attach(None)
        run.box.hold()
        await run.put(batch(11, 600))
        await asyncio.sleep(0.05)
        assert run.spool.last_number == 0
        run.box.put_first(old.unwritten())
        run.box.attach(new)
        await until(lambda: not run.box.waiting)
        new.commit()
    assert ledger.ids() == list(range(1, 601))


@pytest.mark.parametrize("is_start", [True, False])
async def test_a_flood_while_a_database_is_about_to_come_goes_to_disk_rather_than_be_given_up(
    tmp_path: Path, is_start: bool
) -> None:
    old, new = ShakyWriter(Ledger()), ShakyWriter(ledger := Ledger())
    async with run_in(tmp_path, limit=1_000) as run:
        run.clock.on_sleep = lambda s: setattr(run.clock, "time_us", run.clock.time_us - round(s * 990_000))  # slowly
        if not is_start:
            run.box.attach(old)
            await run.is_straight()
            run.box.attach(None)
            run.box.hold()
        await run.put(batch(1, 30_000))
        assert run.box.waiting <= 1_000
        assert run.box.spool.trades + run.box.waiting == 30_000
        assert run.box._direct.is_held
        run.clock.on_sleep = lambda _: None
        run.box.attach(new)
        await run.is_straight()
        new.commit()
    assert run.lost == []
    assert ledger.ids() == list(range(1, 30_001))


async def test_a_fault_in_the_spool_leaves_the_direct_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    writer = ShakyWriter(ledger := Ledger())
    writer.reason = AWAY
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.put(batch(1, 100))
        await until(lambda: run.box.spool.trades == 100)
        monkeypatch.setattr(DiskSpool, "read", fail)
        monkeypatch.setattr(run.box._disk.overflow, "_lent_to", None)
        writer.reason = ""
        await until(lambda: not run.box.has_spool)
        await run.put(batch(101, 300))
        await until(lambda: not run.box.waiting)
        writer.commit()
    assert set(range(101, 301)) <= set(ledger.ids())
    assert "a fault in the program" in caplog.text
    monkeypatch.undo()
    async with run_in(tmp_path) as run:  # what was on disk is there still
        run.box.attach(ShakyWriter(ledger))
        await run.is_straight()
    assert sorted(ledger.ids()) == list(range(1, 301))


def deny(action: int) -> Callable[..., int]:
    """Return what SQLite is to ask, so that it refuses that kind of action alone."""
    return lambda asked, *_: sqlite3.SQLITE_DENY if asked == action else sqlite3.SQLITE_OK


async def test_what_cannot_be_read_just_now_stays_on_disk_until_it_can(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    writer.reason = AWAY
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.put(batch(1, 100))
        await until(lambda: run.box.spool.trades == 100)
        run.spool._file._connection.set_authorizer(deny(sqlite3.SQLITE_SELECT))
        writer.reason = ""
        await until(lambda: "not authorized" in run.box.spool.reason)
        await run.put(batch(101, 200))
        await until(lambda: run.box.spool.trades == 200)
        assert ledger.ids() == []
        run.spool._file._connection.set_authorizer(None)
        await run.is_straight()
        assert run.box.spool == SpoolStatus()
    assert ledger.ids() == list(range(1, 201))


async def test_what_the_disk_would_not_let_go_of_is_let_go_of_later(tmp_path: Path) -> None:
    writer = ShakyWriter(ledger := Ledger())
    writer.reason = AWAY
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.put(batch(1, 100))
        await until(lambda: run.box.spool.trades == 100)
        run.spool._file._connection.set_authorizer(deny(sqlite3.SQLITE_DELETE))
        writer.reason = ""
        await run.is_straight()
        assert ledger.ids() == list(range(1, 101))
        assert run.box.spool.trades == 100
        run.spool._file._connection.set_authorizer(None)
        await until(lambda: run.box.spool == SpoolStatus())


async def test_at_the_end_what_waits_is_put_on_disk_though_something_else_went_wrong_there(tmp_path: Path) -> None:
    writer = ShakyWriter(Ledger())
    writer.reason = AWAY
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.put(batch(1, 100))
        await until(lambda: run.box.spool.trades == 100)
        run.spool._file._connection.set_authorizer(deny(sqlite3.SQLITE_SELECT))
        writer.reason = ""
        await until(lambda: "not authorized" in run.box.spool.reason)
        run.box.attach(None)
        await run.put(batch(101, 200))
        assert await run.box.save() == []
        assert run.box.spool.trades == 200


class LateWriter(ShakyWriter):
    """Commits at the last moment."""

    def unwritten(self) -> list[Trade]:
        self.manual = False
        self.commit()
        return super().unwritten()


async def test_a_disk_that_hangs_does_not_keep_the_program_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.detour._ENDING_S", 0.05)
    writer = LateWriter(Ledger())
    writer.reason, writer.manual = AWAY, True
    run = Run(tmp_path)
    run.box.attach(writer)
    await run.put(batch(1, 100))
    await until(lambda: run.box.spool.trades == 100)
    writer.reason = ""
    await until(lambda: len(writer.queue) == 100)
    hangs = threading.Event()
    run.spool._jobs.put(hangs.wait)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await run.box.finish()
    finally:
        hangs.set()
        assert run.spool._thread is not None
        run.spool._thread.join(PATIENCE_S)


async def test_a_market_that_may_only_be_watched_leaves_nothing_on_disk_at_the_end(tmp_path: Path) -> None:
    reading = ShakyWriter(Ledger())
    async with run_in(tmp_path) as run:
        run.box.attach(reading, recording=False)
        await run.put(batch(1, 3))
        await run.box.drain()
        run.box.attach(None)
        assert await run.box.save() == []
        assert run.box.spool.trades == 0
    assert len(reading.queue) == 3


async def test_without_a_disk_after_all_the_last_trade_of_a_quiet_market_does_not_wait_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(DiskSpool, "open", fail)
    writer = ShakyWriter(ledger := Ledger(), limit=10)
    writer.queue = batch(1, 10)
    async with run_in(tmp_path) as run:
        run.box.attach(writer)
        await run.put(batch(11, 20))
        await until(lambda: not run.box.has_spool)
        writer.commit()
        await until(lambda: not run.box.waiting)
        writer.commit()
    assert ledger.ids() == list(range(1, 21))


@settings(max_examples=30)
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from("ppppp away back hang full commit kill new none".split()), max_size=40),
)
def test_whatever_the_writer_does_every_trade_is_stored_in_the_end_and_in_order(seed: int, steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_play(Path(folder), random.Random(seed), steps))


async def _play(folder: Path, chance: random.Random, steps: list[str]) -> None:
    """A market of two symbols against a writer that does as ``steps`` say; ends with the database back."""
    ledger, next_id = Ledger(), {SYMBOL: 1, "ETHUSDT": 1}
    run, writer = Run(folder), ShakyWriter(ledger)
    run.box.attach(writer)

    async def put(count: int) -> None:
        for _ in range(count):
            symbol = chance.choice(list(next_id))
            await run.put([trade(next_id[symbol], seconds=0, symbol=symbol)])
            next_id[symbol] += 1

    for step in steps:
        match step:
            case "away":
                writer.reason = AWAY
            case "hang":
                writer.hangs = True
            case "back":
                writer.reason, writer.hangs, writer.limit = "", False, 10_000
            case "full":
                writer.limit = 50
            case "commit":
                writer.commit(chance.randrange(100))
            case "none":
                run.box.attach(None)
                run.box.put_first(writer.unwritten())
                writer = ShakyWriter(ledger)
            case "new":
                if run.box.writer is not writer:
                    run.box.attach(writer)
            case "kill":
                # What is in memory alone may be lost: so wait until there is none.
                writer.commit()
                run.box.release()
                if writer.queue or run.box.waiting:
                    writer.reason = writer.reason or AWAY
                    await _all_on_disk(run, writer)
                await run.kill()
                run, writer = Run(folder), ShakyWriter(ledger)
                run.box.attach(writer)
            case _:
                await put(chance.randrange(1_000))
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)
    writer.reason, writer.hangs, writer.limit = "", False, 10_000
    if run.box.writer is not writer:
        run.box.attach(writer)
    await run.is_straight()
    writer.commit()
    await run.box.finish()
    assert run.lost == []
    for symbol, end in next_id.items():
        assert ledger.ids(symbol) == list(range(1, end))


async def _all_on_disk(run: Run, writer: ShakyWriter) -> None:
    def is_safe() -> bool:
        return not run.box.waiting and all(one.trade_id in run.box.spooled(one.symbol) for one in writer.queue)

    await until(is_safe, "all to be on disk")
