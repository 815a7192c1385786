"""
A lake in a bucket of S3, R2 or any store that speaks their protocol, by obstore.

Objects are written by one PUT with ``If-None-Match: *``, so they are there whole or not at all and replace nothing;
there are no multipart uploads, which leave hidden parts when they are interrupted. Failed requests are retried for half
a minute. The library's error messages may hold addresses and headers, so they are neither shown nor logged: each
becomes one sentence.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from app.market.errors import LakeDamaged, LakeError
from storage.lake.address import LakeAddress
from storage.lake.credentials import BucketAccess
from storage.lake.object_store import StoredObject

_PIECE = 4 << 20
_RETRIES = 6
_RETRY_S = 30
_WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AuthorizationHeader")
_REFUSED = ("403 Forbidden", "AccessDenied", "401 Unauthorized", "lacked the necessary privileges")
_FULL = ("status code: 507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull")
_ELSEWHERE = ("redirect without LOCATION", "PermanentRedirect")
_NO_ANSWER = ("HTTP error", "error sending request", "timed out", "Timeout")


class BucketStore:
    """A `storage.lake.object_store.ObjectStore` in a bucket. It is not contacted before the first call."""

    def __init__(self, address: LakeAddress, access: BucketAccess) -> None:
        self.name = str(address)
        self._bucket = address.bucket
        self._place = access.endpoint or f"Amazon S3 in {access.region}"
        key: Any = {
            "access_key_id": access.key_id,
            "secret_access_key": access.secret,
            "token": access.token,
            "expires_at": None,
        }
        settings: dict[str, Any] = {"region": access.region, "virtual_hosted_style_request": False}
        if access.endpoint:
            settings["endpoint"] = access.endpoint
        with self._translated():
            self._store = S3Store(
                address.bucket,
                prefix=address.prefix or None,
                config=settings,  # type: ignore[arg-type]  # because a plain dict is built step by step
                # As a provider, so that no environment variable adds another key or token.
                credential_provider=lambda: key,
                client_options={
                    "allow_http": access.endpoint.startswith("http://"),
                    "connect_timeout": timedelta(seconds=10),
                    "read_timeout": timedelta(seconds=60),
                    "timeout": timedelta(minutes=15),  # of a whole part over a slow line
                    "user_agent": "cryptopipe",
                },
                retry_config={
                    "max_retries": _RETRIES,
                    "retry_timeout": timedelta(seconds=_RETRY_S),
                    "backoff": {
                        "init_backoff": timedelta(milliseconds=200),
                        "max_backoff": timedelta(seconds=5),
                        "base": 2,
                    },
                },
            )

    def objects(self, folder: str) -> Iterator[StoredObject]:
        """See `storage.lake.object_store.ObjectStore`."""
        with self._translated():
            for page in obstore.list(self._store, folder or None, chunk_size=1_000):
                for one in page:
                    yield StoredObject(one["path"], one["size"])

    def folders(self, folder: str) -> list[str]:
        """See `storage.lake.object_store.ObjectStore`."""
        with self._translated():
            found = obstore.list_with_delimiter(self._store, folder or None)
            return sorted(one.rstrip("/").rpartition("/")[2] for one in found["common_prefixes"])

    def get(self, key: str) -> bytes | None:
        """See `storage.lake.object_store.ObjectStore`."""
        with self._translated():
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

    @contextlib.contextmanager
    def local_file(self, key: str) -> Iterator[Path]:
        """See `storage.lake.object_store.ObjectStore`."""
        with contextlib.ExitStack() as stack:
            with _writing_here(key):
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cryptopipe-lake-"))
                path = Path(folder, PurePosixPath(key).name)
                file = stack.enter_context(path.open("wb", buffering=0))
            with self._translated():
                try:
                    stream = obstore.get(self._store, key).stream(min_chunk_size=_PIECE)
                except FileNotFoundError as error:
                    if "NoSuchBucket" in str(error):
                        raise
                    raise LakeDamaged(f"{key} is missing in {self.name}.", key) from None
                for piece in stream:
                    rest = memoryview(piece)
                    with _writing_here(key):
                        while rest:
                            rest = rest[file.write(rest) :]
            file.close()
            yield path

    def put_new(self, key: str, content: bytes | memoryview) -> bool:
        """See `storage.lake.object_store.ObjectStore`."""
        with self._translated():
            try:
                obstore.put(self._store, key, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise LakeError(self._sentence(str(error))) from None  # the original may hold secrets

    def _sentence(self, text: str) -> str:
        text = text.partition("Debug source")[0]  # it holds keys of objects and times, so a number alone says nothing

        def says(words: tuple[str, ...]) -> bool:
            return any(word in text for word in words)

        if "NoSuchBucket" in text:
            return f"There is no bucket {self._bucket} at {self._place}: make it first, or name another."
        if says(_WRONG_KEY):
            return f"The key for the bucket {self._bucket} is not accepted at {self._place}: correct it (docs/lake.md)."
        if says(_REFUSED):
            return (
                f"The key for the bucket {self._bucket} may not do this at {self._place}: it needs to list, read and "
                "write objects."
            )
        if says(_FULL):
            return f"The store at {self._place} is full: free some space and push again; nothing was left half."
        if says(_NO_ANSWER):
            return f"The store at {self._place} does not answer: check the network and the endpoint, and try again."
        if says(_ELSEWHERE):
            return f"The bucket {self._bucket} lies in another region: set AWS_REGION."
        return f"The store at {self._place} failed: try again, and check the setting lake_endpoint."


@contextlib.contextmanager
def _writing_here(key: str) -> Iterator[None]:
    """Blame this machine's disk, not the store, for a failure inside the block."""
    try:
        yield
    except OSError as error:
        raise LakeError(
            f"{key} cannot be written to the folder for temporary files ({error.strerror or error}): free some space "
            "there, or set TMPDIR to a folder on another disk."
        ) from error
