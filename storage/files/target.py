"""
Where a file is written: under no name until it is whole.

`NewFile` writes a file that only its process can see, where the system has such files: then not even a kill leaves
anything behind. Elsewhere it has a hidden name beside the target. `finish` gives it its own name in one step, so an
older file is replaced by a whole one or stays as it was. `OpenStream` writes to a stream, such as standard output.
Both hand out ``stream``, for a format to write bytes to, and may raise FileError.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

from app.market.errors import FileError, UsageError
from app.market.file_format import format_of_name

META_SUFFIX = ".meta.json"
# What a file system says that has no files without a name, or of a system that has none at all.
_NO_NAMELESS = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}


class Target(Protocol):
    """What a format writes to."""

    @property
    def stream(self) -> BinaryIO: ...

    @property
    def is_seekable(self) -> bool:
        """Whether what is written can be gone back to."""

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        """See `app.market.ports.files.ExportFile`."""

    def discard(self) -> None:
        """See `app.market.ports.files.ExportFile`."""

    def refusing(self) -> contextlib.AbstractContextManager[None]:
        """Return the context in which to write to ``stream``: it discards all and raises FileError if that fails."""


@contextlib.contextmanager
def _refusing(discard: Callable[[], None], sentence: Callable[[str], str]) -> Iterator[None]:
    """Call ``discard`` and raise FileError with ``sentence`` of the reason if the system refuses what is written."""
    try:
        yield
    except OSError as error:
        discard()
        raise FileError(sentence(error.strerror or str(error))) from error


class NewFile:
    """
    A new file in ``folder``, named ``name``, or at its end by who finishes it.

    ``keeps_others``: a name that is not ``name`` replaces no file; it gets a number instead.

    Raises:
        UsageError: If nothing can be written in the folder, or ``name`` is that of a device or a pipe.
    """

    def __init__(self, folder: Path, name: str | None = None, *, keeps_others: bool = False) -> None:
        self._folder = folder
        self._name = name
        self._keeps_others = keeps_others
        self._hidden: Path | None = None
        shown = folder if name is None else folder / name
        try:
            if name is not None:
                _check_kind(shown, os.stat(shown).st_mode)  # a name too long is refused now and not at the end
        except FileNotFoundError:
            pass
        except OSError as error:
            raise UsageError(f"{shown} cannot be written: {error.strerror}. Choose another name.") from error
        try:
            handle = self._open()
        except OSError as error:
            raise UsageError(f"{shown} cannot be written: {error.strerror}. Choose another folder.") from error
        self.stream: BinaryIO = os.fdopen(handle, "r+b")  # read, too: some formats go back to what they wrote

    @property
    def is_seekable(self) -> bool:
        """Whether what is written can be gone back to."""
        return True

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        """Name the file and write ``facts`` into ``FILE.meta.json``; see `app.market.ports.files.ExportFile`."""
        path = self._folder / (self._name or name)
        if self._name is None and self._keeps_others:
            path = _unused(path)
        meta = path.with_name(path.name + META_SUFFIX)
        hidden_meta = self._folder / f".{secrets.token_hex(8)}.part"
        with self.refusing(), contextlib.ExitStack() as undo:
            undo.callback(hidden_meta.unlink, missing_ok=True)
            with hidden_meta.open("x", encoding="utf-8") as file:
                file.write(json.dumps(facts, indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            self.stream.flush()
            # Before the rename, or a power failure could leave an empty file under the target's name.
            os.fsync(self.stream.fileno())
            if self._hidden is None:
                self._hidden = self._link()
            undo.callback(self._hidden.unlink, missing_ok=True)
            self.stream.close()
            meta.unlink(missing_ok=True)  # so that it never describes another file
            self._hidden.replace(path)
            hidden_meta.replace(meta)
        return path

    def discard(self) -> None:
        """Leave no file."""
        with contextlib.suppress(OSError):  # a full disk refuses what is still to be written
            self.stream.close()
        if self._hidden is not None:
            self._hidden.unlink(missing_ok=True)

    def refusing(self) -> contextlib.AbstractContextManager[None]:
        """Return a context that discards the file and raises FileError if it cannot be written."""
        shown = self._folder if self._name is None else self._folder / self._name
        return _refusing(self.discard, lambda why: f"{shown} cannot be written: {why}. Nothing was left behind.")

    def _open(self) -> int:
        if hasattr(os, "O_TMPFILE"):
            try:
                return os.open(self._folder, os.O_TMPFILE | os.O_RDWR, 0o666)
            except OSError as error:
                if error.errno not in _NO_NAMELESS:
                    raise
        self._hidden = self._folder / f".{secrets.token_hex(8)}.part"
        return os.open(self._hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)

    def _link(self) -> Path:
        """Return a hidden name for the file that has none: a link cannot replace an older file, a rename can."""
        hidden = self._folder / f".{secrets.token_hex(8)}.part"
        handle = self.stream.fileno()
        # With src_dir_fd, Python calls linkat, which follows the link to the open file.
        os.link(f"/proc/self/fd/{handle}", hidden, src_dir_fd=handle, follow_symlinks=True)
        return hidden


class OpenStream:
    """A stream that somebody else opened and closes. Nothing can be taken back from it, and no facts go with it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    @property
    def is_seekable(self) -> bool:
        """Whether what is written can be gone back to."""
        return False

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        """Write what is left."""
        del name, facts
        with self.refusing():
            self.stream.flush()
        return None

    def discard(self) -> None:
        """Write no more; what is written stays."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.flush()

    def refusing(self) -> contextlib.AbstractContextManager[None]:
        """Return a context that raises FileError if the stream takes no more."""
        return _refusing(self.discard, lambda why: f"Not everything could be written: {why}.")


def check_target(path: Path) -> None:
    """
    Check that a file of that path can be written, before anything is read for it.

    Raises:
        UsageError: If the folder does not exist, or the path is a folder, a device or a pipe.
    """
    # os.path.isdir, because Path.is_dir raises an error for a name that is too long.
    if not os.path.isdir(path.parent):
        raise UsageError(f"The folder {path.parent} does not exist: make it first, or choose another.")
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder: give a file name.")
    with contextlib.suppress(OSError):
        _check_kind(path, os.stat(path).st_mode)


def _check_kind(path: Path, mode: int) -> None:
    """Refuse a device, a pipe or a socket: a rename would put a file in its place, /dev/null's for everybody."""
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UsageError(f"{path} is a device or a pipe: give a file name.")


def make_folder(path: Path) -> None:
    """Make the folder, and those above it, unless it exists. Raises UsageError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"The folder {path} cannot be made: {error.strerror}. Choose another.") from error


def _unused(path: Path) -> Path:
    number = 2
    unused = path
    known = format_of_name(path.name)
    suffix = f".{known}" if known else path.suffix  # ".csv.gz" is one
    stem = path.name[: len(path.name) - len(suffix)]
    while unused.exists():
        unused = path.with_name(f"{stem}-{number}{suffix}")
        number += 1
    return unused
