"""
The address of a lake: a folder, or a bucket of an S3-compatible store and a prefix in it. Pure.

    /data/lake, ./lake, ~/lake          a folder
    s3://bucket/some/prefix             a bucket; the endpoint is a setting of its own
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from app.market.errors import UsageError

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
_BUCKET = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$")
_BUCKET_SCHEMES = ("s3", "s3a")


class LakeAddress(NamedTuple):
    """Either ``folder``, or ``bucket`` with the ``prefix`` in it, without slashes around."""

    folder: Path | None = None
    bucket: str = ""
    prefix: str = ""

    def __str__(self) -> str:
        if self.folder is not None:
            return str(self.folder)
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def parse_address(text: str) -> LakeAddress:
    """
    Parse ``text`` as an address.

    Raises:
        UsageError: If it is not an address; the sentence repeats no secret.
    """
    text = text.strip()
    if not text:
        raise UsageError("Name a lake: a folder, or s3://bucket/prefix.")
    scheme = _SCHEME.match(text)
    if scheme is None:
        try:
            return LakeAddress(Path(text).expanduser().absolute())
        except RuntimeError as error:
            raise UsageError(f"“{text}” names a home folder that does not exist: name another folder.") from error
    if scheme[1].lower() not in _BUCKET_SCHEMES:
        raise UsageError(f"A lake at {scheme[1]}:// is not known: name a folder, or s3://bucket/prefix.")
    bucket, _, prefix = text[scheme.end() :].partition("/")
    if "@" in bucket:
        raise UsageError("A lake's address must hold no key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    if ":" in bucket:  # a port or a key, so the sentence does not repeat it
        raise UsageError("A lake's address holds no port and no key: write s3://bucket/prefix, and set lake_endpoint.")
    if not _BUCKET.match(bucket):
        raise UsageError(f"“{bucket[:80]}” is no name of a bucket: write s3://bucket/prefix.")
    parts = [part for part in prefix.split("/") if part]
    if any(part in (".", "..") for part in parts):
        raise UsageError("A lake's prefix must be plain names, such as s3://bucket/some/prefix.")
    return LakeAddress(bucket=bucket, prefix="/".join(parts))


def check_endpoint(text: str) -> str:
    """
    Return the endpoint of an S3-compatible store without a slash at its end; empty for AWS's own.

    Raises:
        UsageError: If it is not such an address, or holds a password.
    """
    text = text.strip().rstrip("/")
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port)
    except ValueError:
        is_address = False
    if not is_address:
        raise UsageError(
            "The lake's endpoint must be an address such as https://s3.example.com or http://127.0.0.1:9000."
        )
    if parts.username or parts.password:
        raise UsageError("The lake's endpoint must hold no key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    return text
