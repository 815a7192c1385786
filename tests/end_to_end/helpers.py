"""The program as tests and screenshots run it: against the sandbox, in a window off screen."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import qasync
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.config.settings import Settings, load
from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.market.ports.clock import Clock
from app.observability.monitoring import monitoring
from app.runtime.wiring import engine_for
from app.sandbox.market.recording import RecordedMarket
from app.serving.serving_engine import serving_engine
from app.window import window_controller
from app.window.collector import collecting_in_main_thread
from app.window.database_controller import DatabaseController
from app.window.diagnostics_controller import DiagnosticsController
from app.window.serving_controller import ServingController, is_served
from app.window.state.window_state import load_state
from app.window.window_controller import WindowController
from tests.program import pause_after
from widgets.chart.chart_widget import ChartWidget
from widgets.theme.style import prepare_application
from widgets.window.main_window import MainWindow

PROGRAM = [sys.executable, "-m", "app.main"]
RECORDING = ("ws_raw/examples_spot_btcusdt_20240808.gz", "ws_raw/examples_spot_btcusdt_20240809.gz")
RECORDED_TRADES = 19_904


@dataclass(frozen=True)
class Running:
    """The parts of a running window."""

    window: MainWindow
    chart: ChartWidget
    controller: WindowController
    engine: Engine

    @property
    def session(self) -> ChartSession | None:
        """The session behind the chart."""
        return self.controller.session


def settings_in(data_dir: Path, ws_url: str, rest_url: str, **options: object) -> Settings:
    """Settings of a program on that exchange, and nothing of a file or of the environment."""
    addresses = {"binance_ws_url": ws_url, "binance_rest_url": rest_url}
    return load({"data_dir": str(data_dir), **addresses, **options}, environment={}, file=data_dir / "none.toml")


def replay(files: Sequence[Path], speed: float = math.inf) -> RecordedMarket:
    return RecordedMarket(files, speed=speed)


@contextlib.asynccontextmanager
async def open_window(
    settings: Settings,
    *,
    clock: Clock | None = None,
    simulated: bool = False,
    config_file: Path = Path("no-such-folder/config.toml"),
    prepare: Callable[[MainWindow], object] = lambda window: None,
) -> AsyncIterator[Running]:
    """
    The program's window, stopped in the program's order afterwards; ``clock`` is this machine's by default.

    ``prepare`` is called with the shown window before anything fills it, as the program restores its layout.
    """
    state = load_state(settings)
    async with (
        engine_for(settings, clock) as engine,
        monitoring(engine) as metrics,
        serving_engine(settings, engine, metrics, is_on=is_served(settings, state)) as served,
    ):
        chart = ChartWidget()
        window = MainWindow(chart)
        window.show()
        prepare(window)
        controller = WindowController(
            engine,
            window,
            chart,
            state,
            settings,
            simulated=simulated,
        )
        page = DatabaseController(engine, window, settings, config_file, simulated=simulated)
        diagnostics = DiagnosticsController(metrics, served, window, settings.data_dir / "logs")
        serving = ServingController(served, window, settings, state)
        serving.problem_changed.connect(controller.set_serving_problem)
        controller.start()
        serving.start()
        try:
            yield Running(window, chart, controller, engine)
        finally:
            diagnostics.stop()
            await serving.stop()
            await page.stop()
            await controller.stop()
            await engine.close()
            window.allow_close()
            window.close()
            window.deleteLater()


def run_on_qt_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine on the loop the window runs on, with garbage collected as the program does."""
    application = QApplication.instance() or QApplication(["cryptopipe"])
    assert isinstance(application, QApplication)
    application.setQuitOnLastWindowClosed(False)
    prepare_application(application)
    with pytest.MonkeyPatch.context() as patch, collecting_in_main_thread():
        # The program's window stays as long as its process; here it has to be collected.
        patch.setattr(window_controller, "freeze_startup_objects", lambda: None)
        loop = qasync.QEventLoop(application)
        with loop:
            loop.run_until_complete(work())
        del loop
        # As `destroy_leftovers`, but objects from before the window stay out: modules and tests, a third of a second.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        gc.collect()


def move_mouse(part: QWidget, point: QPoint, held: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
    """
    Move the mouse over a part of the window, with a button held or none; ``point`` is the part's.

    Within a task `QTest.mouseMove` must not be used: it handles all events that wait, and asyncio drops what would go
    on with another task meanwhile, which then waits for ever.
    """
    on_screen = QPointF(part.mapToGlobal(point))
    no_button, no_keys = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(
        part, QMouseEvent(QEvent.Type.MouseMove, QPointF(point), on_screen, no_button, held, no_keys)
    )


async def until(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait until the condition holds; fail where it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.contextmanager
def sandbox_process(*arguments: str) -> Iterator[dict[str, str]]:
    """``cryptopipe sandbox`` in a process of its own; yields the environment that points to it."""
    process = subprocess.Popen(
        [*PROGRAM, "sandbox", "--port", "0", "--until-stdin-closes", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        addresses = re.findall(r"\w+://[\d.]+:\d+", process.stdout.readline())
        assert len(addresses) == 2
        yield {**os.environ, "CRYPTOPIPE_BINANCE_WS_URL": addresses[0], "CRYPTOPIPE_BINANCE_REST_URL": addresses[1]}
    finally:
        process.stdin.close()
        assert process.wait(10) == 0
        process.stdout.close()


@contextlib.contextmanager
def simulated_settings(data_dir: Path, *arguments: str) -> Iterator[Settings]:
    """Settings of a program on ``cryptopipe sandbox`` with these arguments, which runs in a process of its own."""
    with sandbox_process(*arguments) as environment:
        urls = (environment[f"CRYPTOPIPE_BINANCE_{kind}_URL"] for kind in ("WS", "REST"))
        yield settings_in(data_dir, *urls)


def run_program(environment: dict[str, str], *arguments: str, seconds: float = 60.0) -> str:
    """Run a command to its end and return what it printed; it must succeed and say nothing on standard error."""
    done = subprocess.run(
        [*PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def wait_for(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait, in a test without a loop, until the condition holds."""
    end_s = (began_s := time.monotonic()) + seconds
    while not condition():
        assert time.monotonic() < end_s, "it did not happen in time"
        pause_after(began_s)
        began_s = time.monotonic()
