"""The table of a chart session's phases."""

from __future__ import annotations

import pytest

from app.live.charts.session_phase import (
    LIVE_PHASES,
    LOADING_PHASES,
    REPEATING_PHASES,
    TRANSITIONS,
    SessionEvent,
    SessionPhase,
    next_phase,
)


def test_every_phase_is_in_the_table_and_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(SessionPhase)
    reached = {SessionPhase.IDLE}
    for _ in SessionPhase:
        reached |= {after for phase in reached for after in TRANSITIONS[phase].values()}
    assert reached == set(SessionPhase)
    assert {event for events in TRANSITIONS.values() for event in events} == set(SessionEvent)


def test_a_session_can_be_closed_in_every_phase_and_stays_closed() -> None:
    assert {next_phase(phase, SessionEvent.CLOSED) for phase in SessionPhase} == {SessionPhase.CLOSED}
    assert set(TRANSITIONS[SessionPhase.CLOSED].values()) == {SessionPhase.CLOSED}


def test_loading_and_live_trades_do_not_change_each_other() -> None:
    for phase, events in TRANSITIONS.items():
        if phase is SessionPhase.CLOSED:
            continue
        for event, after in events.items():
            if event in (SessionEvent.LOAD_STARTED, SessionEvent.REPEAT_REQUESTED, SessionEvent.LOAD_ENDED):
                assert (after in LIVE_PHASES) == (phase in LIVE_PHASES)
            if event in (SessionEvent.JOINED, SessionEvent.LEFT):
                assert (after in LOADING_PHASES) == (phase in LOADING_PHASES)
                assert (after in REPEATING_PHASES) == (phase in REPEATING_PHASES)


def test_live_trades_are_joined_once_and_leave_only_what_they_joined() -> None:
    for phase in set(SessionPhase) - {SessionPhase.CLOSED}:
        assert (SessionEvent.LEFT in TRANSITIONS[phase]) == (phase in LIVE_PHASES)
        assert (SessionEvent.JOINED in TRANSITIONS[phase]) == (phase not in LIVE_PHASES)


def test_a_repeat_is_requested_only_while_loading_and_lasts_until_that_ends() -> None:
    for phase in SessionPhase:
        assert (SessionEvent.REPEAT_REQUESTED in TRANSITIONS[phase]) == (phase in LOADING_PHASES)
    assert {next_phase(phase, SessionEvent.LOAD_ENDED) for phase in REPEATING_PHASES}.isdisjoint(REPEATING_PHASES)


def test_an_event_that_cannot_happen_is_a_bug() -> None:
    with pytest.raises(ValueError, match="a session that is idle cannot get “left”"):
        next_phase(SessionPhase.IDLE, SessionEvent.LEFT)
