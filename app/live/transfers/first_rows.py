"""The first rows of an export as they are stored, for a look at a file before it is written. Nothing is fetched."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import Any

from app.concurrency.background import in_background
from app.live.transfers.candle_transfer import CandleTransfer
from app.live.transfers.exports import ExportSources
from app.live.transfers.gap_transfer import GapTransfer
from app.live.transfers.quotes.quote_candle_file import QuoteCandleFile
from app.live.transfers.quotes.quote_transfer import quote_pages
from app.live.transfers.range_ends import whole_request
from app.live.transfers.rolling.window_transfer import WindowTransfer
from app.live.transfers.session_transfer import SessionTransfer
from app.market.availability import Origin, availability, quote_availability
from app.market.candle_request import CandleRequest, window_count, window_minutes
from app.market.columns.gap_columns import gap_rows
from app.market.export_plan import ExportPlan, RowsRequest
from app.market.file_columns import RowsOf
from app.market.interval import Interval
from app.market.ports.files import ExportFile
from app.market.ports.storage import CandleStore

_ALL_END_US = 4_102_444_800_000_000  # the year 2100


async def write_first_rows(plan: ExportPlan, sources: ExportSources, file: ExportFile, most: int) -> bool:
    """
    Write the first rows of the plan's first file, up to ``most``, as far as they are stored; return whether any is.

    The candles are the first of the range that are stored without a missing trade.

    Raises:
        UsageError: If nothing of the symbol is stored to begin with, or an indicator needs too many candles.
        StoreError: If the database cannot be read.
    """
    request = plan.files[0]
    if isinstance(request.rows, Interval):
        return await _candles(plan, request, request.rows, sources, file, most)
    if request.rows is RowsOf.TRADES:
        rows = await in_background(partial(_first_trades, request, sources, most), "read-trades")
    elif request.rows is RowsOf.QUOTES:
        rows = await in_background(partial(_first_quotes, request, sources, most), "read-quotes")
    elif request.rows.are_of_sessions:
        sessions = SessionTransfer(request, sources.store)
        await sessions.read()
        rows = sessions.rows.slice(0, most)
    else:
        gaps = await GapTransfer(request, sources.gaps).read()
        rows = await in_background(partial(gap_rows, gaps[:most]), "make-columns")
    if rows is None or not rows.num_rows:
        return False
    await in_background(partial(file.write, rows), "make-text")
    return True


async def _candles(
    plan: ExportPlan, request: RowsRequest, interval: Interval, sources: ExportSources, file: ExportFile, most: int
) -> bool:
    wanted = await in_background(
        partial(_first_stored, plan, request, interval, sources, most),
        "read-stored-times",
    )
    if wanted is None:
        return False
    store = _store(plan, request, sources)
    if request.is_rolling:
        market = await in_background(partial(sources.store.calendar_of, request.symbol), "read-calendar")
        windows = WindowTransfer(
            request,
            wanted,
            sources.history,
            store,
            sources.ticks,
            sources.clock,
            market,
            plan.price,
            plan.indicators,
        )
        return (await windows.run(file, "")).rows > 0
    if request.is_of_quotes:
        file = QuoteCandleFile(file, sources.ticks, request.symbol, interval, plan.price)
    transfer = CandleTransfer(wanted, sources.history, store, sources.clock, indicators=plan.indicators)
    report, _ = await transfer.run(file, "")
    return report.rows > 0


def _store(plan: ExportPlan, request: RowsRequest, sources: ExportSources) -> CandleStore:
    """Return what has the candles of the price that the plan asks for."""
    return sources.store.of_side(plan.price) if request.is_of_quotes else sources.store


def _first_stored(
    plan: ExportPlan, request: RowsRequest, interval: Interval, sources: ExportSources, most: int
) -> CandleRequest | None:
    """Return the first candles of the range that are stored; None if there is none. Blocks."""
    now_us, store = sources.clock.now_us(), _store(plan, request, sources)
    candles = request.candles or interval
    whole = whole_request(
        store,
        request.symbol,
        candles,
        request.start_us,
        request.end_us,
        now_us=now_us,
        fetch=False,
        include_open=plan.include_open and not request.is_rolling,
    )
    stored = store.stored_times(request.symbol, candles)
    if request.is_of_quotes:
        known = quote_availability(whole, stored, now_us, sources.store.calendar_of(request.symbol))
    else:
        known = availability(whole, stored, now_us)
    first = next((one.first for one in known if one.origin is not Origin.NOWHERE), None)
    if first is None:
        return None
    if request.is_rolling:
        window_count(whole, interval)
        most += window_minutes(interval) - 1
    last = min(first + most, whole.slots[-1] + 1)
    return whole._replace(start_us=candles.slot_open_us(first), end_us=candles.slot_open_us(last))


def _first_trades(request: RowsRequest, sources: ExportSources, most: int) -> Any:
    """Return the first stored trades of the range; None if there is none. Blocks."""
    start_us, end_us = request.start_us or 0, request.end_us or _ALL_END_US
    with closing(sources.store.iter_trade_columns(request.symbol, start_us, end_us)) as pages:
        page = next(pages, None)
    return None if page is None else page.slice(0, most)


def _first_quotes(request: RowsRequest, sources: ExportSources, most: int) -> Any:
    """Return the first stored quotes of the range; None if there is none. Blocks."""
    with closing(
        quote_pages(sources.ticks, request.symbol, request.start_us or 0, request.end_us or _ALL_END_US)
    ) as pages:
        page = next(pages, None)
    return None if page is None else page.slice(0, most)
