"""
The server's side of one pricing stream: the snapshot, prices as they come, heartbeats, and its end.

OANDA sends at most four prices a second and instrument: the last one in each window of 250 ms, which begin when the
stream does. So two streams see different prices. A recording was made that way already, and is sent as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiohttp import web

from app.sandbox.oanda.faults import StreamFaults
from app.sandbox.oanda.market_time import MarketTime
from app.sandbox.oanda.tape import Listing, PriceTape, TapePrice

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP_S = 0.05
_LINES_AT_ONCE = 500  # of a replay without a limit of its speed
_SPAN_US = 60_000_000


def time_text(time_us: int) -> str:
    """Return a time as OANDA writes it: RFC 3339 with nanoseconds."""
    at = _EPOCH + timedelta(microseconds=time_us)
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z"


def price_text(points: int, precision: int) -> str:
    """Return a price with as many decimal places as its instrument has."""
    digits = str(points).rjust(precision + 1, "0")
    return f"{digits[:-precision]}.{digits[-precision:]}" if precision else digits


def price_line(listing: Listing, price: TapePrice) -> bytes:
    """Return the line of a price."""
    bid, ask = (price_text(points, listing.precision) for points in (price.bid, price.ask))
    line = {
        "type": "PRICE",
        "time": time_text(price.time_us),
        "bids": [{"price": bid, "liquidity": price.liquidity}],
        "asks": [{"price": ask, "liquidity": price.liquidity}],
        "closeoutBid": bid,
        "closeoutAsk": ask,
        "status": "tradeable",
        "tradeable": True,
        "instrument": listing.name,
    }
    return json.dumps(line, separators=(",", ":")).encode()


class PriceStream:
    """
    One client's stream of ``listings``. Change ``faults``, and call `cut` or `end`, at any time.

    ``sample_us``: the length of the windows; 0 sends every price. ``lines_sent`` counts those without garbage.
    ``begin_us``: the market's time behind which its prices begin, after the snapshot's.
    """

    def __init__(
        self,
        request: web.Request,
        tape: PriceTape,
        time: MarketTime,
        listings: Sequence[Listing],
        faults: StreamFaults,
        *,
        snapshot: bool,
        sample_us: int,
        heartbeat_s: float,
    ) -> None:
        self.faults = faults
        self.lines_sent = 0
        self._request = request
        self._tape = tape
        self._time = time
        self._listings = listings
        self._snapshot = snapshot
        self._sample_us = sample_us
        self._heartbeat_s = heartbeat_s
        self._response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        self.begin_us = self._reached_us = time.now_us()
        self._ending = asyncio.Event()

    async def run(self) -> web.StreamResponse:
        """Serve the client until either side ends the connection."""
        self._response.enable_chunked_encoding()
        with contextlib.suppress(ConnectionError):  # the client is gone
            await self._response.prepare(self._request)
            await self._serve()
        return self._response

    async def _serve(self) -> None:
        if self._snapshot:
            await self._send(self._last_prices())
        clock = self._time.clock
        beat_s = clock.monotonic_s()
        while not self._ending.is_set():
            lines = self._next_prices()
            if not self.faults.stalled:
                await self._send(lines)
            if clock.monotonic_s() - beat_s >= self._heartbeat_s:
                beat_s = clock.monotonic_s()
                await self._send([b'{"type":"HEARTBEAT","time":"%b"}' % time_text(self._time.now_us()).encode()])
            transport = self._request.transport
            if transport is None or transport.is_closing():
                break
            if not (self._time.is_unbounded and lines):
                await clock.sleep(_STEP_S)

    def cut(self, *, mid_line: bool = False) -> None:
        """End the TCP connection without the last chunk; with ``mid_line``, in the middle of a line."""
        transport = self._request.transport
        if transport is None:
            return
        if mid_line:
            half = b'{"type":"PRICE","time":"2026-07-13T12:00'
            transport.write(b"%x\r\n%b\r\n" % (len(half), half))
            transport.close()  # unlike abort(), it sends what is buffered, the half line included
        else:
            transport.abort()

    def end(self) -> None:
        """End the stream as an answer that is complete."""
        self._ending.set()

    def _last_prices(self) -> list[bytes]:
        found = ((listing, self._tape.last(listing.name, self._reached_us)) for listing in self._listings)
        return [price_line(listing, price) for listing, price in found if price is not None]

    def _next_prices(self) -> list[bytes]:
        """Return the lines of the prices that have come since the last call."""
        begin_us = self._reached_us
        if self._time.is_unbounded:
            due = self._next_of_replay()
        else:
            end_us = self._time.now_us()
            if self._sample_us:
                end_us -= (end_us - begin_us) % self._sample_us  # a window is sent once it is over
            self._reached_us = end_us
            due = self._between(begin_us, end_us)
        if self._sample_us:
            last_of_window = {
                (listing.name, (price.time_us - begin_us - 1) // self._sample_us): (listing, price)
                for listing, price in due
            }
            due = list(last_of_window.values())
        return [price_line(listing, price) for listing, price in due]

    def _next_of_replay(self) -> list[tuple[Listing, TapePrice]]:
        """Return the next few prices, and move the market's time on to the last of them."""
        for _ in range(24 * 60 * 4):  # across a weekend
            end_us = self._reached_us + _SPAN_US
            if due := self._between(self._reached_us, end_us):
                if len(due) > _LINES_AT_ONCE:
                    end_us = due[_LINES_AT_ONCE][1].time_us
                    due = [(listing, price) for listing, price in due if price.time_us <= end_us]
                self._reached_us = end_us
                self._time.reach(due[-1][1].time_us)
                return due
            self._reached_us = end_us
        self._reached_us = self._time.now_us()
        return []

    def _between(self, start_us: int, end_us: int) -> list[tuple[Listing, TapePrice]]:
        each = (
            [(price.time_us, place, price) for price in self._tape.prices(listing.name, start_us, end_us)]
            for place, listing in enumerate(self._listings)
        )
        return [(self._listings[place], price) for _, place, price in heapq.merge(*each, key=lambda one: one[:2])]

    async def _send(self, lines: list[bytes]) -> None:
        if self.faults.silent:
            self.faults.counts["silenced"] += len(lines)
            return
        if lines:
            self.lines_sent += len(lines)
            await self._response.write(b"".join(line + b"\n" for line in self.faults.apply(lines)))
