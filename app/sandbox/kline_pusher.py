"""The ``<symbol>@kline_<interval>`` streams of one connection, read from the source's klines at the exchange's pace."""

from __future__ import annotations

from collections.abc import Collection

from app.market.candle import Candle
from app.market.interval import EXCHANGE_INTERVALS, SECOND_US, Interval
from app.sandbox.source import Frame, MarketSource
from app.sandbox.wire import kline_event

_ROWS = 1000
_INTERVALS = {f"kline_{interval.name}": interval for interval in EXCHANGE_INTERVALS}


class KlinePusher:
    """
    Says when a candle is to be sent: every second of exchange time for 1s, every two for the rest, if it changed.

    A candle that closes is sent once more as closed.
    """

    def __init__(self, source: MarketSource) -> None:
        self._source = source
        self._sent: dict[str, Candle] = {}
        self._second = -1

    async def frames(self, streams: Collection[str], *, microseconds: bool) -> list[Frame]:
        """Return the frames due now."""
        wanted = [stream for stream in streams if stream.partition("@")[2] in _INTERVALS]
        second = self._source.now_us() // SECOND_US
        if not wanted or second == self._second:
            return []
        self._second = second
        known = {symbol.name for symbol in self._source.symbols()}
        frames = []
        for stream in wanted:
            name, _, kind = stream.partition("@")
            interval = _INTERVALS[kind]
            if name == name.lower() and name.upper() in known and (interval.seconds == 1 or second % 2 == 0):
                for candle in await self._due(stream, name.upper(), interval):
                    event = kline_event(
                        name.upper(), interval, candle, self._source.now_us(), microseconds=microseconds
                    )
                    frames.append(Frame(stream, event))
        return frames

    async def _due(self, stream: str, symbol: str, interval: Interval) -> list[Candle]:
        sent = self._sent.get(stream)
        newest = await self._source.klines(
            symbol, interval, start_us=None if sent is None else sent.open_time_us, end_us=None, limit=_ROWS
        )
        if sent is None:
            newest = newest[-1:]
        if newest:
            self._sent[stream] = newest[-1]
        return [candle for candle in newest if candle != sent]
