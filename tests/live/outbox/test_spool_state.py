"""The states of the spool path, as a table."""

from __future__ import annotations

import pytest

from app.live.outbox.spool_state import ALL_ON_DISK, BY_DISK, TRANSITIONS, SpoolEvent, SpoolState, next_state


def test_every_state_has_its_row_and_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(SpoolState)
    reached = {state for row in TRANSITIONS.values() for state in row.values()}
    assert reached | {SpoolState.OPENING} == set(SpoolState)


def test_a_spool_may_fail_in_any_state_and_then_for_good() -> None:
    for state in set(SpoolState) - {SpoolState.UNAVAILABLE}:
        assert next_state(state, SpoolEvent.FAILED) is SpoolState.UNAVAILABLE
    for event in SpoolEvent:
        with pytest.raises(ValueError, match="a spool that is unavailable cannot be"):
            next_state(SpoolState.UNAVAILABLE, event)


def test_trades_go_straight_again_only_after_the_disk_is_empty() -> None:
    before = {(state, event) for state, row in TRANSITIONS.items() for event in row if row[event] is SpoolState.DIRECT}
    assert before == {(SpoolState.EXPOSED, SpoolEvent.EMPTIED), (SpoolState.SPOOLING, SpoolEvent.EMPTIED)}


def test_only_an_exposed_spool_lacks_trades_that_a_writer_holds() -> None:
    assert {SpoolState.EXPOSED} == BY_DISK - ALL_ON_DISK
    assert next_state(SpoolState.EXPOSED, SpoolEvent.DIVERTED) is SpoolState.EXPOSED
    assert next_state(SpoolState.EXPOSED, SpoolEvent.COVERED) is SpoolState.SPOOLING


def test_an_event_that_makes_no_sense_is_a_bug() -> None:
    with pytest.raises(ValueError, match="a spool that is direct cannot be emptied"):
        next_state(SpoolState.DIRECT, SpoolEvent.EMPTIED)
