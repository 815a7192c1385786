"""Which missing trades are fetched first, which only as a download, and which never."""

from __future__ import annotations

from app.live.recording.recorder import Recorder
from app.live.repair.repair_plan import Download
from app.live.repair.repairer import Repairer
from app.market.trade import Trade
from tests.live.databases import FakeWriter
from tests.live.helpers import SYMBOL, HandClock, recorder_for, trade, until
from tests.live.repair.helpers import LAST, exchange_with, receive, receive_all, repairing


async def test_the_range_in_view_comes_first_and_a_changed_view_reorders(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, 50_001))
    receive(recorder, 1, 20_001, 20_002, 50_000)
    repairer = Repairer(recorder, exchange, HandClock())
    repairer.plan.set_view(SYMBOL, [(9_001, 10_500), (7_000, 7_010)])
    for _ in range(2):
        await repairer.step()
    repairer.plan.set_view(SYMBOL, [(4_001, 4_010)])
    for _ in range(2):
        await repairer.step()
    repairer.plan.set_view("ETHUSDT", [(3_000, 3_010)])
    await repairer.step()
    # One request in four is for the newest trades, whether in view or not.
    assert [first for first, _ in exchange.trade_calls] == [9_502, 9_001, 4_001, 49_001, 48_002]


async def test_the_symbols_take_turns_while_one_of_them_is_in_view(recorder: Recorder) -> None:
    symbols = [SYMBOL, "ETHUSDT", "ADAUSDT"]
    recorder.set_symbols(symbols)
    exchange = exchange_with(range(1, 20_001))
    exchange.trades += [one._replace(symbol=name) for name in symbols[1:] for one in exchange.trades]
    asked: list[str] = []
    answer = exchange.trades_from

    async def noting(symbol: str, first_trade_id: int, *, limit: int = 1000) -> list[Trade]:
        asked.append(symbol)
        return await answer(symbol, first_trade_id, limit=limit)

    exchange.trades_from = noting  # type: ignore[method-assign]  # because the symbols are not among the calls
    for name in symbols:
        for number in (1, 20_000):
            recorder.receive(trade(number, symbol=name), 0)
    repairer = Repairer(recorder, exchange, HandClock())
    repairer.plan.set_view("ETHUSDT", [(1, 20_000)])
    for _ in range(16):
        await repairer.step()
    assert asked.count("ETHUSDT") >= 12
    assert {SYMBOL, "ADAUSDT"} <= set(asked)
    asked.clear()
    repairer.plan.set_view("", [])
    for _ in range(6):
        await repairer.step()
    assert sorted(asked) == sorted(symbols * 2)


async def test_a_gap_of_a_symbol_no_longer_recorded_is_dropped(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    receive(recorder, 1, 20)
    recorder.set_symbols(["ETHUSDT"])
    clock = HandClock()
    async with repairing(recorder, exchange, clock) as repairer:
        await until(lambda: clock.slept)
        assert not repairer.repairing
    assert exchange.trade_calls == []


async def test_a_large_gap_is_fetched_only_while_it_is_downloaded() -> None:
    recorder = recorder_for(repair_trades=100)
    recorder.attach(FakeWriter())
    exchange = exchange_with(range(1, 10_001))
    receive(recorder, 1, 5_000, 5_051, 10_000)
    repairer = Repairer(recorder, exchange, HandClock())
    assert repairer.plan.too_large(SYMBOL) == 4_998 + 4_948
    while not await repairer.step():
        pass
    assert recorder.missing() == 4_998 + 4_948
    assert repairer.plan.downloading(SYMBOL) is None
    repairer.download(SYMBOL)
    assert repairer.plan.too_large(SYMBOL) == 0
    await repairer.step()
    assert repairer.plan.downloading(SYMBOL) == Download(4_998 + 4_948, 4_998 + 4_948 - 999)
    repairer.plan.stop_download(SYMBOL)
    assert repairer.plan.downloading(SYMBOL) is None
    assert await repairer.step()  # nothing to do
    repairer.download(SYMBOL)
    while not await repairer.step():
        pass
    assert recorder.missing() == 0
    assert repairer.plan.downloading(SYMBOL) is None


async def test_more_trades_given_up_than_a_repair_may_fetch_are_fetched_again_and_not_while_more_are_given_up() -> None:
    recorder = recorder_for(repair_trades=200, queue_trades=1000)
    exchange = exchange_with(range(1, 1_501))
    await receive_all(recorder, range(1, 1_501))
    repairer = Repairer(recorder, exchange, HandClock())
    assert await repairer.step()
    assert exchange.trade_calls == []
    recorder.attach(writer := FakeWriter())
    while not await repairer.step():
        pass
    await recorder.outbox.drain()
    recorder.outbox.close()
    assert recorder.unstored() == 0
    assert sorted(writer.ids) == list(range(1, 1_501))


async def test_with_repairs_switched_off_not_even_given_up_trades_are_fetched() -> None:
    recorder = recorder_for(repair_trades=0, queue_trades=1000)
    exchange = exchange_with(range(1, 1_301))
    await receive_all(recorder, range(1, 1_301))
    recorder.attach(FakeWriter())
    assert await Repairer(recorder, exchange, HandClock()).step()
    assert exchange.trade_calls == []
    assert recorder.missing() == 300
    recorder.outbox.close()
