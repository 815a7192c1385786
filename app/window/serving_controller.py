"""Starts and stops serving the window's data to other programs, by the menu's switch, and remembers the choice."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.concurrency.tasks import Tasks
from app.config.settings import SettingOrigin, Settings
from app.serving.serving_engine import ServedEngine
from app.window.state.window_state import WindowState
from widgets.window.main_window import MainWindow


def is_served(settings: Settings, state: WindowState) -> bool:
    """Whether to serve from the start: as the user left the switch, unless the port is set for this run only."""
    for_one_run = (SettingOrigin.ENVIRONMENT, SettingOrigin.COMMAND_LINE)
    if state.serves is None or settings.origins.get("serve_port") in for_one_run:
        return settings.serve_port > 0
    return state.serves


class ServingController(QObject):
    """
    Connects the window's switch to ``served``, from `start` to `stop`. ``state`` remembers what the user chose.

    Signals:
        state_changed(): the choice in ``state`` has changed and should be saved.
        problem_changed(str): one sentence why the data is not served; empty if it is, or should not be.
    """

    state_changed = Signal()
    problem_changed = Signal(str)

    def __init__(self, served: ServedEngine, window: MainWindow, settings: Settings, state: WindowState) -> None:
        super().__init__(window)
        self._served = served
        self._window = window
        self._by_settings = settings.serve_port > 0
        self._state = state
        self._tasks = Tasks("the window's server")

    def start(self) -> None:
        """Show whether the data is served, and follow the switch from now on."""
        self._window.requests.serving_requested.connect(self._on_requested)
        self._show()

    async def stop(self) -> None:
        """Stop following the switch."""
        self._window.requests.serving_requested.disconnect(self._on_requested)
        await self._tasks.end()

    def _on_requested(self, is_on: bool) -> None:
        self._tasks.begin(self._switch(is_on))

    async def _switch(self, is_on: bool) -> None:
        served = self._served
        await served.switch(is_on=is_on)
        self._show()
        # One that failed is off: else each start would fail again, and a switch that is not ticked can't be turned off.
        serves = bool(served.url)
        self._state.serves = None if serves == self._by_settings else serves
        self.state_changed.emit()
        if served.url:
            self._window.toasts.show(f"Other programs can read at {served.url}.")
        elif not served.problem:
            self._window.toasts.show("The data is no longer served.")

    def _show(self) -> None:
        self._window.set_serving(self._served.url)
        self.problem_changed.emit(self._served.problem)
