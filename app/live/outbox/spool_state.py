"""
The states of a `app.live.outbox.spool_path.SpoolPath`, as a table without I/O.

`TRANSITIONS` says which state follows which event. The path does what its state asks for, and is the only one to
change it.
"""

from __future__ import annotations

from enum import Enum


class SpoolState(Enum):
    """Where rows go, and whether those a writer holds are safe on disk."""

    OPENING = "opening"  # rows wait until it is known what an earlier run left
    DIRECT = "direct"  # rows go straight to the writer
    EXPOSED = "exposed"  # rows go by disk, but a writer still holds earlier ones that are not there
    SPOOLING = "spooling"  # rows go by disk, and so do all that a writer holds
    UNAVAILABLE = "unavailable"  # there is no spool, or it failed: rows go straight to the writer, or wait


class SpoolEvent(Enum):
    """What can happen to the path."""

    OPENED = "opened"
    DIVERTED = "diverted"  # by its owner: a database gets what is on disk first, or everything is to be saved
    TROUBLED = "troubled"  # the database does not take rows
    COVERED = "covered"  # all that the writer holds is on disk, too
    EMPTIED = "emptied"  # nothing is left on disk, and what waited was handed over
    FAILED = "failed"  # the spool is of no use in this run


_E = SpoolEvent
_S = SpoolState

TRANSITIONS: dict[SpoolState, dict[SpoolEvent, SpoolState]] = {
    # The rows of an earlier run come first, so an opened spool is emptied before the direct path is used.
    _S.OPENING: {_E.OPENED: _S.SPOOLING, _E.DIVERTED: _S.OPENING, _E.FAILED: _S.UNAVAILABLE},
    _S.DIRECT: {_E.TROUBLED: _S.EXPOSED, _E.DIVERTED: _S.SPOOLING, _E.FAILED: _S.UNAVAILABLE},
    _S.EXPOSED: {
        _E.COVERED: _S.SPOOLING,
        _E.DIVERTED: _S.EXPOSED,
        _E.EMPTIED: _S.DIRECT,
        _E.FAILED: _S.UNAVAILABLE,
    },
    _S.SPOOLING: {_E.DIVERTED: _S.SPOOLING, _E.EMPTIED: _S.DIRECT, _E.FAILED: _S.UNAVAILABLE},
    _S.UNAVAILABLE: {},
}

BY_DISK = frozenset({_S.OPENING, _S.EXPOSED, _S.SPOOLING})
"""The states in which rows go by disk."""

ALL_ON_DISK = frozenset({_S.OPENING, _S.SPOOLING})
"""The states in which every row that a writer did not store is on disk."""


def next_state(state: SpoolState, event: SpoolEvent) -> SpoolState:
    """
    Return the state that follows ``event``.

    Raises:
        ValueError: If ``event`` cannot happen in ``state``: a bug of ours.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise ValueError(f"a spool that is {state.value} cannot be {event.value}") from None
