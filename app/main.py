"""
The window's program, top to bottom: what is built, connected, started and stopped, and in which order.

Qt and the engine are imported inside functions, each where it is needed: most of a start is imports, and the database
opens meanwhile (`app.runtime.early_open`). tests/test_start.py lists what must not be loaded by then.
"""

from __future__ import annotations

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

from app.cli.program import guarded, run_command, settings_from, warn_of_password
from app.commands.options import Options
from app.config.settings import Settings, config_file
from app.market.errors import CryptopipeError, UsageError
from app.observability.logs import start_logging
from app.runtime.demo_market import at_sandbox, demo_settings, sandbox
from app.runtime.early_open import EarlyOpen, open_database
from app.runtime.exchange_addresses import check_addresses
from app.runtime.instance_lock import InstanceLock
from app.runtime.running_window import WindowPort, check_room_for_window, raised_running_window
from app.runtime.shutdown import StopEvent, bounded_shutdown, on_signals, run_to_end
from app.window.state.window_state import WindowState, load_state, save_state

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.live.engine import Engine
    from app.market.ports.database import OpenDatabase
    from widgets.window.main_window import MainWindow

_WAKE_UP_MS = 100


class Outcome(Enum):
    """Why a window closed."""

    QUIT = auto()
    SIMULATED_MARKET = auto()
    LIVE_MARKET = auto()


class _Launch(NamedTuple):
    """The inputs of one window; ``live``: the live market's settings; ``simulated``: the simulated market's process."""

    settings: Settings
    live: Settings
    options: Options
    port: WindowPort
    simulated: subprocess.Popen[bytes] | None
    stop: StopEvent


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; without a command, the window. Returns the exit code."""
    return guarded(_run, sys.argv[1:] if arguments is None else arguments)


def _run(options: Options) -> int:
    if options.command is not None:
        if options.demo or options.quit_after_first_paint:
            raise UsageError(f"--demo and --quit-after-first-paint are for the window: leave out “{options.command}”.")
        return run_command(options)
    return _open_windows(options)


def _open_windows(options: Options) -> int:
    """
    Open the window on the live feed, or on the simulated market if the user asks for that now or later.

    Where a window is open on the same data directory already, bring that to the front and return.
    """
    settings = settings_from(options)
    _require_display()
    demo = options.demo
    before: WindowState | None = None
    while True:
        chosen = demo_settings(settings) if demo else settings
        if not demo:
            check_addresses(settings)
        with contextlib.ExitStack() as stack:
            lock = InstanceLock(chosen.data_dir)
            if raised_running_window(lock, chosen.data_dir):
                return 0
            stack.callback(lock.release)
            port = stack.enter_context(contextlib.closing(WindowPort(chosen.data_dir)))
            log_file = start_logging(chosen.data_dir, chosen.log_level, chosen.log_format)
            stack.enter_context(_crash_log(log_file.with_name("crash.log")))
            warn_of_password(chosen)
            stop = StopEvent()
            stack.enter_context(on_signals(stop.set))
            stack.enter_context(_collector_paused())
            simulated = stack.enter_context(sandbox(chosen.data_dir)) if demo else None
            outcome, before = _run_window(_Launch(chosen, settings, options, port, simulated, stop), before)
            _destroy_leftovers()
        if outcome is Outcome.QUIT:
            return 0
        demo = outcome is Outcome.SIMULATED_MARKET


def _run_window(launch: _Launch, before: WindowState | None) -> tuple[Outcome, WindowState]:
    with (
        bounded_shutdown() as begin_shutdown,
        _early_opening(launch.settings, early=launch.simulated is None) as opening,
    ):
        import qasync  # sandbox or database start meanwhile

        application = _application(launch.settings.text_percent)
        loop = qasync.QEventLoop(application)
        with loop:  # leaving it waits for its worker threads, which is a part of the shutdown
            try:
                is_simulated = launch.simulated is not None
                shown = _ShownWindow(launch.settings, before, loop.create_future(), simulated=is_simulated)
                shown.window.requests.live_market_requested.connect(partial(_go_live, shown, launch.live))
                loop.run_until_complete(_show_window(launch, opening, shown, begin_shutdown))
            finally:
                begin_shutdown()
    return shown.closing.result(), shown.state


async def _show_window(
    launch: _Launch, opening: OpenDatabase, shown: _ShownWindow, begin_shutdown: Callable[[], None]
) -> None:
    with _python_wake_ups():
        async with _close_on(launch.stop, shown), _about_dialog(shown.window):
            if launch.simulated is not None:
                shown.chart.set_state("loading", "Starting the simulated market…")
                settings = await at_sandbox(launch.settings, launch.simulated, shown.closing)
                launch = launch._replace(settings=settings)
            if not shown.closing.done():
                await _run_engine(launch, opening, shown, begin_shutdown)
    shown.destroy()


def _go_live(shown: _ShownWindow, live: Settings) -> None:
    """Let the live market's window open in place of this one; say so where it cannot."""
    try:
        check_addresses(live)
        check_room_for_window(live.data_dir)
    except CryptopipeError as error:
        from widgets.dialogs.message import tell

        tell(shown.window, str(error))
    else:
        shown.close(Outcome.LIVE_MARKET)


async def _run_engine(
    launch: _Launch, opening: OpenDatabase, shown: _ShownWindow, begin_shutdown: Callable[[], None]
) -> None:
    """Run the engine behind the window until the window should close; then stop all parts in order."""
    from app.observability.monitoring import monitoring
    from app.runtime.wiring import engine_for
    from app.serving.serving_engine import serving_engine
    from app.window.collector import collecting_in_main_thread
    from app.window.diagnostics_controller import DiagnosticsController
    from app.window.serving_controller import ServingController, is_served
    from app.window.state.state_keeper import StateKeeper
    from app.window.window_controller import WindowController

    settings, simulated = launch.settings, launch.simulated is not None
    with collecting_in_main_thread():
        async with (
            engine_for(settings, opening=opening) as engine,
            monitoring(engine) as metrics,
            serving_engine(settings, engine, metrics, is_on=is_served(settings, shown.state)) as served,
            _database_dialog(engine, settings, shown.window, simulated=simulated),
        ):
            diagnostics = DiagnosticsController(metrics, served, shown.window, settings.data_dir / "logs")
            controller = WindowController(
                engine,
                shown.window,
                shown.chart,
                shown.state,
                settings,
                simulated=simulated,
            )
            controller.simulated_market_requested.connect(lambda: shown.close(Outcome.SIMULATED_MARKET))
            if launch.options.quit_after_first_paint:
                controller.first_painted.connect(lambda: _report_first_paint(shown))
            serving = ServingController(served, shown.window, settings, shown.state)
            serving.problem_changed.connect(controller.set_serving_problem)
            shown.remember_charts = controller.remember
            keeper = StateKeeper(shown.state, settings.data_dir, shown.remember)
            for signal in (controller.state_changed, serving.state_changed, shown.window.placed):
                signal.connect(keeper.note)
            keeper.written.connect(controller.show_saving)
            controller.start()
            serving.start()
            async with launch.port.answering(shown.window.bring_to_front):
                await shown.closing
            begin_shutdown()
            shown.window.setEnabled(False)
            await keeper.stop()
            keeper.save_now()
            diagnostics.stop()
            await serving.stop()
            await controller.stop()
            await engine.close()


class _ShownWindow:
    """
    One window on the screen, with its chart and its saved state; ``closing`` is done once it should close.

    It takes place and appearance of the window ``before``, if any: the simulated market opens in place of the live one.
    """

    def __init__(
        self,
        settings: Settings,
        before: WindowState | None,
        closing: asyncio.Future[Outcome],
        *,
        simulated: bool = False,
    ) -> None:
        from app.window.appearance import show_state
        from widgets.chart.chart_widget import ChartWidget
        from widgets.theme import text_size
        from widgets.window.main_window import MainWindow
        from widgets.window.window_placement import show_painted

        self.state = load_state(settings)
        self._data_dir = settings.data_dir
        if before is not None:
            self.state.theme, self.state.candle_colours = before.theme, before.candle_colours
            self.state.lasting_theme, self.state.lasting_candle_colours = None, None
            self.state.layout, self.state.diagnostics = before.layout, before.diagnostics
            self.state.bars = before.bars
            self.state.text_percent = before.text_percent
        text_size.set_percent(self.state.text_percent)
        self.chart = ChartWidget()
        self.window = MainWindow(self.chart)
        show_state(self.window, self.chart, self.state)
        self.window.restore_layout(self.state.layout)
        self.window.restore_layout_values(self.state.bars)
        self.window.diagnostics.restore_layout(self.state.diagnostics)
        self.window.set_simulated(simulated)
        self.window.close_requested.connect(self.close)
        self.closing = closing
        self.remember_charts: Callable[[], object] = self._remember_chart
        show_painted(self.window)

    def save(self) -> None:
        """Save the window's layout and appearance, and the charts' views, for the next start."""
        self.remember()
        save_state(self.state, self._data_dir)

    def remember(self) -> None:
        """Bring the window's layout and appearance, and the charts' views, into the state."""
        self.state.layout = self.window.layout_bytes()
        self.state.bars = self.window.layout_values()
        self.state.diagnostics = self.window.diagnostics.layout_values()
        self.remember_charts()

    def _remember_chart(self) -> None:
        self.state.view = self.chart.view_values()

    def close(self, outcome: Outcome = Outcome.QUIT) -> None:
        """Ask the window to close; the first outcome counts."""
        if not self.closing.done():
            self.closing.set_result(outcome)

    def destroy(self) -> None:
        """Take the window off the screen and delete it."""
        self.window.allow_close()
        self.window.close()
        self.window.deleteLater()


def _application(text_percent: int) -> QApplication:
    from PySide6.QtWidgets import QApplication

    from widgets.theme.style import prepare_application

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = QApplication(["cryptopipe"])
        application.setQuitOnLastWindowClosed(False)
        prepare_application(application, text_percent)
    return application


@contextlib.asynccontextmanager
async def _about_dialog(window: MainWindow) -> AsyncIterator[None]:
    """Open the About dialog on request, and load its packages only then."""
    controllers = []

    def open_first() -> None:
        from app.window.about import AboutController

        window.requests.about_requested.disconnect(open_first)
        controllers.append(AboutController(window))
        window.requests.about_requested.connect(controllers[0].open)
        controllers[0].open()

    window.requests.about_requested.connect(open_first)
    try:
        yield
    finally:
        for one in controllers:
            await one.stop()


@contextlib.asynccontextmanager
async def _database_dialog(
    engine: Engine, settings: Settings, window: MainWindow, *, simulated: bool
) -> AsyncIterator[None]:
    """Open the database's dialog on request, and load its packages only then."""
    controllers = []

    def open_first() -> None:
        from app.window.database_controller import DatabaseController

        window.requests.database_requested.disconnect(open_first)
        controllers.append(DatabaseController(engine, window, settings, config_file(), simulated=simulated))
        controllers[0].open()

    window.requests.database_requested.connect(open_first)
    try:
        yield
    finally:
        for one in controllers:
            await one.stop()


@contextlib.contextmanager
def _early_opening(settings: Settings, *, early: bool) -> Iterator[OpenDatabase]:
    """
    Yield the function that opens the settings' database; if ``early``, a thread begins to open it now.

    The simulated market answers sooner than a database opens, so there the database waits for the window.
    """
    opening = partial(open_database, settings)
    if not early:
        yield opening
        return
    early_open = EarlyOpen(opening)
    try:
        yield early_open.open
    finally:
        early_open.discard()


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """
    Pause Python's garbage collector until the end; `app.window.collector` does its work once the window is loaded.

    While modules load it would look through all of them again and again, which takes a tenth of the start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _destroy_leftovers() -> None:
    from app.window.collector import destroy_leftovers

    destroy_leftovers()


@contextlib.asynccontextmanager
async def _close_on(stop: StopEvent, shown: _ShownWindow) -> AsyncIterator[None]:
    """Close the window once ``stop`` is set; at once if it was set while the window loaded."""
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
def _python_wake_ups() -> Iterator[None]:
    """Run Python ten times per second while Qt waits: signal handlers run only then."""
    from PySide6.QtCore import QTimer

    timer = QTimer()
    timer.timeout.connect(lambda: None)
    timer.start(_WAKE_UP_MS)
    try:
        yield
    finally:
        timer.stop()


@contextlib.contextmanager
def _crash_log(path: os.PathLike[str]) -> Iterator[None]:
    """Write the stacks of a crash in native code to a file."""
    with open(path, "a", encoding="utf-8") as file:
        faulthandler.enable(file)
        try:
            yield
        finally:
            faulthandler.disable()


def _require_display() -> None:
    headless = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
    if headless and not os.environ.get("WAYLAND_DISPLAY") and not os.environ.get("QT_QPA_PLATFORM"):
        raise UsageError(
            "there is no display for the window: use cryptopipe collect, export or doctor, or start it with xvfb-run."
        )


def _report_first_paint(shown: _ShownWindow) -> None:
    age_ms, worked_ms = process_age_s() * 1000, time.process_time() * 1000
    print(f"first painted candles after {age_ms:.0f} ms, {worked_ms:.0f} ms of work", flush=True)  # noqa: T201  # because it was asked for
    shown.close()


def process_age_s() -> float:
    """Return how long this process has run. Not from psutil on Linux, which counts in seconds there."""
    is_linux = sys.platform.startswith("linux")
    if is_linux:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
            started = int(file.read().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
    import psutil

    return time.time() - psutil.Process().create_time()


def program() -> None:
    """Run the command line of this process and end it with the exit code."""
    run_to_end(main)


if __name__ == "__main__":
    program()
