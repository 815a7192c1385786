"""
From ``cryptopipe --demo`` to the first painted candles, on a data directory that was used before.

Prints the median of several starts, beside a start of Python that only imports Qt and pyqtgraph in the same run; and
the processor time that the window took, which depends less on what else the machine does. Modules are compiled once, as
for a user, whatever the environment says of bytecode.
Usage: ``python tests/benchmarks/window/bench_start.py [starts]``
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.end_to_end.helpers import PROGRAM, run_program

IMPORTS = "import PySide6.QtWidgets, pyqtgraph"


def main() -> None:
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        environment = {
            **os.environ,
            "CRYPTOPIPE_DATA_DIR": f"{folder}/data",
            "QT_QPA_PLATFORM": "offscreen",
            "PYTHONPYCACHEPREFIX": f"{folder}/compiled",
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        start(environment)  # makes the database
        imports_ms(environment)
        yardsticks, figures, works = [], [], []
        for _ in range(starts):
            yardsticks.append(imports_ms(environment))
            figure, work = start(environment)
            figures.append(figure)
            works.append(work)
    figure, yardstick = statistics.median(figures), statistics.median(yardsticks)
    print(f"first painted candles after {figure:.0f} ms (median of {starts}, {min(figures):.0f} to {max(figures):.0f})")
    print(f"processor time of the window until then {statistics.median(works):.0f} ms")
    print(f"importing Qt and pyqtgraph alone takes {yardstick:.0f} ms: ratio {figure / yardstick:.2f}")


def start(environment: dict[str, str]) -> tuple[float, float]:
    """Start the window once and return what it printed: when candles were painted, and its work until then, in ms."""
    printed = run_program(environment, "--demo", "--quit-after-first-paint")
    found = re.search(r"after (\d+) ms, (\d+) ms of work", printed)
    assert found is not None, (PROGRAM, printed)
    return float(found[1]), float(found[2])


def imports_ms(environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], env=environment, check=True)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
