"""
TradingView's UDF, which its charting library and its likes read: `/config`, `/time`, `/symbols`, `/search`, `/history`.

Times are Unix seconds; a range of `/history` ends before its ``to``. Volumes are in the base asset.

Source: TradingView, "UDF" of the charting library's documentation.
"""

from __future__ import annotations

import re

from aiohttp import web

from app.market.errors import UsageError
from app.market.interval import MENU_INTERVALS, SECOND_US, Interval
from app.market.ports.clock import Clock
from app.market.ports.database import SeparateStore
from app.market.symbol import Symbol
from app.serving.answers import EncodedAnswer, cached_answer, json_answer
from app.serving.candle_ranges import CandleQuery, CandleRange, read_candles
from app.serving.errors import NotFound
from app.serving.request_values import Parameters, check_range, known_symbol
from app.serving.stored_market import StoredMarket

_MOST_BARS = 100_000
_MOST_FOUND = 100
_RESOLUTION = re.compile(r"([0-9]{0,5})([SDWM]?)")
_UNITS = {"S": "s", "D": "d", "W": "w", "M": "M", "": "m"}


class ChartRoutes:
    """Answers UDF requests; `add_to` an application."""

    def __init__(self, market: StoredMarket, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/config", self.config)
        router.add_get("/time", self.time)
        router.add_get("/symbols", self.symbol)
        router.add_get("/search", self.search)
        router.add_get("/history", self.history)

    async def config(self, request: web.Request) -> web.Response:
        """What this server can do."""
        del request
        return json_answer(
            {
                "supported_resolutions": [resolution_of(one) for one in MENU_INTERVALS],
                "supports_search": True,
                "supports_group_request": False,
                "supports_marks": False,
                "supports_timescale_marks": False,
                "supports_time": True,
            }
        )

    async def time(self, request: web.Request) -> web.Response:
        """The time in Unix seconds, as text."""
        del request
        return web.Response(text=str(self._clock.now_us() // SECOND_US), headers={"Cache-Control": "no-store"})

    async def symbol(self, request: web.Request) -> web.Response:
        """``symbol``: its description."""
        text = Parameters(request.query, ("symbol",)).text("symbol").rpartition(":")[2]

        def read(store: SeparateStore) -> Symbol:
            name = known_symbol(text, store.symbol_names())
            found = next((one for one in store.symbols() if one.name == name), None)
            return found or Symbol(name, "", "")

        return json_answer(_description(await self._market.read(read)))

    async def search(self, request: web.Request) -> web.Response:
        """``query``, ``limit``: the stored symbols whose names have it in them."""
        given = Parameters(request.query, ("query", "type", "exchange", "limit"))
        wanted = given.text("query").upper() if given.has("query") else ""
        limit = given.count("limit", _MOST_FOUND) or _MOST_FOUND
        stored = await self._market.read(lambda store: [one.symbol for one in store.stored_symbols() if one.is_stored])
        found = [one for one in stored if wanted in one.name][:limit]
        return json_answer(
            [
                {
                    "symbol": one.name,
                    "full_name": one.name,
                    "description": one.display_name,
                    "exchange": "Binance",
                    "ticker": one.name,
                    "type": "crypto",
                }
                for one in found
            ]
        )

    async def history(self, request: web.Request) -> web.Response:
        """``symbol, resolution, from, to``, and ``countback``, which goes before ``from``: the bars as columns."""
        given = Parameters(request.query, ("symbol", "resolution", "from", "to", "countback"))
        interval = interval_of(given.text("resolution"))
        start_us, to_us = given.unix_time_us("from"), given.unix_time_us("to")
        check_range(start_us, to_us)
        count = given.count("countback", _MOST_BARS)
        if count is not None:
            start_us = None
        end_us = None if to_us is None else to_us - 1
        symbol = given.text("symbol").rpartition(":")[2]
        now_us, check_deadline = self._clock.now_us(), self._market.deadline()

        def read(store: SeparateStore) -> tuple[CandleRange, EncodedAnswer]:
            name = known_symbol(symbol, store.symbol_names())
            query = CandleQuery(name, interval, start_us, end_us, count or _MOST_BARS)
            found = read_candles(store, query, now_us, check_deadline)
            if not found.table.num_rows:
                before = [] if start_us is None else store.candles(name, interval, end_us=start_us, limit=1)
                following = {"nextTime": before[-1].open_time_us // SECOND_US} if before else {}
                return found, EncodedAnswer.of({"s": "no_data", **following})
            columns = found.numbers("time", "open", "high", "low", "close", "volume")
            return found, EncodedAnswer.of({"s": "ok", **dict(zip("tohlcv", columns, strict=True))})

        try:
            found, answer = await self._market.read(read)
        except NotFound as error:
            return json_answer({"s": "error", "errmsg": str(error)})
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


def _description(symbol: Symbol) -> dict[str, object]:
    return {
        "name": symbol.name,
        "ticker": symbol.name,
        "description": symbol.display_name,
        "type": "crypto",
        "exchange": "Binance",
        "listed_exchange": "Binance",
        "session": "24x7",
        "timezone": "Etc/UTC",
        "minmov": 1,
        "pricescale": 10**symbol.price_decimals,
        "volume_precision": symbol.quantity_decimals,
        "has_intraday": True,
        "has_seconds": True,
        "has_daily": True,
        "has_weekly_and_monthly": True,
        "supported_resolutions": [resolution_of(one) for one in MENU_INTERVALS],
        "data_status": "streaming",
    }
