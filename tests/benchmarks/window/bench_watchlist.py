"""
What the panels cost four times a second, with 6 and with 400 symbols in the watchlist that all trade.

Prints the median time of one round of `WindowController`'s panels while every symbol's figures change, beside what a
repaint of the visible list costs in the same run. Usage: ``python tests/benchmarks/window/bench_watchlist.py``
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
import tracemalloc

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.live.engine import Engine
from app.live.environment.clocks import ExchangeClock
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.interval import Interval
from app.market.trade import Quote, Trade
from app.market.units import E8
from app.window.state.symbol_lists import SymbolLists
from app.window.state.window_state import WindowState
from app.window.window_controller import WindowController
from tests.end_to_end.helpers import run_on_qt_loop
from tests.live.databases import FakeDatabase
from tests.live.helpers import START_US, FakeExchange, HandClock
from tests.live.test_engine import FakeFeed
from widgets.chart.chart_widget import ChartWidget
from widgets.window.main_window import MainWindow

ROUNDS = 60


def names(count: int) -> list[str]:
    return [f"S{number:03}USDT" for number in range(count)]


def trade_all(engine: Engine, watched: list[str], number: int, now_us: int) -> None:
    """Let every symbol trade a minute's seconds or one more time."""
    for at in range(60) if number == 0 else (60 + number,):
        for name in watched:
            price = (100 + at % 7) * E8
            engine.market_snapshot.note(Trade(name, at + 1, now_us - 60_000_000 + at * 1_000_000, price, E8, False))
            engine.market_snapshot.note(Quote(name, at, price - 1, E8, price, E8))


async def measure(count: int) -> tuple[float, float]:
    clock = SystemClock()
    feed, exchange = FakeFeed(), FakeExchange([], HandClock())
    engine = Engine(
        feed=feed,
        exchange=exchange,
        open_database=FakeDatabase,
        clock=clock,
        exchange_clock=ExchangeClock(clock),
        queue_trades=1000,
        repair_trades=1000,
    )
    watched = names(count)
    chart = ChartWidget()
    window = MainWindow(chart)
    window.resize(1440, 900)
    window.show()
    state = WindowState(watched[0], Interval.parse("1m"), SymbolLists.of(watched), "dark")
    controller = WindowController(engine, window, chart, state, Settings(), simulated=False)
    controller.start()
    controller.panels.stop()
    await asyncio.sleep(0.5)
    took, painted = [], []
    for number in range(ROUNDS):
        trade_all(engine, watched, number, clock.now_us())
        began = time.perf_counter()
        controller.panels.renew()
        took.append(time.perf_counter() - began)
        began = time.perf_counter()
        window.watchlist.view.viewport().repaint()
        painted.append(time.perf_counter() - began)
        await asyncio.sleep(0)
    await controller.stop()
    await engine.close()
    window.allow_close()
    window.close()
    window.deleteLater()
    return statistics.median(took) * 1e3, statistics.median(painted) * 1e3


def memory_of_trackers(count: int, seconds: int) -> float:
    """Return the megabytes of ``count`` trackers after a trade a second each for that long."""
    tracemalloc.start()
    trackers = [SymbolTracker(name) for name in names(count)]
    for second in range(seconds):
        for tracker in trackers:
            tracker.add(Trade(tracker.symbol, second + 1, START_US + second * 1_000_000, E8, E8, False))
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return taken / 2**20


def main() -> None:
    async def work() -> None:
        for count in (6, 400):
            took_ms, painted_ms = await measure(count)
            print(f"{count:4} symbols: a round of panels {took_ms:6.2f} ms, a repaint of the list {painted_ms:6.2f} ms")

    run_on_qt_loop(work)
    for seconds in (600, 7200):
        print(f"20 trackers, {seconds} trades each: {memory_of_trackers(20, seconds):.1f} MB")


if __name__ == "__main__":
    main()
