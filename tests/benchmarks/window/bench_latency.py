"""
How long a trade takes from its frame's arrival to a committed row, and to the screen.

The program's own window, off screen, on the simulated market, at default batching: first a quiet market, in which a
batch waits for its second, then 5,000 trades a second. Beside the figures stands how late a 10 ms heartbeat came on the
same loop meanwhile and on an idle one, in the same run: a busy machine shows there. What a frame waited before it was
read is the first line, from the market's own clock. To be met: p99 below 1.2 s to the row, below 50 ms to the screen.
With ``--alerts`` so many alerts on prices wait, too, and the time to the announcement of a firing and to its toast on
the window are measured: p99 below 100 ms.
Usage: ``python tests/benchmarks/window/bench_latency.py [--seconds 20] [--rates 60,5000] [--alerts 1000]``
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, time_ns

sys.path.insert(0, str(Path(__file__).parents[3]))

from app.live.charts.chart_session import ChartSession
from app.live.recording.measures import Measures
from app.live.recording.recorder import Recorder
from app.market.alerts.alert import Firing, PriceCrosses, Repeat, Rule
from app.market.alerts.stored_alert import NewAlert, StoredAlert
from app.market.trade import MarketEvent, Trade
from tests.benchmarks.window.bench_flood import at, delays
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, simulated_settings, until

SHARE = 0.59  # of the sandbox's trades: those of the symbols that the program records by default


class Watch:
    """When each trade arrived, and from there on the seconds until it was stored and until it was painted."""

    def __init__(self) -> None:
        self.on = False
        self.before: list[float] = []
        self.stored: list[float] = []
        self.painted: list[float] = []
        self._arrived: dict[tuple[str, int], float] = {}
        self._coming: dict[str, list[float]] = {}  # arrived, and not yet in the chart's series
        self._told: list[tuple[int, list[float]]] = []  # in the series, to be seen after that many frames
        self.announced: list[float] = []
        self.toasted: list[float] = []
        self._watched: dict[tuple[str, int], float] = {}  # arrived, as alerts may ask

    @contextmanager
    def installed(self) -> Iterator[None]:
        receive, note_stored = Recorder.receive, Measures.note_stored
        watch = self

        def receiving(recorder: Recorder, event: MarketEvent, received_us: int) -> Awaitable[None] | None:
            if type(event) is Trade and watch.on:
                watch.arrived(event)
            return receive(recorder, event, received_us)

        def storing(measures: Measures, trades: Sequence[Trade], took_s: float) -> None:
            now_s = perf_counter()
            for trade in trades:
                arrived_s = watch._arrived.pop((trade.symbol, trade.trade_id), None)
                if arrived_s is not None:
                    watch.stored.append(now_s - arrived_s)
            note_stored(measures, trades, took_s)

        Recorder.receive, Measures.note_stored = receiving, storing
        try:
            yield
        finally:
            Recorder.receive, Measures.note_stored = receive, note_stored

    def arrived(self, trade: Trade) -> None:
        now_s = perf_counter()
        self.before.append(time_ns() / 1e9 - trade.time_us / 1e6)
        self._arrived[trade.symbol, trade.trade_id] = self._watched[trade.symbol, trade.trade_id] = now_s
        self._coming.setdefault(trade.symbol, []).append(now_s)

    def follow_alerts(self, running: Running) -> None:
        """Watch the firings of alerts: their announcement, and the toasts that get a place on the window."""
        controller, keeper = running.controller.alerts, running.engine.alerts
        announce = keeper.on_firing

        def announcing(alert: StoredAlert, firing: Firing, *, late: bool) -> None:
            announce(alert, firing, late=late)
            if not late:
                self._note(self.announced, alert, firing)

        keeper.on_firing = announcing
        controller.announcer.notifications.problem = "This is a benchmark."
        controller.announcer.on_shown = lambda fired: self._note(self.toasted, fired.alert, fired.firing)

    def _note(self, delays: list[float], alert: StoredAlert, firing: Firing) -> None:
        arrived_s = self._watched.get((alert.symbol, firing.trade_id))
        if arrived_s is not None:
            delays.append(perf_counter() - arrived_s)

    def follow(self, running: Running, session: ChartSession) -> None:
        """Watch this chart's paints."""
        refresh = session.refresh

        def refreshing() -> bool:
            self._told.append((running.chart.frame_count, self._coming.pop(session.symbol, [])))
            return refresh()

        session.refresh = refreshing
        running.chart.painted.connect(lambda: self._seen(running.chart.frame_count))

    def _seen(self, frames: int) -> None:
        now_s = perf_counter()
        while self._told and self._told[0][0] < frames:
            _, arrived = self._told.pop(0)
            self.painted += [now_s - arrived_s for arrived_s in arrived]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rates", default="60,5000")
    parser.add_argument("--alerts", type=int, default=0)
    options = parser.parse_args()
    for rate in options.rates.split(","):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o711)
            arguments = ("--rate", str(float(rate) / SHARE), "--history", "1d")
            with simulated_settings(Path(folder) / "data", *arguments) as settings:
                print(f"{rate} trades/s asked for")
                watch = Watch()
                with watch.installed():
                    run_on_qt_loop(lambda s=settings, w=watch: measure(s, w, options.seconds, options.alerts))


def add_alerts(running: Running, number: int) -> None:
    """Add alerts at prices about the last ones of all recorded symbols, a thousandth of a percent apart."""
    names = running.engine.recorder.symbols
    for index in range(number):
        name = names[index % len(names)]
        symbol, last_e8 = running.engine.symbol(name), running.engine.market_snapshot.latest(name).last_price_e8
        step = index // len(names) - number // len(names) // 2
        price_e8 = last_e8 + last_e8 * step // 100_000 // symbol.tick_size_e8 * symbol.tick_size_e8
        rule = Rule(PriceCrosses(max(price_e8, symbol.tick_size_e8)))
        running.engine.database.alerts.add(NewAlert(name, rule, Repeat.EVERY))


async def measure(settings, watch: Watch, seconds: float, alerts: int = 0) -> None:
    idle = await delays(3.0)
    async with open_window(settings) as running:
        await until(lambda: running.session.joined and running.engine.database is not None, seconds=60)
        await asyncio.sleep(5)  # the beginning: history, the database, the join
        if alerts:
            await asyncio.to_thread(add_alerts, running, alerts)
            await until(lambda: len(running.controller.alerts.alerts) == alerts, seconds=60)
            await asyncio.sleep(3)
            watch.follow_alerts(running)
        watch.follow(running, running.session)
        first = running.engine.recorder.trades_received
        watch.on = True
        busy = await delays(seconds)
        arrived = running.engine.recorder.trades_received - first
        watch.on = False
        await until(lambda: running.engine.database.writer.status.queued == 0)
        await asyncio.sleep(0.1)
    print(f"received              {arrived / seconds:9,.0f} trades/s")
    say("market to arrival", watch.before)
    say("arrival to the row", watch.stored, most_ms=1200)
    say("arrival to the screen", watch.painted, most_ms=50)
    if alerts:
        say("arrival to announcement", watch.announced, most_ms=100)
        say("arrival to the toast", watch.toasted, most_ms=100)
    print(f"loop, idle            p50 {at(idle, 0.5):7.1f}   p99 {at(idle, 0.99):7.1f} ms")
    print(f"loop, meanwhile       p50 {at(busy, 0.5):7.1f}   p99 {at(busy, 0.99):7.1f} ms")


def say(what: str, seconds: list[float], most_ms: float | None = None) -> None:
    found = sorted(value * 1000 for value in seconds)
    if not found:
        print(f"{what:24}none")
        return
    aim = "" if most_ms is None else f" (below {most_ms:.0f}: {'met' if at(found, 0.99) < most_ms else 'MISSED'})"
    print(f"{what:24}p50 {at(found, 0.5):7.1f}   p99 {at(found, 0.99):7.1f} ms   of {len(found):,}{aim}")


if __name__ == "__main__":
    main()
