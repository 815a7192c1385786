"""Checks of URLs and hosts, for settings and for messages."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from app.market.errors import SettingsError


def host_of(url: str) -> str:
    """Return the ``host:port`` of ``url`` for a message, or the host alone if it names no port."""
    return urlsplit(url).netloc


def is_loopback(url: str) -> bool:
    """Whether ``url`` is on this machine, which no proxy elsewhere could reach."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_problem(url: str, schemes: Sequence[str]) -> str:
    """
    Return why ``url`` is not a base address, as part of a sentence, or "" if it is one.

    A base address is one of ``schemes``, a host and perhaps a port.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return "its host or port cannot be read"
    if parts.scheme not in schemes:
        *others, last = (f"{scheme}://" for scheme in schemes)
        return f"it must begin with {', '.join(others)} or {last}"
    if not host or any(character.isspace() for character in parts.netloc):
        return "it names no host"
    if port == 0:
        return "its port cannot be 0"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return "it must end after the host and port"
    return ""


def check_base(
    url: str, service: str, example: str, schemes: Sequence[str] = ("https", "http"), *, may_have_path: bool = True
) -> str:
    """
    Return a base address without a trailing slash.

    ``service``: the broker in a sentence; ``example``: an address that can be one; ``may_have_path``: whether a path
    may follow, such as that of a mirror.

    Raises:
        SettingsError: If it is not one of ``schemes``, a host, perhaps a port and a path. Its text has no password.
    """
    checked = url.strip()
    if may_have_path:
        with suppress(ValueError):  # `address_problem` names it
            checked = urlsplit(checked)._replace(path="").geturl()
    problem = address_problem(checked, schemes)
    if not problem and "@" in checked:
        problem = "it must not hold a user or password"
    if problem:
        shown = re.sub(r"//.*@", "//…@", url)[:80]  # never repeat a password
        raise SettingsError(f"“{shown}” is no address of {service}: {problem}; write one such as {example}.")
    return url.strip().rstrip("/?#")  # an empty query or fragment is none
