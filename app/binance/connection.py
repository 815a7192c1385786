"""
The life of the connection, as a table and three rules without I/O.

`TRANSITIONS` says what can follow what; `explain` alone decides whether an error is worth another attempt; `backoff_s`
says how long to wait for it. A connection's keeper (`shard`) does what they say and decides nothing itself.
"""

from __future__ import annotations

import errno
import random
import socket
import ssl
from enum import Enum

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

from app.market.errors import FeedDisconnected, FeedError, FeedRejected, FeedShutOut
from app.market.ports import FeedState
from app.market.shutout import LONGEST_S

QUICK_DELAY_S = 0.2
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
LONGEST_SILENCE_S = 600.0


class ConnectionEvent(Enum):
    """What can happen to the connection."""

    STARTED = "started"
    OPENED = "opened"
    FAILED = "failed"  # an attempt, or the connection itself
    SILENT = "silent"  # connected, subscribed, and no data for too long
    DOUBTED = "doubted"  # the computer slept or its network changed, so it is probably dead
    HEARD = "heard"  # it lives after all
    REPLACED = "replaced"  # a new connection took over
    RETRIED = "retried"
    REJECTED = "rejected"  # for good, or attempts ran out
    STOPPED = "stopped"
    ENDED = "ended"


_E = ConnectionEvent
_S = FeedState

TRANSITIONS: dict[FeedState, dict[ConnectionEvent, FeedState]] = {
    _S.IDLE: {_E.STARTED: _S.CONNECTING},
    _S.CONNECTING: {
        _E.OPENED: _S.LIVE,
        _E.FAILED: _S.BACKING_OFF,
        _E.REJECTED: _S.REFUSED,
        _E.STOPPED: _S.CLOSING,
    },
    _S.LIVE: {
        _E.SILENT: _S.STALE,
        _E.DOUBTED: _S.STALE,
        _E.REPLACED: _S.LIVE,
        _E.FAILED: _S.BACKING_OFF,
        _E.REJECTED: _S.REFUSED,
        _E.STOPPED: _S.CLOSING,
    },
    _S.STALE: {
        _E.REPLACED: _S.LIVE,
        _E.HEARD: _S.LIVE,
        _E.FAILED: _S.BACKING_OFF,
        _E.REJECTED: _S.REFUSED,
        _E.STOPPED: _S.CLOSING,
    },
    _S.BACKING_OFF: {_E.RETRIED: _S.CONNECTING, _E.STOPPED: _S.CLOSING},
    _S.REFUSED: {_E.STARTED: _S.CONNECTING},
    _S.CLOSING: {_E.ENDED: _S.CLOSED},
    _S.CLOSED: {_E.STARTED: _S.CONNECTING},
}


def next_state(state: FeedState, event: ConnectionEvent) -> FeedState:
    """
    Return the state that follows ``event``.

    Raises:
        ValueError: If ``event`` cannot happen in ``state``: a bug of ours.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise ValueError(f"a connection that is {state} cannot be {event.value}") from None


def diagram() -> str:
    """Return `TRANSITIONS` as a Mermaid state diagram, as ARCHITECTURE.md shows it."""
    lines = ["stateDiagram-v2", f"    [*] --> {_S.IDLE.name}"]
    for state, events in TRANSITIONS.items():
        lines += [f"    {state.name} --> {after.name}: {event.value}" for event, after in events.items()]
    return "\n".join(lines) + "\n"


def backoff_s(
    attempt: int, retry_after_s: float | None = None, *, chance: random.Random, proven: bool = False
) -> float:
    """
    Return how long to wait before the next attempt when ``attempt`` (from 1) have failed in a row.

    Doubles from half a second to 30 s, of which half is left to ``chance``, so that a thousand programs do not come
    back in step. Where a ``proven`` connection broke, the first attempt comes almost at once: most often the exchange
    is there, and each second without a connection is trades to be fetched again. ``retry_after_s``, what the exchange
    asked for, is never undercut.
    """
    ceiling = min(LONGEST_DELAY_S, FIRST_DELAY_S * float(2 ** min(attempt - 1, 16)))
    delay = ceiling * (0.5 + 0.5 * chance.random())
    if proven and attempt == 1:
        delay = QUICK_DELAY_S * chance.random()
    return delay if retry_after_s is None else max(delay, retry_after_s)


class Watchdog:
    """
    Tells a stream that stalled from one that is merely slow.

    A symbol that is not traded at all is silent for good. So each silence that follows one without a message between
    is given twice the time, up to ten minutes.
    """

    def __init__(self, stall_after_s: float) -> None:
        self._stall_after_s = stall_after_s
        self._silences = 0
        self._heard = False
        self._received = 0
        self._quiet_since_s = 0.0

    @property
    def limit_s(self) -> float:
        """How long a connection may now be silent."""
        longest_s = max(LONGEST_SILENCE_S, self._stall_after_s)
        return min(self._stall_after_s * float(2 ** min(self._silences, 16)), longest_s)

    def watch(self, now_s: float) -> None:
        """Begin with a new connection at ``now_s`` (monotonic)."""
        self._heard = False
        self._received = 0
        self._quiet_since_s = now_s

    def is_silent(self, received: int, now_s: float, *, excused: bool) -> bool:
        """
        Return whether the connection has been silent for too long.

        ``received``: messages of data since `watch`. ``excused``: nothing can be expected, because nothing is
        subscribed or because we ourselves do not read on. After True, call `watch` for the connection that replaces it.
        """
        if received != self._received:
            self._received = received
            self._heard = True
            self._silences = 0
        elif not excused:
            if now_s - self._quiet_since_s < self.limit_s:
                return False
            self._silences = 0 if self._heard else self._silences + 1
            return True
        self._quiet_since_s = now_s
        return False


def explain(error: BaseException, host: str, proxy: str = "") -> FeedError | None:
    """
    Return what ``error`` means for the connection to ``host``; the one place where retrying is decided.

    ``proxy``: the address of the one on the way, without its password, or "".

    FeedDisconnected: try again, not before its ``retry_after_s``. FeedRejected: trying again is useless. None: no fault
    of the network, but a bug; let it rise.
    """
    if isinstance(error, FeedError):
        return error
    if isinstance(error, ConnectionClosed):
        return FeedDisconnected(_why_closed(error, host))
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status < 400 or status == 404:
            return _not_the_exchange(f"HTTP {status}", host)
        return http_error(status, error.response.headers.get("Retry-After"), host)
    if isinstance(error, (InvalidURI, SecurityError)):  # where a redirection leads
        return _not_the_exchange("a redirection", host)
    if isinstance(error, ProxyError):
        answered = error.response.status_code if isinstance(error, InvalidProxyStatus) else None
        return FeedDisconnected(proxy_trouble(host, proxy, str(error.__cause__ or error), answered))
    if isinstance(error, InvalidProxy):  # its own text shows the address, and with it a password
        return FeedRejected(f"The proxy that is set cannot be used ({error.msg}); correct or remove it.")
    if isinstance(error, InvalidMessage):
        return FeedDisconnected(f"{host} ended the connection before answering.")
    if isinstance(error, InvalidHandshake):
        return FeedRejected(f"{host} does not answer as a stream of the exchange ({error}); check the address.")
    if isinstance(error, OSError):  # TimeoutError and ssl.SSLError are among them
        way = f"{host} by the proxy {proxy}" if proxy else host
        return FeedDisconnected(f"Cannot reach {way} ({network_reason(error)}).")
    return None


_SHUT_OUT = {
    418: ("{host} has banned this address for asking too much", 120.0),
    429: ("{host} was asked too much too fast", 60.0),
    403: ("The firewall of {host} turned us away", 60.0),
}


def http_error(status: int, retry_after: str | None, host: str) -> FeedError:
    """
    Return what an HTTP status other than success means.

    ``retry_after``: the header of that name in seconds, or None. Bans without it are taken for two minutes, the
    shortest there is.
    """
    if status in _SHUT_OUT:
        words, shortest_s = _SHUT_OUT[status]
        sentence = f"{words.format(host=host)} (HTTP {status})."
        return FeedShutOut(sentence, retry_after_s=_seconds(retry_after, shortest_s))
    if status == 451:
        return FeedRejected(f"{host} does not serve this location (HTTP 451); set another address of the exchange.")
    if status >= 500 or status == 408:
        after = None if retry_after is None else _seconds(retry_after, 0.0)
        return FeedDisconnected(f"{host} has a fault of its own (HTTP {status}).", retry_after_s=after)
    return FeedRejected(f"{host} refused the connection (HTTP {status}); check the address of the exchange.")


def _not_the_exchange(answer: str, host: str) -> FeedDisconnected:
    """Networks of hotels and trains answer in the exchange's place until their page has been visited."""
    return FeedDisconnected(
        f"Something other than the exchange answers at {host} ({answer}); check the address and the network's sign-in."
    )


def proxy_trouble(host: str, proxy: str, detail: str, status: int | None = None) -> str:
    """Return the sentence for a ``proxy`` that does not do its work; ``proxy`` and ``detail`` hold no password."""
    name = f"proxy {proxy}" if proxy else "proxy"
    if status == 407 or "authentication" in detail.lower():
        return f"The {name} wants another user and password; correct the setting proxy."
    return f"The {name} does not bring us to {host} ({detail.rstrip('.')})."


def network_reason(error: OSError) -> str:
    """Return what kept a connection from the network, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "no secure connection could be made"
    if isinstance(error, socket.gaierror):
        return "the name is not known here, or there is no network"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    # With several addresses of one host asyncio joins their errors into one text and drops the number.
    if error.errno == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return "connection refused"
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
        return "there is no way to it on the network"
    if isinstance(error, ConnectionError):
        return "the connection broke"
    return error.strerror or "the connection failed"


def _seconds(text: str | None, otherwise: float) -> float:
    if text is None or not (text.isascii() and text.strip().isdigit()):
        return otherwise
    return min(float(text), LONGEST_S)


def _why_closed(error: ConnectionClosed, host: str) -> str:
    if error.sent is not None and error.sent.code == 1009:
        return f"{host} sent a message too large to be one of its own."
    if error.rcvd is None:
        return f"The connection to {host} broke."
    words = {
        1000: "ended the connection",
        1001: "is going away",
        1008: "closed the connection for breaking its rules",
        1011: "met a fault of its own",
        1012: "is restarting",
        1013: "is too busy",
    }.get(error.rcvd.code, "ended the connection")
    return f"{host} {words} (code {error.rcvd.code})."
