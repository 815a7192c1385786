"""
How much memory the program holds: with six symbols and one chart, with a million candles, while charts are switched.

Three parts, each in a process of its own, so that none stands in another's peak. ``watching``: the program's own window
on the simulated market, 5 minutes. ``million``: a chart of a million candles with five indicators, panned all over and
ticked. ``switching``: the window again, symbol and interval chosen at random four times a second; the slope is that of
the resident memory over the second half. To be met: below 250 MB, below 512 MB, and flat. Beside them stands what
Python, Qt, numpy and pyqtgraph hold with an empty window.
Usage: ``python tests/benchmarks/window/bench_memory.py [watching million switching] [--minutes 60]``; by itself two
minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[3]))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication

from app.market.interval import MENU_INTERVALS, Interval
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from app.market.units import E8
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, simulated_settings, until
from widgets.chart.chart_widget import ChartWidget

PARTS = ("watching", "million", "switching")
MILLION = 1_000_000
INDICATORS = ("ema", "bollinger", "vwap", "rsi", "macd")


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 2**20


def slope_mb_h(samples: list[tuple[float, float]]) -> float:
    """Return how fast memory grew over the second half of ``samples`` (seconds, MB), by least squares."""
    half = np.array(samples[len(samples) // 2 :])
    return float(np.polyfit(half[:, 0], half[:, 1], 1)[0]) * 3600


def say(what: str, value_mb: float, most_mb: float) -> None:
    print(f"{what:44}{value_mb:7.0f} MB (below {most_mb:.0f}: {'met' if value_mb < most_mb else 'MISSED'})", flush=True)


# A window on the simulated market


def in_window(minutes: float, switching: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with simulated_settings(Path(folder) / "data", "--rate", "200", "--history", "30d") as settings:
            run_on_qt_loop(lambda: watched(settings, minutes, switching))


async def watched(settings, minutes: float, switching: bool) -> None:
    chance = random.Random(1)
    async with open_window(settings) as running:
        await until(lambda: running.session.joined and running.engine.database is not None, seconds=120)
        end_s, start_s = monotonic() + minutes * 60, monotonic()
        samples, switches = [], 0
        while monotonic() < end_s:
            if switching:
                switch(running, settings.symbols, chance)
                switches += 1
            await asyncio.sleep(0.25)
            samples.append((monotonic() - start_s, resident_mb()))
    if switching:
        slope = slope_mb_h(samples)
        print(
            f"{switches:,} switches in {minutes:g} minutes: highest {max(mb for _, mb in samples):.0f} MB, last "
            f"{samples[-1][1]:.0f} MB, {slope:+.1f} MB/h over the second half"
        )
    else:
        say(f"six symbols, one chart, after {minutes:g} minutes", samples[-1][1], 250)


def switch(running: Running, symbols: tuple[str, ...], chance: random.Random) -> None:
    if chance.random() < 0.5:
        running.window.requests.symbol_requested.emit(chance.choice(symbols))
    else:
        running.window.requests.interval_requested.emit(chance.choice(MENU_INTERVALS))


# A chart without a market


def million() -> None:
    app = QApplication.instance() or QApplication([])
    chart = ChartWidget()
    chart.resize(1400, 900)
    chart.show()
    app.processEvents()
    print(f"{'an empty chart':44}{resident_mb():7.0f} MB")
    minute, symbol = Interval.parse("1m"), Symbol("X", "X", "USDT", E8 // 100, 1000)
    series = CandleSeries("X", minute)
    series.replace_columns(np.arange(MILLION, dtype=np.int64) * minute.length_us, **walk(MILLION))
    chart.set_series(series, symbol)
    for key in INDICATORS:
        chart.indicators.add(key)
    painted(chart)
    for factor, pan in ((1.0, 1e3), (1e-9, 5.0), (1e3, -1e5), (1.0, 1e5)):
        chart.navigator.zoom(factor)
        painted(chart)
        chart.navigator.pan(pan)
        painted(chart)
    say(f"{MILLION:,} candles, {len(chart.indicators.studies)} indicators", resident_mb(), 512)


def walk(count: int) -> dict[str, np.ndarray]:
    random_ = np.random.default_rng(1)
    close = 60_000 * np.exp(np.cumsum(random_.standard_normal(count)) * 1e-3)
    open_ = np.concatenate(([60_000.0], close[:-1]))
    volume = random_.random(count)
    return {
        "open": open_,
        "high": np.maximum(open_, close) * 1.0005,
        "low": np.minimum(open_, close) * 0.9995,
        "close": close,
        "volume": volume,
        "quote_volume": volume * close,
        "taker_buy_volume": volume * random_.random(count),
    }


def painted(chart: ChartWidget) -> None:
    before = chart.paint_count
    chart.frame_now()
    QCoreApplication.processEvents()
    assert chart.paint_count > before, "no paint happened"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=PARTS)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long symbols and intervals are switched")
    parser.add_argument("--here", action="store_true", help="in this process, as the program itself asks for")
    options = parser.parse_args()
    for part in options.parts:
        if not options.here:
            subprocess.run(
                [sys.executable, __file__, part, "--here", "--minutes", str(options.minutes)], check=True, timeout=7200
            )
        elif part == "million":
            million()
        else:
            in_window(options.minutes if part == "switching" else 5.0, switching=part == "switching")


if __name__ == "__main__":
    main()
