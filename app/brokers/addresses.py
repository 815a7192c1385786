"""Checks of URLs and hosts."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit


def host_of(url: str) -> str:
    """Return ``host:port`` of an address for a sentence to the user; the host alone where no port is given."""
    return urlsplit(url).netloc


def is_loopback(url: str) -> bool:
    """Whether an address names this machine, which no proxy could reach for us."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_problem(url: str, schemes: Sequence[str]) -> str:
    """Return why ``url`` is not one of the schemes, a host and perhaps a port, in words for a sentence; "" if it is."""
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
