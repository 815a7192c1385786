"""
What happens to the computer and leaves connections dead without a word: a sleep, another network, a clock that is set.

`SystemWatch` tells it from two clocks and the addresses we send from, without I/O; `watch_system` looks once a second.
Waiting for the silence to grow suspicious would be right as well, and would show a live market for many seconds more.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from app.market.ports.clock import Clock

TICK_S = 1.0
_SLEPT_S = 10.0
_CLOCK_SET_S = 1.0
# Addresses for documentation (RFC 5737, RFC 3849): nothing is sent, the system is only asked how it would send.
_FAR_AWAY = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


class SystemEvent(NamedTuple):
    """What happened, without a full stop. ``cuts`` is whether connections from before are probably dead."""

    what: str
    cuts: bool


class SystemWatch:
    """Give each look to `look`, about `TICK_S` apart."""

    def __init__(self) -> None:
        self._before: tuple[int, float] | None = None
        self._network: frozenset[str] = frozenset()
        self._was_gone = False

    def look(self, now_us: int, now_s: float, network: frozenset[str]) -> SystemEvent | None:
        """
        Return what happened since the look before; None for nothing, and the first time.

        ``now_us`` is the time of day, ``now_s`` the monotonic one, ``network`` the addresses we send from: none where
        there is no network.
        """
        before, self._before = self._before, (now_us, now_s)
        changed = self._follow(network, first=before is None)
        if before is None:
            return None
        passed_s = now_s - before[1]
        jumped_s = (now_us - before[0]) / 1e6 - passed_s
        # Some monotonic clocks stand still during a sleep, others go on: then the look comes late.
        if passed_s - TICK_S >= _SLEPT_S or jumped_s >= _SLEPT_S:
            return SystemEvent("The computer slept, or its clock was set", cuts=True)
        if changed:
            return SystemEvent(changed, cuts=True)
        if abs(jumped_s) >= _CLOCK_SET_S:
            return SystemEvent("The computer's clock was set", cuts=False)
        return None

    def _follow(self, network: frozenset[str], *, first: bool) -> str:
        """Note the network; say where it is another one or back again. Losing it is no reason to hang up."""
        if not network:
            self._was_gone = not first
            return ""
        came_back, self._was_gone = self._was_gone, False
        before, self._network = self._network, network
        if first or (before == network and not came_back):
            return ""
        return "The network is back" if came_back else "The network has changed"


async def watch_system(
    clock: Clock, on_event: Callable[[SystemEvent], None], network: Callable[[], frozenset[str]] | None = None
) -> NoReturn:
    """Look at the computer for ever; ``network`` in place of `sending_addresses`."""
    watch = SystemWatch()
    while True:
        event = watch.look(clock.now_us(), clock.monotonic_s(), (network or sending_addresses)())
        if event is not None:
            on_event(event)
        await clock.sleep(TICK_S)


def sending_addresses() -> frozenset[str]:
    """
    Return the addresses this computer would send from, over IPv4 and IPv6; none where it is on no network.

    It follows default routes, which a list of all addresses does not, and containers coming and going do not touch it.
    Returns at once: the system looks into its routes, and no packet is sent.
    """
    return frozenset(address for family, far in _FAR_AWAY if (address := _sending_address(family, far)))


def _sending_address(family: socket.AddressFamily, far: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
