"""
The life of the connection, as a table and two rules without I/O.

`TRANSITIONS` says what can follow what; `backoff_s` says how long to wait for another attempt, and `Watchdog` when a
silence is too long. Whether an error is worth another attempt, `faults.explain` alone decides. A connection's keeper
(`shard`) does what they say and decides nothing itself.
"""

from __future__ import annotations

import random
from enum import Enum

from app.market.ports.exchange import FeedState

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
    DOUBTED = "doubted"  # probably dead: the computer slept, its network changed, or requests go unanswered
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
