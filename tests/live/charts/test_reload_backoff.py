"""When a session that lacks candles loads again."""

from __future__ import annotations

import pytest

from app.live.charts.reload_backoff import ReloadBackoff


@pytest.fixture
def backoff() -> ReloadBackoff:
    return ReloadBackoff()


def turns(backoff: ReloadBackoff, seconds: int, *, is_stale: bool = True, is_live: bool = True) -> list[int]:
    """The seconds at which a session that asks once per second reloads."""
    return [second for second in range(seconds) if backoff.take_turn(second, is_stale=is_stale, is_live=is_live)]


def test_a_session_that_lacks_candles_reloads_after_waits_that_double_up_to_a_minute(backoff: ReloadBackoff) -> None:
    assert turns(backoff, 250) == [0, 2, 6, 14, 30, 62, 122, 182, 242]


def test_a_session_reloads_only_while_the_exchange_can_be_reached(backoff: ReloadBackoff) -> None:
    assert turns(backoff, 100, is_live=False) == []
    assert turns(backoff, 5) == [0, 2]


def test_the_wait_begins_again_at_its_shortest_once_nothing_is_missing(backoff: ReloadBackoff) -> None:
    assert turns(backoff, 20)[-1] == 14
    assert not backoff.take_turn(31, is_stale=False, is_live=True)
    assert backoff.take_turn(32, is_stale=True, is_live=True)
    assert not backoff.take_turn(33, is_stale=True, is_live=True)
    assert backoff.take_turn(34, is_stale=True, is_live=True)


def test_a_session_that_seems_complete_during_a_wait_keeps_the_long_wait(backoff: ReloadBackoff) -> None:
    assert turns(backoff, 10)[-1] == 6
    assert not backoff.take_turn(11, is_stale=False, is_live=True)  # still loading: the wait stays long
    assert backoff.take_turn(14, is_stale=True, is_live=True)
    assert not backoff.take_turn(29, is_stale=True, is_live=True)
