"""
The window's frames while it imports or downloads, beside the same window's while it does neither.

    python -m tests.benchmarks.window.bench_transfer_frames [import] [download] [--seconds 30] [--rate 500]
        [--trades 6000000]

A real window off screen receives that many trades a second from a sandbox in a process of its own, and its chart is
moved a little with every frame, so that each is painted. First that is all. Then its import dialog imports zips of the
exchange's archive, and its download dialog fetches two days of another symbol, each until the time is over or it ends.
The sandbox has made the downloaded files before. Printed is the time from paint to paint, p50, p99 and the longest, how
much of it the window's thread was at work, and the ratio of each p99 to that of the beginning.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QDateTime, QTimeZone

from app.concurrency.background import in_background
from app.config.settings import Settings
from app.market.ports.archive import DAY_US
from app.window.downloads.download_controller import Running as RunningDownload
from tests.benchmarks._database import benchmark_folder
from tests.benchmarks.transfers.bench_import import write_zip
from tests.benchmarks.window.bench_scroll import SEED, Scroller, rate_of_all, report
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, simulated_settings, until
from widgets.dialogs.download_form import Range
from widgets.dialogs.import_dialog import ImportState

IMPORT, DOWNLOAD = "import", "download"
DAYS = 6
DOWNLOADED, DOWNLOADED_DAYS = "XRPUSDT", 2  # one that has few trades, so that the sandbox can make their files soon
SETTLE_S = 5.0
SWING_PX = 40.0


class Swing(Scroller):
    """Moves the chart to and fro, once a frame."""

    def __init__(self, running: Running) -> None:
        super().__init__(running, 1.0)
        self._step_px = SWING_PX

    def move(self) -> None:
        self._step_px = -self._step_px
        self._chart.navigator.pan(self._step_px)


class Transfer(NamedTuple):
    """What a dialog does; ``begin`` and ``cancel`` press its buttons, ``outcome`` is what it says at last."""

    is_running: Callable[[], bool]
    begin: Callable[[], None]
    cancel: Callable[[], None]
    is_over: Callable[[], bool]
    outcome: Callable[[], str]


async def frames(running: Running, what: str, seconds: float, transfer: Transfer | None = None) -> list[float]:
    """Move the chart for that long, or until the transfer ends; print what the frames took, and return them."""
    if transfer is not None:
        transfer.begin()
        await until(transfer.is_running)
    chart, received = Swing(running), running.engine.recorder.trades_received
    began = time.perf_counter()
    chart.move()
    while time.perf_counter() - began < seconds and (transfer is None or transfer.is_running()):
        await asyncio.sleep(0.1)
    chart.stop()
    took = time.perf_counter() - began
    rate = (running.engine.recorder.trades_received - received) / took
    report(f"{what}, {took:.0f} s, {rate:,.0f} trades/s received", chart)
    if transfer is not None:
        if transfer.is_running():
            transfer.cancel()
        await until(transfer.is_over, seconds=60)
        print(f"{what}: {transfer.outcome()}")
    return chart.frames[1:]


def import_of(running: Running, folder: Path) -> Transfer:
    """The import of a folder."""
    imports = running.controller.imports
    dialog = imports.open([folder])
    return Transfer(
        lambda: imports.process is not None,
        dialog.start_button.click,
        dialog.cancel_button.click,
        lambda: dialog.state in (ImportState.DONE, ImportState.EDITING),
        dialog.outcome.text,
    )


def download_of(running: Running, start_us: int) -> Transfer:
    """The download of whole days from that time on."""
    downloads = running.controller.downloads
    dialog = downloads.open()
    form = dialog.form
    form.symbols.set_texts([DOWNLOADED])
    form.ranges[Range.CHOSEN].click()
    for edit, time_us in ((form.start, start_us), (form.end, start_us + DOWNLOADED_DAYS * DAY_US)):
        edit.setDateTime(QDateTime.fromMSecsSinceEpoch(time_us // 1_000, QTimeZone.utc()))
    return Transfer(
        lambda: downloads.running is RunningDownload.OF_DIALOG,
        dialog.start_button.click,
        dialog.cancel_button.click,
        lambda: not dialog.is_running,
        dialog.outcome.text,
    )


def make_archive(url: str, start_us: int) -> None:
    """Let the sandbox make the files of the download, which it keeps."""
    for day in range(DOWNLOADED_DAYS):
        name = f"{DOWNLOADED}-trades-{datetime.fromtimestamp((start_us + day * DAY_US) // 10**6, UTC):%Y-%m-%d}.zip"
        with urllib.request.urlopen(f"{url}/data/spot/daily/trades/{DOWNLOADED}/{name}", timeout=120) as file:
            file.read()


async def compare(settings: Settings, folder: Path, options: argparse.Namespace) -> None:
    now_us = time.time_ns() // 1000
    start_us = now_us - now_us % DAY_US - (DOWNLOADED_DAYS + 1) * DAY_US  # yesterday's file may not be published yet
    if DOWNLOAD in options.what:
        await in_background(partial(make_archive, settings.archive_url, start_us), "make-archive")
    async with open_window(settings) as running:
        running.window.resize(1440, 900)
        await until(lambda: running.engine.database is not None and running.session.joined, seconds=60)
        running.chart.navigator.pan(running.chart.width() / 2)  # away from the latest candle, which would hold it
        await asyncio.sleep(SETTLE_S)
        without = await frames(running, "without a transfer", options.seconds)
        for what in options.what:
            transfer = import_of(running, folder) if what == IMPORT else download_of(running, start_us)
            await asyncio.sleep(SETTLE_S)
            beside = await frames(running, f"with one, {what}", options.seconds, transfer)
            ratio = np.percentile(beside, 99) / np.percentile(without, 99)
            print(f"p99 with one, {what}, is {ratio:.2f} times the one without")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[IMPORT, DOWNLOAD, []], default=[IMPORT, DOWNLOAD])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--trades", type=int, default=6_000_000)
    options = parser.parse_args()
    with benchmark_folder() as folder:
        if IMPORT in options.what:
            for day in range(DAYS):
                for _ in write_zip(folder / "zips", day, options.trades // DAYS):
                    pass
        with multiprocessing.get_context("spawn").Pool(1) as elsewhere:
            asked = elsewhere.apply(rate_of_all, (options.rate, 4 * options.seconds))
        sandbox = "--rate", str(asked), "--seed", str(SEED), "--history", f"{DOWNLOADED_DAYS + 3}d"
        with simulated_settings(folder / "data", *sandbox) as settings:
            settings = replace(settings, archive_url=settings.binance_rest_url)
            run_on_qt_loop(lambda: compare(settings, folder / "zips", options))


if __name__ == "__main__":
    sys.exit(main())
