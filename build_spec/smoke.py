"""Start the packaged program as on a machine without Python: record, export, and open the window.

Usage: ``python smoke.py dist/cryptopipe``. Everything happens in a temporary home, with an environment that holds no
Python and an empty PATH, against the package's own sandbox exchange. Exits 0 only if each part did its work.
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SYMBOL = "BTCUSDT"
STEP_TIMEOUT_S = 60
# Each is written by another library.
OTHER_FORMATS = ("csv.gz", "parquet", "feather", "xlsx")


class SmokeError(Exception):
    """Raised with the sentence that says which part of the package does not work."""


def main(arguments: list[str]) -> int:
    """Try the package in the folder named; return the exit code."""
    if len(arguments) != 1:
        print("usage: smoke.py FOLDER", file=sys.stderr)
        return 2
    program = Path(arguments[0]).resolve() / ("cryptopipe.exe" if os.name == "nt" else "cryptopipe")
    try:
        with tempfile.TemporaryDirectory(prefix="cryptopipe-smoke-", ignore_cleanup_errors=True) as home:
            # As root the database runs as another user; where he cannot enter, it would be put elsewhere, and stay.
            Path(home).chmod(0o711)
            try_package(program, Path(home))
    except SmokeError as error:
        print(f"smoke test: {error}", file=sys.stderr)
        return 1
    return 0


def try_package(program: Path, home: Path) -> None:
    """Run each part once; raise SmokeError at the first that fails."""
    if not program.is_file():
        raise SmokeError(f"“{program}” cannot be started: there is no such file")
    environment = bare_environment(home)
    with running_sandbox(program, environment) as address:
        environment |= {
            "CRYPTOPIPE_BINANCE_WS_URL": f"ws://{address}",
            "CRYPTOPIPE_BINANCE_REST_URL": f"http://{address}",
        }
        run(program, ["collect", "--symbols", SYMBOL, "--for", "5s"], environment)
        run(program, ["doctor"], environment)
    candles = home / "candles.csv"
    for file in (candles, *(candles.with_suffix(f".{ending}") for ending in OTHER_FORMATS)):
        run(program, ["export", SYMBOL, "1m", "--out", str(file), "--stored", "--include-open"], environment)
        if not file.is_file():
            raise SmokeError(f"“{file.name}” was not exported")
    print(f"smoke test: {count_trades(candles)} trades recorded into the package's own database, and exported")
    started = time.monotonic()
    printed = run(program, ["--demo", "--quit-after-first-paint"], environment)
    print(f"smoke test: window opened and closed in {time.monotonic() - started:.1f} s; {printed.strip()}")


def bare_environment(home: Path) -> dict[str, str]:
    """Return an environment in which no Python, and no other program either, can be found."""
    (home / "bin").mkdir()
    environment = {
        "HOME": str(home),
        "PATH": str(home / "bin"),
        "LANG": "C.UTF-8",
        "QT_QPA_PLATFORM": "offscreen",
        "CRYPTOPIPE_DATA_DIR": str(home / "data"),
    }
    if os.name == "nt":  # without these Windows itself cannot load its libraries
        environment |= {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "APPDATA") if name in os.environ}
    return environment


@contextmanager
def running_sandbox(program: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run the package's sandbox exchange; yield its ``host:port``."""
    command = [str(program), "sandbox", "--port", "0", "--seed", "7"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            yield address_of(process)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def address_of(process: subprocess.Popen[bytes]) -> str:
    """Return the ``host:port`` that the sandbox prints once it listens."""
    assert process.stdout is not None
    # Reading blocks for as long as the sandbox says nothing, so it is ended where that takes too long.
    too_late = threading.Timer(STEP_TIMEOUT_S, process.terminate)
    too_late.start()
    try:
        for line in process.stdout:
            if found := re.search(rb"(?:127\.0\.0\.1|localhost):\d+", line):
                return found.group().decode()
    finally:
        too_late.cancel()
    raise SmokeError(f"the sandbox ended with exit code {process.wait()} before it listened")


def run(program: Path, arguments: list[str], environment: dict[str, str]) -> str:
    """Run one command of the package and return what it printed; raise SmokeError unless it ends well, and in time."""
    words = " ".join(arguments)
    try:
        ended = subprocess.run(
            [str(program), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STEP_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise SmokeError(f"“cryptopipe {words}” did not end within {STEP_TIMEOUT_S} s") from error
    if ended.returncode:
        raise SmokeError(f"“cryptopipe {words}” ended with exit code {ended.returncode}: {ended.stderr.strip()}")
    return ended.stdout


def count_trades(candles: Path) -> int:
    """Return how many trades the exported candles hold together; raise SmokeError if there is none."""
    with candles.open(encoding="utf-8", newline="") as lines:
        trades = sum(int(row["trades"]) for row in csv.DictReader(lines))
    if not trades:
        raise SmokeError("nothing was recorded: the exported candles hold no trade")
    return trades


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
