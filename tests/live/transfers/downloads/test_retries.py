"""Ten tries over a hundred seconds, by a clock, and one only while a host stays away."""

from __future__ import annotations

import asyncio

import pytest

from app.live.transfers.downloads.retries import WAITS_S, Retries
from app.market.errors import FeedAway, FeedBanned, FeedError, FeedRejected
from tests.live.helpers import HandClock


class Host:
    """Raises ``failure`` while it is set."""

    def __init__(self, failure: FeedError | None = None, times: int = 1 << 30) -> None:
        self.failure, self.times, self.asked = failure, times, 0

    async def answer(self) -> str:
        self.asked += 1
        if self.failure is not None and self.asked <= self.times:
            raise self.failure
        return "answer"


def retries() -> tuple[Retries, HandClock, list[str]]:
    clock, waits = HandClock(), list[str]()
    return Retries(clock, waits.append), clock, waits


def test_ten_tries_more_take_a_hundred_seconds() -> None:
    assert (len(WAITS_S), sum(WAITS_S)) == (10, 100)
    asking, clock, waits = retries()
    host = Host(FeedAway("It is away."))
    with pytest.raises(FeedAway):
        asyncio.run(asking.answer(host.answer))
    assert host.asked == 11
    assert sum(clock.slept) == 100
    assert waits == ["It is away."] * 10


def test_a_host_that_returns_has_all_tries_again() -> None:
    asking, clock, waits = retries()
    assert asyncio.run(asking.answer(Host(FeedAway("x"), 3).answer)) == "answer"
    assert clock.slept == [1, 2, 4]
    assert waits == ["x", "x", "x", ""]


def test_a_host_that_was_away_all_the_time_is_tried_once_for_each_further_piece() -> None:
    asking, _, _ = retries()
    host = Host(FeedAway("x"), 12)
    for _ in range(2):
        with pytest.raises(FeedAway):
            asyncio.run(asking.answer(host.answer))
    assert host.asked == 12
    assert asyncio.run(asking.answer(host.answer)) == "answer"
    again = Host(FeedAway("x"), 2)
    assert asyncio.run(asking.answer(again.answer)) == "answer"


def test_a_refusal_is_final_and_a_ban_longer_than_the_patience_too() -> None:
    for failure in (FeedRejected("no"), FeedBanned("x", retry_after_s=120)):
        asking, clock, _ = retries()
        host = Host(failure)
        with pytest.raises(type(failure)):
            asyncio.run(asking.answer(host.answer))
        assert (host.asked, clock.slept) == (1, [])
    asking, clock, _ = retries()
    assert asyncio.run(asking.answer(Host(FeedBanned("x", retry_after_s=60), 1).answer)) == "answer"
    assert clock.slept == [60]
