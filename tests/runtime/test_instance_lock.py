"""One recorder per data directory, tried with real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.market.errors import UsageError
from app.runtime.instance_lock import InstanceLock

HOLD = """
import sys
from pathlib import Path
from app.runtime.instance_lock import InstanceLock
lock = InstanceLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Return a process that holds the lock until its standard input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("end", ["close", "kill"])
def test_a_second_program_is_refused_until_the_first_has_ended_however_it_ends(tmp_path: Path, end: str) -> None:
    lock = InstanceLock(tmp_path)
    with hold(tmp_path) as process:
        with pytest.raises(UsageError, match="Another cryptopipe already records") as refusal:
            lock.acquire()
        assert str(tmp_path) in str(refusal.value)
        other = InstanceLock(tmp_path / "other")
        other.acquire()
        other.release()
        if end == "kill":
            process.kill()
        process.communicate(timeout=20)
    lock.acquire()
    lock.release()


def test_a_lock_that_was_refused_leaves_no_file_open_and_the_file_itself_stays(tmp_path: Path) -> None:
    holder, refused = InstanceLock(tmp_path), InstanceLock(tmp_path)
    holder.acquire()
    with pytest.raises(UsageError):
        refused.acquire()
    refused.release()  # of no effect on the holder's
    with pytest.raises(UsageError):
        InstanceLock(tmp_path).acquire()
    holder.release()
    assert (tmp_path / "recording.lock").exists()
    refused.acquire()
    refused.release()


def test_releasing_what_is_not_held_does_nothing(tmp_path: Path) -> None:
    InstanceLock(tmp_path).release()


def test_a_data_directory_that_cannot_be_made_is_a_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written \(.+\): name another with --data-dir\."):
        InstanceLock(tmp_path / "file" / "data").acquire()
