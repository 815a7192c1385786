"""How the engine reports and survives failing parts, and how it ends."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.brokers.binance.feed import BinanceFeed
from app.concurrency.system_clock import SystemClock
from app.live.engine import Engine
from app.live.environment.clocks import ExchangeClock
from app.live.recording import database_keeper
from app.market.errors import FeedRejected, StoreError, StoreSchemaMismatch, StoreUnavailable
from app.market.ports.clock import Clock
from app.market.ports.database import OpenDatabase, OpenedDatabase
from app.market.ports.exchange import EventHandler, FeedCounters, FeedState, FeedStatus, TradeFeed
from app.market.trade import MarketEvent
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from tests.live.databases import FakeDatabase, FakeWriter
from tests.live.helpers import SYMBOL, FakeExchange, HandClock, trade, until


class FakeFeed:
    """A `TradeFeed` that passes on the events of `deliver`, or ends with ``ending``."""

    def __init__(self) -> None:
        self.status = FeedStatus()
        self.counters = FeedCounters()
        self.ending: Exception | None = None
        self.runs = 0
        self.retries = 0
        self.handler: EventHandler | None = None

    def status_of(self, symbol: str) -> FeedStatus:
        return self.status

    def on_status(self, listener: Callable[[FeedStatus], None]) -> None:
        """Never changes."""

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Gives what the test gives."""

    def retry_now(self) -> None:
        self.retries += 1

    async def run(self, handler: EventHandler) -> None:
        self.runs += 1
        self.handler = handler
        if self.ending is not None:
            raise self.ending
        await asyncio.Event().wait()

    async def deliver(self, *trades: MarketEvent) -> None:
        assert self.handler is not None
        for one in trades:
            waiting: Awaitable[None] | None = self.handler(one, 0)
            if waiting is not None:
                await waiting


@asynccontextmanager
async def engine_with(
    open_database: OpenDatabase, *, feed: TradeFeed | None = None, clock: Clock | None = None, queue_trades: int = 1000
) -> AsyncIterator[Engine]:
    """A started engine; closed afterwards if the test did not."""
    clock = clock or HandClock()
    made = Engine(
        feed=feed or FakeFeed(),
        exchange=FakeExchange([], HandClock()),
        open_database=open_database,
        clock=clock,
        exchange_clock=ExchangeClock(clock),
        queue_trades=queue_trades,
        repair_trades=1000,
    )
    made.start([SYMBOL])
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase()


async def test_everything_received_is_stored_at_the_end(database: FakeDatabase) -> None:
    feed = FakeFeed()
    async with engine_with(lambda: database, feed=feed) as engine:
        await until(lambda: engine.database is not None and feed.handler is not None)
        await feed.deliver(*(trade(number) for number in range(1, 301)))
        assert await engine.close() == 0
    assert database.writer.ids == list(range(1, 301))
    assert database.closed


async def test_trades_received_before_the_database_opened_are_stored_even_at_the_end() -> None:
    database, may_open = FakeDatabase(), threading.Event()

    def open_slowly() -> FakeDatabase:
        assert may_open.wait(20)
        return database

    feed = FakeFeed()
    async with engine_with(open_slowly, feed=feed) as engine:
        await until(lambda: feed.handler is not None)
        await feed.deliver(trade(1), trade(2))
        closing = asyncio.ensure_future(engine.close())
        await asyncio.sleep(0)
        may_open.set()
        assert await closing == 0
    assert database.writer.ids == [1, 2]
    assert database.closed


@pytest.mark.parametrize(
    ("room", "refused", "left", "missing"),
    [(1 << 60, 0, 0, 0), (1 << 60, 3, 0, 3), (1 << 60, 0, 2, 2), (0, 0, 0, 5), (0, 1, 2, 8)],
)
async def test_closing_counts_trades_refused_left_or_never_taken(
    room: int, refused: int, left: int, missing: int
) -> None:
    database, feed = FakeDatabase(writer=FakeWriter(room)), FakeFeed()
    async with engine_with(lambda: database, feed=feed) as engine:
        await until(lambda: engine.database is not None and feed.handler is not None)
        database.writer.refused, database.writer.left = refused, [trade(90 + number) for number in range(left)]
        await feed.deliver(*(trade(number) for number in range(1, 6)))
        assert await engine.close() == missing


async def test_closing_counts_trades_given_up_while_the_database_was_away() -> None:
    database = FakeDatabase(writer=FakeWriter(room=0))
    database.writer.reason = "The database is away."
    feed = FakeFeed()
    async with engine_with(lambda: database, feed=feed) as engine:
        await until(lambda: engine.database is not None and feed.handler is not None)
        await feed.deliver(*(trade(number) for number in range(1, 3001)))
        assert engine.recorder.missing() > 0
        assert await engine.close() == 3000


async def test_without_any_database_closing_counts_every_trade() -> None:
    def fail() -> OpenedDatabase:
        raise StoreSchemaMismatch("It is of another program: name another.")

    feed = FakeFeed()
    async with engine_with(fail, feed=feed) as engine:
        await until(lambda: engine.database_failed and feed.handler is not None)
        await feed.deliver(trade(1), trade(2), trade(3))
        assert await engine.close() == 3


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            StoreUnavailable("The database cannot be reached: start it."),
            r"^The database cannot be reached: start it\.$",
        ),
        (ZeroDivisionError("secret"), r"^Opening the database failed inside \(ZeroDivisionError\).*log.*\.$"),
    ],
)
async def test_a_database_that_cannot_be_opened_is_a_sentence_and_can_be_retried(
    error: Exception, says: str, database: FakeDatabase
) -> None:
    outcomes: list[Any] = [error]

    def open_database() -> Any:
        outcome = outcomes.pop() if outcomes else database
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    reported: list[str] = []
    async with engine_with(open_database, clock=SystemClock()) as engine:
        engine.on_database = lambda: reported.append(engine.database_reason)
        await until(lambda: engine.database_failed)
        assert engine.database is None
        assert re.search(says, engine.database_reason)
        engine.retry_database()
        await until(lambda: engine.database is not None)
        assert not engine.database_failed
        assert engine.database_reason == ""
    assert reported[-1] == ""


async def test_a_change_leaves_every_trade_in_one_of_the_two_databases() -> None:
    old, new, feed = FakeDatabase(), FakeDatabase(), FakeFeed()
    may_open = threading.Event()

    def open_new() -> FakeDatabase:
        assert may_open.wait(20)
        return new

    async with engine_with(lambda: old, feed=feed, queue_trades=100_000) as engine:
        await until(lambda: engine.database is not None and feed.handler is not None)
        await feed.deliver(trade(1), trade(2))
        changing = asyncio.ensure_future(engine.change_database(open_new))
        await until(lambda: old.writer.ids == [1, 2])
        await feed.deliver(trade(3))
        await until(lambda: old.writer.ids == [1, 2, 3])  # the old one goes on recording until the new one is open
        may_open.set()
        while not changing.done():
            await feed.deliver(trade(engine.recorder.trades_received + 1))
            await asyncio.sleep(0)
        await changing
        assert engine.database is new
        await feed.deliver(trade(engine.recorder.trades_received + 1))
        await until(lambda: not engine.waiting_trades)
        received = engine.recorder.trades_received
        assert await engine.close() == 0
    assert old.writer.ids + new.writer.ids == list(range(1, received + 1))
    assert new.writer.ids
    assert old.closed
    assert new.closed


async def test_trades_the_old_database_did_not_take_go_to_the_new_one() -> None:
    old, new, feed = FakeDatabase(writer=FakeWriter(room=2)), FakeDatabase(), FakeFeed()
    async with engine_with(lambda: old, feed=feed) as engine:
        await until(lambda: engine.database is not None and feed.handler is not None)
        await feed.deliver(trade(1), trade(2))
        await until(lambda: old.writer.ids == [1, 2])
        old.writer.reason = "It is away."
        old.writer.left = [trade(2)]
        await feed.deliver(trade(3), trade(4))
        await engine.change_database(lambda: new)
        await until(lambda: new.writer.ids == [2, 3, 4])
        tracker = engine.recorder.tracker(SYMBOL)
        assert tracker is not None
        assert list(tracker.held()) == [(2, 4)]
        assert list(tracker.received.held) == [(1, 4)]


async def test_the_coverage_of_a_new_database_is_read_and_the_gap_up_to_now_is_missing() -> None:
    new = FakeDatabase([trade(number) for number in range(1, 5)])
    old, feed = FakeDatabase(), FakeFeed()
    async with engine_with(lambda: old, feed=feed) as engine:
        await until(lambda: engine.database is not None and feed.handler is not None)
        await feed.deliver(trade(7), trade(8))
        await until(lambda: old.writer.ids == [7, 8])
        await engine.change_database(lambda: new)
        assert engine.recorder.missing() == 0  # no trade has come since, so no gap is known
        await feed.deliver(trade(9))
        assert engine.recorder.missing() == 4
        tracker = engine.recorder.tracker(SYMBOL)
        assert tracker is not None
        assert [(gap.first_trade_id, gap.last_trade_id) for gap in tracker.gaps()] == [(5, 8)]
        # Fetched again, they are taken: the new database has not seen 7 and 8.
        assert await engine.recorder.ingest([trade(number) for number in range(5, 9)]) == 4
        await until(lambda: sorted(new.writer.ids) == [5, 6, 7, 8, 9])
        assert engine.recorder.missing() == 0


async def test_a_change_that_fails_leaves_the_old_database_in_use() -> None:
    old, feed = FakeDatabase(), FakeFeed()

    def fail() -> OpenedDatabase:
        raise StoreUnavailable("It cannot be reached: start it.")

    async with engine_with(lambda: old, feed=feed) as engine:
        await until(lambda: engine.database is not None and feed.handler is not None)
        with pytest.raises(StoreUnavailable, match=r"^It cannot be reached: start it\.$"):
            await engine.change_database(fail)
        assert engine.database is old
        assert not engine.database_failed
        await feed.deliver(trade(1))
        await until(lambda: old.writer.ids == [1])
        assert not old.closed


async def test_a_change_replaces_a_database_that_could_not_be_opened_and_its_attempts() -> None:
    new, feed, attempts = FakeDatabase(), FakeFeed(), 0

    def fail() -> OpenedDatabase:
        nonlocal attempts
        attempts += 1
        raise StoreUnavailable("It cannot be reached: start it.")

    async with engine_with(fail, feed=feed) as engine:
        await until(lambda: engine.database_failed and feed.handler is not None)
        await feed.deliver(trade(1), trade(2))
        await engine.change_database(lambda: new)
        assert engine.database is new
        await until(lambda: new.writer.ids == [1, 2])
        engine.retry_database()
        await asyncio.sleep(0.05)
        assert attempts == 1


async def test_a_database_that_opens_after_another_was_chosen_is_closed_again() -> None:
    slow, new, may_open = FakeDatabase(), FakeDatabase(), threading.Event()

    def open_slowly() -> FakeDatabase:
        assert may_open.wait(20)
        return slow

    async with engine_with(open_slowly) as engine:
        await engine.change_database(lambda: new)
        may_open.set()
        await until(lambda: slow.closed)
        assert engine.database is new
        assert not new.closed


async def test_a_cancelled_change_closes_the_database_that_opens_afterwards() -> None:
    old, new = FakeDatabase(), FakeDatabase()
    is_asked, may_open = threading.Event(), threading.Event()

    def open_slowly() -> FakeDatabase:
        is_asked.set()
        assert may_open.wait(20)
        return new

    async with engine_with(lambda: old) as engine:
        await until(lambda: engine.database is not None)
        changing = asyncio.ensure_future(engine.change_database(open_slowly))
        await until(is_asked.is_set)
        with pytest.raises(StoreError, match="being changed already"):
            await engine.change_database(FakeDatabase)
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
        assert engine.database is old
        may_open.set()
        await until(lambda: new.closed)
        assert not old.closed


async def test_a_read_only_database_stores_nothing_and_misses_nothing() -> None:
    reading, feed = FakeDatabase([trade(number) for number in range(1, 5)]), FakeFeed()
    reading.read_only_reason = (
        "Reading only: the user “viewer” may only read this database, so trades are not recorded."
    )
    async with engine_with(lambda: reading, feed=feed) as engine:
        await until(lambda: engine.database is not None and feed.handler is not None)
        await feed.deliver(trade(900))
        # Trades in between are another program's to record: they are not missing here.
        assert engine.recorder.missing() == 0


async def test_closing_does_not_wait_for_a_database_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_keeper, "_CLOSE_S", 0.05)
    opened, opening, may_open = FakeDatabase(), threading.Event(), threading.Event()

    def open_slowly() -> FakeDatabase:
        opening.set()
        may_open.wait(20)
        return opened

    async with engine_with(open_slowly) as engine:
        await until(opening.is_set)
        began_s = asyncio.get_running_loop().time()
        await engine.close()
        assert asyncio.get_running_loop().time() - began_s < 2
    may_open.set()
    await until(lambda: opened.closed)


async def test_a_bug_in_receiving_is_reported_and_can_be_retried(
    database: FakeDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    feed = FakeFeed()
    feed.ending = KeyError("secret")
    async with engine_with(lambda: database, feed=feed) as engine:
        await until(lambda: engine.feed_reason)
        assert engine.feed_reason.startswith("Receiving trades failed inside (KeyError)")
        assert "secret" not in engine.feed_reason
        feed.ending = None
        engine.retry_exchange()
        assert engine.feed_reason == ""
        await until(lambda: feed.runs == 2)
    assert "fault in the program" in caplog.text


async def test_a_retry_while_the_feed_runs_only_ends_its_waiting(database: FakeDatabase) -> None:
    feed = FakeFeed()
    async with engine_with(lambda: database, feed=feed) as engine:
        await until(lambda: feed.runs)
        engine.retry_exchange()
        await asyncio.sleep(0)
    assert (feed.runs, feed.retries) == (1, 1)


async def test_a_refusal_is_reported_and_a_retry_starts_again(database: FakeDatabase) -> None:
    feed = FakeFeed()
    feed.ending = FeedRejected("The exchange refuses: set another address.")
    async with engine_with(lambda: database, feed=feed) as engine:
        await until(lambda: engine.feed_reason == "The exchange refuses: set another address.")
        engine.retry_exchange()
        await until(lambda: feed.runs == 2 and engine.feed_reason)


async def test_when_a_part_of_the_feed_is_back_the_list_of_symbols_is_read_again(
    database: FakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, asked = FakeFeed(), []
    async with engine_with(lambda: database, feed=feed) as engine:
        monkeypatch.setattr(engine.directory, "refresh", lambda: asked.append(1))
        for down, expected in ((2, 1), (2, 1), (1, 2), (2, 2), (0, 3)):
            engine._on_feed_status(FeedStatus(FeedState.LIVE, "It broke." if down else "", connections=3, down=down))
            assert len(asked) == expected
        assert engine.is_receiving(SYMBOL) == (feed.status.state is FeedState.LIVE)
        feed.status = FeedStatus(FeedState.LIVE)
        assert engine.is_receiving(SYMBOL)
        engine.feed_reason = "Refused."
        assert not engine.is_receiving(SYMBOL)


async def test_after_attempts_ran_out_a_retry_finds_the_exchange_that_came_back(database: FakeDatabase) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    clock = SystemClock()
    feed = BinanceFeed(f"ws://127.0.0.1:{port}", clock=clock, max_attempts=1)
    server = SandboxServer(SimulatedMarket(3, [Listing("BTC", "60000", "0.01", "0.00001", 1.0)], rate=40.0), port=port)
    async with engine_with(lambda: database, feed=feed, clock=clock) as engine:
        await until(lambda: engine.feed_reason)
        assert feed.status.state is FeedState.REFUSED
        await server.start()
        try:
            engine.retry_exchange()
            await until(lambda: engine.recorder.trades_received)
            assert feed.status.state is FeedState.LIVE
            assert engine.feed_reason == ""
        finally:
            await engine.close()
            await server.stop()
