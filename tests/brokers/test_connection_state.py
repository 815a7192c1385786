"""The life of a connection: the table of states, the backoff, and the watchdog."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.brokers.connection_state import TRANSITIONS, ConnectionEvent, Watchdog, backoff_s, diagram, next_state
from app.market.ports.exchange import FeedState


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(FeedState)
    reached = {FeedState.IDLE}
    for _ in FeedState:
        reached |= {after for state in reached for after in TRANSITIONS[state].values()}
    assert reached == set(FeedState)
    assert {event for events in TRANSITIONS.values() for event in events} == set(ConnectionEvent)


def test_a_running_feed_can_be_stopped_in_every_state() -> None:
    running = {FeedState.CONNECTING, FeedState.LIVE, FeedState.STALE, FeedState.BACKING_OFF}
    assert {next_state(state, ConnectionEvent.STOPPED) for state in running} == {FeedState.CLOSING}


def test_an_event_that_cannot_happen_is_a_bug() -> None:
    with pytest.raises(ValueError, match="a connection that is idle cannot be opened"):
        next_state(FeedState.IDLE, ConnectionEvent.OPENED)


def test_the_diagram_shows_every_transition_once() -> None:
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert "    BACKING_OFF --> CONNECTING: retried" in lines
    assert len(lines) == 2 + sum(len(events) for events in TRANSITIONS.values())
    assert len(set(lines)) == len(lines)


def test_the_topic_page_shows_the_table_as_it_is() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/topics/connection.md").read_text(encoding="utf-8")
    _, _, after = page.partition("<!-- connection: begin -->")
    shown, _, _ = after.partition("<!-- connection: end -->")
    assert shown.strip() == f"```mermaid\n{diagram()}```"
    assert page.count("stateDiagram") == 1


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e6), st.integers())
def test_a_wait_is_bounded_and_never_shorter_than_the_exchange_asked(
    attempt: int, retry_after_s: float | None, seed: int
) -> None:
    delay = backoff_s(attempt, retry_after_s, chance=random.Random(seed))
    assert delay >= (retry_after_s or 0)
    if retry_after_s is None:
        assert 0.25 <= delay <= 30
        if attempt == 1:
            assert delay <= 1
        if attempt >= 7:
            assert delay >= 15


def test_a_proven_connection_is_opened_again_almost_at_once() -> None:
    chance = random.Random(5)
    assert max(backoff_s(1, chance=chance, proven=True) for _ in range(50)) < 0.2
    assert backoff_s(2, chance=chance, proven=True) >= 0.5
    assert backoff_s(1, 30, chance=chance, proven=True) == 30


def test_waits_grow_and_vary() -> None:
    chance = random.Random(5)
    first = [backoff_s(1, chance=chance) for _ in range(50)]
    assert len(set(first)) == 50
    assert max(first) < min(backoff_s(3, chance=chance) for _ in range(50))


def test_silence_counts_from_the_last_message() -> None:
    watchdog = Watchdog(10)
    watchdog.watch(0)
    assert not watchdog.check(5, 9, excused=False)
    assert not watchdog.check(5, 18.9, excused=False)
    assert watchdog.check(5, 19, excused=False)


def test_silence_is_excused_while_nothing_can_be_expected() -> None:
    watchdog = Watchdog(10)
    watchdog.watch(0)
    assert not watchdog.check(0, 100, excused=True)
    assert not watchdog.check(0, 109, excused=False)
    assert watchdog.check(0, 110, excused=False)


def test_each_socket_without_a_message_gets_more_time_than_the_one_before() -> None:
    watchdog = Watchdog(10)
    limits = []
    now_s = 0.0
    for _ in range(9):
        watchdog.watch(now_s)
        limits.append(watchdog.limit_s)
        now_s += watchdog.limit_s
        assert watchdog.check(0, now_s, excused=False)
    assert limits == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    watchdog.watch(now_s)
    assert not watchdog.check(1, now_s + 1, excused=False)
    assert watchdog.limit_s == 10


@given(st.integers(1, 10_000), st.integers())
def test_while_the_exchange_is_away_no_wait_is_longer_than_four_seconds(attempt: int, seed: int) -> None:
    delay = backoff_s(attempt, chance=random.Random(seed), away=True)
    assert 0.25 <= delay <= 4
    if attempt >= 4:
        assert delay == 4
