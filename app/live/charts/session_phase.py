"""
The phases of a chart session, as a table without I/O.

`TRANSITIONS` says which event may follow in which phase. `ChartSession` reports its events and acts by the phase; what
the window shows is another question, which `SessionState` answers.
"""

from __future__ import annotations

from enum import Enum


class SessionPhase(Enum):
    """What a session is doing: whether it loads its newest page, and whether live trades reach the series."""

    IDLE = "idle"  # neither; the session is new, waits for the live join, or has no live trades
    LOADING = "loading"
    LOADING_TWICE = "loading twice"  # a database opened meanwhile: the page will be loaded once more
    LIVE = "live"
    RELOADING = "reloading"  # while live trades go on
    RELOADING_TWICE = "reloading twice"
    CLOSED = "closed"


class SessionEvent(Enum):
    """What can happen to a session."""

    LOAD_STARTED = "load started"
    REPEAT_REQUESTED = "repeat requested"
    LOAD_ENDED = "load ended"  # with a page, with an error, or cancelled
    JOINED = "joined"  # live trades reach the series from now on
    LEFT = "left"  # live trades no longer do: too many were skipped
    CLOSED = "closed"


_E = SessionEvent
_P = SessionPhase

# Two loads may overlap: the wait for the live join loads a page, and so does a reload. The phase is that of the load
# that started last and ends with the first that ends, so LOAD_STARTED and LOAD_ENDED may come in every phase.
TRANSITIONS: dict[SessionPhase, dict[SessionEvent, SessionPhase]] = {
    _P.IDLE: {_E.LOAD_STARTED: _P.LOADING, _E.LOAD_ENDED: _P.IDLE, _E.JOINED: _P.LIVE, _E.CLOSED: _P.CLOSED},
    _P.LOADING: {
        _E.LOAD_STARTED: _P.LOADING,
        _E.REPEAT_REQUESTED: _P.LOADING_TWICE,
        _E.LOAD_ENDED: _P.IDLE,
        _E.JOINED: _P.RELOADING,
        _E.CLOSED: _P.CLOSED,
    },
    _P.LOADING_TWICE: {
        _E.LOAD_STARTED: _P.LOADING,
        _E.REPEAT_REQUESTED: _P.LOADING_TWICE,
        _E.LOAD_ENDED: _P.IDLE,
        _E.JOINED: _P.RELOADING_TWICE,
        _E.CLOSED: _P.CLOSED,
    },
    _P.LIVE: {_E.LOAD_STARTED: _P.RELOADING, _E.LOAD_ENDED: _P.LIVE, _E.LEFT: _P.IDLE, _E.CLOSED: _P.CLOSED},
    _P.RELOADING: {
        _E.LOAD_STARTED: _P.RELOADING,
        _E.REPEAT_REQUESTED: _P.RELOADING_TWICE,
        _E.LOAD_ENDED: _P.LIVE,
        _E.LEFT: _P.LOADING,
        _E.CLOSED: _P.CLOSED,
    },
    _P.RELOADING_TWICE: {
        _E.LOAD_STARTED: _P.RELOADING,
        _E.REPEAT_REQUESTED: _P.RELOADING_TWICE,
        _E.LOAD_ENDED: _P.LIVE,
        _E.LEFT: _P.LOADING_TWICE,
        _E.CLOSED: _P.CLOSED,
    },
    # A load that was under way ends later, and a caller that does not know yet may start one: its page is dropped.
    # Live trades leave just after the closing, so that their last candles change the series but no window.
    _P.CLOSED: {_E.LOAD_STARTED: _P.CLOSED, _E.LOAD_ENDED: _P.CLOSED, _E.LEFT: _P.CLOSED, _E.CLOSED: _P.CLOSED},
}

LOADING_PHASES = frozenset({_P.LOADING, _P.LOADING_TWICE, _P.RELOADING, _P.RELOADING_TWICE})
REPEATING_PHASES = frozenset({_P.LOADING_TWICE, _P.RELOADING_TWICE})
LIVE_PHASES = frozenset({_P.LIVE, _P.RELOADING, _P.RELOADING_TWICE})


def next_phase(phase: SessionPhase, event: SessionEvent) -> SessionPhase:
    """
    Return the phase that follows ``event``.

    Raises:
        ValueError: If ``event`` cannot happen in ``phase``: a bug of ours.
    """
    try:
        return TRANSITIONS[phase][event]
    except KeyError:
        raise ValueError(f"a session that is {phase.value} cannot get “{event.value}”") from None
