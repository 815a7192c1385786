"""The one place that wires the window: builds, connects, starts and stops, top to bottom."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import gc
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from app.cli import guarded, run_command, settings_from, warn_of_password
from app.config.settings import Settings, config_file
from app.market.errors import UsageError
from app.observability.logs import start_logging
from app.runtime.demo_market import at_sandbox, demo_settings, sandbox
from app.runtime.early_open import EarlyOpen, open_database
from app.runtime.exchange_addresses import check_addresses
from app.runtime.instance_lock import InstanceLock
from app.runtime.shutdown import StopEvent, bounded_ending, on_signals
from app.window.window_state import WindowState, load_state, save_state

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.live.engine import Engine
    from app.market.ports.database import OpenDatabase
    from widgets.window.main_window import MainWindow

_HEAR_SIGNALS_MS = 100


class Outcome(Enum):
    """Why a window closed."""

    QUIT = auto()
    SIMULATED_MARKET = auto()


class _Start(NamedTuple):
    """What a window is started with; ``simulated`` is the simulated market's process, if any."""

    settings: Settings
    options: argparse.Namespace
    simulated: subprocess.Popen[bytes] | None
    stop: StopEvent


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
            check_addresses(settings)
        with contextlib.ExitStack() as stack:
            log_file = start_logging(chosen.data_dir, chosen.log_level, chosen.log_format)
            stack.enter_context(_crash_log(log_file.with_name("crash.log")))
            warn_of_password(chosen)
            lock = InstanceLock(chosen.data_dir)
            lock.acquire()
            stack.callback(lock.release)
            stop = StopEvent()
            stack.enter_context(on_signals(stop.set))
            stack.enter_context(_uncollected())
            simulated = stack.enter_context(sandbox(chosen.data_dir)) if demo else None
            outcome, before = _run_window(_Start(chosen, options, simulated, stop), before)
            _let_go()
        if outcome is Outcome.QUIT:
            return 0
        demo = True


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector from looking through all that is being loaded, until `_loaded`: that takes a tenth of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _loaded() -> None:
    gc.freeze()  # it stays as long as the program; `destroy_leftovers` undoes this
    gc.enable()


def _run_window(start: _Start, before: WindowState | None) -> tuple[Outcome, WindowState]:
    with bounded_ending() as begin_ending, _opening(start.settings, ahead=start.simulated is None) as opening:
        import qasync  # sandbox or database start meanwhile

        application = _application(start.settings.text_percent)
        loop = qasync.QEventLoop(application)
        with loop:  # leaving it waits for its worker threads, which is a part of the ending
            try:
                shown = _Window(start.settings, before, loop.create_future())
                loop.run_until_complete(_show_window(start, opening, shown, begin_ending))
            finally:
                begin_ending()
    return shown.closing.result(), shown.state


@contextlib.contextmanager
def _opening(settings: Settings, *, ahead: bool) -> Iterator[OpenDatabase]:
    """
    Yield what opens the database of the settings, from now on where that is to be ``ahead``.

    The simulated market answers sooner than a database would, which then can wait until the window is there.
    """
    opening = partial(open_database, settings)
    if not ahead:
        yield opening
        return
    begun = EarlyOpen(opening)
    try:
        yield begun.open
    finally:
        begun.discard()


def _let_go() -> None:
    from app.window.window_controller import destroy_leftovers

    destroy_leftovers()


def _application(text_percent: int) -> QApplication:
    from PySide6.QtWidgets import QApplication

    from widgets.theme.style import prepare_application

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
        from app.window.appearance import show_state
        from widgets.chart.chart_widget import ChartWidget
        from widgets.theme import text_size
        from widgets.window.main_window import MainWindow

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


async def _show_window(start: _Start, opening: OpenDatabase, shown: _Window, begin_ending: Callable[[], None]) -> None:
    with _hearing_signals():
        async with _closing_on(start.stop, shown):
            if start.simulated is not None:
                shown.chart.set_state("loading", "Starting the simulated market…")
                settings = await at_sandbox(start.settings, start.simulated, shown.closing)
                start = start._replace(settings=settings)
            if not shown.closing.done():
                await _run_engine(start, opening, shown, begin_ending)
    shown.gone()


async def _run_engine(start: _Start, opening: OpenDatabase, shown: _Window, begin_ending: Callable[[], None]) -> None:
    """Run the engine behind the window until that is to close, and end it."""
    from app.observability.monitoring import observing
    from app.runtime.wiring import engine_for
    from app.window.diagnostics_controller import DiagnosticsController
    from app.window.window_controller import WindowController

    _loaded()
    settings, simulated = start.settings, start.simulated is not None
    async with (
        engine_for(settings, opening=opening) as engine,
        observing(engine, settings.metrics_port) as observed,
        _database_page(engine, settings, shown.window, simulated=simulated),
    ):
        diagnostics = DiagnosticsController(observed, shown.window, settings.data_dir / "logs")
        controller = WindowController(
            engine,
            shown.window,
            shown.chart,
            shown.state,
            spread_percent=settings.spread_percent,
            simulated=simulated,
        )
        controller.simulated_market_requested.connect(lambda: shown.close(Outcome.SIMULATED_MARKET))
        if start.options.quit_after_first_paint:
            controller.first_painted.connect(lambda: _report_first_paint(shown))
        controller.state_changed.connect(lambda: save_state(shown.state, settings.data_dir))
        controller.start()
        await shown.closing
        begin_ending()
        shown.window.setEnabled(False)
        shown.remember()
        diagnostics.stop()
        await controller.stop()
        await engine.close()


@contextlib.asynccontextmanager
async def _database_page(
    engine: Engine, settings: Settings, window: MainWindow, *, simulated: bool
) -> AsyncIterator[None]:
    """Have the database's dialog open when it is asked for; what that takes is loaded then."""
    pages = []

    def open_first() -> None:
        from app.window.database_controller import DatabaseController

        window.database_requested.disconnect(open_first)
        pages.append(DatabaseController(engine, window, settings, config_file(), simulated=simulated))
        pages[0].open()

    window.database_requested.connect(open_first)
    try:
        yield
    finally:
        for page in pages:
            await page.stop()


def _report_first_paint(shown: _Window) -> None:
    age_ms, worked_ms = process_age_s() * 1000, time.process_time() * 1000
    print(f"first painted candles after {age_ms:.0f} ms, {worked_ms:.0f} ms of work", flush=True)  # noqa: T201  # because it was asked for
    shown.close()


def process_age_s() -> float:
    """Return how long this process has run. Linux counts from its own start, which psutil knows to the second only."""
    is_linux = sys.platform.startswith("linux")
    if is_linux:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
            started = int(file.read().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
    import psutil

    return time.time() - psutil.Process().create_time()


def _need_display() -> None:
    headless = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
    if headless and not os.environ.get("WAYLAND_DISPLAY") and not os.environ.get("QT_QPA_PLATFORM"):
        raise UsageError(
            "there is no display for the window: use cryptopipe collect, export or doctor, or start it with xvfb-run."
        )


@contextlib.asynccontextmanager
async def _closing_on(stop: StopEvent, shown: _Window) -> AsyncIterator[None]:
    """Close the window once ``stop`` is set, or where it has been set while that was being loaded."""
    if stop.is_set:
        shown.close()
    stopping = asyncio.ensure_future(stop.wait())
    stopping.add_done_callback(lambda _: shown.close())
    try:
        yield
    finally:
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)


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
