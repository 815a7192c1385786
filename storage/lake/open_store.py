"""Opens the store of a lake; the library for buckets is loaded only for a bucket."""

from __future__ import annotations

from storage.lake.address import LakeAddress
from storage.lake.credentials import BucketAccess
from storage.lake.folder_store import FolderStore
from storage.lake.object_store import ObjectStore


def open_object_store(address: LakeAddress, access: BucketAccess | None = None) -> ObjectStore:
    """
    Return the store at ``address``; ``access`` is needed for a bucket. It is not contacted yet.

    Raises:
        LakeError: If the access cannot be used at all.
    """
    if address.folder is not None:
        return FolderStore(address.folder)
    from storage.lake.bucket_store import BucketStore  # here: it loads obstore

    assert access is not None
    return BucketStore(address, access)
