"""Opens the lake that a command or the settings name, by the key that the environment, a profile or the keyring has."""

from __future__ import annotations

import os

from app.config import passwords
from app.config.settings import Settings
from app.market.errors import UsageError
from storage.lake.address import LakeAddress, check_endpoint, parse_address
from storage.lake.credentials import BucketAccess, bucket_access, bucket_of_r2
from storage.lake.lake import Lake
from storage.lake.open_store import open_object_store


def configured_lake(settings: Settings) -> str:
    """Return the lake of the settings, else the bucket that the R2 variables name; empty if there is neither."""
    return settings.lake or bucket_of_r2(os.environ)


def open_lake(settings: Settings, text: str = "") -> Lake:
    """
    Return the lake at ``text``, or the settings' where that is empty. Nothing is asked of it yet; the keyring may be.

    Raises:
        UsageError: If neither names one.
        LakeError: If there is no key for its bucket.
    """
    text = text or configured_lake(settings)
    if not text:
        raise UsageError("Name a lake: a folder, or s3://bucket/prefix; or set CRYPTOPIPE_LAKE.")
    address = parse_address(text)
    return Lake(open_object_store(address, None if address.folder is not None else _access(settings, address)))


def _access(settings: Settings, address: LakeAddress) -> BucketAccess:
    endpoint = check_endpoint(settings.lake_endpoint)
    return bucket_access(address.bucket, endpoint, os.environ, passwords.kept)
