"""
What a failure between this program and a broker means, as far as it does not depend on the broker. No I/O.

`explain_network` maps what aiohttp, its connector for SOCKS and the operating system raise. What an answer of the
broker itself means is decided beside each broker. No sentence here contains a password.
"""

from __future__ import annotations

import errno
import socket
import ssl

import aiohttp

from app.market.errors import FeedAway, FeedDisconnected, FeedError, FeedRejected
from app.market.exchange_ban import LONGEST_S


def explain_network(
    error: BaseException, host: str, proxy: str = "", service: str = "the exchange"
) -> FeedError | None:
    """
    Return the meaning of an error of a request to ``host``, or None if it is no failure of the network.

    ``proxy``: the address of the proxy in use, without its password, or "". ``service``: the broker in a sentence.
    """
    if isinstance(error, aiohttp.ClientError) or _is_socks_error(error):
        return _explain_request(error, host, proxy, service)
    if isinstance(error, OSError):  # TimeoutError and ssl.SSLError are among them
        return _unreachable(network_reason(error), host, proxy)
    return None


def _explain_request(error: BaseException, host: str, proxy: str, service: str) -> FeedError:
    if isinstance(error, (aiohttp.TooManyRedirects, aiohttp.RedirectClientError)):
        return not_the_service("a redirection", host, service)
    if isinstance(error, aiohttp.InvalidURL):
        return FeedRejected(f"The address of {host} cannot be used; correct the address of {service}.")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return proxy_error(host, proxy, f"HTTP {error.status}", error.status)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
        if not isinstance(error, OSError):
            return _unreachable("its certificate cannot be verified", host, proxy)
    elif isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    elif _is_socks_error(error):
        if not isinstance(error.__cause__, OSError):
            return proxy_error(host, proxy, str(error))
        error = error.__cause__
    return _unreachable(network_reason(error) if isinstance(error, OSError) else "the connection broke", host, proxy)


def _is_socks_error(error: BaseException) -> bool:
    # By name, because aiohttp_socks is only imported once a SOCKS proxy is used.
    return type(error).__module__.partition(".")[0] == "aiohttp_socks"


def _unreachable(reason: str, host: str, proxy: str) -> FeedAway:
    target = f"{host} by the proxy {proxy}" if proxy else host
    return FeedAway(f"Cannot reach {target} ({reason}).")


def not_the_service(answer: str, host: str, service: str = "the exchange") -> FeedAway:
    """Return the error for an ``answer`` that cannot be the broker's."""
    # Networks of hotels and trains answer every request with their sign-in page, so this passes: it is retried.
    return FeedAway(
        f"Something other than {service} answers at {host} ({answer}); check the address and the network's sign-in."
    )


def proxy_error(host: str, proxy: str, detail: str, status: int | None = None) -> FeedDisconnected:
    """Return the error for a failing ``proxy``; neither it nor ``detail`` may contain a password."""
    sentence = proxy_failure(host, proxy, detail, status)
    return FeedDisconnected(sentence) if _wants_password(detail, status) else FeedAway(sentence)


def proxy_failure(host: str, proxy: str, detail: str, status: int | None = None) -> str:
    """Return the sentence for a failing ``proxy``; neither it nor ``detail`` may contain a password."""
    name = f"proxy {proxy}" if proxy else "proxy"
    if _wants_password(detail, status):
        return f"The {name} wants another user and password; correct the setting proxy."
    return f"The {name} does not bring us to {host} ({detail.rstrip('.')})."


def _wants_password(detail: str, status: int | None) -> bool:
    return status == 407 or "authentication" in detail.lower()


def network_reason(error: OSError) -> str:
    """Return in a few words why a connection failed, to be put in parentheses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "no secure connection could be made"
    if isinstance(error, socket.gaierror):
        return "the name is not known here, or there is no network"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    # If a host has several addresses, asyncio joins their errors into one text and drops the error number.
    if error.errno == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return "connection refused"
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
        return "there is no way to it on the network"
    if isinstance(error, ConnectionError):
        return "the connection broke"
    return error.strerror or "the connection failed"


def server_fault(status: int, retry_after: str | None, host: str) -> FeedDisconnected | None:
    """
    Return the error for an HTTP status by which the server says that it failed itself, or None for any other status.

    ``retry_after``: the header of that name, or None.
    """
    if status < 500 and status != 408:
        return None
    sentence = f"{host} has a fault of its own (HTTP {status})."
    if retry_after is None:
        return FeedAway(sentence)
    return FeedDisconnected(sentence, retry_after_s=retry_after_of(retry_after, 0.0))


def retry_after_of(text: str | None, otherwise: float) -> float:
    """Return the seconds of a Retry-After header, or ``otherwise`` where there is none that states seconds."""
    if text is None or not (text.isascii() and text.strip().isdigit()):
        return otherwise
    return min(float(text), LONGEST_S)
