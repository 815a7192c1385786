"""
The key and the endpoint of a bucket: from the environment, the AWS profile, or the keyring.

The sources in order: the R2 variables where they name this bucket; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the R2
variables where they name none; the profile of ~/.aws/credentials; the system's keyring. A machine's own role is not
tried: asking for it over the network hangs where there is none.
"""

from __future__ import annotations

import configparser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.market.errors import LakeError
from storage.lake.address import check_endpoint

KEY_NAME, SECRET_NAME = "lake_access_key_id", "lake_secret_access_key"
"""The names in the keyring: ``keyring set cryptopipe lake_access_key_id``."""
_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class BucketAccess:
    """A key of a bucket. ``endpoint`` is empty for AWS's own. Neither key nor token is in its repr."""

    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    endpoint: str = ""
    region: str = _REGION


def bucket_access(
    bucket: str,
    endpoint: str,
    environment: Mapping[str, str],
    kept: Callable[[str], str] = lambda name: "",
) -> BucketAccess:
    """
    Return the key of ``bucket``.

    ``endpoint``: the setting, empty if it is not set; it wins over every other source. ``kept`` returns the
    keyring's entry of a name, or an empty text; it may block.

    Raises:
        LakeError: If there is no key.
        UsageError: If an endpoint in the environment is not an address.
    """
    value = {name: text.strip() for name, text in environment.items() if text.strip()}.get
    profile = _Profile(environment)
    region = value("AWS_REGION") or value("AWS_DEFAULT_REGION") or profile.value("region") or _REGION
    aws_endpoint = value("AWS_ENDPOINT_URL_S3") or value("AWS_ENDPOINT_URL") or ""
    r2_key, r2_secret, r2_bucket = value("R2_ACCESS_KEY_ID"), value("R2_SECRET_ACCESS_KEY"), value("R2_BUCKET_NAME")
    key, secret = value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY")
    if r2_key and r2_secret and (r2_bucket == bucket or (not r2_bucket and not (key and secret))):
        account = value("R2_ACCOUNT_ID")
        found = endpoint or value("R2_ENDPOINT") or (f"https://{account}.r2.cloudflarestorage.com" if account else "")
        if not found:
            raise LakeError("The R2 variables name no account: set R2_ACCOUNT_ID or R2_ENDPOINT.")
        return BucketAccess(r2_key, r2_secret, None, check_endpoint(found), "auto")
    if key and secret:
        token = value("AWS_SESSION_TOKEN")
        return BucketAccess(key, secret, token, check_endpoint(endpoint or aws_endpoint), region)
    chosen = endpoint or aws_endpoint or profile.value("endpoint_url")
    key, secret = profile.value("aws_access_key_id"), profile.value("aws_secret_access_key")
    if key and secret:
        return BucketAccess(key, secret, profile.value("aws_session_token") or None, check_endpoint(chosen), region)
    key, secret = kept(KEY_NAME), kept(SECRET_NAME)
    if key and secret:
        return BucketAccess(key, secret, None, check_endpoint(chosen), region)
    raise LakeError(
        f"There is no key for the bucket {bucket}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
        "R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY, or write ~/.aws/credentials (docs/lake.md)."
    )


def bucket_of_r2(environment: Mapping[str, str]) -> str:
    """Return the lake that the R2 variables name, where they name a bucket and a key; else nothing."""
    names = ("R2_BUCKET_NAME", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY")
    bucket, *key = (environment.get(name, "").strip() for name in names)
    return f"s3://{bucket}" if bucket and all(key) else ""


class _Profile:
    """The profile that AWS_PROFILE names, ``default`` otherwise, of AWS's two files; unreadable files are empty."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("AWS_PROFILE", "").strip() or "default"
        folder = Path(environment.get("HOME") or environment.get("USERPROFILE") or "~").expanduser() / ".aws"
        credentials = environment.get("AWS_SHARED_CREDENTIALS_FILE") or folder / "credentials"
        config = environment.get("AWS_CONFIG_FILE") or folder / "config"
        self._sections = [
            _section(Path(credentials), name),
            _section(Path(config), name if name == "default" else f"profile {name}"),
        ]

    def value(self, name: str) -> str:
        return next((section[name] for section in self._sections if section.get(name)), "")


def _section(path: Path, name: str) -> Mapping[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        return dict(parser.items(name)) if parser.has_section(name) else {}
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}  # another program's file; without a key in it, the error names where one can be put
