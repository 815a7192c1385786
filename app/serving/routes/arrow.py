"""
The route `/trades.arrow`: stored trades as an Arrow IPC stream, as flowsurface asks for them.

Columns: ``ts`` (milliseconds, int64), ``price`` and ``qty`` (float64), ``is_sell`` (whether the taker sold).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple

from aiohttp import web

from app.market.columns.arrow import arrow
from app.market.columns.wide_decimals import floats_of
from app.market.errors import UsageError
from app.market.interval import SECOND_US
from app.market.ports.clock import Clock
from app.market.ports.database import SeparateStore
from app.market.symbol import has_trades
from app.serving.answers import completeness
from app.serving.description.route import COUNTS, MILLISECONDS, Parameter, Route
from app.serving.errors import NotFound
from app.serving.request_values import LAST_US, Parameters, check_range, known_symbol
from app.serving.stored_market import SETTLES_S, StoredMarket

MOST_TRADES = 1_000_000
CONTENT_TYPE = "application/vnd.apache.arrow.stream"
_LAST_MS = LAST_US // 1_000
_PARAMETERS = (
    Parameter("symbol", "A symbol or an asset.", "BTCUSDT", is_needed=True),
    Parameter("from", "Milliseconds since 1970.", "1723161600000", int, is_needed=True, between=MILLISECONDS),
    Parameter("to", "Milliseconds, inclusive; without it until now.", "1723161660000", int, between=MILLISECONDS),
    Parameter("limit", f"How many trades at most, up to {MOST_TRADES:,}.", "1000", int, between=COUNTS),
    Parameter("venue", "Binance is the only one.", "binance"),
    Parameter("market", "Spot is the only one.", "spot"),
)


class ArrowRoutes:
    """Answers `/trades.arrow`."""

    def __init__(self, market: StoredMarket, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """See `app.serving.description.route.Routes`."""
        return (
            Route(
                "/trades.arrow",
                self.trades,
                "Trades and quotes as Arrow",
                "The first trades of a range as an Arrow IPC stream: ts in milliseconds, price, qty, is_sell.",
                parameters=_PARAMETERS,
                text_type=CONTENT_TYPE,
                tells_completeness=True,
            ),
        )

    async def trades(self, request: web.Request) -> web.Response:
        """``symbol, from, to`` (milliseconds, inclusive), ``limit``, ``venue``, ``market``: the first of the range."""
        given = Parameters(request.query, _PARAMETERS)
        if given.has("venue") and not given.text("venue").lower().startswith("binance"):
            raise NotFound("Only trades of the venue binance are stored.")
        if given.has("market") and given.text("market").lower() != "spot":
            raise NotFound("Only trades of the market spot are stored.")
        now_us, check_deadline = self._clock.now_us(), self._market.deadline()
        start_us, end_us = milliseconds_range(given, now_us)
        limit = given.count("limit", MOST_TRADES) or MOST_TRADES
        symbol = given.text("symbol")

        def read(store: SeparateStore) -> tuple[bytes, bool]:
            name = known_symbol(symbol, store.symbol_names())
            if not has_trades(name):
                raise UsageError(f"{name} has quotes and no trades: ask /quotes.arrow.")
            batches, ids = list[Any](), list[int]()
            rows = 0
            fetched = store.fetched_trades(name)  # before the trades: times are noted after theirs
            with closing(store.iter_trade_columns(name, start_us, end_us)) as pages:
                for page in pages:
                    check_deadline()
                    if rows + page.num_rows > limit:
                        page = page.slice(0, limit - rows)
                        rows = limit + 1
                    if page.num_rows:
                        batches.append(_columns(page))
                        found = page.column("trade_id").to_numpy()
                        ids += [int(found.min()), int(found.max())]
                    if rows > limit:
                        break
                    rows += page.num_rows
            span = _Span(name, start_us, end_us, now_us, ids, not fetched.missing(start_us, end_us - 1))
            return arrow_stream(batches, _schema()), rows <= limit and _is_complete(store, span, rows)

        body, is_complete = await self._market.read(read)
        return arrow_answer(body, is_complete=is_complete)


class _Span(NamedTuple):
    """
    What was read: the range, and lowest and highest ids of its pages.

    ``is_fetched``: a download fetched all trades of the range, so its first and last are known.
    """

    symbol: str
    start_us: int
    end_us: int
    now_us: int
    ids: list[int]
    is_fetched: bool


def milliseconds_range(given: Parameters, now_us: int) -> tuple[int, int]:
    """
    Return the range ``[start, end)`` of ``from`` and ``to``, UTC microseconds; without ``to`` until now.

    Raises:
        UsageError: If it ends before it begins.
    """
    start_us = _milliseconds(given, "from") * 1_000
    end_us = (_milliseconds(given, "to") + 1) * 1_000 if given.has("to") else max(now_us + 1, start_us)
    check_range(start_us, end_us)
    return start_us, end_us


def _milliseconds(given: Parameters, name: str) -> int:
    text = given.text(name)
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise UsageError(f"{name} cannot be “{text[:40]}”: write milliseconds, such as 1723161600000.")
    return min(int(text), _LAST_MS)


def _columns(page: Any) -> Any:
    pa = arrow()
    times = page.column("time").view(pa.int64()).to_numpy() // 1_000
    columns = [times, floats_of(page.column("price")), floats_of(page.column("quantity"))]
    arrays = [*map(pa.array, columns), page.column("is_buyer_maker")]
    return pa.RecordBatch.from_arrays(arrays, schema=_schema())


def _schema() -> Any:
    pa = arrow()
    return pa.schema([("ts", pa.int64()), ("price", pa.float64()), ("qty", pa.float64()), ("is_sell", pa.bool_())])


def arrow_stream(batches: list[Any], schema: Any) -> bytes:
    """Return batches of that schema as an Arrow IPC stream."""
    import pyarrow.ipc

    sink = arrow().BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def arrow_answer(body: bytes, *, is_complete: bool) -> web.Response:
    """Return the answer with that stream, which says whether it has all of the range."""
    headers = {**completeness(is_complete=is_complete), "Cache-Control": "no-cache"}
    return web.Response(body=body, content_type=CONTENT_TYPE, headers=headers)


def _is_complete(store: SeparateStore, span: _Span, rows: int) -> bool:
    """Whether every trade of the range is in it: no id is missing from the trade before it to the one after it."""
    if span.start_us > span.now_us:
        return True  # nothing of it is over
    before = store.nearest_trade(span.symbol, span.start_us, before=True)
    after = store.nearest_trade(span.symbol, span.end_us, before=False)
    first, last = min(span.ids, default=None), max(span.ids, default=None)
    if first is None or last is None:
        adjoin = before is not None and after is not None and before.trade_id + 1 == after.trade_id
        return span.is_fetched or adjoin
    begins = span.is_fetched or first <= 1 or (before is not None and before.trade_id + 1 == first)
    is_newest = after is None and span.end_us >= span.now_us - SETTLES_S * SECOND_US
    ends = span.is_fetched or is_newest or (after is not None and last + 1 == after.trade_id)
    return begins and ends and last - first + 1 == rows
