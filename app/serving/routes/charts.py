"""
TradingView's UDF, which its charting library and its likes read: `/config`, `/time`, `/symbols`, `/search`, `/history`.

Times are Unix seconds; a range of `/history` ends before its ``to``. Volumes are in the base asset; for symbols with
quotes they are the number of ticks, and the bars are of the mid. Their tickers begin with the broker.

Source: TradingView, "UDF" of the charting library's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from app.market.errors import UsageError
from app.market.interval import MENU_INTERVALS, SECOND_US, Interval
from app.market.ports.clock import Clock
from app.market.ports.database import SeparateStore
from app.market.symbol import QUOTE_BROKERS, Symbol, bare_name, broker_title
from app.serving.answers import EncodedAnswer, cached_answer, json_answer
from app.serving.candle_ranges import CandleQuery, CandleRange, read_candles
from app.serving.description.route import COUNTS, SECONDS, Parameter, Route
from app.serving.errors import NotFound
from app.serving.request_values import Parameters, check_range, known_symbol
from app.serving.stored_market import StoredMarket

_MOST_BARS = 100_000
_MOST_FOUND = 100
_RESOLUTION = re.compile(r"([0-9]{0,5})([SDWM]?)")
_GROUP = "TradingView’s UDF"
_SYMBOL = (Parameter("symbol", "A symbol, also with the exchange before it.", "BTCUSDT", is_needed=True),)
_SEARCH = (
    Parameter("query", "A part of the name.", "BTC"),
    Parameter("type", "Ignored.", "crypto"),
    Parameter("exchange", "Ignored.", "Binance"),
    Parameter("limit", f"How many at most, up to {_MOST_FOUND}.", "10", int, between=COUNTS),
)
_HISTORY = (
    *_SYMBOL,
    Parameter("resolution", "1, 60, 1S, 1D, 1W, 1M: minutes where there is no letter.", "60", is_needed=True),
    Parameter("from", "Unix seconds.", "1723161600", int, between=SECONDS),
    Parameter("to", "Unix seconds, exclusive; without it until now.", "1723165200", int, between=SECONDS),
    Parameter(
        "countback", f"How many bars before to, up to {_MOST_BARS:,}; goes before from.", "100", int, between=COUNTS
    ),
)
_UNITS = {"S": "s", "D": "d", "W": "w", "M": "M", "": "m"}


class UdfConfig(msgspec.Struct):
    """What this server can do."""

    supported_resolutions: list[str]
    supports_search: bool = True
    supports_group_request: bool = False
    supports_marks: bool = False
    supports_timescale_marks: bool = False
    supports_time: bool = True


class UdfSymbol(msgspec.Struct):
    """A symbol as charts want it described."""

    name: str
    ticker: str
    description: str
    pricescale: int
    volume_precision: int
    supported_resolutions: list[str]
    type: str = "crypto"
    exchange: str = "Binance"
    listed_exchange: str = "Binance"
    session: str = "24x7"
    timezone: str = "Etc/UTC"
    minmov: int = 1
    has_intraday: bool = True
    has_seconds: bool = True
    has_daily: bool = True
    has_weekly_and_monthly: bool = True
    data_status: str = "streaming"


class UdfFound(msgspec.Struct):
    """A symbol as a search finds it."""

    symbol: str
    full_name: str
    description: str
    ticker: str
    exchange: str = "Binance"
    type: str = "crypto"


class UdfHistory(msgspec.Struct):
    """Bars as columns; or nothing of that range, but perhaps before it; or why not."""

    s: Literal["ok", "no_data", "error"]
    t: list[int] | UnsetType = UNSET
    o: list[float] | UnsetType = UNSET
    h: list[float] | UnsetType = UNSET
    l: list[float] | UnsetType = UNSET  # noqa: E741  # because UDF names it so
    c: list[float] | UnsetType = UNSET
    v: list[float] | UnsetType = UNSET
    next_time: int | UnsetType = msgspec.field(name="nextTime", default=UNSET)
    errmsg: str | UnsetType = UNSET


class ChartRoutes:
    """Answers UDF requests."""

    def __init__(self, market: StoredMarket, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """See `app.serving.description.route.Routes`."""
        return (
            Route("/config", self.config, _GROUP, "What this server can do.", UdfConfig),
            Route("/time", self.time, _GROUP, "The time in Unix seconds.", text_type="text/plain"),
            Route("/symbols", self.symbol, _GROUP, "A symbol’s description.", UdfSymbol, _SYMBOL),
            Route(
                "/search",
                self.search,
                _GROUP,
                "The stored symbols whose names have that in them.",
                list[UdfFound],
                _SEARCH,
            ),
            Route(
                "/history",
                self.history,
                _GROUP,
                "The bars of a range as columns. The volume is in the base asset; for quotes, the number of ticks.",
                UdfHistory,
                _HISTORY,
            ),
        )

    async def config(self, request: web.Request) -> web.Response:
        """What this server can do."""
        del request
        return json_answer(UdfConfig([resolution_of(one) for one in MENU_INTERVALS]))

    async def time(self, request: web.Request) -> web.Response:
        """The time in Unix seconds, as text."""
        del request
        return web.Response(text=str(self._clock.now_us() // SECOND_US), headers={"Cache-Control": "no-store"})

    async def symbol(self, request: web.Request) -> web.Response:
        """``symbol``: its description."""
        text = _ticker(Parameters(request.query, _SYMBOL).text("symbol"))

        def read(store: SeparateStore) -> Symbol:
            name = known_symbol(text, store.symbol_names())
            found = next((one for one in store.symbols() if one.name == name), None)
            return found or Symbol(name, "", "")

        return json_answer(_description(await self._market.read(read)))

    async def search(self, request: web.Request) -> web.Response:
        """``query``, ``limit``: the stored symbols whose names have it in them."""
        given = Parameters(request.query, _SEARCH)
        wanted = given.text("query").upper() if given.has("query") else ""
        limit = given.count("limit", _MOST_FOUND) or _MOST_FOUND

        def read(store: SeparateStore) -> list[Symbol]:
            return [one.symbol for one in store.stored_symbols() if one.is_stored]

        stored = await self._market.read(read)
        found = [one for one in stored if wanted in one.name.upper() or wanted in one.display_name.upper()][:limit]
        return json_answer(list(map(_found, found)))

    async def history(self, request: web.Request) -> web.Response:
        """``symbol, resolution, from, to``, and ``countback``, which goes before ``from``: the bars as columns."""
        given = Parameters(request.query, _HISTORY)
        interval = interval_of(given.text("resolution"))
        start_us, to_us = given.unix_time_us("from"), given.unix_time_us("to")
        check_range(start_us, to_us)
        count = given.count("countback", _MOST_BARS)
        if count is not None:
            start_us = None
        end_us = None if to_us is None else to_us - 1
        symbol = _ticker(given.text("symbol"))
        now_us, check_deadline = self._clock.now_us(), self._market.deadline()

        def read(store: SeparateStore) -> tuple[CandleRange, EncodedAnswer]:
            name = known_symbol(symbol, store.symbol_names())
            query = CandleQuery(name, interval, start_us, end_us, count or _MOST_BARS)
            found = read_candles(store, query, now_us, check_deadline)
            if not found.table.num_rows:
                before = [] if start_us is None else store.candles(name, interval, end_us=start_us, limit=1)
                next_time = before[-1].open_time_us // SECOND_US if before else UNSET
                return found, EncodedAnswer.of(UdfHistory("no_data", next_time=next_time))
            t, o, h, l, c, v = found.numbers("time", "open", "high", "low", "close", "volume")  # noqa: E741  # because UDF names them so
            return found, EncodedAnswer.of(UdfHistory("ok", t, o, h, l, c, v))

        try:
            found, answer = await self._market.read(read)
        except NotFound as error:
            return json_answer(UdfHistory("error", errmsg=str(error)))
        return cached_answer(request, answer, max_age_s=found.max_age_s, is_complete=found.is_complete)


def resolution_of(interval: Interval) -> str:
    """Return the interval as UDF writes it: minutes as a number, ``1S``, ``1D``, ``1W``, ``1M``."""
    if interval.months:
        return f"{interval.months}M"
    for unit, seconds in (("W", 604_800), ("D", 86_400)):
        if interval.seconds % seconds == 0:
            return f"{interval.seconds // seconds}{unit}"
    return f"{interval.seconds}S" if interval.seconds % 60 else str(interval.seconds // 60)


def interval_of(resolution: str) -> Interval:
    """Return the interval that UDF writes so. Raises UsageError."""
    match = _RESOLUTION.fullmatch(resolution.upper())
    if match is None or not resolution:
        raise UsageError(f"“{resolution[:20]}” is not a resolution: write 1, 60, 1S, 1D, 1W or 1M.")
    return Interval.parse(f"{match[1] or 1}{_UNITS[match[2]]}")


def _ticker(text: str) -> str:
    """Return a ticker without the exchange's prefix; a broker of quotes is part of the symbol and stays."""
    before, _, name = text.rpartition(":")
    return text if before.strip().lower() in QUOTE_BROKERS else name


def _exchange(symbol: Symbol) -> str:
    return "Binance" if symbol.has_trades else broker_title(symbol.name)


def _type(symbol: Symbol) -> str:
    return symbol.asset_class or ("crypto" if symbol.has_trades else "")


def _found(symbol: Symbol) -> UdfFound:
    name, exchange = bare_name(symbol.name), _exchange(symbol)
    whole = name if symbol.has_trades else f"{exchange}:{name}"
    return UdfFound(name, whole, symbol.full_name, symbol.name, exchange, _type(symbol))


def _description(symbol: Symbol) -> UdfSymbol:
    return UdfSymbol(
        bare_name(symbol.name),
        symbol.name,
        symbol.full_name,
        10**symbol.price_decimals,
        symbol.quantity_decimals if symbol.has_trades else 0,
        [resolution_of(one) for one in MENU_INTERVALS],
        _type(symbol),
        exchange=_exchange(symbol),
        listed_exchange=_exchange(symbol),
    )
