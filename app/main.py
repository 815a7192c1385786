"""The one place that wires the window: builds, connects, starts and stops, top to bottom."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import faulthandler
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from app.cli import guarded, run_command, settings_from, warn_of_password
from app.live.background import in_background
from app.live.instance import InstanceLock
from app.logs import start_logging
from app.market.errors import FeedDisconnected, UsageError
from app.settings import Settings, config_file
from app.stopping import bounded_ending, on_signals
from app.window_state import WindowState, load_state, save_state

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

_SANDBOX_START_S = 20.0
_HEAR_SIGNALS_MS = 100


class Outcome(Enum):
    """Why a window closed."""

    QUIT = auto()
    SIMULATED_MARKET = auto()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; without a command, the window. Returns the exit code."""
    return guarded(_run, sys.argv[1:] if arguments is None else arguments)


def _run(options: argparse.Namespace) -> int:
    if options.command is not None:
        if options.demo or options.quit_after_first_paint:
            raise UsageError(f"--demo and --quit-after-first-paint are for the window: leave out “{options.command}”.")
        return run_command(options)
    return _open_windows(options)


def _open_windows(options: argparse.Namespace) -> int:
    """Open the window on the live feed or the simulated market, and on the latter where the user asks for it."""
    settings = settings_from(options)
    _need_display()
    demo = options.demo
    before: WindowState | None = None
    while True:
        chosen = demo_settings(settings) if demo else settings
        if not demo:
            _check_addresses(settings)
        with contextlib.ExitStack() as stack:
            log_file = start_logging(chosen.data_dir, chosen.log_level, chosen.log_format)
            stack.enter_context(_crash_log(log_file.with_name("crash.log")))
            warn_of_password(chosen)
            lock = InstanceLock(chosen.data_dir)
            lock.acquire()
            stack.callback(lock.release)
            sandbox = stack.enter_context(_sandbox(chosen.data_dir)) if demo else None
            outcome, before = _run_window(chosen, options, sandbox, before)
            _let_go()
        if outcome is Outcome.QUIT:
            return 0
        demo = True


def demo_settings(settings: Settings) -> Settings:
    """Return the settings of the simulated market, whose invented trades go to an embedded database of their own."""
    return dataclasses.replace(settings, data_dir=settings.data_dir / "demo", database_url="")


def _run_window(
    settings: Settings,
    options: argparse.Namespace,
    sandbox: subprocess.Popen[bytes] | None,
    before: WindowState | None,
) -> tuple[Outcome, WindowState]:
    import qasync  # the sandbox starts in its own process meanwhile

    application = _application(settings.text_percent)
    loop = qasync.QEventLoop(application)
    # Leaving the loop waits for its worker threads, which is a part of the ending.
    with bounded_ending() as begin_ending, loop:
        try:
            shown = _Window(settings, before, loop.create_future())
            loop.run_until_complete(_show_window(settings, options, sandbox, shown, begin_ending))
        finally:
            begin_ending()
    return shown.closing.result(), shown.state


def _let_go() -> None:
    from app.bridge import let_go

    let_go()


def _application(text_percent: int) -> QApplication:
    from PySide6.QtWidgets import QApplication

    from widgets.style import prepare_application

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = QApplication(["cryptopipe"])
        application.setQuitOnLastWindowClosed(False)
        prepare_application(application, text_percent)
    return application


class _Window:
    """
    One window from its first moment to its last; `close` it from wherever that is asked for.

    It stands where and looks as the window ``before`` did, if there was one: the simulated market opens in place.
    """

    def __init__(self, settings: Settings, before: WindowState | None, closing: asyncio.Future[Outcome]) -> None:
        from app.bridge import show_state
        from widgets import text_size
        from widgets.chart.chart_widget import ChartWidget
        from widgets.main_window import MainWindow

        self.state = load_state(settings)
        self._data_dir = settings.data_dir
        if before is not None:
            self.state.theme, self.state.candle_colours = before.theme, before.candle_colours
            self.state.layout, self.state.diagnostics = before.layout, before.diagnostics
            self.state.text_percent = before.text_percent
        text_size.set_percent(self.state.text_percent)
        self.chart = ChartWidget()
        self.window = MainWindow(self.chart)
        show_state(self.window, self.chart, self.state)
        self.window.restore_layout(self.state.layout)
        self.window.diagnostics.restore_look(self.state.diagnostics)
        self.window.close_requested.connect(self.close)
        self.closing = closing
        self.window.show()

    def remember(self) -> None:
        """Keep how the window looks for the next start."""
        self.state.layout = self.window.layout_bytes()
        self.state.diagnostics = self.window.diagnostics.look_values()
        save_state(self.state, self._data_dir)

    def close(self, outcome: Outcome = Outcome.QUIT) -> None:
        """Let the window end; the first outcome counts."""
        if not self.closing.done():
            self.closing.set_result(outcome)

    def gone(self) -> None:
        """Take the window off the screen."""
        self.window.allow_close()
        self.window.close()
        self.window.deleteLater()


async def _show_window(
    settings: Settings,
    options: argparse.Namespace,
    sandbox: subprocess.Popen[bytes] | None,
    shown: _Window,
    begin_ending: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()
    with on_signals(lambda: loop.call_soon_threadsafe(shown.close)), _hearing_signals():
        if sandbox is not None:
            shown.chart.set_state("loading", "Starting the simulated market…")
            settings = await _at_sandbox(settings, sandbox, shown.closing)
        if not shown.closing.done():
            await _run_engine(settings, options, shown, begin_ending, simulated=sandbox is not None)
    shown.gone()


async def _run_engine(
    settings: Settings,
    options: argparse.Namespace,
    shown: _Window,
    begin_ending: Callable[[], None],
    *,
    simulated: bool,
) -> None:
    """Run the engine behind the window until that is to close, and end it."""
    from app.bridge import WindowBridge
    from app.database_page import DatabasePage
    from app.diagnostics_page import DiagnosticsPage
    from app.metrics_server import observing
    from app.wiring import engine_for

    async with engine_for(settings) as engine, observing(engine, settings.metrics_port) as observed:
        diagnostics = DiagnosticsPage(observed, shown.window, settings.data_dir / "logs")
        bridge = WindowBridge(
            engine,
            shown.window,
            shown.chart,
            shown.state,
            spread_percent=settings.spread_percent,
            simulated=simulated,
        )
        page = DatabasePage(engine, shown.window, settings, config_file(), simulated=simulated)
        bridge.simulated_market_requested.connect(lambda: shown.close(Outcome.SIMULATED_MARKET))
        if options.quit_after_first_paint:
            bridge.first_painted.connect(lambda: _report_first_paint(shown))
        bridge.state_changed.connect(lambda: save_state(shown.state, settings.data_dir))
        bridge.start()
        await shown.closing
        begin_ending()
        shown.window.setEnabled(False)
        shown.remember()
        diagnostics.stop()
        await page.stop()
        await bridge.stop()
        await engine.close()


def _report_first_paint(shown: _Window) -> None:
    started_s = psutil.Process().create_time()
    print(f"first painted candles after {(time.time() - started_s) * 1000:.0f} ms", flush=True)  # noqa: T201  # because it was asked for
    shown.close()


def _check_addresses(settings: Settings) -> None:
    from app.wiring import check_addresses  # not before the sandbox starts in its own process

    check_addresses(settings)


def _need_display() -> None:
    headless = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
    if headless and not os.environ.get("WAYLAND_DISPLAY") and not os.environ.get("QT_QPA_PLATFORM"):
        raise UsageError(
            "there is no display for the window: use cryptopipe collect, export or doctor, or start it with xvfb-run."
        )


# The simulated market runs in a process of its own, so that its work never stalls the window.


@contextlib.contextmanager
def _sandbox(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the sandbox exchange, its log in ``data_dir``; it ends with us, because its standard input does."""
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app.main"]
    process = subprocess.Popen(  # noqa: S603  # because the program is our own
        [*program, "sandbox", "--port", "0", "--until-stdin-closes", "--data-dir", str(data_dir)],
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


async def _at_sandbox(
    settings: Settings, sandbox: subprocess.Popen[bytes], closing: asyncio.Future[Outcome]
) -> Settings:
    """Return the settings with the sandbox's addresses once it serves; the same settings where the window closes."""
    assert sandbox.stdout is not None
    reading = asyncio.ensure_future(in_background(sandbox.stdout.readline, "read-sandbox"))
    either: list[asyncio.Future[Any]] = [reading, closing]
    await asyncio.wait(either, timeout=_SANDBOX_START_S, return_when=asyncio.FIRST_COMPLETED)
    if not reading.done():
        sandbox.kill()  # or the reading would not end
    line = (await reading).decode()
    if closing.done():
        return settings
    addresses = [word.rstrip(".") for word in line.split() if "://" in word]
    if len(addresses) != 2:
        raise FeedDisconnected("The simulated market did not start: run “cryptopipe sandbox” to see why.")
    return dataclasses.replace(settings, binance_ws_url=addresses[0], binance_rest_url=addresses[1])


@contextlib.contextmanager
def _hearing_signals() -> Iterator[None]:
    """Let Python run now and then while Qt waits; it hears of signals only while it runs."""
    from PySide6.QtCore import QTimer

    timer = QTimer()
    timer.timeout.connect(lambda: None)
    timer.start(_HEAR_SIGNALS_MS)
    try:
        yield
    finally:
        timer.stop()


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
