"""
Draws the window in each of its states, for looking at: ``make screenshot``.

Everything shown is real: the recording replayed over a socket with the archive's candles before it, an exchange that
does not answer, a market without a trade, a server that cannot be reached. Pictures go to ``build/screenshots``, or the
folder named; each at 1280x720, and the recording also at 2x and in the light theme. ``--docs`` renews those of README
and docs.
``CRYPTOPIPE_TEXT_PERCENT=200`` in the environment draws all of them with larger text.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.conftest import SHARED_DATA
from tests.end_to_end.helpers import RECORDING, run_on_qt_loop
from tests.screenshots.alert_scenes import alerts, drawing_alerts
from tests.screenshots.chart_scenes import drawings, forex_week, quotes, recording, studies
from tests.screenshots.dialog_scenes import database, downloads, export
from tests.screenshots.shooting import ARCHIVE, Shooting
from tests.screenshots.window_scenes import QUIET, commands, diagnostics, empty, error, loading, symbols
from tests.screenshots.workspace_scenes import workspace
from tests.widgets.chart.recorded_week import DAYS
from widgets.theme import text_size

ROOT = Path(__file__).resolve().parents[2]
SMALL, LARGE = (1280, 720), (1440, 900)

Scene = Callable[[Shooting], Coroutine[Any, Any, None]]

SCENES: dict[str, Scene] = {
    "alerts": alerts,
    "drawing_alerts": drawing_alerts,
    "recording": recording,
    "loading": loading,
    "empty": empty,
    "forex": forex_week,
    "error": error,
    "database": database,
    "diagnostics": diagnostics,
    "export": export,
    "downloads": downloads,
    "studies": studies,
    "symbols": symbols,
    "commands": commands,
    "quotes": quotes,
    "workspace": workspace,
    "drawings": drawings,
}
RUNS = [  # theme, scale, size, scenes
    ("dark", "1", (1920, 1080), ("workspace",)),
    (
        "dark",
        "1",
        SMALL,
        ("recording", "export", "loading", "empty", "error", "database", "diagnostics", "forex", "quotes"),
    ),
    (
        "dark",
        "2",
        SMALL,
        (
            "recording",
            "error",
            "database",
            "diagnostics",
            "studies",
            "symbols",
            "downloads",
            "alerts",
            "drawing_alerts",
            "drawings",
            "workspace",
        ),
    ),
    (
        "light",
        "1",
        LARGE,
        (
            "alerts",
            "recording",
            "empty",
            "database",
            "diagnostics",
            "studies",
            "symbols",
            "downloads",
            "drawings",
            "workspace",
        ),
    ),
    (
        "light",
        "2",
        SMALL,
        (
            "alerts",
            "recording",
            "export",
            "database",
            "diagnostics",
            "studies",
            "symbols",
            "forex",
            "quotes",
            "drawings",
            "workspace",
        ),
    ),
    ("dark", "1.5", SMALL, ("recording",)),
    ("dark", "1", LARGE, ("alerts", "recording", "studies", "symbols", "drawings", "commands")),
    ("dark", "1", (1920, 1080), ("workspace",)),
    ("light", "2", (960, 600), ("commands",)),
]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "screenshots")
    parser.add_argument("--docs", action="store_true", help="renew the picture in README")
    parser.add_argument("--run", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    options.out.mkdir(parents=True, exist_ok=True)
    if options.run:
        return shoot(options.out, *options.run)
    ticks = [f"oanda/eurusd_tick_{day}.zip" for day in DAYS]
    missing = [name for name in (*RECORDING, *ARCHIVE, QUIET, *ticks) if not (SHARED_DATA / name).exists()]
    if missing:
        print(f"skipped: the recordings {', '.join(missing)} are not at {SHARED_DATA}")
        return 0
    for theme, scale, (width, height), scenes in RUNS:
        for scene in scenes:
            command = [sys.executable, "-m", "tests.screenshots", "--out", str(options.out.resolve()), "--run"]
            subprocess.run(
                [*command, scene, theme, str(width), str(height), scale],
                env={**os.environ, "QT_SCALE_FACTOR": scale},
                cwd=ROOT,
                check=True,
                timeout=900,
            )
    if options.docs:
        for theme in ("dark", "light"):
            taken = options.out / f"indicators-{theme}-1440x900@1.png"
            (ROOT / "docs").mkdir(exist_ok=True)
            (ROOT / "docs" / f"window-{theme}.png").write_bytes(taken.read_bytes())
        (ROOT / "docs" / "workspace-dark.png").write_bytes(
            (options.out / "workspace-dark-1920x1080@1.png").read_bytes()
        )
    return 0


def shoot(pictures: Path, scene: str, theme: str, width: str, height: str, scale: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        percent = int(os.environ.get("CRYPTOPIPE_TEXT_PERCENT", "100"))
        text = f"-{percent}%" if percent != 100 else ""
        suffix = f"-{theme}-{width}x{height}@{scale}{text}"
        shooting = Shooting(Path(folder) / "data", pictures, theme, (int(width), int(height)), suffix)

        async def take() -> None:
            text_size.set_percent(percent)
            await SCENES[scene](shooting)

        run_on_qt_loop(take)
    return 0


if __name__ == "__main__":
    sys.exit(main())
