"""
The progress of a command that takes more than a second: how much is done, how fast, and how long the rest takes.

    with progress("Copying", total, "trades") as shown:
        for batch in batches:
            shown.advance(len(batch))

It is a line on standard error, gone when the block ends. Nothing is shown for work of less than a second, nor where
standard error is no terminal that can move its cursor. The package that draws the line is imported only once there is
one: most commands end sooner.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from app.market.durations import length

if TYPE_CHECKING:
    import rich.progress

SHOWN_AFTER_S = 1.0
_REFRESHES_PER_S = 4
_BAR_WIDTH = 24


class Progress:
    """What is done of some work. `advance` and `update` may be called from any thread, once per batch, not per row."""

    def __init__(self, description: str, total: int | None, unit: str) -> None:
        self._description = description
        self._done = 0
        self._total = total
        self._unit = unit
        self._lock = threading.Lock()
        self._drawn: tuple[rich.progress.Progress, rich.progress.TaskID] | None = None
        self._has_ended = False

    def note(self, work: str, done: int = 0, total: int = 0) -> None:
        """Note the work in hand, how much of it is done, and of how much: a `storage.integrity.verify.Progress`."""
        self.update(done, total=total, description=work)

    def advance(self, count: int = 1) -> None:
        """Note that ``count`` more are done."""
        self.update(self._done + count)

    def update(self, done: int, *, total: int | None = None, description: str | None = None) -> None:
        """
        Note that ``done`` are done by now, of ``total`` where that has changed; ``description`` names the work.

        A smaller ``done`` than before begins another piece of work, with an estimate of its own.
        """
        with self._lock:
            is_another = done < self._done
            self._done = done
            self._total = self._total if total is None else total
            self._description = self._description if description is None else description
            if self._drawn is None:
                return
            drawn, task = self._drawn
            if is_another:
                drawn.reset(task, total=self._total, completed=done, description=self._description)
            else:
                drawn.update(task, completed=done, total=self._total, description=self._description)

    def show(self) -> None:
        """Begin to draw the line, unless the work has ended."""
        with self._lock:
            if self._has_ended:
                return
            drawn = _drawing(self._unit)
            task = drawn.add_task(self._description, total=self._total, completed=self._done)
            drawn.start()
            self._drawn = drawn, task

    def end(self) -> None:
        """Take the line off the terminal."""
        with self._lock:
            self._has_ended = True
            if self._drawn is not None:
                self._drawn[0].stop()
                self._drawn = None


@contextlib.contextmanager
def progress(description: str, total: int | None, unit: str) -> Iterator[Progress]:
    """
    Show the progress of the block's work, which counts ``unit`` (``"trades"``); ``total`` is None while unknown.

    ``description`` begins the line: ``"Comparing BTCUSDT"``.
    """
    shown = Progress(description, total, unit)
    if not _is_live_terminal():
        yield shown
        return
    # From a thread, so that a single long statement of the database shows that it is being waited for.
    showing = threading.Timer(SHOWN_AFTER_S, shown.show)
    showing.daemon = True
    showing.start()
    try:
        yield shown
    finally:
        showing.cancel()
        shown.end()


def _is_live_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


def _drawing(unit: str) -> rich.progress.Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Figures(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(figures(task.completed, task.total, task.speed, unit), no_wrap=True, overflow="ellipsis")

    console = Console(stderr=True)
    columns: list[Any] = [TextColumn("{task.description}", markup=False)]
    if console.width >= 100:
        columns.append(BarColumn(_BAR_WIDTH))
    # Standard output stays as it is: it may be a file, and rich would send its lines to the terminal.
    return Progress(
        *columns,
        Figures(),
        console=console,
        refresh_per_second=_REFRESHES_PER_S,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def figures(done: float, total: float | None, per_second: float | None, unit: str) -> str:
    """Return “1,200 of 5,000 trades · 300 trades/s · 13 s left”, as far as these are known; else nothing."""
    if not done and not total:
        return ""
    parts = [f"{done:,.0f} {unit}" if not total else f"{done:,.0f} of {max(done, total):,.0f} {unit}"]
    if per_second:
        parts.append(f"{per_second:,.0f} {unit}/s" if per_second >= 10 else f"{per_second:,.1f} {unit}/s")
        if total and total > done:
            parts.append(f"{length((total - done) / per_second)} left")
    return " · ".join(parts)
