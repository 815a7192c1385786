"""Changing databases while the real engine records a simulated market into real servers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from app.config.settings import Settings, load
from app.live.engine import Engine
from app.live.recording import database_keeper
from app.live.recording.database_keeper import DatabaseKeeper
from app.market.coverage import IdRanges
from app.market.errors import StoreError
from app.runtime.wiring import engine_for, open_database
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from storage.database import Database
from storage.server.embedded_server import EmbeddedServer
from storage.server.file_lock import FileLock
from tests.live.databases import FakeDatabase
from tests.live.helpers import recorder_for, until
from tests.sandbox.helpers import serving

SYMBOL = "BTCUSDT"
MARKET = [Listing("BTC", "60000", "0.01", "0.00001", 1.0)]


@pytest.fixture
def other_url(data_dir: Path) -> Iterator[str]:
    """Another real server than the embedded one, as a conninfo."""
    server = EmbeddedServer(data_dir.with_name("other"))
    try:
        yield server.start()
    finally:
        assert server.stop()


@pytest.fixture
def settings_for(data_dir: Path, tmp_path: Path) -> Callable[..., Settings]:
    def make(**options: object) -> Settings:
        return load({"data_dir": str(data_dir), **options}, environment={}, file=tmp_path / "none.toml")

    return make


@pytest.fixture
def dying(data_dir: Path) -> Iterator[EmbeddedServer]:
    """A real server that a test stops and starts."""
    server = EmbeddedServer(data_dir.with_name("dying"))
    yield server
    assert server.stop()


def market() -> AbstractAsyncContextManager[SandboxServer]:
    return serving(SimulatedMarket(3, MARKET, rate=400.0))


@asynccontextmanager
async def recording_into(
    database: EmbeddedServer, settings_for: Callable[..., Settings], **options: str
) -> AsyncIterator[Engine]:
    """Start the server, and an engine that records the market into it; at the end no trade is left over."""
    url = database.start()
    async with market() as server:
        addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url}
        async with engine_for(settings_for(database_url=url, repair_trades="0", **addresses, **options)) as engine:
            engine.start([SYMBOL])
            try:
                await until(lambda: engine.database is not None and engine.recorder.trades_received > 50)
                yield engine
            finally:
                assert await engine.close() == 0


def held(settings: Settings) -> IdRanges:
    database = open_database(settings)
    try:
        trades = database.store.trades(SYMBOL, 0, 2**62)
        ranges = database.store.coverage(SYMBOL)
        assert IdRanges((trade.trade_id, trade.trade_id) for trade in trades) == ranges
        return ranges
    finally:
        assert database.close()


async def test_every_trade_received_while_databases_are_changed_again_and_again_is_in_one_of_them(
    settings_for: Callable[..., Settings], other_url: str
) -> None:
    embedded, other = settings_for(), settings_for(database_url=other_url)
    async with market() as server:
        addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url}
        async with engine_for(settings_for(repair_trades="0", **addresses)) as engine:
            engine.start([SYMBOL])
            try:
                await until(lambda: engine.database is not None)
                for chosen in (other, embedded, other, embedded):
                    before = engine.recorder.trades_received
                    await until(lambda before=before: engine.recorder.trades_received > before + 100)
                    await engine.change_database(lambda chosen=chosen: open_database(chosen))
                before = engine.recorder.trades_received
                await until(lambda: engine.recorder.trades_received > before + 100)
                tracker = engine.recorder.tracker(SYMBOL)
                assert tracker is not None
            finally:
                assert await engine.close() == 0
    in_embedded, in_other = await asyncio.to_thread(held, embedded), await asyncio.to_thread(held, other)
    received = tracker.received.held
    assert list(IdRanges([*in_embedded, *in_other])) == list(received)
    assert in_embedded.count() + in_other.count() == received.count()
    assert (len(list(in_embedded)), len(list(in_other))) == (3, 2)


async def test_with_repair_the_new_database_is_brought_up_to_now(
    settings_for: Callable[..., Settings], other_url: str
) -> None:
    async with market() as server:
        addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url}
        other = settings_for(database_url=other_url)
        async with engine_for(settings_for(**addresses)) as engine:
            engine.start([SYMBOL])
            try:
                await until(lambda: engine.database is not None and engine.recorder.trades_received > 50)
                await engine.change_database(lambda: open_database(other))
                await until(lambda: engine.recorder.tracker(SYMBOL).held().count() > 50)
                await engine.change_database(lambda: open_database(settings_for()))
                # Trades the other one recorded meanwhile are a gap here, and are fetched.
                await until(lambda: engine.repairer.repaired > 50 and engine.recorder.missing() == 0)
                received = engine.recorder.tracker(SYMBOL).received.held
            finally:
                assert await engine.close() == 0
    assert list(await asyncio.to_thread(held, settings_for())) == list(received)


async def test_a_change_away_from_a_dead_server_takes_all_unstored_trades_along(
    settings_for: Callable[..., Settings], dying: EmbeddedServer
) -> None:
    async with recording_into(dying, settings_for) as engine:
        await asyncio.to_thread(dying.stop)
        before = engine.recorder.trades_received
        await until(lambda: engine.recorder.trades_received > before + 100)
        await until(lambda: engine.database.writer.status.reason)
        await engine.change_database(lambda: open_database(settings_for()))
        received = engine.recorder.tracker(SYMBOL).received.held
    in_new = await asyncio.to_thread(held, settings_for())
    with psycopg.connect(dying.start()) as connection:
        in_old = IdRanges(connection.execute("SELECT first_trade_id, last_trade_id FROM coverage").fetchall())
    assert list(IdRanges([*in_old, *in_new])) == list(received)
    assert in_new.count() >= 100


async def test_a_change_succeeds_while_another_program_keeps_the_old_server_busy(
    settings_for: Callable[..., Settings], other_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_keeper, "_CLOSE_S", 2.0)
    other = settings_for(database_url=other_url)
    async with market() as server:
        addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url}
        async with engine_for(settings_for(repair_trades="0", **addresses)) as engine:
            engine.start([SYMBOL])
            try:
                await until(lambda: engine.database is not None and engine.recorder.trades_received > 50)
                with FileLock(data_dir / "database" / "server.lock") as lock:
                    assert lock.acquire()
                    began = time.monotonic()
                    await engine.change_database(lambda: open_database(other))
                    assert time.monotonic() - began < 15.0
                assert engine.database is not None
                assert engine.database.url == other_url
                before = engine.recorder.trades_received
                await until(lambda: engine.recorder.trades_received > before + 50)
                received = engine.recorder.tracker(SYMBOL).received.held
            finally:
                assert await engine.close() == 0
    in_embedded, in_other = await asyncio.to_thread(held, settings_for()), await asyncio.to_thread(held, other)
    assert list(IdRanges([*in_embedded, *in_other])) == list(received)


class Slow:
    """Opens a database when it is called and the test lets it; ``opened`` is that database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.asked, self.let = threading.Event(), threading.Event()
        self.opened: Database | None = None

    def __call__(self) -> Database:
        self.asked.set()
        assert self.let.wait(20)
        self.opened = open_database(self._settings)
        return self.opened

    def is_gone(self) -> bool:
        return self.opened is not None and not self.opened.writer.is_running


async def _nothing_more(_: object) -> None:
    """Callback for a database taken into use: do nothing."""


async def test_a_second_change_cancelled_while_opening_leaves_nothing_open(
    settings_for: Callable[..., Settings], other_url: str
) -> None:
    keeper = DatabaseKeeper(
        recorder_for(), lambda: open_database(settings_for()), on_open=_nothing_more, on_failure=lambda: None
    )
    await keeper.run()
    await keeper.change(lambda: open_database(settings_for(database_url=other_url)))
    in_use = keeper.database
    slow = Slow(settings_for())
    second = asyncio.ensure_future(keeper.change(slow))
    await until(slow.asked.is_set)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    slow.let.set()
    await until(slow.is_gone)
    assert keeper.database is in_use
    await keeper.change(lambda: open_database(settings_for()))  # and another is not refused
    assert await keeper.close() == 0


async def test_the_first_database_is_closed_if_another_was_chosen_before_the_program_ended(
    settings_for: Callable[..., Settings], other_url: str
) -> None:
    slow = Slow(settings_for())
    keeper = DatabaseKeeper(recorder_for(), slow, on_open=_nothing_more, on_failure=lambda: None)
    running = asyncio.ensure_future(keeper.run())
    await until(slow.asked.is_set)
    await keeper.change(lambda: open_database(settings_for(database_url=other_url)))
    running.cancel()
    assert await keeper.close() == 0
    slow.let.set()
    await until(slow.is_gone)


class Lingering(FakeDatabase):
    """A database whose closing waits for `let`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_closing, self.let = threading.Event(), threading.Event()

    def close(self, timeout_s: float = 0.0) -> bool:
        self.is_closing.set()
        self.let.wait(10)
        return super().close()


async def test_changing_a_database_that_is_just_being_taken_into_use_opens_one_new_one() -> None:
    first, taken, opened = Lingering(), asyncio.Event(), list[FakeDatabase]()

    async def slowly(database: object) -> None:
        if database is first:
            await taken.wait()

    def open_other() -> FakeDatabase:
        opened.append(FakeDatabase())
        return opened[-1]

    keeper = DatabaseKeeper(recorder_for(), lambda: first, on_open=slowly, on_failure=lambda: None)
    running = asyncio.ensure_future(keeper.run())
    await until(lambda: keeper.database is first)
    changing = asyncio.ensure_future(keeper.change(open_other))
    await until(first.is_closing.is_set)
    taken.set()
    for _ in range(10):  # the first one's turn ends here, and finds no database in use
        await asyncio.sleep(0)
    first.let.set()
    await changing
    await running
    assert opened == [keeper.database]
    assert await keeper.close() == 0
    assert [one.closed for one in (first, *opened)] == [True, True]


async def test_without_a_spool_a_read_only_database_is_refused_while_trades_wait_for_one_that_is_away(
    settings_for: Callable[..., Settings], other_url: str, dying: EmbeddedServer
) -> None:
    assert open_database(settings_for(database_url=other_url)).close()
    reading = settings_for(database_url=f"{other_url} options='-c default_transaction_read_only=on'")
    async with recording_into(dying, settings_for, spool_megabytes="0") as engine:
        in_use = engine.database
        assert in_use is not None
        await asyncio.to_thread(dying.stop)
        await until(lambda: in_use.writer.status.reason and in_use.writer.status.queued)
        with pytest.raises(StoreError, match=r"^[0-9,]+ trades wait for the database in use, which is away"):
            await engine.change_database(lambda: open_database(reading))
        assert engine.database is in_use
        await asyncio.to_thread(dying.start)
        await until(lambda: not in_use.writer.status.reason)
        await engine.change_database(lambda: open_database(reading))
        assert engine.database is not None
        assert engine.database.read_only_reason


async def test_spooled_trades_skip_a_read_only_database_and_go_to_the_next_writable_one(
    settings_for: Callable[..., Settings], other_url: str, dying: EmbeddedServer
) -> None:
    assert open_database(settings_for(database_url=other_url)).close()
    reading = settings_for(database_url=f"{other_url} options='-c default_transaction_read_only=on'")
    async with recording_into(dying, settings_for) as engine:
        outbox = engine.recorder.outbox
        await asyncio.to_thread(dying.stop)
        await until(lambda: outbox.spool_status.rows > 100)
        await engine.change_database(lambda: open_database(reading))
        kept = outbox.spooled(SYMBOL)
        spooled = outbox.spool_status.rows
        received = engine.recorder.trades_received
        await until(lambda: engine.recorder.trades_received > received + 100)
        assert outbox.spool_status.rows == spooled
        await engine.change_database(lambda: open_database(settings_for()))
        await until(lambda: not outbox.is_spooling)
    in_new = await asyncio.to_thread(held, settings_for())
    assert kept.count() > 100
    assert all(not in_new.missing(first, last) for first, last in kept)
