"""
The life of a connection, as a table of states and the rules for waiting. No I/O.

`TRANSITIONS` lists the event that leads from one state to another. `retry_delay_s` decides how long to wait before
another attempt, `Watchdog` when a silence is too long. Whether an error is worth another attempt is decided beside each
broker (`app.brokers.binance.error_mapping`), whose feed carries these decisions out
(`app.brokers.binance.feed_connection`).
"""

from __future__ import annotations

import random
from enum import Enum

from app.market.errors import FeedAway, FeedDisconnected, FeedRejected
from app.market.ports.exchange import FeedState

QUICK_DELAY_S = 0.2  # after a proven connection broke: not 0, so that a thousand programs do not come back at once
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0  # between attempts that the exchange refuses
PROBE_EVERY_S = 4.0  # while it is away: 75 attempts in five minutes, half of what `endpoints` allows
LONGEST_SILENCE_S = 600.0


class ConnectionEvent(Enum):
    """Something that can happen to a connection."""

    STARTED = "started"
    OPENED = "opened"
    FAILED = "failed"  # an attempt, or the connection itself
    SILENT = "silent"  # connected, subscribed, and no data for too long
    DOUBTED = "doubted"  # probably dead: the computer slept, its network changed, or requests go unanswered
    HEARD = "heard"  # alive after all
    REPLACED = "replaced"  # a new socket took over
    RETRIED = "retried"
    REJECTED = "rejected"  # refused for good, or attempts ran out
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
        ValueError: If ``event`` cannot happen in ``state``, which is a bug.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise ValueError(f"a connection that is {state} cannot be {event.value}") from None


def diagram() -> str:
    """Return `TRANSITIONS` as the Mermaid state diagram in ARCHITECTURE.md."""
    lines = ["stateDiagram-v2", f"    [*] --> {_S.IDLE.name}"]
    for state, events in TRANSITIONS.items():
        lines += [f"    {state.name} --> {after.name}: {event.value}" for event, after in events.items()]
    return "\n".join(lines) + "\n"


def backoff_s(
    attempt: int,
    retry_after_s: float | None = None,
    *,
    chance: random.Random,
    proven: bool = False,
    away: bool = False,
) -> float:
    """
    Return how long to wait before the next attempt after ``attempt`` (from 1) failures in a row.

    The delay doubles from half a second to 30 s. Half of it is left to ``chance``, so that a thousand programs do not
    come back at the same moment. While the exchange is ``away`` it ends at 4 s, however long that lasts: nobody is
    burdened, its return is not to be missed, and the delays before have spread the programs. After a ``proven``
    connection broke, the first attempt follows almost at once: most often the exchange is there, and the trades of each
    second without a connection must be fetched later. The delay is never shorter than ``retry_after_s``, which the
    exchange asked for.
    """
    # 16 doublings are far beyond the longest delay; more would only make huge floats.
    ceiling = FIRST_DELAY_S * float(2 ** min(attempt - 1, 16))
    if away and ceiling >= PROBE_EVERY_S:
        delay = PROBE_EVERY_S
    else:
        delay = min(LONGEST_DELAY_S, ceiling) * (0.5 + 0.5 * chance.random())
    if proven and attempt == 1:
        delay = QUICK_DELAY_S * chance.random()
    return delay if retry_after_s is None else max(delay, retry_after_s)


def retry_delay_s(
    error: FeedDisconnected,
    failures: int,
    *,
    max_attempts: int,
    chance: random.Random,
    proven: bool,
    took_s: float,
) -> float:
    """
    Return how long to wait before the next attempt after ``failures`` in a row, of which ``error`` is the last.

    ``max_attempts``: failures in a row after which to give up, 0 for never. ``took_s``: how long the last attempt took,
    which counts as waiting while the exchange is away. ``proven``: see `backoff_s`.

    Raises:
        FeedRejected: If the attempts ran out.
    """
    if max_attempts and failures >= max_attempts:
        raise FeedRejected(f"{str(error).rstrip('.')}; gave up after {failures} attempts.") from error
    away = isinstance(error, FeedAway)
    delay_s = backoff_s(failures, error.retry_after_s, chance=chance, proven=proven, away=away)
    return max(0.0, delay_s - took_s) if away else delay_s


class Watchdog:
    """
    Distinguishes a stalled stream from a slow one by the length of its silence.

    A symbol that is not traded is silent for good, and replacing its socket helps nothing. So each replacement without
    a message since the last doubles the limit, up to ten minutes.
    """

    def __init__(self, stall_after_s: float) -> None:
        self._stall_after_s = stall_after_s
        self._silences = 0
        self._heard = False
        self._received = 0
        self._quiet_since_s = 0.0

    @property
    def limit_s(self) -> float:
        """How long the socket may now be silent."""
        longest_s = max(LONGEST_SILENCE_S, self._stall_after_s)
        return min(self._stall_after_s * float(2 ** min(self._silences, 16)), longest_s)

    def watch(self, now_s: float) -> None:
        """Begin with a new socket at ``now_s`` (monotonic)."""
        self._heard = False
        self._received = 0
        self._quiet_since_s = now_s

    def check(self, received: int, now_s: float, *, excused: bool) -> bool:
        """
        Note the messages received so far, and return whether the socket has been silent for too long.

        ``received``: market events since `watch`. ``excused``: none can be expected, because nothing is subscribed or
        because reading is blocked. After True, call `watch` for the socket that replaces it.
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
