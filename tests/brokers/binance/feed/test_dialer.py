"""The dialer makes one attempt per call, and none during a ban or beyond the limit of attempts."""

from __future__ import annotations

from typing import Any

import pytest

from app.brokers.binance.dialer import AttemptDeferred, Dialer, ProbeDeferred
from app.brokers.binance.endpoints import CONNECTION_ATTEMPTS_PERIOD_S, MAX_CONNECTION_ATTEMPTS
from app.market.errors import FeedAway, FeedBanned, FeedDisconnected, FeedRejected
from app.market.exchange_ban import ExchangeBan
from tests.brokers.binance.helpers import ManualClock
from tests.brokers.binance.test_error_mapping import status

HOST = "stream.binance.com:9443"


class Opener:
    """Stands in for the opening of a socket: notes how it was asked, and raises ``error`` if there is one."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, str | None]] = []
        self.error: Exception | None = None
        self.socket: Any = object()

    async def __call__(self, *, timeout_s: float, proxy: str | None) -> Any:
        self.asked.append((timeout_s, proxy))
        if self.error is not None:
            raise self.error
        return self.socket


@pytest.fixture
def opener() -> Opener:
    return Opener()


def dialer(opener: Opener, clock: ManualClock, ban: ExchangeBan | None = None, proxy: str | None = None) -> Dialer:
    return Dialer(HOST, opener, clock=clock, ban=ban or ExchangeBan(), proxy=lambda: proxy, timeout_s=10.0)


async def test_a_handshake_is_given_more_time_after_each_failure(opener: Opener) -> None:
    dialing = dialer(opener, ManualClock(), proxy="http://proxy:1")
    for failures in range(4):
        assert await dialing.dial(failures) is opener.socket
    assert opener.asked == [(seconds, "http://proxy:1") for seconds in (4.0, 8.0, 10.0, 10.0)]


async def test_nothing_is_tried_during_a_ban(opener: Opener) -> None:
    clock, ban = ManualClock(), ExchangeBan()
    dialing = dialer(opener, clock, ban)
    ban.note("Asked too much.", 60.0, clock.monotonic_s())
    with pytest.raises(AttemptDeferred, match="Asked too much") as caught:
        await dialing.dial()
    assert caught.value.retry_after_s == 60.0
    assert opener.asked == []
    await clock.advance(60.0)
    assert await dialing.dial() is opener.socket


async def test_a_ban_that_a_handshake_meets_is_noted_for_all(opener: Opener) -> None:
    clock, ban = ManualClock(), ExchangeBan()
    opener.error = status(418, {"Retry-After": "90"})
    with pytest.raises(FeedBanned):
        await dialer(opener, clock, ban).dial()
    assert ban.left_s(clock.monotonic_s()) == 90.0
    assert "HTTP 418" in ban.reason


async def test_failed_attempts_count_towards_the_exchanges_limit(opener: Opener) -> None:
    clock = ManualClock()
    dialing = dialer(opener, clock)
    opener.error = ConnectionResetError()
    begun_s = clock.monotonic_s()
    while len(opener.asked) <= MAX_CONNECTION_ATTEMPTS:
        with pytest.raises(FeedDisconnected) as caught:
            await dialing.dial()
        if isinstance(caught.value, AttemptDeferred):
            await clock.advance(caught.value.retry_after_s or 0.0)
    assert clock.monotonic_s() - begun_s >= CONNECTION_ATTEMPTS_PERIOD_S


async def test_a_bug_is_raised_as_it_is(opener: Opener) -> None:
    opener.error = KeyError("bug")
    with pytest.raises(KeyError, match="bug"):
        await dialer(opener, ManualClock()).dial()


async def test_while_the_exchange_is_away_one_connection_probes_for_all(opener: Opener) -> None:
    woken: list[str] = []
    clock = ManualClock()
    dialing = Dialer(
        HOST,
        opener,
        clock=clock,
        ban=ExchangeBan(),
        proxy=lambda: None,
        timeout_s=10.0,
        on_return=lambda: woken.append("all"),
    )
    assert await dialing.dial(number=1) is opener.socket
    assert woken == []
    opener.error = ConnectionRefusedError()
    with pytest.raises(FeedAway):
        await dialing.dial(number=2)
    for number in (1, 3):
        with pytest.raises(ProbeDeferred):
            await dialing.dial(number=number)
    assert len(opener.asked) == 2
    await clock.advance(4)
    with pytest.raises(FeedAway):
        await dialing.dial(1, number=2)
    opener.error = None
    assert await dialing.dial(2, number=2) is opener.socket
    assert woken == ["all"]
    assert await dialing.dial(number=1) is opener.socket
    assert woken == ["all"]


async def test_another_connection_probes_once_the_probing_one_is_gone(opener: Opener) -> None:
    clock = ManualClock()
    dialing = dialer(opener, clock)
    opener.error = ConnectionRefusedError()
    with pytest.raises(FeedAway):
        await dialing.dial(number=2)
    await clock.advance(30)
    with pytest.raises(FeedAway):
        await dialing.dial(number=1)
    assert len(opener.asked) == 2
    with pytest.raises(ProbeDeferred):
        await dialing.dial(number=2)


async def test_a_refusal_ends_the_probing(opener: Opener) -> None:
    dialing = dialer(opener, ManualClock())
    opener.error = ConnectionRefusedError()
    with pytest.raises(FeedAway):
        await dialing.dial(number=2)
    opener.error = status(451)
    with pytest.raises(FeedRejected):
        await dialing.dial(number=2)
    opener.error = None
    assert await dialing.dial(number=1) is opener.socket
