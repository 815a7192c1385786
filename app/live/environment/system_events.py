"""
Events of the computer that leave connections dead without notice: sleep, a network change, a clock that is set.

`SystemWatch` recognises them by two clocks and the addresses this computer sends from, without I/O; `watch_system`
looks once a second. A connection's own watchdog would notice as well, but only after showing a dead market as live for
many seconds.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from app.market.ports.clock import Clock

TICK_S = 1.0
_SLEPT_S = 10.0  # a busy loop is late by less
_CLOCK_SET_S = 1.0
# Addresses for documentation (RFC 5737, RFC 3849): nothing is sent, the system is only asked how it would send.
_FAR_AWAY = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


class SystemEvent(NamedTuple):
    """``what`` happened, without a full stop, and whether it ``cuts`` connections: earlier ones are probably dead."""

    what: str
    cuts: bool


class SystemWatch:
    """Call `look` about every `TICK_S`."""

    def __init__(self) -> None:
        self._before: tuple[int, float] | None = None
        self._network: frozenset[str] = frozenset()
        self._was_gone = False

    def look(self, now_us: int, now_s: float, network: frozenset[str]) -> SystemEvent | None:
        """
        Return the event since the previous look; None if there was none, and the first time.

        ``now_us`` is the time of day, ``now_s`` the monotonic time, ``network`` the addresses this computer sends from,
        none of them if it is on no network.
        """
        before, self._before = self._before, (now_us, now_s)
        changed = self._note_network(network, first=before is None)
        if before is None:
            return None
        passed_s = now_s - before[1]
        jumped_s = (now_us - before[0]) / 1e6 - passed_s
        # Some monotonic clocks stand still during a sleep; by others, this look comes late.
        if passed_s - TICK_S >= _SLEPT_S or jumped_s >= _SLEPT_S:
            return SystemEvent("The computer slept, or its clock was set", cuts=True)
        if changed:
            return SystemEvent(changed, cuts=True)
        if abs(jumped_s) >= _CLOCK_SET_S:
            return SystemEvent("The computer's clock was set", cuts=False)
        return None

    def _note_network(self, network: frozenset[str], *, first: bool) -> str:
        """Note the network; return a sentence if it is another one or back again."""
        if not network:  # no reason to hang up: connections may survive until it is back
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
    """Look once a second until cancelled; ``network`` replaces `sending_addresses`."""
    watch = SystemWatch()
    while True:
        event = watch.look(clock.now_us(), clock.monotonic_s(), (network or sending_addresses)())
        if event is not None:
            on_event(event)
        await clock.sleep(TICK_S)


def sending_addresses() -> frozenset[str]:
    """
    Return the addresses this computer would send from, over IPv4 and IPv6; none if it is on no network.

    It follows default routes, which a list of all addresses does not, so containers that come and go do not matter.
    Returns at once: the system looks up its routes, and no packet is sent.
    """
    return frozenset(address for family, far in _FAR_AWAY if (address := _sending_address(family, far)))


def _sending_address(family: socket.AddressFamily, far: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
