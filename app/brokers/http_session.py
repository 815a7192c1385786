"""The connections of an HTTP session: direct, or by a proxy."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import aiohttp

from app.brokers.proxy import is_socks

CONNECTIONS = 8
"""As many requests at a time; the weight per minute is the tighter limit of Binance."""


def request_proxy(proxy: str | None) -> str | None:
    """Return what aiohttp takes as a request's proxy; None where there is none, or the connector has it (SOCKS)."""
    return None if proxy is None or is_socks(proxy) else proxy


def connector_for(proxy: str | None, connections: int = CONNECTIONS) -> aiohttp.BaseConnector:
    """
    Return the connector for a direct connection, or for a proxy's address; of its own session alone.

    ``connections``: how many there may be at a time.
    """
    if proxy is None or not is_socks(proxy):
        return aiohttp.TCPConnector(limit=connections)
    # Imported here, because nothing but a SOCKS proxy needs it.
    from aiohttp_socks import ProxyConnector, ProxyType

    address = urlsplit(proxy)
    version = ProxyType.SOCKS5 if address.scheme.startswith("socks5") else ProxyType.SOCKS4
    return ProxyConnector(
        host=address.hostname or "",
        port=address.port or 0,
        proxy_type=version,
        username=None if address.username is None else unquote(address.username),
        password=None if address.password is None else unquote(address.password),
        rdns=address.scheme in ("socks5h", "socks4a"),
        limit=connections,
    )
