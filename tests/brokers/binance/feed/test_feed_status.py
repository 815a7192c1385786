"""One status for many connections: its state, its reason and the symbols concerned."""

from __future__ import annotations

import pytest

from app.brokers.binance.feed_status import overall_status
from app.market.ports.exchange import FeedState, FeedStatus

LIVE = FeedStatus(FeedState.LIVE)
BROKE = FeedStatus(FeedState.BACKING_OFF, "It broke.", 2, 8.0, 108.0)
BROKE_SOONER = FeedStatus(FeedState.BACKING_OFF, "It broke too.", 1, 2.0, 102.0)
REFUSED = FeedStatus(FeedState.REFUSED, "The exchange refused.")


def of(*statuses: FeedStatus) -> FeedStatus:
    return overall_status([(status, {f"S{number}"}) for number, status in enumerate(statuses)])


@pytest.mark.parametrize("state", FeedState)
def test_the_status_of_a_single_connection_is_that_of_the_feed(state: FeedState) -> None:
    status = of(FeedStatus(state, "" if state is FeedState.LIVE else "Why."))
    assert (status.state, status.connections) == (state, 1)
    assert status.down == (state is not FeedState.LIVE)
    assert status.sentence(0) == ("" if state is FeedState.LIVE else "Why.")


def test_one_connection_down_is_reported_while_the_feed_stays_live() -> None:
    status = of(LIVE, BROKE, LIVE)
    assert (status.state, status.connections, status.down) == (FeedState.LIVE, 3, 1)
    assert status.sentence(100) == "1 of 3 connections: It broke; trying again in 8 s."


def test_of_several_down_the_one_retried_soonest_is_reported() -> None:
    status = of(LIVE, BROKE, BROKE_SOONER)
    assert (status.down, status.attempt) == (2, 1)
    assert status.sentence(100) == "2 of 3 connections: It broke too; trying again in 2 s."


def test_with_none_live_the_whole_feed_is_down() -> None:
    status = of(BROKE, FeedStatus(FeedState.CONNECTING), REFUSED)
    assert (status.state, status.down, status.refused) == (FeedState.BACKING_OFF, 3, ("S2",))
    assert status.sentence(100) == "It broke; trying again in 8 s."
    assert of(REFUSED, REFUSED).state is FeedState.REFUSED
    assert of(REFUSED, FeedStatus(FeedState.STALE, "Silent.")).state is FeedState.STALE


def test_refused_symbols_are_reported_first_because_only_the_user_can_change_that() -> None:
    status = overall_status([(LIVE, {"A"}), (BROKE, {"B"}), (REFUSED, {"G", "F", "E", "D", "C"})])
    assert (status.state, status.down, status.refused) == (FeedState.LIVE, 2, ("C", "D", "E", "F", "G"))
    assert status.sentence(100) == ("2 of 3 connections: C, D, E and 2 more are not received: The exchange refused.")
