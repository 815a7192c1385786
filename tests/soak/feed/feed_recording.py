"""
The program's recording as a process of its own, that says every second how it does.

Settings come from the environment, as the program's. On its standard output one JSON object a line: see `_said`, and at
last ``{"closed": trades that are not stored}``. It ends when its standard input does.

Usage: ``python -m tests.soak.feed.feed_recording``
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from dataclasses import asdict
from typing import Any

from app.config.settings import load
from app.live.engine import Engine
from app.market.ports.exchange import FeedState, FeedStatus
from app.observability.logs import start_logging
from app.runtime.wiring import engine_for

_LOOK_EVERY_S = 0.01


class Telling:
    """Watches an engine from beside it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._delays_ms: list[float] = []
        self._lost_at_s: float | None = None
        self._received_when_live: int | None = None
        self._outages: list[tuple[float, float]] = []
        engine.feed.on_status(self._on_status)

    async def run(self) -> None:
        """Look a hundred times a second, tell once."""
        next_s = time.monotonic() + 1.0
        while True:
            begin_s = time.monotonic()
            await asyncio.sleep(_LOOK_EVERY_S)
            now_s = time.monotonic()
            self._delays_ms.append(round((now_s - begin_s - _LOOK_EVERY_S) * 1000, 1))
            self._look(now_s)
            if now_s >= next_s:
                next_s += 1.0
                print(json.dumps(self._report()), flush=True)

    def _on_status(self, status: FeedStatus) -> None:
        if status.state is not FeedState.LIVE:
            self._received_when_live = None
            if self._lost_at_s is None and status.state in (FeedState.STALE, FeedState.BACKING_OFF):
                self._lost_at_s = time.monotonic()
        elif self._lost_at_s is not None:
            self._received_when_live = self._engine.recorder.trades_received

    def _look(self, now_s: float) -> None:
        """Note the end of an outage: the feed is live again once a trade arrived."""
        lost_at_s, before = self._lost_at_s, self._received_when_live
        if lost_at_s is not None and before is not None and self._engine.recorder.trades_received > before:
            self._outages.append((lost_at_s, now_s))
            self._lost_at_s = self._received_when_live = None

    def _report(self) -> dict[str, Any]:
        engine = self._engine
        writer = engine.database.writer.status if engine.database is not None else None
        report: dict[str, Any] = {
            "state": str(engine.feed.status.state),
            "received": engine.recorder.trades_received,
            "missing": engine.recorder.missing(),
            "repaired": engine.repairer.repaired,
            "reconnects": engine.feed.counters.reconnects,
            "malformed": engine.feed.counters.malformed,
            "outbox": engine.waiting_trades,
            "writer": asdict(writer) if writer is not None else {},
            "outages": self._outages,
            "delays_ms": sorted(self._delays_ms),
        }
        self._outages, self._delays_ms = [], []
        return report


async def _record() -> None:
    settings = load()
    start_logging(settings.data_dir, settings.log_level, settings.log_format)
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(
        target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ending.set)), name="stdin", daemon=True
    ).start()
    async with engine_for(settings) as engine:
        telling = Telling(engine)
        engine.start(settings.symbols)
        task = asyncio.create_task(telling.run())
        await ending.wait()
        unstored = await engine.close()
        task.cancel()
    print(json.dumps({"closed": unstored}), flush=True)


if __name__ == "__main__":
    asyncio.run(_record())
