"""
The store under a lake: it lists, reads, and writes new objects.

Nothing is ever overwritten or deleted. So several programs may push to one lake, and a killed one leaves whole objects
only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol


class StoredObject(NamedTuple):
    """An object's key, relative to the lake, with slashes; and its bytes."""

    key: str
    size: int


class ObjectStore(Protocol):
    """
    A folder or a bucket. Any number of threads may use it; every method blocks.

    Every method may raise LakeError: wrong credentials, no such bucket, no network, a full disk. ``name`` is the lake's
    address as the user writes it, without any secret.
    """

    name: str

    def objects(self, folder: str) -> Iterator[StoredObject]:
        """Yield all objects below ``folder``, which has no slash at its end; none if there is no such folder."""

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders in ``folder``, sorted."""

    def get(self, key: str) -> bytes | None:
        """Return an object's content; None if there is no such object."""

    def local_file(self, key: str) -> AbstractContextManager[Path]:
        """
        Return a context in which an object is a local file, for objects that are too large for memory.

        Raises:
            LakeDamaged: If there is no such object.
        """

    def put_new(self, key: str, content: bytes | memoryview) -> bool:
        """
        Write an object whole or not at all. Return False, and write nothing, if that key exists.

        A written object survives a loss of power.
        """
