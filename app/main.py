"""The one place that wires the window: builds, connects, starts and stops, top to bottom."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import faulthandler
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING

import psutil

from app.cli import FAILED, guarded, run_command, settings_from
from app.live.instance import InstanceLock
from app.logs import start_logging
from app.market.errors import FeedDisconnected, UsageError
from app.settings import Settings
from app.window_state import load_state, save_state

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

logger = logging.getLogger(__name__)

_SANDBOX_START_S = 20.0
_CLOSE_S = 30.0


class Outcome(Enum):
    """Why a window closed."""

    QUIT = auto()
    SIMULATED_MARKET = auto()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; without a command, the window. Returns the exit code."""
    return guarded(_run, sys.argv[1:] if arguments is None else arguments)


def _run(options: argparse.Namespace) -> int:
    if options.command is not None:
        return run_command(options)
    return _open_windows(options)


def _open_windows(options: argparse.Namespace) -> int:
    """Open the window on the live feed or the simulated market, and on the latter where the user asks for it."""
    settings = settings_from(options)
    _need_display()
    demo = options.demo
    while True:
        chosen = dataclasses.replace(settings, data_dir=settings.data_dir / "demo") if demo else settings
        with contextlib.ExitStack() as stack:
            log_file = start_logging(chosen.data_dir, chosen.log_level, chosen.log_format)
            stack.enter_context(_crash_log(log_file.with_name("crash.log")))
            lock = InstanceLock(chosen.data_dir)
            lock.acquire()
            stack.callback(lock.release)
            if demo:
                sandbox = stack.enter_context(_sandbox())
                outcome = _run_window(chosen, options, sandbox)
            else:
                outcome = _run_window(chosen, options, None)
        if outcome is Outcome.QUIT:
            return 0
        demo = True


def _run_window(settings: Settings, options: argparse.Namespace, sandbox: subprocess.Popen[bytes] | None) -> Outcome:
    import qasync  # the sandbox starts in its own process meanwhile

    application = _application()
    loop = qasync.QEventLoop(application)
    with loop:
        outcome: Outcome = loop.run_until_complete(_window(settings, options, sandbox))
    return outcome


def _application() -> QApplication:
    from PySide6.QtWidgets import QApplication

    from widgets.style import prepare_application

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = QApplication(["cryptopipe"])
        application.setQuitOnLastWindowClosed(False)
        prepare_application(application)
    return application


async def _window(settings: Settings, options: argparse.Namespace, sandbox: subprocess.Popen[bytes] | None) -> Outcome:
    from app.bridge import WindowBridge
    from app.wiring import engine_for
    from widgets.chart.chart_widget import ChartWidget
    from widgets.main_window import MainWindow

    closing: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def close(outcome: Outcome = Outcome.QUIT) -> None:
        if not closing.done():
            closing.set_result(outcome)

    state = load_state(settings)
    chart = ChartWidget()
    window = MainWindow(chart)
    window.restore_layout(state.layout)
    window.show()
    if sandbox is not None:
        chart.set_state("loading", "Starting the simulated market…")
        settings = await _at_sandbox(settings, sandbox)
    async with engine_for(settings) as engine:
        bridge = WindowBridge(
            engine, window, chart, state, spread_percent=settings.spread_percent, simulated=sandbox is not None
        )
        bridge.close_requested.connect(close)
        bridge.simulated_market_requested.connect(lambda: close(Outcome.SIMULATED_MARKET))
        if options.quit_after_first_paint:
            bridge.first_painted.connect(lambda: _report_first_paint(close))
        with _signals(close):
            bridge.start()
            outcome = await closing
            window.setEnabled(False)
            state.layout = window.layout_bytes()
            save_state(state, settings.data_dir)
            with _no_hanging():
                await bridge.stop()
                await engine.close()
    window.allow_close()
    window.close()
    window.deleteLater()
    return outcome


def _report_first_paint(close: object) -> None:
    started_s = psutil.Process().create_time()
    print(f"first painted candles after {(time.time() - started_s) * 1000:.0f} ms", flush=True)  # noqa: T201  # because it was asked for
    assert callable(close)
    close()


def _need_display() -> None:
    headless = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
    if headless and not os.environ.get("WAYLAND_DISPLAY") and not os.environ.get("QT_QPA_PLATFORM"):
        raise UsageError(
            "there is no display for the window: use cryptopipe collect, export or doctor, or start it with xvfb-run."
        )


# The simulated market runs in a process of its own, so that its work never stalls the window.


@contextlib.contextmanager
def _sandbox() -> Iterator[subprocess.Popen[bytes]]:
    """Run the sandbox exchange; it ends with us, however we end, because its standard input does."""
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app.main"]
    process = subprocess.Popen(  # noqa: S603  # because the program is our own
        [*program, "sandbox", "--port", "0", "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


async def _at_sandbox(settings: Settings, sandbox: subprocess.Popen[bytes]) -> Settings:
    """Return the settings with the sandbox's addresses, once it serves."""
    assert sandbox.stdout is not None
    try:
        async with asyncio.timeout(_SANDBOX_START_S):
            line = (await asyncio.to_thread(sandbox.stdout.readline)).decode()
    except TimeoutError:
        line = ""
    addresses = [word.rstrip(".") for word in line.split() if "://" in word]
    if len(addresses) != 2:
        raise FeedDisconnected("The simulated market did not start: run “cryptopipe sandbox” to see why.")
    return dataclasses.replace(settings, binance_ws_url=addresses[0], binance_rest_url=addresses[1])


# Ending


@contextlib.contextmanager
def _signals(close: object) -> Iterator[None]:
    """Close on the first SIGINT or SIGTERM, leave at once on the second."""
    assert callable(close)
    loop = asyncio.get_running_loop()
    seen = threading.Event()

    def on_signal(number: int, frame: object) -> None:
        del frame
        if seen.is_set():
            logger.warning("left without waiting, on a second signal %d", number)
            os._exit(FAILED)
        seen.set()
        loop.call_soon_threadsafe(close)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _no_hanging() -> Iterator[None]:
    """End the process where closing takes too long, as with a database that hangs."""

    def give_up() -> None:
        logger.error("closing took more than %.0f s; left", _CLOSE_S)
        os._exit(FAILED)

    timer = threading.Timer(_CLOSE_S, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def _crash_log(path: os.PathLike[str]) -> Iterator[None]:
    """Let a crash below Python leave its stack in a file."""
    with open(path, "a", encoding="utf-8") as file:
        faulthandler.enable(file)
        try:
            yield
        finally:
            faulthandler.disable()


if __name__ == "__main__":
    sys.exit(main())
