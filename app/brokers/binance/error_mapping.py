"""
Every failure between this program and the exchange, mapped to an error that says whether to try again. No I/O.

`explain` alone decides about retrying, for the streams (websockets) and for requests (aiohttp). `response_error` and
`http_error` do so for answers of the exchange other than success. An error that is not a failure of the network or the
exchange is a bug and is not mapped. No sentence here contains a password.
"""

from __future__ import annotations

from collections.abc import Mapping

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
from app.brokers.network_errors import (
    explain_network,
    not_the_service,
    proxy_error,
    proxy_failure,
    retry_after_of,
    server_fault,
)
from app.market.errors import (
    FeedAway,
    FeedBanned,
    FeedDisconnected,
    FeedError,
    FeedRejected,
    MalformedMessage,
    UnknownSymbol,
)


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
    return explain_network(error, host, proxy) or _explain_stream(error, host, proxy)


def _explain_stream(error: BaseException, host: str, proxy: str) -> FeedError | None:
    """Return the meaning of an error that websockets raised."""
    if isinstance(error, ConnectionClosed):
        reason = _close_reason(error, host)
        code = None if error.rcvd is None else error.rcvd.code
        return FeedDisconnected(reason) if code == _POLICY_VIOLATION or _is_too_large(error) else FeedAway(reason)
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status < 400 or status == 404:
            return not_the_service(f"HTTP {status}", host)
        return http_error(status, error.response.headers.get("Retry-After"), host)
    if isinstance(error, (InvalidURI, SecurityError)):  # where a redirection leads
        return not_the_service("a redirection", host)
    if isinstance(error, ProxyError):
        answered = error.response.status_code if isinstance(error, InvalidProxyStatus) else None
        return proxy_error(host, proxy, str(error.__cause__ or error), answered)
    if isinstance(error, InvalidProxy):  # its own text shows the address, and with it a password
        return FeedRejected(f"The proxy that is set cannot be used ({error.msg}); correct or remove it.")
    if isinstance(error, InvalidMessage):
        return FeedAway(f"{host} ended the connection before answering.")
    if isinstance(error, InvalidHandshake):
        return FeedRejected(f"{host} does not answer as a stream of the exchange ({error}); check the address.")
    return None


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
        return FeedBanned(sentence, retry_after_s=retry_after_of(retry_after, shortest_s))
    if status == 451:
        return FeedRejected(f"{host} does not serve this location (HTTP 451); set another address of the exchange.")
    if (fault := server_fault(status, retry_after, host)) is not None:
        return fault
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
