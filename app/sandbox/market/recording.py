"""
A recorded market: replays frames as they were received, and answers REST from those replayed so far.

All files are merged into one log in order of receipt. One position in it, shared by all connections, is the present. It
starts to move when the first client subscribes to a recorded stream: at the recorded pace times ``speed``, or, with
``math.inf``, as fast as the fastest client reads. Each connection follows with its own cursor. Rolling-day tickers,
which recordings lack, are inserted into the log once a second and computed when the position reaches them.
"""

from __future__ import annotations

import heapq
import math
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from app.concurrency.system_clock import SystemClock
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.errors import UsageError
from app.market.interval import SECOND_US, Interval
from app.market.ports.clock import Clock
from app.market.symbol import Symbol
from app.market.trade import Quote, Trade
from app.sandbox.market.published_symbol import PublishedSymbol, recorded_symbols
from app.sandbox.market.recording_files import RecordedFrame, read_recording
from app.sandbox.source import Frame, FrameCursor, RollingDay
from app.sandbox.wire import day_event, trade_event

_LONGEST_WAIT_S = 0.05
_MILLISECONDS = re.compile(rb'"([ET])":([0-9]{13})(?=[,}])')
_MICROSECONDS = re.compile(rb'"([ET])":([0-9]{13})[0-9]{3}(?=[,}])')
_KLINE_MILLISECONDS = re.compile(rb'"([EtT])":([0-9]{13})(?=[,}])')
_KLINE_MICROSECONDS = re.compile(rb'"([EtT])":([0-9]{13})[0-9]{3}(?=[,}])')


class RecordedCursor:
    """A `FrameCursor` of a `RecordedMarket`. It starts at the present, once it is asked for a recorded stream."""

    def __init__(self, source: RecordedMarket) -> None:
        self._source = source
        self._position: int | None = None

    async def next_frames(self, streams: Collection[str], *, microseconds: bool) -> Sequence[Frame]:
        source = self._source
        if self._position is None:
            if not source.has_any_of(streams):
                await source.clock.sleep(_LONGEST_WAIT_S)
                return []
            self._position = source.position
            source.start()
        end = source.second_end(self._position)
        if math.isinf(source.speed):
            source.publish(end)
        else:
            # At a finite speed the present is where the clock stands, however fast this client reads.
            source.advance()
            end = min(end, source.position)
        if self._position == end:
            await source.clock.sleep(min(source.due_in_s(), _LONGEST_WAIT_S))
            return []
        await source.clock.sleep(0)  # at full speed nothing else would suspend, and other clients would starve
        wanted = source.streams.intersection(streams)
        frames = [
            Frame(source.log[at].stream, with_time_unit(source.payload(at), microseconds=microseconds))
            for at in range(self._position, end)
            if source.log[at].stream in wanted
        ]
        self._position = end
        return [frame for frame in frames if frame.payload]


def with_time_unit(payload: bytes, *, microseconds: bool) -> bytes:
    """Return a raw event with its times in that unit and every other byte unchanged."""
    # Only in klines is "t" a time; in trades it is the id.
    kline = payload.startswith(b'{"e":"kline"')
    if microseconds:
        return (_KLINE_MILLISECONDS if kline else _MILLISECONDS).sub(rb'"\1":\g<2>000', payload)
    return (_KLINE_MICROSECONDS if kline else _MICROSECONDS).sub(rb'"\1":\2', payload)


_TICKER = "@miniTicker"


class RecordedMarket:
    """
    A `MarketSource` that replays recordings, given in any order. ``log`` holds their frames, ``position`` the present.

    Raises:
        UsageError: If a file cannot be replayed, none is given, or the speed is not above zero.
    """

    def __init__(self, files: Iterable[Path | str], *, speed: float = 1.0, clock: Clock | None = None) -> None:
        if not speed > 0:
            raise UsageError("A recording is replayed at a speed above zero, or at max.")
        recorded = [read_recording(Path(file)) for file in files]
        if not recorded:
            raise UsageError("Name at least one recording to replay.")
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.speed = speed
        frames = _merged(file.frames for file in recorded)
        self._symbols = recorded_symbols(frames, recorded)
        self._published = {symbol.name: PublishedSymbol(symbol.name) for symbol in self._symbols}
        for file in recorded:
            if file.interval is not None:
                self._published[file.symbol].add_history(file.interval, file.klines)
        self.log, self._times_us = _with_tickers(frames)
        self._receive_us = [frame.receive_us for frame in self.log]
        self._tickers: dict[int, bytes] = {}
        ends_us = [file.interval.next_open_us(file.klines[-1].open_time_us) for file in recorded if file.interval]
        self._klines_end_us = max(ends_us, default=0)
        self.streams = {frame.stream for frame in self.log}
        self.position = 0
        self._started_s: float | None = None

    @property
    def finished(self) -> bool:
        """Whether every frame has been published."""
        return self.position == len(self.log)

    def now_us(self) -> int:
        self.advance()
        return self._position_time_us()

    def symbols(self) -> Sequence[Symbol]:
        return self._symbols

    def trade_ids(self, symbol: str) -> tuple[int, int] | None:
        self.advance()
        return self._published[symbol].trade_ids()

    def first_id_from(self, symbol: str, time_us: int) -> int:
        self.advance()
        return self._published[symbol].first_id_from(time_us)

    def trades(self, symbol: str, first_id: int, limit: int) -> list[Trade]:
        self.advance()
        return self._published[symbol].trades(first_id, limit)

    async def klines(
        self, symbol: str, interval: Interval, *, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Candle]:
        return self._published[symbol].klines(interval, self.now_us(), start_us, end_us, limit)

    async def day(self, symbol: str) -> RollingDay | None:
        return self._published[symbol].day(self.now_us())

    def quote(self, symbol: str) -> Quote | None:
        self.advance()
        return self._published[symbol].quote()

    def open_cursor(self) -> FrameCursor:
        return RecordedCursor(self)

    def has_any_of(self, streams: Collection[str]) -> bool:
        """Whether any of these streams is recorded or computed from recorded trades."""
        return any(
            stream in self.streams or (stream.islower() and stream.partition("@kline_")[0].upper() in self._published)
            for stream in streams
        )

    def start(self) -> None:
        """Start the replay, unless it has been started."""
        if self._started_s is None:
            self._started_s = self.clock.monotonic_s()

    def advance(self) -> None:
        """Publish the frames that are due at the recorded pace, even without any connection."""
        if self._started_s is None or math.isinf(self.speed) or self.finished:
            return
        elapsed_us = (self.clock.monotonic_s() - self._started_s) * self.speed * SECOND_US
        self.publish(bisect_right(self._receive_us, self._receive_us[0] + elapsed_us))

    def due_in_s(self) -> float:
        """Return the time until the next frame is due at the recorded pace; infinite if none is."""
        if self._started_s is None or self.finished:
            return math.inf
        at_s = (self._receive_us[self.position] - self._receive_us[0]) / SECOND_US / self.speed
        return max(at_s - (self.clock.monotonic_s() - self._started_s), 0.0)

    def publish(self, position: int) -> None:
        """Publish the log's frames up to ``position``; an earlier position changes nothing."""
        for at in range(self.position, position):
            self.position = at + 1
            frame = self.log[at]
            symbol = self._published.get(frame.stream.partition("@")[0].upper())
            if symbol is None:
                continue
            if frame.trade is not None:
                symbol.add(frame.trade)
            elif frame.payload is not None and frame.stream.endswith("@bookTicker"):
                symbol.book = frame.payload
            elif frame.payload is None:
                day = symbol.day(self._position_time_us())
                self._tickers[at] = b"" if day is None else day_event(day.ticker, microseconds=False)

    def _position_time_us(self) -> int:
        """Return the exchange's time at the position; a recording without frames stands at the end of its klines."""
        return self._times_us[max(self.position - 1, 0)] if self._times_us else self._klines_end_us

    def second_end(self, position: int) -> int:
        """Return the position after the last frame in the same second of exchange time as ``position``."""
        if position >= len(self.log):
            return len(self.log)
        second_end_us = self._times_us[position] // SECOND_US * SECOND_US + SECOND_US - 1
        return bisect_right(self._times_us, second_end_us, lo=position)

    def payload(self, at: int) -> bytes:
        """Return the raw event of a published frame, recorded or computed; empty for a day without trades."""
        frame = self.log[at]
        if frame.payload is not None:
            return frame.payload
        if frame.trade is not None:
            # From an archive's row. The unit does not matter here, because `with_time_unit` converts it.
            return trade_event(frame.trade, microseconds=frame.trade.time_us % 1000 != 0)
        return self._tickers[at]


def _merged(files: Iterable[list[RecordedFrame]]) -> list[RecordedFrame]:
    """Return the frames of all files in order of receipt, with each trade once."""
    held: dict[str, IdRanges] = {}
    merged = []
    for frame in heapq.merge(*files, key=lambda frame: frame.receive_us):
        trade = frame.trade
        # Recordings that overlap have the same trades.
        if trade is None or held.setdefault(frame.stream, IdRanges()).add(trade.trade_id):
            merged.append(frame)
    return merged


def _with_tickers(frames: list[RecordedFrame]) -> tuple[list[RecordedFrame], list[int]]:
    """
    Return the log with an empty frame for each rolling-day ticker, and the exchange's time at each frame.

    A symbol's ticker follows each second of exchange time in which it had a trade.
    """
    recorded = {frame.stream for frame in frames}
    log: list[RecordedFrame] = []
    times_us: list[int] = []
    now_us = next((frame.time_us for frame in frames if frame.time_us is not None), 0)
    changed: dict[str, None] = {}
    for frame in frames:
        then_us = now_us
        # The exchange's time never goes back, though events of different streams arrive out of order.
        now_us = max(now_us, frame.time_us or 0, frame.trade.time_us if frame.trade else 0)
        if now_us // SECOND_US > then_us // SECOND_US:
            log += [RecordedFrame(frame.receive_us, stream, None, None, None) for stream in changed]
            times_us += [then_us] * len(changed)
            changed.clear()
        if frame.trade is not None:
            ticker = frame.stream.partition("@")[0] + _TICKER
            if ticker not in recorded:
                changed[ticker] = None
        log.append(frame)
        times_us.append(now_us)
    return log, times_us
