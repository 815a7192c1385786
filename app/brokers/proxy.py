"""
The proxy on the way to the exchange, as the setting ``proxy`` says.

``system`` is what the system or the environment says for an address, ``none`` is none, everything else the address of a
proxy, which may hold a user and a password and so is never shown whole. Nothing goes by a proxy to this machine
itself: no proxy could reach it for us.
"""

from __future__ import annotations

import re
import urllib.request
from urllib.parse import urlsplit

from app.brokers.addresses import address_problem, is_loopback
from app.market.errors import FeedRejected, SettingsError

SYSTEM, NONE = "system", "none"
_SCHEMES = ("http", "https", "socks5", "socks5h", "socks4", "socks4a")
_SOCKS_PORT = 1080


def check_proxy(setting: str) -> None:
    """
    Look at the setting without using it.

    Raises:
        SettingsError: If it is neither ``system`` nor ``none`` nor the address of a proxy; without its password.
    """
    if setting not in (SYSTEM, NONE) and (problem := _problem_of(setting)):
        raise SettingsError(
            f"“{shown(setting)[:80]}” is no proxy: {problem}; write {SYSTEM}, {NONE} or an address such as"
            " socks5h://127.0.0.1:1080."
        )


def proxy_for(setting: str, url: str) -> str | None:
    """
    Return the address of the proxy on the way to ``url`` (http, https, ws or wss), or None; look at each attempt.

    Raises:
        FeedRejected: If what the system says is no proxy; without its password.
    """
    if setting == NONE or is_loopback(url):
        return None
    if setting != SYSTEM:
        return _whole(setting)
    address = _of_system(url)
    if address is None:
        return None
    if problem := _problem_of(_with_scheme(address)):
        raise FeedRejected(
            f"The system's proxy “{shown(address)[:80]}” is none: {problem}; correct it there, or set proxy to {NONE}"
            " or to an address."
        )
    return _whole(address)


def is_socks(address: str) -> bool:
    """Whether a proxy speaks SOCKS rather than HTTP."""
    return address.startswith("socks")


def shown(address: str) -> str:
    """Return an address without user and password, for a sentence; whatever stands before the last @ may be one."""
    before, at, host = address.rpartition("@")
    scheme = re.match(r"[a-z0-9]+://", before)
    return f"{scheme.group() if scheme else ''}…@{host}" if at else address


def _of_system(url: str) -> str | None:
    """Return what the system says, in the order of RFC 6455: SOCKS first, then by the address's own scheme."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    proxies = urllib.request.getproxies()
    own = ("wss", "https") if parts.scheme in ("wss", "https") else ("ws", "http")
    for scheme in (own[0], "socks", own[1], "all"):
        if address := proxies.get(scheme):
            bare = address.removeprefix("http://")
            return f"socks5h://{bare}" if scheme == "socks" and "://" not in bare else address
    return None


def _whole(address: str) -> str:
    """Add what may be left out: the scheme, SOCKS' own port, a password beside a user."""
    parts = urlsplit(_with_scheme(address))
    user = "" if parts.username is None else f"{parts.username}:{parts.password or ''}@"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = parts.port or (_SOCKS_PORT if parts.scheme.startswith("socks") else None)
    return f"{parts.scheme}://{user}{host}" + (f":{port}" if port else "")


def _with_scheme(address: str) -> str:
    address = address.strip()
    if "://" not in address:
        return f"http://{address}"
    return f"socks5h{address[5:]}" if address.startswith("socks://") else address


def _problem_of(address: str) -> str:
    problem = address_problem(address, _SCHEMES)
    if problem.startswith("it must end"):
        problem += "; a / ? # or @ of a password is written %2F %3F %23 %40"
    return problem
