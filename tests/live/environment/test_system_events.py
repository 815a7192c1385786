"""How a sleep, a network change and a clock that is set are recognised, and reported once."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from app.live.environment.system_events import SystemEvent, SystemWatch, sending_addresses, watch_system
from tests.live.helpers import START_US, HandClock, until

HOME, CAFE, NOWHERE = frozenset({"192.168.1.5"}), frozenset({"10.0.0.7"}), frozenset[str]()
SLEPT = SystemEvent("The computer slept, or its clock was set", cuts=True)


class Looks:
    """A computer and the time that passes by each of its clocks between two looks."""

    def __init__(self) -> None:
        self.watch = SystemWatch()
        self.now_us, self.now_s = START_US, 50.0
        assert self.watch.look(self.now_us, self.now_s, HOME) is None

    def after(
        self, passed_s: float = 1.0, *, jump_s: float = 0.0, network: frozenset[str] = HOME
    ) -> SystemEvent | None:
        self.now_s += passed_s
        self.now_us += round((passed_s + jump_s) * 1e6)
        return self.watch.look(self.now_us, self.now_s, network)


def test_nothing_is_reported_while_nothing_happens() -> None:
    looks = Looks()
    assert [looks.after(seconds) for seconds in (1.0, 1.2, 5.0, 0.9, 1.0)] == [None] * 5
    assert [looks.after(jump_s=jump_s) for jump_s in (0.4, -0.4, 0.9)] == [None] * 3


@pytest.mark.parametrize(("passed_s", "jump_s"), [(1.0, 3600.0), (3600.0, 0.0), (11.5, 0.0), (0.5, 10.0)])
def test_a_sleep_is_reported_whether_or_not_the_monotonic_clock_stood_still(passed_s: float, jump_s: float) -> None:
    looks = Looks()
    assert looks.after(passed_s, jump_s=jump_s) == SLEPT
    assert looks.after() is None


@pytest.mark.parametrize("jump_s", [-3600.0, -1.5, 2.0])
def test_a_clock_that_is_set_cuts_no_connection(jump_s: float) -> None:
    looks = Looks()
    assert looks.after(jump_s=jump_s) == SystemEvent("The computer's clock was set", cuts=False)
    assert looks.after() is None


def test_a_network_change_is_reported_once_and_a_lost_network_when_it_is_back() -> None:
    looks = Looks()
    networks = [CAFE, CAFE, NOWHERE, NOWHERE, CAFE, CAFE, NOWHERE, HOME, HOME]
    reported = [looks.after(network=network) for network in networks]
    changed, back = SystemEvent("The network has changed", cuts=True), SystemEvent("The network is back", cuts=True)
    assert reported == [changed, None, None, None, back, None, None, back, None]


async def test_the_computer_is_looked_at_every_second() -> None:
    clock, reported = HandClock(), []
    networks = [HOME] * 5 + [CAFE] * 5

    def network() -> frozenset[str]:
        return networks[min(len(clock.slept), len(networks) - 1)]

    watching = asyncio.create_task(watch_system(clock, reported.append, network))
    await until(lambda: len(clock.slept) > 10)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    assert set(clock.slept) == {1.0}
    assert reported == [SystemEvent("The network has changed", cuts=True)]


def test_the_sending_addresses_are_found_without_sending() -> None:
    assert all(address for address in sending_addresses())
