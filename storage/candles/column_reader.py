"""
Reads long ranges of candles as columns, in a tenth of the time that candles one by one take.

It knows the two states that nearly all of a long range is in, and leaves every other one to
`storage.candles.candle_reader`, whose result it must equal: all trades of a stretch are held, so that its candles are
proved and a slot without a trade is an empty candle; or it has no trades at all, and the exchange's klines of just that
interval. A stretch that is neither is halved, so the slow way is taken only around the ends and the holes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from app.market.candle import Candle, empty_candle
from app.market.columns.arrow import arrow, arrow_compute
from app.market.columns.candle_columns import PRICE_COLUMNS, columns_of, open_times, opens_of, schema, slots_of
from app.market.coverage import IdRanges
from app.market.interval import Interval
from storage.candles.candle_reader import SymbolCandleReader

FAST_SLOTS = 32_768
_SLOW_SLOTS = 2_048


def column_parts(reader: SymbolCandleReader, start_us: int | None, end_us: int | None) -> Iterator[Any]:
    """Yield what `SymbolCandleReader.parts` yields here, as batches of `app.market.columns.candle_columns`."""
    bounds = reader.bounds(start_us, end_us, None)
    if bounds is None:
        return
    slot, last = bounds
    while slot <= last:
        end = min(slot + FAST_SLOTS - 1, last)
        has_any = False
        for part in _stretch(reader, slot, end):
            if part.num_rows:
                has_any = True
                yield part
        # An empty part may begin a long stretch of missing trades: go on at the first candle after it.
        slot = end + 1 if has_any else max(end + 1, reader.first_slot_from(end + 1, last))


def _stretch(reader: SymbolCandleReader, first: int, last: int) -> Iterator[Any]:
    found = _fast(reader, first, last)
    if found is not None:
        yield found
    elif last - first < _SLOW_SLOTS:
        yield columns_of(reader.window(first, last, None))
    else:
        middle = (first + last) // 2
        yield from _stretch(reader, first, middle)
        yield from _stretch(reader, middle + 1, last)


def _fast(reader: SymbolCandleReader, first: int, last: int) -> Any:
    """Return the candles of these slots, or None if they are in none of the two simple states."""
    before, after = reader.neighbours(first, last)
    if _are_joined(before, after, reader.held):
        assert before is not None
        assert after is not None
        rows = reader.traded_columns(first, last)
        return _with_empty(rows, before, reader.interval, first, last) if _lie_between(before, rows, after) else None
    if reader.has_only_own_klines and not reader.has_trades(first, last) and not reader.has_aggregated(first, last):
        return reader.kline_columns(first, last)
    return None


def _are_joined(before: Candle | None, after: Candle | None, held: IdRanges) -> bool:
    """Whether every trade between two candles is held."""
    if before is None or after is None or before.last_trade_id is None or after.first_trade_id is None:
        return False
    run = held.range_of(before.last_trade_id)
    return run is not None and run[0] <= after.first_trade_id <= run[1]


def _lie_between(before: Candle, rows: Any, after: Candle) -> bool:
    """Whether the ids of all candles lie between those of two others, which ids in the order of time do."""
    if not rows.num_rows:
        return True
    assert before.last_trade_id is not None
    assert after.first_trade_id is not None
    lowest, highest = rows.column("first_trade_id").to_numpy().min(), rows.column("last_trade_id").to_numpy().max()
    return bool(before.last_trade_id < lowest and highest < after.first_trade_id)


def _with_empty(rows: Any, before: Candle, interval: Interval, first: int, last: int) -> Any:
    """Return the candles with trades, and in every other slot the empty one; ``before`` is the one before them."""
    if rows.num_rows == last - first + 1:
        return rows
    pa, pc, kinds = arrow(), arrow_compute(), schema()
    slots = np.arange(first, last + 1)
    having = slots_of(interval, open_times(rows))
    # Of each slot the newest candle with trades until then, which is its own or the one that an empty candle follows.
    at = np.searchsorted(having, slots, side="right")
    is_own = at > 0
    is_own[is_own] = having[at[is_own] - 1] == slots[is_own]
    known = pa.Table.from_batches([columns_of([before]), rows]).take(pa.array(at)).combine_chunks().to_batches()[0]
    empty = columns_of([empty_candle(0, 0)])
    columns = []
    for name in kinds.names:
        column = known.column(name)
        if name == "open_time":
            column = pa.array(opens_of(interval, slots)).view(column.type)
        elif name not in ("close", "closed", "complete", "source"):
            instead = known.column("close") if name in PRICE_COLUMNS else empty.column(name)[0]
            column = pc.if_else(pa.array(is_own), column, instead)
        columns.append(column)
    flags = pa.repeat(pa.scalar(True), len(slots))
    columns[kinds.get_field_index("closed")] = columns[kinds.get_field_index("complete")] = flags
    return pa.RecordBatch.from_arrays(columns, schema=kinds)
