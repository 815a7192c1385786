"""A file gets its name when it is whole: never half, never in place of an older one that it does not replace."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from app.market.errors import FileError, UsageError
from storage.files.target import NewFile, OpenStream, check_target

LINE = b"x" * 99 + b"\n"


@pytest.fixture(params=["nameless", "hidden name"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both kinds of file systems: with files that have no name, and without."""
    if request.param == "hidden name":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no files without a name")
    return request.param


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("system")
def test_an_existing_file_is_replaced_only_by_a_finished_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    file = NewFile(tmp_path, "a.csv")
    file.stream.write(b"new")
    file.stream.flush()
    assert path.read_text() == "old"
    assert file.finish("unused.csv", {"rows": 0}) == path
    file.discard()
    assert path.read_text() == "new"
    assert json.loads((tmp_path / "a.csv.meta.json").read_text()) == {"rows": 0}
    assert left_in(tmp_path) == ["a.csv", "a.csv.meta.json"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


@pytest.mark.usefixtures("system")
def test_a_discarded_file_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    file = NewFile(tmp_path, "a.csv")
    file.stream.write(LINE * 100_000)
    file.discard()
    file.discard()
    assert (tmp_path / "a.csv").read_text() == "old"
    assert left_in(tmp_path) == ["a.csv"]


@pytest.mark.usefixtures("system")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
@pytest.mark.parametrize("lines", [20_000, 10_001])  # full while writing; full at the last flush
def test_a_full_disk_is_a_clear_sentence_and_leaves_nothing(tmp_path: Path, lines: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(FileError, match=r"a\.csv cannot be written: .+\. Nothing was left behind\."):
            _write(NewFile(tmp_path, "a.csv"), lines)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left_in(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="elsewhere a hidden file is left")
def test_a_kill_leaves_nothing_and_the_old_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    script = (
        "import os, signal, sys; from pathlib import Path; from storage.files.target import NewFile\n"
        "file = NewFile(Path(sys.argv[1]), 'a.csv'); file.stream.write(b'x' * 10_000_000); file.stream.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert left_in(tmp_path) == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"


def test_a_file_without_a_name_takes_the_one_it_is_finished_with_and_a_number_beside_another(tmp_path: Path) -> None:
    for text in ("1", "2", "3"):
        file = NewFile(tmp_path, keeps_others=True)
        file.stream.write(text.encode())
        file.finish("a.csv", {})
    assert [(tmp_path / name).read_text() for name in ("a.csv", "a-2.csv", "a-3.csv")] == ["1", "2", "3"]
    for name in ("b.csv.gz", "b-2.csv.gz"):
        assert NewFile(tmp_path, keeps_others=True).finish("b.csv.gz", {}) == tmp_path / name
    assert NewFile(tmp_path).finish("a.csv", {}) == tmp_path / "a.csv"
    assert (tmp_path / "a.csv").read_text() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_stream_that_takes_no_more_is_a_clear_sentence() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        stream = OpenStream(full)
        with pytest.raises(FileError, match="Not everything could be written: "), stream.refusing():
            stream.stream.write(LINE)


def test_a_missing_folder_or_a_folder_as_the_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist: make it first"):
        check_target(tmp_path / "no" / "candles.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        check_target(tmp_path / "folder.csv")
    check_target(tmp_path / "CANDLES.CSV")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with a name")
def test_a_device_or_a_pipe_is_refused_and_stays(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe.csv", tmp_path / "link.csv"
    os.mkfifo(pipe)
    link.symlink_to("/dev/null")
    for path in (pipe, link):
        with pytest.raises(UsageError, match="is a device or a pipe"):
            check_target(path)
        with pytest.raises(UsageError, match="is a device or a pipe"):
            NewFile(path.parent, path.name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.csv", "pipe.csv"]
    assert pipe.is_fifo()


def test_a_name_the_file_system_refuses_is_a_clear_sentence_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: "):
        NewFile(tmp_path, "x" * 300 + ".csv")
    assert left_in(tmp_path) == []


def _write(file: NewFile, lines: int) -> None:
    with file.refusing():
        file.stream.write(LINE * (lines - 1))
        file.stream.write(LINE)
    file.finish("a.csv", {})


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
