"""Detached windows on two screens, and at a start at which the second one is gone: each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LEFT = {"name": "left", "x": 0, "y": 0, "width": 1920, "height": 1080, "dpr": 1}
RIGHT = {"name": "right", "x": 1920, "y": 0, "width": 1280, "height": 720, "dpr": 2}
SMALL = {"name": "left", "x": 0, "y": 0, "width": 700, "height": 500, "dpr": 1}

FRAME_PX = 2  # by which Qt moves a window without a screen from a corner, for a frame that is not there

PLACE_A_WINDOW = """
import json, sys
from PySide6.QtWidgets import QApplication
application = QApplication([])
from widgets.chart.chart_widget import ChartWidget
from widgets.theme.style import prepare_application
from widgets.window.keyboard import WindowKeyboard
from widgets.workspace.chart_grid import ChartGrid
from widgets.workspace.detached_window import DetachedWindow
prepare_application(application)
grid = ChartGrid(hides_single_head=False)
grid.add(1, ChartWidget())
grid.show_layout(1)
nothing = lambda *_: None
window = DetachedWindow(
    grid,
    lambda own: WindowKeyboard(own, nothing, open_interval=nothing, open_symbol=nothing, show_hint=nothing),
)
window.place_at(tuple(json.loads(sys.argv[1])))
window.show()
for _ in range(5):
    application.processEvents()
print(json.dumps([window.screen().name(), window.place()]))
"""


def placed(folder: Path, screens: list[dict[str, Any]], place: list[int]) -> tuple[str, list[int]]:
    """Return on which of these screens a window stands that is placed so, and where."""
    file = folder / "screens.json"
    file.write_text(json.dumps({"screens": [{**one, "logicalDpi": 96, "logicalBaseDpi": 96} for one in screens]}))
    done = subprocess.run(
        [sys.executable, "-c", PLACE_A_WINDOW, json.dumps(place)],
        env={**os.environ, "QT_QPA_PLATFORM": f"offscreen:configfile={file}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    screen, now = json.loads(done.stdout)
    return screen, now


def is_within(place: list[int], screen: dict[str, Any]) -> bool:
    left, top, width, height = place
    right, bottom = screen["x"] + screen["width"] + FRAME_PX, screen["y"] + screen["height"] + FRAME_PX
    return screen["x"] <= left and left + width <= right and screen["y"] <= top and top + height <= bottom


def test_a_window_stands_again_on_the_second_screen(tmp_path: Path) -> None:
    assert placed(tmp_path, [LEFT, RIGHT], [2100, 60, 800, 600]) == ("right", [2100, 60, 800, 600])


@pytest.mark.parametrize("place", [[2100, 60, 800, 600], [-3000, -2000, 800, 600], [1900, 1000, 1200, 700]])
@pytest.mark.parametrize("screen", [LEFT, SMALL])
def test_a_window_whose_screen_is_gone_stands_whole_on_one_that_is_there(
    tmp_path: Path, screen: dict[str, Any], place: list[int]
) -> None:
    name, now = placed(tmp_path, [screen], place)
    assert name == "left"
    assert is_within(now, screen)
