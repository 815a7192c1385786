"""A folder takes each file whole or not at all, and never over another."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.market.errors import LakeError
from storage.lake.folder_store import FolderStore
from tests.storage.small_disk import MB, mounted

CONTENT = os.urandom(3 * MB)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_written_once_and_never_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "new" / "lake")
    assert store.put_new("a/b/one", CONTENT)
    assert not store.put_new("a/b/one", b"other")
    assert store.put_new("a/two", memoryview(b"two"))
    assert files(tmp_path / "new" / "lake") == {"a/b/one": CONTENT, "a/two": b"two"}
    assert store.get("a/b/one") == CONTENT
    assert store.get("a/none") is None
    assert [(one.key, one.size) for one in store.objects("a")] == [("a/two", 3), ("a/b/one", 3 * MB)]
    assert store.folders("a") == ["b"]
    assert list(store.objects("none")) == store.folders("none") == []


def test_a_disk_that_is_full_leaves_nothing_and_says_so_in_one_sentence(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        store = FolderStore(disk.path / "lake")
        assert store.put_new("a/one", b"one")
        disk.fill(leave=MB)
        with pytest.raises(LakeError, match=r"is full: free some space and push again; nothing was left half\.$"):
            store.put_new("a/two", CONTENT)
        assert files(disk.path / "lake") == {"a/one": b"one"}
        disk.make_room()
        assert store.put_new("a/two", CONTENT)


def test_a_file_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for root in (tmp_path / "file", tmp_path / "file" / "lake"):
        store = FolderStore(root)
        said = pytest.raises(LakeError, match=r"a file is in the way: name a folder\.$")
        with said:
            store.put_new("a", b"x")
        with said:
            store.put_new("a/b", b"x")
        with said:
            store.get("a/b")
        with said:
            store.folders("a")
        with said:
            list(store.objects("a"))


def test_without_nameless_files_a_hidden_one_is_linked_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    store = FolderStore(tmp_path)
    assert store.put_new("a/one", CONTENT)
    assert not store.put_new("a/one", b"other")
    assert files(tmp_path) == {"a/one": CONTENT}


def test_the_next_write_removes_what_a_killed_process_of_this_machine_left(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = socket.gethostname()
    dead, alive, foreign = (
        tmp_path / f".cryptopipe-{one}-{pid}-0123456789abcdef.part"
        for one, pid in ((host, gone.pid), (host, os.getpid()), (f"not-{host}", gone.pid))
    )
    for path in (dead, alive, foreign):
        path.write_bytes(b"half")
    assert FolderStore(tmp_path).put_new("one", b"one")
    assert set(files(tmp_path)) == {"one", alive.name, foreign.name}
    assert [one.key for one in FolderStore(tmp_path).objects("")] == ["one"]
