"""How lengths of time are read, such as that of a recording, and how a process ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.market.errors import UsageError
from app.runtime.shutdown import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("10m", 600), ("8h", 28_800), (" 90D ", 7_776_000), ("010w", 6_048_000)]
)
def test_lengths_of_time_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_the_longest_length_of_time_is_ten_years() -> None:
    assert parse_duration("3650d") == 3650 * 86_400
    for text in ("3651d", "600w", "1" + "0" * 12 + "s"):
        with pytest.raises(UsageError, match=r"too long: 3650d is the longest there is\.$"):
            parse_duration(text)


@pytest.mark.parametrize("text", ["", "s", "-5m", "1.5h", "0d", "000s", "²s", "5", "5y"])
def test_other_texts_than_lengths_of_time_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a length of time"):
        parse_duration(text)


_ENDING = """
import atexit, sys, threading, time
from app.runtime.shutdown import run_to_end

def work():
    atexit.register(print, "the last words", flush=True)
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start() if {waits} else None
    threading.Thread(target=lambda: (time.sleep(0.2), print("joined"))).start()
    {outcome}

run_to_end(work)
"""


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize(("outcome", "code"), [("return 0", 0), ("return 3", 3), ("raise SystemExit(2)", 2)])
def test_a_process_ends_with_its_code_once_all_else_is_done_whatever_threads_are_left(
    waits: bool, outcome: str, code: int
) -> None:
    script = _ENDING.format(waits=waits, outcome=outcome)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout.splitlines() == ["joined", "the last words"]
    assert ended.stderr == ""
    assert ended.returncode == code
