"""
Every failure between this program and the exchange, mapped to an error that says whether to try again. No I/O.

`explain` alone decides about retrying, for the streams (websockets) and for requests (aiohttp). `response_error` and
`http_error` do so for answers of the exchange other than success. An error that is not a failure of the network or the
exchange is a bug and is not mapped. No sentence here contains a password.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Mapping

import aiohttp
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    ProxyError,
    SecurityError,
)

from app.brokers.binance.decode_rest import decode_error_reply
from app.brokers.binance.endpoints import ILLEGAL_CHARACTERS, INVALID_SYMBOL, TOO_MUCH_WEIGHT
from app.market.errors import (
    FeedAway,
    FeedBanned,
    FeedDisconnected,
    FeedError,
    FeedRejected,
    MalformedMessage,
    UnknownSymbol,
)
from app.market.exchange_ban import LONGEST_S


def explain(error: BaseException, host: str, proxy: str = "") -> FeedError | None:
    """
    Return what ``error`` means for a request to ``host``; this is the one place that decides about retrying.

    ``proxy``: the address of the proxy in use, without its password, or "".

    FeedAway: the exchange is not there, so try until it is. Other FeedDisconnected: it refuses for a while; try again,
    but not before its ``retry_after_s``. FeedRejected: trying again is useless. None: a bug, which the caller raises
    again.
    """
    if isinstance(error, MalformedMessage):
        return FeedDisconnected(f"{host} gave an answer that cannot be read; try again later.")
    if isinstance(error, FeedError):
        return error
    if isinstance(error, aiohttp.ClientError) or _is_socks_error(error):
        return _explain_request(error, host, proxy)
    if isinstance(error, OSError):  # TimeoutError and ssl.SSLError are among them
        return _unreachable(network_reason(error), host, proxy)
    return _explain_stream(error, host, proxy)


def _explain_stream(error: BaseException, host: str, proxy: str) -> FeedError | None:
    """Return the meaning of an error that websockets raised."""
    if isinstance(error, ConnectionClosed):
        reason = _close_reason(error, host)
        code = None if error.rcvd is None else error.rcvd.code
        return FeedDisconnected(reason) if code == _POLICY_VIOLATION or _is_too_large(error) else FeedAway(reason)
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status < 400 or status == 404:
            return _not_the_exchange(f"HTTP {status}", host)
        return http_error(status, error.response.headers.get("Retry-After"), host)
    if isinstance(error, (InvalidURI, SecurityError)):  # where a redirection leads
        return _not_the_exchange("a redirection", host)
    if isinstance(error, ProxyError):
        answered = error.response.status_code if isinstance(error, InvalidProxyStatus) else None
        return _proxy_error(host, proxy, str(error.__cause__ or error), answered)
    if isinstance(error, InvalidProxy):  # its own text shows the address, and with it a password
        return FeedRejected(f"The proxy that is set cannot be used ({error.msg}); correct or remove it.")
    if isinstance(error, InvalidMessage):
        return FeedAway(f"{host} ended the connection before answering.")
    if isinstance(error, InvalidHandshake):
        return FeedRejected(f"{host} does not answer as a stream of the exchange ({error}); check the address.")
    return None


def _explain_request(error: BaseException, host: str, proxy: str) -> FeedError | None:
    """Return the meaning of an error that aiohttp or its connector for SOCKS raised."""
    if isinstance(error, (aiohttp.TooManyRedirects, aiohttp.RedirectClientError)):
        return _not_the_exchange("a redirection", host)
    if isinstance(error, aiohttp.InvalidURL):
        return FeedRejected(f"The address of {host} cannot be used; correct the address of the exchange.")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _proxy_error(host, proxy, f"HTTP {error.status}", error.status)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
        if not isinstance(error, OSError):
            return _unreachable("its certificate cannot be verified", host, proxy)
    elif isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    elif _is_socks_error(error):
        if not isinstance(error.__cause__, OSError):
            return _proxy_error(host, proxy, str(error))
        error = error.__cause__
    return _unreachable(network_reason(error) if isinstance(error, OSError) else "the connection broke", host, proxy)


def _is_socks_error(error: BaseException) -> bool:
    # By name, because aiohttp_socks is only imported once a SOCKS proxy is used.
    return type(error).__module__.partition(".")[0] == "aiohttp_socks"


def _unreachable(reason: str, host: str, proxy: str) -> FeedAway:
    target = f"{host} by the proxy {proxy}" if proxy else host
    return FeedAway(f"Cannot reach {target} ({reason}).")


def _proxy_error(host: str, proxy: str, detail: str, status: int | None = None) -> FeedDisconnected:
    sentence = proxy_failure(host, proxy, detail, status)
    return FeedDisconnected(sentence) if _wants_password(detail, status) else FeedAway(sentence)


# Statuses that concern this address and not the request: their sentence, and the wait if no Retry-After is given.
_BAN_STATUSES = {
    418: ("{host} has banned this address for asking too much", 120.0),
    429: ("{host} was asked too much too fast", 60.0),
    403: ("The firewall of {host} turned us away", 60.0),
}


def http_error(status: int, retry_after: str | None, host: str) -> FeedError:
    """
    Return the meaning of an HTTP status other than success.

    ``retry_after``: the header of that name in seconds, or None. A ban without it is assumed to last for two minutes,
    the exchange's shortest.
    """
    if status in _BAN_STATUSES:
        words, shortest_s = _BAN_STATUSES[status]
        sentence = f"{words.format(host=host)} (HTTP {status})."
        return FeedBanned(sentence, retry_after_s=_retry_after_s(retry_after, shortest_s))
    if status == 451:
        return FeedRejected(f"{host} does not serve this location (HTTP 451); set another address of the exchange.")
    if status >= 500 or status == 408:
        sentence = f"{host} has a fault of its own (HTTP {status})."
        if retry_after is None:
            return FeedAway(sentence)
        return FeedDisconnected(sentence, retry_after_s=_retry_after_s(retry_after, 0.0))
    return FeedRejected(f"{host} refused the connection (HTTP {status}); check the address of the exchange.")


def response_error(
    status: int, headers: Mapping[str, str], body: bytes, host: str, *, symbol: str = "", proxy: str = ""
) -> FeedError:
    """Return the meaning of an answer other than 200 to a request, about ``symbol`` if it named one."""
    if status == 407:
        return FeedDisconnected(proxy_failure(host, proxy, "HTTP 407", status))
    reply = decode_error_reply(body)
    if reply is not None and 400 <= status < 500 and status not in (*_BAN_STATUSES, 451):
        if reply.code == TOO_MUCH_WEIGHT:
            status = 429
        elif reply.code in (INVALID_SYMBOL, ILLEGAL_CHARACTERS) and symbol:
            return UnknownSymbol(symbol, code=reply.code)
        else:
            words = reply.message.rstrip(".")
            return FeedRejected(f"The exchange refused the request: {words} (code {reply.code}).", code=reply.code)
    return http_error(status, headers.get("Retry-After"), host)


def _not_the_exchange(answer: str, host: str) -> FeedAway:
    # Networks of hotels and trains answer every request with their sign-in page, so this passes: it is retried.
    return FeedAway(
        f"Something other than the exchange answers at {host} ({answer}); check the address and the network's sign-in."
    )


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


def _retry_after_s(text: str | None, otherwise: float) -> float:
    if text is None or not (text.isascii() and text.strip().isdigit()):
        return otherwise
    return min(float(text), LONGEST_S)


_POLICY_VIOLATION = 1008


def _is_too_large(error: ConnectionClosed) -> bool:
    return error.sent is not None and error.sent.code == 1009


def _close_reason(error: ConnectionClosed, host: str) -> str:
    if _is_too_large(error):
        return f"{host} sent a message too large to be one of its own."
    if error.rcvd is None:
        return f"The connection to {host} broke."
    words = {
        1000: "ended the connection",
        1001: "is going away",
        _POLICY_VIOLATION: "closed the connection for breaking its rules",
        1011: "met a fault of its own",
        1012: "is restarting",
        1013: "is too busy",
    }.get(error.rcvd.code, "ended the connection")
    return f"{host} {words} (code {error.rcvd.code})."
