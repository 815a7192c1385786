"""
Every error that a caller is expected to handle, as one tree.

    CryptopipeError
    ├── FeedError
    │   ├── FeedDisconnected      retry
    │   │   ├── FeedAway          nothing of the exchange answers; probe for its return
    │   │   └── FeedBanned        retry later; until then nothing from this address is answered
    │   ├── FeedRejected          fatal until the user changes something
    │   │   └── UnknownSymbol     the exchange has no such symbol, or no longer
    │   └── MalformedMessage      skip, count, show
    ├── StoreError
    │   ├── StoreUnavailable      retry
    │   └── StoreSchemaMismatch   fatal
    ├── FileError                 fatal until the user changes something
    ├── LakeError                 fatal until the user changes something
    │   └── LakeDamaged           a file of the lake is not what its manifest says
    ├── ImportFailed              an import could not begin, or its process ended early; begin it again
    ├── DownloadFailed            a download could not begin, or its process ended early; begin it again
    ├── SettingsError             fatal; wrong usage
    ├── UsageError                wrong usage: an unknown symbol, interval or file
    └── WindowSilent              the window that is open already hangs; retry once it is gone

``str(error)`` is always one sentence for the user that says what happened or what to do. Adapters translate foreign
errors at their edge and chain the original with ``raise … from``.
"""

from __future__ import annotations


class CryptopipeError(Exception):
    """The root of the tree."""


class FeedError(CryptopipeError):
    """The exchange could not be used as asked."""


class FeedDisconnected(FeedError):
    """
    The exchange could not be reached or went away; trying again later may help.

    ``retry_after_s``: the wait that the exchange asked for, or None.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class FeedAway(FeedDisconnected):
    """The exchange is not there: no name, no route, no answer, a broken connection, or a fault of its servers."""


class FeedBanned(FeedDisconnected):
    """The exchange answers nothing from this address for ``retry_after_s``."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s)


class FeedRejected(FeedError):
    """
    The exchange refused the request itself; the same request will be refused again.

    ``code`` is the exchange's error code, or None.
    """

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class UnknownSymbol(FeedRejected):
    """The exchange has no such symbol, or no longer has it. ``symbol`` is the requested name."""

    def __init__(self, symbol: str, *, code: int | None = None) -> None:
        super().__init__(f"“{symbol}” is not a symbol of the exchange.", code=code)
        self.symbol = symbol


class MalformedMessage(FeedError):
    """A message from the exchange could not be read. ``sample`` holds its first bytes."""

    def __init__(self, message: str, *, sample: bytes = b"") -> None:
        super().__init__(message)
        self.sample = sample


class StoreError(CryptopipeError):
    """The database could not be used as asked."""


class StoreUnavailable(StoreError):
    """The database is unreachable, starting, full or shutting down; trying again later may help."""


class StoreSchemaMismatch(StoreError):
    """The database was written by a newer cryptopipe, or by another program. Nothing was changed."""


class FileError(CryptopipeError):
    """
    A file could not be written: the disk is full, or the folder is gone; an older file is as it was. Or a file could
    not be read: it is damaged, ends early, or is not what it says.
    """


class LakeError(CryptopipeError):
    """
    The lake could not be read or written: wrong credentials, no such bucket or folder, no network, a full disk, or
    other data where something was to be written. Whatever was begun left nothing half.
    """


class LakeDamaged(LakeError):
    """A file of the lake is missing, damaged, or not what its manifest says. ``path`` is its key in the lake."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


class ImportFailed(CryptopipeError):
    """An import could not begin, or its process ended before its report. What it had stored stays."""


class DownloadFailed(CryptopipeError):
    """A download could not begin, or its process ended before its report. What it had stored stays."""


class SettingsError(CryptopipeError):
    """A setting is unknown, or its value is not allowed. Nothing was changed."""


class UsageError(CryptopipeError):
    """The user named something that does not exist or is not possible. Nothing was changed."""


class WindowSilent(CryptopipeError):
    """The window that runs on a data directory does not answer. Nothing was changed."""
