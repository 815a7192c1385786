"""
The route `/quotes.arrow`: stored quotes of symbols without trades as an Arrow IPC stream, beside `/trades.arrow`.

Columns: ``ts`` (milliseconds, int64), ``bid``, ``ask``, ``bid_size`` and ``ask_size`` (float64, sizes in millions of
the base asset), ``time_us`` (the time to the microsecond, int64) and ``place`` (int16): time and place are a quote's
position in live messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import cache
from typing import Any

from aiohttp import web

from app.live.transfers.quotes.quote_report import missing_times
from app.live.transfers.quotes.quote_transfer import count_quotes
from app.market.columns.arrow import arrow
from app.market.errors import UsageError
from app.market.interval import SECOND_US
from app.market.ports.clock import Clock
from app.market.ports.database import SeparateStore
from app.market.quotes.tick_columns import TickColumns, columns_of_ticks
from app.market.symbol import has_trades
from app.market.units import E8
from app.serving.description.route import COUNTS, MILLISECONDS, Parameter, Route
from app.serving.request_values import Parameters, known_symbol
from app.serving.routes.arrow import CONTENT_TYPE, arrow_answer, arrow_stream, milliseconds_range
from app.serving.stored_market import TICKS_SETTLE_S, StoredMarket

MOST_QUOTES = 1_000_000
_PARAMETERS = (
    Parameter("symbol", "A symbol with its broker.", "oanda:EURUSD", is_needed=True),
    Parameter("from", "Milliseconds since 1970.", "1783504800000", int, is_needed=True, between=MILLISECONDS),
    Parameter("to", "Milliseconds, inclusive; without it until now.", "1783508400000", int, between=MILLISECONDS),
    Parameter("limit", f"How many quotes at most, up to {MOST_QUOTES:,}.", "1000", int, between=COUNTS),
)


class QuoteArrowRoutes:
    """Answers `/quotes.arrow`."""

    def __init__(self, market: StoredMarket, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """See `app.serving.description.route.Routes`."""
        return (
            Route(
                "/quotes.arrow",
                self.quotes,
                "Trades and quotes as Arrow",
                "The first quotes of a range as an Arrow IPC stream: ts in milliseconds, bid, ask, bid_size, ask_size, "
                "time_us, place.",
                parameters=_PARAMETERS,
                text_type=CONTENT_TYPE,
                tells_completeness=True,
            ),
        )

    async def quotes(self, request: web.Request) -> web.Response:
        """``symbol, from, to`` (milliseconds, inclusive), ``limit``: the first of the range."""
        given = Parameters(request.query, _PARAMETERS)
        now_us, check_deadline = self._clock.now_us(), self._market.deadline()
        start_us, end_us = milliseconds_range(given, now_us)
        limit = given.count("limit", MOST_QUOTES) or MOST_QUOTES
        symbol = given.text("symbol")

        def read(store: SeparateStore) -> tuple[bytes, bool]:
            name = known_symbol(symbol, store.symbol_names())
            if has_trades(name):
                raise UsageError(f"{name} has trades, and no quotes are stored of it: ask /trades.arrow.")
            # Read before the quotes: at worst, quotes stored in between count as missing.
            known = store.calendar_of(name), store.tick_store.fetched_ticks(name)
            batches, rows = list[Any](), 0
            with closing(store.tick_store.iter_ticks(name, start_us, end_us)) as pages:
                for page in pages:
                    check_deadline()
                    room = limit - rows
                    if page and room:
                        batches.append(_columns(columns_of_ticks(name, page[:room])))
                    rows += len(page)
                    if rows > limit:
                        return arrow_stream(batches, _schema()), False
            over_us = min(end_us, now_us - TICKS_SETTLE_S * SECOND_US)  # what came since may not be known yet
            is_whole = start_us >= over_us or not missing_times(*known, start_us, over_us)
            # Candles outlive the quotes that retention drops.
            is_whole = is_whole and rows >= count_quotes(store.tick_store, name, start_us, max(over_us, start_us))
            return arrow_stream(batches, _schema()), is_whole

        body, is_complete = await self._market.read(read)
        return arrow_answer(body, is_complete=is_complete)


@cache
def _schema() -> Any:
    pa = arrow()
    amounts = [(name, pa.float64()) for name in ("bid", "ask", "bid_size", "ask_size")]
    return pa.schema([("ts", pa.int64()), *amounts, ("time_us", pa.int64()), ("place", pa.int16())])


def _columns(ticks: TickColumns) -> Any:
    amounts = (ticks.bid_e8, ticks.ask_e8, ticks.bid_size_e8, ticks.ask_size_e8)
    columns = [ticks.time_us // 1_000, *(column / E8 for column in amounts), ticks.time_us, ticks.place]
    pa = arrow()
    arrays = [pa.array(column, kind) for column, kind in zip(columns, _schema().types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_schema())
