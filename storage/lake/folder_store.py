"""
A lake in a folder.

A new file has no name until it is whole: Linux's O_TMPFILE, and linkat, which refuses to replace another. A process
that is killed leaves nothing. Where a file system has no such files, the file gets a hidden name that holds the
process's number; the next writer removes the files of processes that are gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil

from app.market.errors import LakeDamaged, LakeError
from storage.lake.object_store import StoredObject

_NO_NAMELESS = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.EPERM}
_HIDDEN = re.compile(r"^\.cryptopipe-(?P<host>[^/]*)-(?P<pid>\d+)-[0-9a-f]{16}\.part$")
_PIECE = 1 << 20


class FolderStore:
    """A `storage.lake.object_store.ObjectStore` in a folder, which the first write makes."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self._root = root
        self._is_tidy = False

    def objects(self, folder: str) -> Iterator[StoredObject]:
        """See `storage.lake.object_store.ObjectStore`."""
        start = self._root / folder
        with self._reading(start):
            for path, folders, names in os.walk(start, onerror=_refuse):
                folders[:] = sorted(one for one in folders if not one.startswith("."))
                for name in sorted(names):
                    if not name.startswith("."):
                        file = Path(path, name)
                        yield StoredObject(file.relative_to(self._root).as_posix(), file.stat().st_size)

    def folders(self, folder: str) -> list[str]:
        """See `storage.lake.object_store.ObjectStore`."""
        start = self._root / folder
        with self._reading(start):
            try:
                with os.scandir(start) as entries:
                    return sorted(one.name for one in entries if one.is_dir() and not one.name.startswith("."))
            except FileNotFoundError:
                return []

    def get(self, key: str) -> bytes | None:
        """See `storage.lake.object_store.ObjectStore`."""
        path = self._root / key
        with self._reading(path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    @contextlib.contextmanager
    def local_file(self, key: str) -> Iterator[Path]:
        """See `storage.lake.object_store.ObjectStore`."""
        path = self._root / key
        if not path.is_file():
            raise LakeDamaged(f"{key} is missing in {self.name}.", key)
        yield path

    def put_new(self, key: str, content: bytes | memoryview) -> bool:
        """See `storage.lake.object_store.ObjectStore`."""
        path = self._root / key
        with self._writing(path):
            if path.exists():
                return False
            self._root.mkdir(parents=True, exist_ok=True)
            self._tidy()
            handle, hidden = self._open()
            try:
                with contextlib.ExitStack() as undo:
                    undo.callback(os.close, handle)
                    if hidden is not None:
                        undo.callback(hidden.unlink, missing_ok=True)
                    rest = memoryview(content)
                    while rest:
                        rest = rest[os.write(handle, rest[:_PIECE]) :]
                    os.fsync(handle)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    if hidden is None:
                        # With src_dir_fd, Python calls linkat, which follows the link to the open file.
                        os.link(f"/proc/self/fd/{handle}", path, src_dir_fd=handle, follow_symlinks=True)
                    else:
                        os.link(hidden, path)
            except FileExistsError:
                return False
            _sync_folder(path.parent)
        return True

    def _open(self) -> tuple[int, Path | None]:
        """Return a new file, open for writing, and its hidden name where it has one."""
        if hasattr(os, "O_TMPFILE"):
            try:
                return os.open(self._root, os.O_TMPFILE | os.O_WRONLY, 0o666), None
            except OSError as error:
                if error.errno not in _NO_NAMELESS:
                    raise
        hidden = self._root / f".cryptopipe-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(8)}.part"
        return os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666), hidden

    def _tidy(self) -> None:
        """Remove, once, what killed processes of this machine left."""
        if self._is_tidy:
            return
        self._is_tidy = True
        with os.scandir(self._root) as entries:
            names = [one.name for one in entries]
        for name in names:
            found = _HIDDEN.match(name)
            if found and found["host"] == socket.gethostname() and not psutil.pid_exists(int(found["pid"])):
                (self._root / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        try:
            yield
        except NotADirectoryError as error:
            raise self._is_file() from error
        except OSError as error:
            raise LakeError(f"{path} cannot be read: {error.strerror or error}.") from error

    def _is_file(self) -> LakeError:
        return LakeError(f"The lake {self.name} cannot be there, as a file is in the way: name a folder.")

    @contextlib.contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except (NotADirectoryError, FileExistsError) as error:
            raise self._is_file() from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise LakeError(
                    f"The disk of the lake {self.name} is full: free some space and push again; nothing was left half."
                ) from error
            raise LakeError(
                f"{path} cannot be written: {error.strerror or error}. Choose another folder, or change its rights."
            ) from error


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
