"""
The loopback Dukascopy: both interfaces on one port, over real sockets.

It serves a `QuoteArchive`, refuses what asks for too much at once if so set, and injects faults. ``requests`` counts
what was asked for by path; ``most_at_once`` is the highest number of requests that were open together.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime

from aiohttp import web

from app.sandbox.answer_faults import AnswerFaults, faulty_answer
from app.sandbox.dukascopy.layouts import candle_json, packed_candles, packed_ticks, tick_json
from app.sandbox.dukascopy.sources import SECONDS, QuoteArchive
from app.sandbox.loopback import LoopbackServer

_JSON_TICKS = re.compile(r"/v1/ticks/([A-Z0-9.]+-[A-Z]{3})/(\d{4})/(\d{1,2})/(\d{1,2})/(\d{1,2})")
_JSON_CANDLES = re.compile(r"/v1/candles/(minute|hour|day)/([A-Z0-9.]+-[A-Z]{3})/(BID|ASK)/([\d/]+)")
_FILE_TICKS = re.compile(r"/datafeed/([A-Z0-9]+)/(\d{4})/(\d{2})/(\d{2})/(\d{2})h_ticks\.bi5")
_FILE_CANDLES = re.compile(r"/datafeed/([A-Z0-9]+)/([\d/]+)/(BID|ASK)_candles_(min|hour|day)_1\.bi5")
_LENGTHS = {"min": "minute", "hour": "hour", "day": "day"}


class DukascopySandbox:
    """
    A server of one archive. `start` binds the port (0: any free one); `stop` ends every connection.

    ``faults`` may be changed at any time. ``pause_s``: the least time that an answer takes, so that requests overlap.
    ``most_allowed``: requests beyond that many at once are answered with 429; None for any number.
    """

    def __init__(
        self, archive: QuoteArchive, *, port: int = 0, pause_s: float = 0.0, most_allowed: int | None = None
    ) -> None:
        self.faults = AnswerFaults()
        self.requests: Counter[str] = Counter()
        self.most_at_once = 0
        self._archive = archive
        self._pause_s = pause_s
        self._most_allowed = most_allowed
        self._open = 0
        application = web.Application()
        application.router.add_get("/{path:.*}", self._on_request)
        self._server = LoopbackServer(application, port)

    @property
    def url(self) -> str:
        """The base address of both interfaces."""
        return self._server.url

    async def start(self) -> None:
        """Bind the port and begin to serve; raises UsageError if it cannot be bound."""
        await self._server.start()

    async def stop(self) -> None:
        """End every connection and free the port."""
        await self._server.stop()

    def asked(self, part: str) -> int:
        """Return how many requests there were for paths with that text."""
        return sum(times for path, times in self.requests.items() if part in path)

    async def _on_request(self, request: web.Request) -> web.StreamResponse:
        self.requests[request.path] += 1
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            if self._most_allowed is not None and self._open > self._most_allowed:
                return web.Response(status=429)
            await asyncio.sleep(self._pause_s)
            fault = self.faults.take(request.path)
            body = await asyncio.to_thread(self._body, request.path)
            is_json = request.path.startswith("/v1/")
            kind = "application/json" if is_json else "application/octet-stream"
            return await faulty_answer(fault, request, body, kind)
        finally:
            self._open -= 1

    def _body(self, path: str) -> bytes | None:
        """Return what lies at a path; None: nothing does."""
        if path.startswith("/v1/instruments/"):
            return self._archive.description(path.removeprefix("/v1/instruments/"))
        try:
            recorded = self._archive.stored(path)
            return self._made(path) if recorded is None else recorded
        except ValueError:  # a time that does not exist
            return None

    def _made(self, path: str) -> bytes | None:
        if found := _JSON_TICKS.fullmatch(path):
            code, *dates = found.groups()
            name, start_ms = _name(code), _start_ms(dates, 1)
            ticks = self._archive.ticks(name, start_ms)
            return None if ticks is None else tick_json(ticks, start_ms, self._archive.places(name))
        if found := _FILE_TICKS.fullmatch(path):
            name, *dates = found.groups()
            ticks = self._archive.ticks(name, _start_ms(dates, 0))
            return None if ticks is None else packed_ticks(ticks)
        if found := _JSON_CANDLES.fullmatch(path):
            length, code, side, days = found.groups()
            name, start_ms = _name(code), _start_ms(days.split("/"), 1)
            candles = self._archive.candles(name, side, length, start_ms)
            if candles is None:
                return None
            return candle_json(candles, start_ms, SECONDS[length], self._archive.places(name))
        if found := _FILE_CANDLES.fullmatch(path):
            name, days, side, short = found.groups()
            candles = self._archive.candles(name, side, _LENGTHS[short], _start_ms(days.split("/"), 0))
            return None if candles is None else packed_candles(candles)
        return None


def _name(code: str) -> str:
    return code.replace("-", "").replace(".", "")


def _start_ms(dates: list[str], january: int) -> int:
    """Return the time of year, month, day and hour, as many as there are; ``january`` is the first month's number."""
    given = [int(part) for part in dates]
    year, month, day, hour = [*given, *(0, january, 1, 0)[len(given) :]]
    return int(datetime(year, month - january + 1, day, hour, tzinfo=UTC).timestamp()) * 1_000
