"""
One symbol of a replayed market, as published so far: its trades, candles, rolling day, and best bid and ask.

`app.sandbox.market.recording` publishes trade by trade as its clock advances, and gives klines of the exchange for the
time before. `PublishedSymbol` answers from both: a candle comes from trades if all of them are there, else from klines.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from app.market.builder import CandleBuilder, finish
from app.market.candle import Candle, combine
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Quote, Trade
from app.market.units import E8, parse_e8
from app.sandbox.market.recording_files import RecordedFile, RecordedFrame
from app.sandbox.source import RollingDay

_MINUTE = Interval(60)
_DAY_US = 86_400_000_000
_NEVER_US = 1 << 62
# A recording does not say where a symbol's name divides into its assets, so the quote asset is found by its suffix.
_QUOTES = "FDUSD USDT USDC TUSD BUSD BIDR USD1 BTC ETH BNB EUR TRY BRL GBP AUD JPY DAI XRP TRX USD".split()


class KlineHistory:
    """
    Klines of one interval that the exchange published, in order of their open times.

    Of several with the same open time the one given last is used.
    """

    def __init__(self, interval: Interval, klines: Iterable[Candle]) -> None:
        by_open_time = {kline.open_time_us: kline for kline in klines}
        self.interval = interval
        self.klines = [by_open_time[open_us] for open_us in sorted(by_open_time)]
        self._combined: dict[Interval, list[Candle]] = {}

    def ended(self, begin_us: int, now_us: int) -> list[Candle]:
        """Return the klines that open at or after ``begin_us`` and have ended by ``now_us``."""
        first = bisect_left(self.klines, begin_us, key=_open_time)
        end = bisect_left(self.klines, self.interval.open_time_us(now_us), key=_open_time)
        return self.klines[first:end]

    def combined(self, interval: Interval, begin_us: int, end_us: int) -> list[Candle]:
        """
        Return candles of a longer interval, combined from all klines, with open times in ``[begin_us, end_us)``.

        They are combined once per interval, because a recording of years has millions of klines.
        """
        if interval not in self._combined:
            self._combined[interval] = _combined(self.klines, interval)
        candles = self._combined[interval]
        return candles[bisect_left(candles, begin_us, key=_open_time) : bisect_left(candles, end_us, key=_open_time)]


class PublishedSymbol:
    """Everything published of one symbol; ``book`` is the JSON of the newest bookTicker event, or None."""

    def __init__(self, name: str) -> None:
        self.book: bytes | None = None
        self._name = name
        self._arrived: list[Trade] = []
        self._by_id: list[tuple[int, Trade]] = []
        self._held = IdRanges()
        self._builders: dict[Interval, tuple[CandleBuilder, int]] = {}
        self._earliest_us = _NEVER_US
        self._history: dict[Interval, KlineHistory] = {}

    def add_history(self, interval: Interval, klines: Iterable[Candle]) -> None:
        """Add klines of the exchange; each is published once it has ended."""
        known = self._history[interval].klines if interval in self._history else []
        self._history[interval] = KlineHistory(interval, [*known, *klines])

    def add(self, trade: Trade) -> None:
        """Publish a trade."""
        self._arrived.append(trade)
        self._earliest_us = min(self._earliest_us, trade.time_us)
        self._held.add(trade.trade_id)
        insort(self._by_id, (trade.trade_id, trade))

    def trade_ids(self) -> tuple[int, int] | None:
        """Return the lowest and the highest id published, or None before the first trade."""
        return (self._by_id[0][0], self._by_id[-1][0]) if self._by_id else None

    def trades(self, first_id: int, limit: int) -> list[Trade]:
        """Return up to ``limit`` trades with ids from ``first_id`` on, in ascending order."""
        at = bisect_left(self._by_id, first_id, key=lambda entry: entry[0])
        return [trade for _, trade in self._by_id[at : at + limit]]

    def first_id_from(self, time_us: int) -> int:
        """Return the id of the first trade at or after that time; one past the last if there is none."""
        at = bisect_left(self._by_id, time_us, key=lambda entry: entry[1].time_us)
        if at < len(self._by_id):
            return self._by_id[at][0]
        return self._by_id[-1][0] + 1 if self._by_id else 0

    def candles(self, interval: Interval, now_us: int, since_us: int = 0) -> list[Candle]:
        """
        Return every candle that ends after ``since_us``, oldest first, as of ``now_us``.

        A candle comes from trades if they are complete, else from the given klines: from those of the longest interval
        that tiles ``interval``.
        """
        given = [shorter for shorter in self._history if shorter.tiles(interval)]
        if not given:
            candles = self._from_trades(interval, now_us)
            return candles[bisect_left(candles, interval.open_time_us(since_us), key=_open_time) :]
        history = self._history[max(given, key=lambda shorter: shorter.length_us)]
        begin_us = interval.open_time_us(max(since_us, 0))
        # Candles before the first trade never change, so they come from the cache. From there on trades decide.
        border_us = max(interval.open_time_us(min(self._earliest_us, now_us)), begin_us)
        candles = history.combined(interval, begin_us, border_us)
        parts = {kline.open_time_us: kline for kline in history.ended(border_us, now_us)}
        for candle in self._from_trades(history.interval, now_us):
            if candle.open_time_us >= border_us and (candle.complete or candle.open_time_us not in parts):
                parts[candle.open_time_us] = candle
        ordered = [parts[open_us] for open_us in sorted(parts)]
        return [
            *candles,
            *(
                candle._replace(closed=interval.next_open_us(candle.open_time_us) <= now_us)
                for candle in _combined(ordered, interval)
            ),
        ]

    def klines(
        self, interval: Interval, now_us: int, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Candle]:
        """Return up to ``limit`` candles by the exchange's rule: the oldest with ``start_us``, else the newest."""
        low, high = start_us or 0, now_us if end_us is None else end_us
        chosen = [candle for candle in self.candles(interval, now_us, low) if low <= candle.open_time_us <= high]
        return chosen[-limit:] if start_us is None else chosen[:limit]

    def day(self, now_us: int) -> RollingDay | None:
        """Return the rolling day from the trades and klines known of it, or None without any."""
        part = max(self._history, key=lambda interval: interval.length_us, default=_MINUTE)
        since_us = now_us - _DAY_US
        parts = [candle for candle in self.candles(part, now_us, since_us) if candle.open_time_us > since_us]
        if not parts:
            return None
        whole = combine(parts[0].open_time_us, parts)
        quote_e8 = whole.quote_volume_e16 // E8
        ticker = DayTicker(
            self._name, now_us, whole.open_e8, whole.high_e8, whole.low_e8, whole.close_e8, whole.volume_e8, quote_e8
        )
        ids = self.trade_ids() or (-1, -1)
        last_e8 = self._by_id[-1][1].quantity_e8 if self._by_id else 0
        return RollingDay(ticker, max(since_us, whole.open_time_us), whole.trades, *ids, whole.open_e8, last_e8)

    def quote(self) -> Quote | None:
        """Return the newest best bid and ask, or None before the first."""
        if self.book is None:
            return None
        event = msgspec.json.decode(self.book)
        bid, bids, ask, asks = (parse_e8(event[key]) for key in "bBaA")
        return Quote(self._name, event["u"], bid, bids, ask, asks)

    def _from_trades(self, interval: Interval, now_us: int) -> list[Candle]:
        builder, folded = self._builders.get(interval) or (CandleBuilder(interval), 0)
        # Builders are kept and only fold the trades since the last call, in order of arrival as a client would.
        for trade in self._arrived[folded:]:
            builder.add(trade)
        self._builders[interval] = builder, len(self._arrived)
        return finish(builder.candles(), interval, self._held, now_us=now_us)


def recorded_symbols(frames: Sequence[RecordedFrame], files: Iterable[RecordedFile]) -> list[Symbol]:
    """
    Return the symbols of a recording in order of their names.

    A recording does not state tick and step sizes; they are derived from the amounts that occur in it.
    """
    names = {
        name.upper() for name, at, _ in {frame.stream: frame.stream.partition("@") for frame in frames}.values() if at
    }
    prices: dict[str, int] = {}
    quantities: dict[str, int] = {}
    for file in files:
        if file.symbol:
            names.add(file.symbol)
        for kline in file.klines:
            prices[file.symbol] = math.gcd(prices.get(file.symbol, 0), kline.open_e8, kline.close_e8)
            quantities[file.symbol] = math.gcd(quantities.get(file.symbol, 0), kline.volume_e8)
    for frame in frames:
        if frame.trade is not None:
            name = frame.trade.symbol
            prices[name] = math.gcd(prices.get(name, 0), frame.trade.price_e8)
            quantities[name] = math.gcd(quantities.get(name, 0), frame.trade.quantity_e8)
    return [
        Symbol(name, *_assets(name), _step(prices.get(name, 0)), _step(quantities.get(name, 0)))
        for name in sorted(names - {""})
    ]


def _combined(parts: Iterable[Candle], interval: Interval) -> list[Candle]:
    groups = groupby(parts, key=lambda part: interval.open_time_us(part.open_time_us))
    return [combine(open_us, group) for open_us, group in groups]


def _open_time(candle: Candle) -> int:
    return candle.open_time_us


def _assets(name: str) -> tuple[str, str]:
    for quote in _QUOTES:
        if name.endswith(quote) and name != quote:
            return name.removesuffix(quote), quote
    return name, ""


def _step(divisor_e8: int) -> int:
    """Return the largest power of ten that divides all amounts, because exchanges choose such steps; 1 if unknown."""
    step = 1
    while divisor_e8 and divisor_e8 % (step * 10) == 0:
        step *= 10
    return step
