"""
Kills the window at random moments while its workspaces change all the time, and compares what the next start restores.

The window is the program's own, off screen, without an exchange or a database. In it an actor splits, closes, detaches,
links, resizes and switches charts and workspaces, gives panes all the room, and prints each state that is then on the
screen. After SIGKILL the file
must hold one of these states, no more than a second old, and the next start must show that one.

Usage: ``python -m tests.soak.desktop.workspace_crash [--kills N] [--seed N]``; exits with 1 if a state was lost or
damaged.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil
from PySide6.QtCore import QRect

from tests.program import NOWHERE, hanging_url, silent_server
from widgets.window.window_placement import fitted_to
from widgets.workspace.grid_layout import from_values, keys_of, part_from_values, to_values, with_keys

MOST_AGE_S = 1.0
_LONGEST_S = 5.0  # from the start of a run to its kill
_PATIENCE_S = 60.0
_SCREEN = QRect(0, 0, 800, 800)  # off screen

# The program, with an actor that begins once the window is there.
ACTOR = """
import json, random, sys, time
import app.main as program
from app.window.window_controller import WindowController

chance = random.Random(int(sys.argv.pop(1)))
start = WindowController.start

def state_of(controller):
    controller.remember()
    state = controller._state
    return {"symbol": state.symbol, "interval": state.interval.name, "workspaces": state.workspaces}

def act(controller):
    from app.market.interval import Interval
    workspace, charts = controller.workspace, controller.charts
    number, many = len(charts.all), len(workspace.switcher.names)
    one = chance.choice(charts.all)
    choices = {
        "split_right": number < 6, "split_below": number < 6, "close_chart": number > 1, "next_chart": True,
        "maximise_chart": True, "chart_wider": True, "chart_higher": True, "new_workspace": many < 4,
        "next_workspace": many > 1, "duplicate_workspace": many < 4, "delete_workspace": many > 2,
        "reset_workspace": chance.random() < 0.1, "detach_chart": number > 1, "looks_by_symbol": True,
    }
    others = ["symbol", "symbol", "interval", "link", "name", "style", "pane", "place"]
    does = chance.choice([name for name, can in choices.items() if can] + others)
    if does == "symbol":
        controller.show_on(one, chance.choice(["BTCUSDT", "ETHUSDT", "SOLUSDT"]), one.interval)
    elif does == "interval":
        controller.show_on(one, one.symbol, Interval.parse(chance.choice(["1m", "5m", "13m", "1h"])))
    elif does == "link":
        workspace.links.put_into(one, chance.randrange(4))
    elif does == "name":
        workspace.switcher.rename(chance.randrange(many), f"Desk {chance.randrange(99)}")
    elif does == "style":
        kind = chance.choice(["ema", "rsi"])
        if len(one.chart.indicators.studies) < 5:
            one.chart.indicators.add(kind, {"period": chance.randrange(2, 99)})
    elif does == "pane":
        one.chart._pane_focus.toggle(chance.choice(one.chart._panes.layout.keys))
    elif does == "place":
        for room in workspace.rooms.detached:
            room.window.setGeometry(chance.randrange(200), chance.randrange(200), 400 + chance.randrange(200), 300)
    else:
        workspace.run(does, one)

def say(controller):
    print(json.dumps([time.time(), state_of(controller)]), flush=True)

def started(controller):
    start(controller)
    from PySide6.QtCore import QTimer
    say(controller)
    timer = QTimer(controller)
    def step():
        act(controller)
        say(controller)
        timer.start(chance.choice([5, 20, 60, 200, 700]))
    timer.setSingleShot(True)
    timer.timeout.connect(step)
    timer.start(100)
    # Some changes come by themselves after a step, such as a window that becomes the active one.
    late = QTimer(controller)
    late.setSingleShot(True)
    late.timeout.connect(lambda: say(controller))
    controller.state_changed.connect(lambda: late.isActive() or late.start(0))

WindowController.start = started
sys.exit(program.main(sys.argv[1:]))
"""


@dataclass
class Report:
    """What was done; it passed if ``problems`` is empty. ``ages_s``: how old what was saved was at each kill."""

    kills: int = 0
    early: int = 0  # before the window had begun
    states: int = 0
    ages_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        oldest = max(self.ages_s, default=0.0)
        outcome = "each restored" if not self.problems else "; ".join(self.problems)
        return (
            f"{self.kills} kills, {self.early} of them before the window had begun; {self.states:,} states,"
            f" saved ones at most {oldest:.2f} s old: {outcome}"
        )


def run(
    folder: Path, kills: int, seed: int, progress: Callable[[str], object] = print, *, most_age_s: float = MOST_AGE_S
) -> Report:
    """Kill the window so often, and return what was found; ``folder``: for its data."""
    chance, report = random.Random(seed), Report()
    with silent_server() as database:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CRYPTOPIPE_")},
            "QT_QPA_PLATFORM": "offscreen",
            "XDG_CONFIG_HOME": str(folder / "config"),
            "CRYPTOPIPE_DATA_DIR": str(folder),
            "CRYPTOPIPE_BINANCE_WS_URL": f"ws://{NOWHERE}",
            "CRYPTOPIPE_BINANCE_REST_URL": f"http://{NOWHERE}",
            "CRYPTOPIPE_DATABASE_URL": hanging_url(database.address),
        }
        expected: dict[str, Any] | None = None
        for number in range(kills):
            is_early = chance.random() < 0.15
            after_s = chance.uniform(0.1, 1.0) if is_early else chance.uniform(0.1, _LONGEST_S)
            states, killed_s = _run_and_kill(environment, chance.randrange(10**6), after_s, is_early=is_early)
            report.kills += 1
            report.early += not states
            report.states += len(states)
            expected = _judge(folder, states, killed_s, expected, report, most_age_s)
            progress(f"kill {number + 1} of {kills}: {len(states)} states, {len(report.problems)} problems")
        states, _ = _run_and_kill(environment, 0, 0.1, is_early=False)
        _judge_restored(states, expected, report)
    return report


def _run_and_kill(
    environment: dict[str, str], seed: int, after_s: float, *, is_early: bool
) -> tuple[list[tuple[float, Any]], float]:
    """Run the window until a while after its first state, or if ``is_early`` after its start; return its states."""
    process = subprocess.Popen(
        [sys.executable, "-c", ACTOR, str(seed)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    lines: list[str] = []
    has_begun = threading.Event()
    # As they come: a pipe that is full would hold the window up, and nothing would be saved any more.
    reader = threading.Thread(target=_read, args=(process.stdout, lines, has_begun))
    reader.start()
    try:
        if not is_early:
            has_begun.wait(_PATIENCE_S)
        time.sleep(after_s)
    finally:
        killed_s = time.time()
        _kill(process)
    reader.join(_PATIENCE_S)
    process.stdout.close()
    whole = [json.loads(line) for line in lines if line.endswith(("]", "]\n"))]
    return [(at_s, normal(state)) for at_s, state in whole], killed_s


def _read(output: IO[str], lines: list[str], has_begun: threading.Event) -> None:
    for line in output:
        lines.append(line)
        has_begun.set()
    has_begun.set()


def _kill(process: subprocess.Popen[str]) -> None:
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    for child in children:
        child.kill()
    process.wait(_PATIENCE_S)


def _judge(
    folder: Path, states: list[tuple[float, Any]], killed_s: float, before: Any, report: Report, most_age_s: float
) -> Any:
    """Compare what was saved with what was shown; return what the next start must show."""
    _judge_restored(states, before, report)
    path = folder / "window.json"
    if not path.exists():
        if before is not None or (states and killed_s - states[0][0] > most_age_s):
            report.problems.append("nothing was saved")
        return before
    try:
        saved = json.loads(path.read_bytes())
    except ValueError as error:
        report.problems.append(f"the file is damaged: {error}")
        return before
    found = normal({name: saved[name] for name in ("symbol", "interval", "workspaces")})
    shown = [state for _, state in states]
    if found not in shown:
        if states and found != before:
            report.problems.append("a state was saved that never was on the screen")
        if states and found == before and killed_s - states[0][0] > most_age_s and len(states) > 1:
            report.problems.append(f"nothing was saved for {killed_s - states[0][0]:.2f} s")
        return found
    at = len(shown) - 1 - shown[::-1].index(found)
    age_s = 0.0 if at + 1 == len(shown) else killed_s - states[at + 1][0]
    report.ages_s.append(age_s)
    if age_s > most_age_s:
        report.problems.append(f"what was saved was outdated for {age_s:.2f} s")
    return found


def _judge_restored(states: list[tuple[float, Any]], expected: Any, report: Report) -> None:
    if expected is not None and states and states[0][1] != expected:
        report.problems.append("a start showed something else than what was saved")


def normal(state: dict[str, Any]) -> Any:
    """
    Return a state with charts numbered by their places, so that two that look the same are equal.

    Windows that the screen is too small for stand where the next start puts them.
    """
    document = json.loads(json.dumps(state))
    for workspace in document["workspaces"].get("workspaces", []):
        numbers: dict[int, int] = {}
        for at, room in enumerate([workspace, *workspace["windows"]], -1):
            layout = from_values(room["layout"], [one["key"] for one in workspace["charts"] if one["window"] == at])
            assert layout is not None
            numbers |= {key: number for number, key in enumerate(keys_of(layout), len(numbers))}
            room["layout"] = _rounded(to_values(with_keys(layout, numbers)))
            if room.get("place") is not None:
                room["place"] = fitted_to(QRect(*room["place"]), _SCREEN, (0, 0, 0, 0)).getRect()
        for chart in workspace["charts"]:
            chart["key"] = numbers[chart["key"]]
            home = part_from_values(chart.get("home"), numbers)
            if home is not None:
                chart["home"] = _rounded(to_values(with_keys(home, numbers)))
        workspace["charts"].sort(key=lambda chart: chart["key"])
        for name in ("active", "maximised"):
            workspace[name] = None if workspace[name] is None else numbers[workspace[name]]
    return document


def _rounded(layout: Any) -> Any:
    """Return a layout's values with shares in percent: drawing them on whole pixels changes them a little."""
    if not isinstance(layout, dict):
        return layout
    parts, shares = [_rounded(part) for part in layout["parts"]], [round(share, 2) for share in layout["shares"]]
    return {**layout, "parts": parts, "shares": shares}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run(Path(folder), options.kills, options.seed)
    print(report)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
