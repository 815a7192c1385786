"""When a command ends: on Ctrl-C and SIGTERM, or after a length of time."""

from __future__ import annotations

import asyncio
import signal

from app.market.errors import UsageError


def stop_on_signals() -> asyncio.Event:
    """Return an event of the running loop that is set by SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        _on_signal(number, stop)
    return stop


def _on_signal(number: signal.Signals, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(number, stop.set)
    except NotImplementedError:  # Windows
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


def parse_duration(text: str) -> float:
    """
    Return ``60s``, ``10m``, ``8h``, ``90d`` or ``3650d`` as seconds.

    Raises:
        UsageError: If it is none of these.
    """
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
    number, unit = text.strip()[:-1], text.strip()[-1:].lower()
    if unit not in units or not number.isascii() or not number.isdigit() or int(number) == 0:
        raise UsageError(f"“{text}” is not a length of time: write it like 60s, 10m, 8h or 90d.")
    return float(int(number) * units[unit])
