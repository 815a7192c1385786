"""
The loopback OANDA: account, instruments, candles and pricing streams on one port, over real sockets.

It asks for the token, keeps OANDA's limits, and injects `OandaFaults` while it runs. ``requests`` counts what was asked
for by path; ``connections`` holds when each TCP connection brought its first request.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakSet

from aiohttp import web

from app.concurrency.system_clock import SystemClock
from app.market.ports.clock import Clock
from app.sandbox.answer_faults import faulty_answer
from app.sandbox.loopback import LoopbackServer
from app.sandbox.oanda.candles import GRANULARITIES, candles_since, newest_candles
from app.sandbox.oanda.faults import OandaFaults
from app.sandbox.oanda.market_time import MarketTime
from app.sandbox.oanda.stream import PriceStream
from app.sandbox.oanda.tape import Listing, PriceTape

TOKEN, ACCOUNT = "sandbox-token", "101-001-0000001-001"  # they open nothing but the sandbox
_MAX_CANDLES = 5_000


@dataclass(frozen=True, slots=True)
class OandaLimits:
    """OANDA's limits, which tests change: requests and new connections a second, streams open at once."""

    requests_per_s: int = 120
    connections_per_s: int = 2
    streams: int = 20


class OandaSandbox:
    """
    A server of one tape. `start` binds the port (0: any free one); `stop` ends every connection.

    ``begin_us`` and ``speed``: when the market's time begins and how fast it runs; without a begin it is ``clock``'s.
    An infinite speed replays as fast as a client reads. ``sampled``: whether prices are sampled four times a second.
    """

    def __init__(
        self,
        tape: PriceTape,
        *,
        port: int = 0,
        token: str = TOKEN,
        account: str = ACCOUNT,
        clock: Clock | None = None,
        begin_us: int | None = None,
        speed: float = 1.0,
        sampled: bool = True,
        heartbeat_s: float = 5.0,
        limits: OandaLimits | None = None,
    ) -> None:
        self.faults = OandaFaults()
        self.limits = limits or OandaLimits()
        self.requests: Counter[str] = Counter()
        self.connections: list[float] = []
        self.streams: list[PriceStream] = []
        self.token, self.account = token, account
        self._tape = tape
        self._clock = clock or SystemClock()
        self.time = MarketTime(self._clock, begin_us=begin_us, speed=speed)
        self._sample_us = 250_000 if sampled else 0
        self._heartbeat_s = heartbeat_s
        self._listings = {listing.name: listing for listing in tape.listings}
        self._known: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._recent: deque[float] = deque()
        application = web.Application()
        application.router.add_get("/v3/{path:.*}", self._on_request)
        self._server = LoopbackServer(application, port)

    @property
    def url(self) -> str:
        """The base address of REST interface and stream, without ``/v3``."""
        return self._server.url

    async def start(self) -> None:
        """Bind the port and begin to serve; raises UsageError if it cannot be bound."""
        await self._server.start()

    async def stop(self) -> None:
        """End every connection and free the port."""
        for stream in list(self.streams):
            stream.cut()
        await self._server.stop()

    async def _on_request(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v3")
        self.requests[path] += 1
        if (refusal := self._limit(request)) is not None:
            self.faults.counts["too fast"] += 1
            return refusal
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _refused(401, "Insufficient authorization to perform request.")
        parts = path.strip("/").split("/")
        if parts[:1] == ["accounts"] and parts[1:2] not in ([], [self.account]):
            return _refused(403, "The account is not one of this token's.")
        fault = self.faults.answers.take(path)
        if parts[2:] == ["pricing", "stream"]:
            if fault is not None and (other := await fault.other_answer()) is not None:
                return other
            if request.transport is None or request.transport.is_closing():  # nobody waited so long
                return _refused(408, "The client is gone.")
            return await self._on_stream(request)
        try:
            body = await asyncio.to_thread(self._answer, parts, dict(request.query))
        except ValueError as error:
            return _refused(400, str(error))
        if body is None and fault is None:
            return _refused(404, "The endpoint does not exist.")
        return await faulty_answer(fault, request, body, "application/json")

    async def _on_stream(self, request: web.Request) -> web.StreamResponse:
        try:
            listings = [self._listing(name) for name in request.query.get("instruments", "").split(",")]
        except ValueError:
            return _refused(400, "Invalid value specified for 'instruments'")
        if len(self.streams) >= self.limits.streams:
            return _refused(429, "Too many streams are open.")
        stream = PriceStream(
            request,
            self._tape,
            self.time,
            listings,
            self.faults.streams.copy(),
            snapshot=request.query.get("snapshot", "true").lower() == "true",
            sample_us=self._sample_us,
            heartbeat_s=self._heartbeat_s,
        )
        self.streams.append(stream)
        self.faults.counts["streams"] += 1
        try:
            return await stream.run()
        finally:
            self.streams.remove(stream)

    def _limit(self, request: web.Request) -> web.Response | None:
        """Count a request and perhaps a new connection; return the refusal of one that is too many."""
        now_s = self._clock.monotonic_s()
        transport = request.transport
        if transport is not None and transport not in self._known:
            self._known.add(transport)
            self.connections.append(now_s)
            if sum(now_s - 1.0 < at_s for at_s in self.connections) > self.limits.connections_per_s:
                return _refused(429, "Too many connections.")
        while self._recent and self._recent[0] <= now_s - 1.0:
            self._recent.popleft()
        self._recent.append(now_s)
        return _refused(429, "Too many requests.") if len(self._recent) > self.limits.requests_per_s else None

    def _answer(self, parts: Sequence[str], query: dict[str, str]) -> bytes | None:
        """Return the body for a path; None: there is none. Raises ValueError for what cannot be asked."""
        if parts == ["accounts"]:
            return _json({"accounts": [{"id": self.account, "tags": []}]})
        if parts[:1] == ["accounts"] and parts[2:] == ["summary"]:
            return _json({"account": {"id": self.account, "alias": "Sandbox", "currency": "EUR"}})
        if parts[:1] == ["accounts"] and parts[2:] == ["instruments"]:
            return _json({"instruments": [_described(listing) for listing in self._listings.values()]})
        if parts[:1] == ["instruments"] and parts[2:] == ["candles"]:
            return self._candles(parts[1], query)
        return None

    def _candles(self, name: str, query: dict[str, str]) -> bytes:
        listing = self._listing(name)
        granularity = query.get("granularity", "S5")
        if granularity not in GRANULARITIES:
            raise ValueError("Invalid value specified for 'granularity'")
        if "count" in query and "from" in query and "to" in query:
            raise ValueError("'count' cannot be specified when 'to' and 'from' are set")
        count = int(query.get("count", "500"))
        if not 0 < count <= _MAX_CANDLES:
            raise ValueError("Maximum value for 'count' exceeded")
        if granularity in ("D", "W", "M") and (query.get("dailyAlignment"), query.get("alignmentTimezone")) != (
            "0",
            "UTC",
        ):
            raise ValueError("The sandbox has days of UTC alone: set dailyAlignment=0 and alignmentTimezone=UTC")
        now_us = self.time.now_us()
        end_us = _time_us(query["to"]) if "to" in query else now_us + 1
        if "from" in query:
            start_us = _time_us(query["from"])
            if start_us > now_us:
                raise ValueError("Invalid value specified for 'from'. Time is in the future")
            limit = count if "to" not in query else _MAX_CANDLES
            candles = candles_since(self._tape, listing, granularity, start_us, end_us, limit, now_us)
        else:
            candles = newest_candles(self._tape, listing, granularity, end_us, count, now_us)
        wanted = {"M": "mid", "B": "bid", "A": "ask"}
        kept = {"complete", "volume", "time", *(wanted[letter] for letter in query.get("price", "M"))}
        return _json(
            {
                "instrument": name,
                "granularity": granularity,
                "candles": [{key: value for key, value in one.items() if key in kept} for one in candles],
            }
        )

    def _listing(self, name: str) -> Listing:
        if name not in self._listings:
            raise ValueError("Invalid value specified for 'instrument'")
        return self._listings[name]


def replayed(speed: str) -> float:
    """Return a replay's speed from its text, ``"60"`` or ``"max"``; raises ValueError for one that is none."""
    value = math.inf if speed == "max" else float(speed)
    if not value > 0:
        raise ValueError("a speed is above 0")
    return value


def _described(listing: Listing) -> dict[str, Any]:
    return {
        "name": listing.name,
        "type": listing.kind,
        "displayName": listing.display_name,
        "pipLocation": 1 - listing.precision,
        "displayPrecision": listing.precision,
        "tradeUnitsPrecision": 0,
    }


def _time_us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def _json(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()


def _refused(status: int, words: str) -> web.Response:
    return web.Response(status=status, body=_json({"errorMessage": words}), content_type="application/json")
