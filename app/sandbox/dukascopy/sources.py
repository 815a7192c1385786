"""
What the loopback Dukascopy serves: a folder of recordings, or a simulated market.

Names are those of the tree, ``EURUSD``; times UTC milliseconds. None stands for what does not exist (HTTP 404).
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from app.concurrency.system_clock import SystemClock
from app.sandbox.dukascopy.layouts import (
    HOUR_MS,
    CandleRow,
    TickRow,
    unpacked_candles,
    unpacked_ticks,
)
from app.sandbox.forex_market import SWINGS, is_open

SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}
_FILE_NAMES = {"minute": "min_1", "hour": "hour_1", "day": "day_1"}


class QuoteArchive(Protocol):
    """A market's past."""

    def ticks(self, name: str, start_ms: int) -> list[TickRow] | None:
        """Return the ticks of the hour that begins then."""

    def candles(self, name: str, side: str, length: str, start_ms: int) -> list[CandleRow] | None:
        """Return the candles of ``side`` (``"BID"``) of the day, month or year that begins then."""

    def places(self, name: str) -> int:
        """Return how many decimal places the prices of ``name`` have."""

    def description(self, code: str) -> bytes | None:
        """Return the instrument's description; ``code`` is that of the JSON interface, ``"EUR-USD"``."""

    def stored(self, path: str) -> bytes | None:
        """Return a file as it was recorded, by its path in either layout; None: it is made of the rows."""


class RecordedArchive:
    """
    The recordings in ``folder``: ``datafeed/EURUSD/2019/01/04/08h_ticks.bi5`` and, of the JSON interface,
    ``json/ticks-BTC-USD-2023-2-20-12.json``, ``json/instrument-EUR-USD.json``.

    What lies there as a file is served as it is; the JSON of an hour of which only the .bi5 file lies there is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ticks(self, name: str, start_ms: int) -> list[TickRow] | None:
        at = datetime.fromtimestamp(start_ms // 1_000, UTC)
        body = self._file(f"{name}/{at.year}/{at.month - 1:02d}/{at.day:02d}/{at.hour:02d}h_ticks.bi5")
        return None if body is None else unpacked_ticks(body)

    def candles(self, name: str, side: str, length: str, start_ms: int) -> list[CandleRow] | None:
        at = datetime.fromtimestamp(start_ms // 1_000, UTC)
        dates = [f"{at.year}", f"{at.month - 1:02d}", f"{at.day:02d}"]
        dates = dates[: {"minute": 3, "hour": 2, "day": 1}[length]]
        body = self._file("/".join([name, *dates, f"{side}_candles_{_FILE_NAMES[length]}.bi5"]))
        return None if body is None else unpacked_candles(body)

    def places(self, name: str) -> int:
        body = self.description(f"{name[:-3]}-{name[-3:]}")
        if body is not None:
            return int(json.loads(body)["priceScale"])
        return 3 if name.endswith("JPY") else 5

    def description(self, code: str) -> bytes | None:
        return self._read(self._folder / "json" / f"instrument-{code}.json")

    def stored(self, path: str) -> bytes | None:
        if path.startswith("/datafeed/"):
            return self._file(path.removeprefix("/datafeed/"))
        return self._read(self._folder / "json" / f"{path.removeprefix('/v1/').replace('/', '-')}.json")

    def _file(self, path: str) -> bytes | None:
        return self._read(self._folder / "datafeed" / path)

    def _read(self, path: Path) -> bytes | None:
        inside = path.resolve().is_relative_to(self._folder.resolve())
        return path.read_bytes() if inside and path.is_file() else None


_LEVELS: Mapping[str, float] = {
    "EURUSD": 1.12, "GBPUSD": 1.31, "USDJPY": 110.4, "USDCHF": 0.99, "USDCAD": 1.33, "AUDUSD": 0.71, "NZDUSD": 0.68,
}  # fmt: skip


class SimulatedArchive:
    """
    Forex pairs with the same ticks for the same ``seed``, whatever is asked for and in which order.

    The market is open from Sunday to Friday, 17:00 New York, and ends at ``end_ms``, or now. ``ticks_per_hour``: about.
    """

    def __init__(self, seed: int = 1, *, end_ms: int | None = None, ticks_per_hour: int = 600) -> None:
        self._seed = seed
        self._fixed_end_ms = end_ms
        self._ticks_per_hour = ticks_per_hour

    @property
    def _end_ms(self) -> int:
        return SystemClock().now_us() // 1_000 if self._fixed_end_ms is None else self._fixed_end_ms

    def ticks(self, name: str, start_ms: int) -> list[TickRow] | None:
        if name not in _LEVELS or start_ms + HOUR_MS > self._end_ms:
            return None
        if not is_open(start_ms // 1_000):
            return []
        chance = random.Random(f"{self._seed} {name} {start_ms}")
        unit = 10 ** self.places(name)
        rows = []
        for ms in sorted(chance.choices(range(0, HOUR_MS, 50), k=max(1, round(self._ticks_per_hour)))):
            bid = round(self._level(name, start_ms + ms) * unit) + chance.randint(-3, 3)
            sizes = (chance.choice((0.75, 1.0, 1.5, 3.37, 0.12)) for _ in range(2))
            rows.append(TickRow(ms, bid + chance.randint(1, 6), bid, *sizes))
        return rows

    def candles(self, name: str, side: str, length: str, start_ms: int) -> list[CandleRow] | None:
        if name not in _LEVELS or length == "day":
            return None
        start = datetime.fromtimestamp(start_ms // 1_000, UTC)
        end = start + timedelta(days=1) if length == "minute" else (start + timedelta(days=31)).replace(day=1)
        if end.timestamp() * 1_000 > self._end_ms:
            return None
        shift_s = SECONDS[length]
        candles: dict[int, CandleRow] = {}
        for hour_ms in range(start_ms, round(end.timestamp()) * 1_000, HOUR_MS):
            for row in self.ticks(name, hour_ms) or ():
                second = (hour_ms + row.ms - start_ms) // 1_000 // shift_s * shift_s
                price, size = (row.bid, row.bid_size) if side == "BID" else (row.ask, row.ask_size)
                before = candles.get(second, CandleRow(second, price, price, price, price, 0.0))
                candles[second] = before._replace(
                    close=price,
                    low=min(before.low, price),
                    high=max(before.high, price),
                    volume=round(before.volume + size, 6),
                )
        return [candles[second] for second in sorted(candles)]

    def places(self, name: str) -> int:
        return 3 if name.endswith("JPY") else 5

    def description(self, code: str) -> bytes | None:
        name = code.replace("-", "")
        if name not in _LEVELS:
            return None
        weekdays = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")
        session = {"start": "17:00:00", "previousDayStart": True, "end": "17:00:00", "previousDayEnd": False}
        answer: dict[str, Any] = {
            "name": code.replace("-", "/"),
            "code": code,
            "priceScale": self.places(name),
            "groupCode": "FX_MAJORS",
            "defaultTimezone": "America/New_York",
            "holidays": [],
            "tradeSchedule": [{"id": "all", "from": 0, "to": None, "sessions": {day: [session] for day in weekdays}}],
            "histories": [{"period": "TICK", "from": 1_052_074_800_048}],
        }
        return json.dumps(answer).encode()

    def stored(self, path: str) -> bytes | None:
        return None

    def _level(self, name: str, time_ms: int) -> float:
        """Return the price that the market swings about at that time; it has no jumps, and no memory either."""
        days = time_ms / 86_400_000
        swing = sum(math.sin(days * rate + place) * share for place, (rate, share) in enumerate(SWINGS))
        return _LEVELS[name] * (1.0 + swing)
