"""
The proxy between this program and an exchange, as the setting ``proxy`` chooses it.

``system`` uses the proxy that the system or the environment configures for an address, and ``none`` uses none. Any
other value is the address of a proxy; it may contain a user and a password, so it never appears in a message or log
line without `without_password`. Connections to this machine never use a proxy.
"""

from __future__ import annotations

import re
import urllib.request
from urllib.parse import urlsplit

from app.brokers.addresses import address_problem, is_loopback
from app.market.errors import FeedRejected, SettingsError

SYSTEM_PROXY, NO_PROXY = "system", "none"
_SCHEMES = ("http", "https", "socks5", "socks5h", "socks4", "socks4a")
_SOCKS_PORT = 1080


def check_proxy(setting: str) -> None:
    """
    Check the setting without using it.

    Raises:
        SettingsError: If it is neither ``system`` nor ``none`` nor the address of a proxy. Its text has no password.
    """
    if setting not in (SYSTEM_PROXY, NO_PROXY) and (problem := _problem(setting)):
        raise SettingsError(
            f"“{without_password(setting)[:80]}” is no proxy: {problem};"
            f" write {SYSTEM_PROXY}, {NO_PROXY} or an address such as socks5h://127.0.0.1:1080."
        )


def proxy_for(setting: str, url: str) -> str | None:
    """
    Return the address of the proxy to use for ``url`` (http, https, ws or wss), or None for a direct connection.

    Call it for each attempt, because the system's setting may change meanwhile.

    Raises:
        FeedRejected: If the system's setting is not a proxy. Its text has no password.
    """
    if setting == NO_PROXY or is_loopback(url):
        return None
    if setting != SYSTEM_PROXY:
        return _completed(setting)
    address = _system_proxy(url)
    if address is None:
        return None
    if problem := _problem(_with_scheme(address)):
        raise FeedRejected(
            f"The system's proxy “{without_password(address)[:80]}” is none: {problem};"
            f" correct it there, or set proxy to {NO_PROXY} or to an address."
        )
    return _completed(address)


def is_socks(address: str) -> bool:
    """Whether the proxy at ``address`` speaks SOCKS rather than HTTP."""
    return address.startswith("socks")


def without_password(address: str) -> str:
    """
    Return an address for a message, without user and password.

    Everything before the last @ may be part of a password that its user did not escape.
    """
    before, at, host = address.rpartition("@")
    scheme = re.match(r"[a-z0-9]+://", before)
    return f"{scheme.group() if scheme else ''}…@{host}" if at else address


def _system_proxy(url: str) -> str | None:
    """
    Return the system's proxy for ``url``, or None.

    The order is that of RFC 6455 (4.1): a proxy set for WebSockets, then SOCKS, then the one for HTTP, then any.
    """
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    proxies = urllib.request.getproxies()
    own = ("wss", "https") if parts.scheme in ("wss", "https") else ("ws", "http")
    for scheme in (own[0], "socks", own[1], "all"):
        if address := proxies.get(scheme):
            bare = address.removeprefix("http://")
            # On macOS urllib reports the SOCKS proxy with the scheme http.
            return f"socks5h://{bare}" if scheme == "socks" and "://" not in bare else address
    return None


def _completed(address: str) -> str:
    """Return the address with the parts a user may omit: the scheme, the port of SOCKS, an empty password."""
    parts = urlsplit(_with_scheme(address))
    user = "" if parts.username is None else f"{parts.username}:{parts.password or ''}@"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = parts.port or (_SOCKS_PORT if parts.scheme.startswith("socks") else None)
    return f"{parts.scheme}://{user}{host}" + (f":{port}" if port else "")


def _with_scheme(address: str) -> str:
    address = address.strip()
    if "://" not in address:
        return f"http://{address}"
    # socks5h resolves names at the proxy, which works where this machine's DNS is blocked.
    return f"socks5h{address[5:]}" if address.startswith("socks://") else address


def _problem(address: str) -> str:
    problem = address_problem(address, _SCHEMES)
    # An unescaped character of a password looks like the start of a path, which would be a puzzling complaint.
    if problem.startswith("it must end"):
        problem += "; a / ? # or @ of a password is written %2F %3F %23 %40"
    return problem
