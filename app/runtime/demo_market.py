"""The simulated market of ``--demo``: a sandbox in its own process, so that its work never stalls the window."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.concurrency.background import in_background
from app.config.settings import Settings
from app.market.errors import FeedDisconnected
from app.runtime.own_program import own_program

_START_S = 20.0


def demo_settings(settings: Settings) -> Settings:
    """Return the settings of the simulated market: its invented trades get an embedded database of their own."""
    return dataclasses.replace(settings, data_dir=settings.data_dir / "demo", database_url="")


@contextlib.contextmanager
def sandbox(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the sandbox exchange, its log in ``data_dir``; it ends with us, also if we are killed: its stdin closes."""
    process = subprocess.Popen(  # noqa: S603  # because the program is our own
        own_program("sandbox", "--port", "0", "--until-stdin-closes", "--data-dir", str(data_dir)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


async def at_sandbox(settings: Settings, process: subprocess.Popen[bytes], closing: asyncio.Future[Any]) -> Settings:
    """
    Return the settings with the sandbox's addresses once it serves; unchanged if ``closing`` is done first.

    Raises:
        FeedDisconnected: If it does not serve in time.
    """
    assert process.stdout is not None
    reading = asyncio.ensure_future(in_background(process.stdout.readline, "read-sandbox"))
    either: list[asyncio.Future[Any]] = [reading, closing]
    await asyncio.wait(either, timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
    if not reading.done():
        process.kill()  # so that the reading thread ends
    line = (await reading).decode()
    if closing.done():
        return settings
    addresses = [word.rstrip(".") for word in line.split() if "://" in word]
    if len(addresses) != 2:
        raise FeedDisconnected("The simulated market did not start: run “cryptopipe sandbox” to see why.")
    ws_url, rest_url = addresses
    return dataclasses.replace(settings, binance_ws_url=ws_url, binance_rest_url=rest_url, archive_url=rest_url)
