"""
The routes of stored candles: `/candles`, `/api/candles` and `/api/metadata`.

The shapes are those that front ends of the field have been written for: numbers, times in Unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from aiohttp import web

from app.live.transfers.quotes.quote_report import completeness
from app.market.errors import UsageError
from app.market.interval import MENU_INTERVALS, SECOND_US, Interval
from app.market.ports.clock import Clock
from app.market.ports.database import SeparateStore
from app.market.quotes.tick import PriceSide
from app.market.stored_symbol import StoredSymbol
from app.market.symbol import broker_of, has_trades
from app.serving.answers import EncodedAnswer, cached_answer, json_answer
from app.serving.candle_ranges import CandleQuery, CandleRange, read_candles
from app.serving.description.route import COUNTS, SECONDS, Parameter, Route
from app.serving.errors import NotFound
from app.serving.request_values import Parameters, check_range, known_symbol
from app.serving.stored_market import StoredMarket
from storage.files.times import format_time

MOST_CANDLES = 1_000  # of /candles
MOST_BARS = 500_000  # of /api/candles: ten months of minutes
_DEFAULT_BARS = 500
_TOO_LONG = (
    "ask for a shorter range at a time or for a longer interval (candles below 5 s are added up from each trade), or "
    "retry later"
)
_GROUP = "Candles and what is stored"
_PRICE = Parameter(
    "price",
    "The price of the candles, for symbols with quotes; mid by default.",
    "bid",
    choices=tuple(PriceSide),
)
_CANDLES = (
    Parameter("asset", "An asset or a symbol: BTC stands for BTCUSDT.", "BTC", is_needed=True),
    Parameter("duration", "The interval: 90s, 5m, 4h, 1d, 1w, 1M.", "5m", is_needed=True),
    Parameter("startTime", "ISO 8601; without it the newest candles.", "2024-08-09T00:00:00Z"),
    Parameter("endTime", "ISO 8601, inclusive; without it until now.", "2024-08-09T01:00:00Z"),
    Parameter("limit", f"How many at most, up to {MOST_CANDLES:,}.", "100", int, between=COUNTS),
    _PRICE,
)
_BARS = (
    Parameter("symbol", "A symbol or an asset: BTC stands for BTCUSDT.", "BTCUSDT", is_needed=True),
    Parameter(
        "timeframe",
        "The interval: 90s, 5m, 4h, 1d, 1w, 1M. This or interval is needed.",
        "1h",
        is_in_example=True,
    ),
    Parameter("interval", "The same under the name that others use.", "1h"),
    Parameter("from", "Unix seconds; without it the newest candles.", "1723161600", int, between=SECONDS),
    Parameter("to", "Unix seconds, inclusive; without it until now.", "1723165200", int, between=SECONDS),
    Parameter(
        "limit",
        f"How many at most, up to {MOST_BARS:,}; without it and without from {_DEFAULT_BARS}.",
        "100",
        int,
        between=COUNTS,
    ),
    _PRICE,
)
_METADATA = (Parameter("symbol", "A symbol or an asset; without it an array of all.", "BTCUSDT"),)


class ServedCandle(msgspec.Struct):
    """``volume`` is the number of trades, ``base_volume`` the traded volume; both the number of ticks for quotes."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    base_volume: float


class ServedCandles(msgspec.Struct):
    """
    ``missing``: from and until when candles are not stored or lack trades, Unix seconds.

    These are the first of ``missing_count``.
    """

    asset: str
    duration: str
    start_time: str | None = msgspec.field(name="startTime")
    end_time: str | None = msgspec.field(name="endTime")
    candles: list[ServedCandle]
    complete: bool
    missing: list[tuple[int, int]]
    missing_count: int


class ServedBar(msgspec.Struct):
    """A candle without its volume."""

    time: int
    open: float
    high: float
    low: float
    close: float


class ServedMetadata(msgspec.Struct):
    """
    What is stored of a symbol: ``earliest`` and ``latest`` in Unix seconds, ``tick_count`` of trades or quotes.

    ``completeness``: ``by ids`` for trades, whose ids are consecutive; for quotes ``sampled`` (all that the broker
    sends live) or ``as published``.
    """

    symbol: str
    earliest: int | None
    latest: int | None
    tick_count: int
    timeframes: list[str]
    broker: str
    kind: Literal["trades", "quotes"]
    completeness: str


class MarketRoutes:
    """Answers what is stored."""

    def __init__(self, market: StoredMarket, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """See `app.serving.description.route.Routes`."""
        return (
            Route(
                "/candles",
                self.candles,
                _GROUP,
                f"The first candles of a range, at most {MOST_CANDLES:,}, and what is missing in it.",
                ServedCandles,
                _CANDLES,
                tells_completeness=True,
            ),
            Route(
                "/api/candles",
                self.bars,
                _GROUP,
                "The candles of a range as a bare array.",
                list[ServedBar],
                _BARS,
                tells_completeness=True,
            ),
            Route(
                "/api/metadata",
                self.metadata,
                _GROUP,
                "The times and intervals that are stored of a symbol, or of each.",
                ServedMetadata | list[ServedMetadata],
                _METADATA,
            ),
        )

    async def candles(self, request: web.Request) -> web.Response:
        """``asset, duration, startTime, endTime`` (ISO 8601): at most 1,000 candles, the first of the range."""
        given = Parameters(request.query, _CANDLES)
        interval = given.interval("duration")
        start_us, end_us = given.iso_time_us("startTime"), given.iso_time_us("endTime")
        check_range(start_us, end_us)
        limit = given.count("limit", MOST_CANDLES) or MOST_CANDLES
        asset = given.text("asset")

        def made(found: CandleRange) -> EncodedAnswer:
            columns = found.numbers("time", "open", "high", "low", "close", "trades", "volume")
            answer = ServedCandles(
                asset,
                given.text("duration"),
                _shown(given, "startTime", columns[0][:1]),
                _shown(given, "endTime", columns[0][-1:]),
                list(map(ServedCandle, *columns)),
                found.is_complete,
                [(begin_us // SECOND_US, end_us // SECOND_US) for begin_us, end_us in found.missing],
                found.missing_count,
            )
            return EncodedAnswer.of(answer)

        wanted = CandleQuery(asset, interval, start_us, end_us, limit, _price(given))
        return await self._answered(request, wanted, made)

    async def bars(self, request: web.Request) -> web.Response:
        """``symbol, timeframe, from, to`` (Unix seconds), or ``symbol, interval, limit``: the bare candles."""
        given = Parameters(request.query, _BARS)
        interval = given.interval("timeframe", "interval")
        start_us, end_us = given.unix_time_us("from"), given.unix_time_us("to")
        check_range(start_us, end_us)
        default = _DEFAULT_BARS if start_us is None else MOST_BARS
        limit = given.count("limit", MOST_BARS) or default

        def made(found: CandleRange) -> EncodedAnswer:
            parts = (part.numbers("time", "open", "high", "low", "close") for part in found.parts())
            return EncodedAnswer.of_parts(list(map(ServedBar, *columns)) for columns in parts)

        wanted = CandleQuery(given.text("symbol"), interval, start_us, end_us, limit, _price(given))
        return await self._answered(request, wanted, made)

    async def metadata(self, request: web.Request) -> web.Response:
        """``symbol``, or nothing for an array of all: what is stored of it, times in Unix seconds."""
        given = Parameters(request.query, _METADATA)

        def read(store: SeparateStore) -> object:
            if not given.has("symbol"):
                return [_metadata(one) for one in store.stored_symbols() if one.is_stored]
            name = known_symbol(given.text("symbol"), store.symbol_names())
            found = store.stored_symbol(name)
            if found is None:  # it was removed this moment
                raise NotFound(f"“{name}” is not in the database.")
            return _metadata(found)

        return json_answer(await self._market.read(read))

    async def _answered(
        self, request: web.Request, wanted: CandleQuery, made: Callable[[CandleRange], EncodedAnswer]
    ) -> web.Response:
        """
        Return the candles wanted, as ``made`` encodes them; all but the sending happens in a thread.

        The symbol in ``wanted`` is as the client wrote it.
        """
        now_us, check_deadline = self._clock.now_us(), self._market.deadline()

        def read(store: SeparateStore) -> tuple[CandleRange, EncodedAnswer]:
            name = known_symbol(wanted.symbol, store.symbol_names())
            found = read_candles(store, wanted._replace(symbol=name), now_us, check_deadline)
            return found, made(found)

        found, answer = await self._market.read(read, or_else=_TOO_LONG)
        return cached_answer(request, answer, max_age_s=found.max_age_s, is_complete=found.is_complete)


def _price(given: Parameters) -> PriceSide:
    if not given.has("price"):
        return PriceSide.MID
    text = given.text("price").lower()
    if text not in (*PriceSide,):
        raise UsageError(f"price cannot be “{text[:40]}”: write mid, bid or ask.")
    return PriceSide(text)


def _shown(given: Parameters, name: str, instead: Sequence[int]) -> str | None:
    """Return the end of a range as it was given; one that was not is that of the candles."""
    if given.has(name):
        return given.text(name)
    return format_time(instead[0] * SECOND_US) if instead else None


def _metadata(one: StoredSymbol) -> ServedMetadata:
    known = [Interval.parse(stored.interval) for stored in one.candles]
    name = one.symbol.name
    return ServedMetadata(
        name,
        None if one.first_us is None else one.first_us // SECOND_US,
        None if one.last_us is None else one.last_us // SECOND_US,
        one.rows,
        [
            interval.name
            for interval in MENU_INTERVALS
            if one.rows or any(part == interval or part.tiles(interval) for part in known)
        ],
        broker_of(name),
        "trades" if has_trades(name) else "quotes",
        "by ids" if has_trades(name) else completeness(name),
    )
