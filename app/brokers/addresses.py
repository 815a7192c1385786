"""Checks of URLs and hosts, for settings and for messages."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit


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
