"""
Trades as columns, and from those the rollup rows that PostgreSQL stores.

Pure: numpy in, rows out. A batch holds the interpreter lock for a few milliseconds at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from app.market.columns.exact_sums import product_sums, sums
from app.market.trade import Trade

Ints = NDArray[np.int64]

_DAY_US = 86_400_000_000
COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER = b"\xff\xff"
_FIELDS = {name: itemgetter(index) for index, name in enumerate(Trade._fields)}
_FIRST_ID, _LAST_ID = attrgetter("first_trade_id"), attrgetter("last_trade_id")


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """
    Trades as equally long columns, by rising symbol id and trade id, each trade once.

    Amounts are in 1e-8 units, times in UTC microseconds.
    """

    symbol_id: Ints
    trade_id: Ints
    time_us: Ints
    price: Ints
    quantity: Ints
    maker: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.symbol_id)

    def take(self, rows: Ints | NDArray[np.bool_] | slice) -> TradeColumns:
        """Return the rows that are chosen by their numbers, a mask, or a slice."""
        return TradeColumns(
            self.symbol_id[rows],
            self.trade_id[rows],
            self.time_us[rows],
            self.price[rows],
            self.quantity[rows],
            self.maker[rows],
        )

    def ids_by_symbol(self) -> list[tuple[int, Ints]]:
        """Return (symbol id, its trade ids) for each symbol; both rise."""
        starts = [0, *(np.flatnonzero(np.diff(self.symbol_id)) + 1).tolist(), len(self)]
        return [(int(self.symbol_id[start]), self.trade_id[start:end]) for start, end in pairwise(starts)]

    def id_runs(self) -> list[tuple[int, int, int]]:
        """Return the runs of consecutive ids as (symbol id, first, last), rising."""
        return [(symbol_id, first, last) for symbol_id, ids in self.ids_by_symbol() for first, last in id_runs(ids)]


class RollupRow(NamedTuple):
    """
    What a batch adds to one rollup candle.

    ``open_us`` is in UTC microseconds; prices and volumes are in 1e-8, quote volumes in 1e-16 units.
    """

    symbol_id: int
    open_us: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    trades: int
    taker_buy_volume: int
    taker_buy_quote_volume: int
    first_trade_id: int
    last_trade_id: int


def trade_columns(trades: Sequence[Trade], symbol_ids: Mapping[str, int]) -> tuple[TradeColumns, TradeColumns]:
    """
    Return the trades as sorted columns, the first of each id, and the later ones that contradict the first.

    ``trades``: at least one, each without a `storage.trades.refused_trades.refusal_reason`. ``symbol_ids`` has all
    their symbols. A plain repeat is in neither; `same_trade` says what a contradiction is.
    """
    count = len(trades)

    def column(field: str, kind: DTypeLike) -> NDArray[Any]:
        # Without a list in between, which the garbage collector would have to scan.
        return np.fromiter(map(_FIELDS[field], trades), kind, count)

    unsorted = TradeColumns(
        np.fromiter(map(symbol_ids.__getitem__, map(_FIELDS["symbol"], trades)), np.int64, count),
        column("trade_id", np.int64),
        column("time_us", np.int64),
        column("price_e8", np.int64),
        column("quantity_e8", np.int64),
        column("is_buyer_maker", np.bool_),
    )
    firsts, contradictions = distinct_rows(unsorted)
    return unsorted.take(firsts), unsorted.take(contradictions)


def distinct_rows(unsorted: TradeColumns) -> tuple[Ints, Ints]:
    """
    Return the rows of the first trade of each id, by rising symbol id and trade id, and the rows that contradict them.

    ``unsorted``: trades in any order. Plain repeats are in neither.
    """
    # lexsort is stable: of the trades of one id, the one given first stays first.
    order = np.lexsort((unsorted.trade_id, unsorted.symbol_id))
    ordered = unsorted.take(order)
    repeat = (ordered.symbol_id[1:] == ordered.symbol_id[:-1]) & (ordered.trade_id[1:] == ordered.trade_id[:-1])
    if not repeat.any():
        return order, order[:0]
    first = np.concatenate(([True], ~repeat))
    chosen = np.flatnonzero(first)[np.cumsum(first) - 1]
    return order[first], order[~same_trade(ordered, ordered.take(chosen))]


def same_trade(one: TradeColumns, other: TradeColumns) -> NDArray[np.bool_]:
    """
    Return, row by row, whether two trades of one id are the same: price, quantity, side, and time to the millisecond.

    Archives and older streams give times in milliseconds, with the microseconds cut off.
    """
    same: NDArray[np.bool_] = (
        (one.time_us // 1000 == other.time_us // 1000)
        & (one.price == other.price)
        & (one.quantity == other.quantity)
        & (one.maker == other.maker)
    )
    return same


def id_runs(ids: Ints) -> list[tuple[int, int]]:
    """Return the runs of consecutive ids among rising ones, as (first, last), both inclusive."""
    if not len(ids):
        return []
    breaks = np.flatnonzero(np.diff(ids) != 1)
    firsts = ids[np.concatenate(([0], breaks + 1))]
    lasts = ids[np.concatenate((breaks, [len(ids) - 1]))]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def ids_within(ids: Ints, ranges: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Return, id by id, whether it lies in one of the disjoint, rising, inclusive ranges."""
    if not ranges:
        return np.zeros(len(ids), dtype=np.bool_)
    firsts, lasts = np.array(ranges, dtype=np.int64).T
    at = np.searchsorted(firsts, ids, side="right") - 1
    held: NDArray[np.bool_] = (at >= 0) & (ids <= lasts[np.maximum(at, 0)])
    return held


def calendar_months(times_us: Ints) -> list[np.datetime64]:
    """Return the calendar months (UTC) of some times, rising."""
    # By way of the days: a month has no fixed length, so each time would have to be converted, and days are few.
    days = np.unique(times_us // _DAY_US).astype("datetime64[D]")
    return list(np.unique(days.astype("datetime64[M]")))


def rollup_rows(trades: TradeColumns, length_us: int) -> list[RollupRow]:
    """Return the rows that the trades, at least one, add to the candles of that length, by symbol id and open time."""
    slot = trades.time_us // length_us
    # lexsort is stable: the trades of a candle stay in the order of their ids.
    order = np.lexsort((slot, trades.symbol_id))
    trades, slot = trades.take(order), slot[order]
    changed = (np.diff(trades.symbol_id) != 0) | (np.diff(slot) != 0)
    starts = np.concatenate(([0], np.flatnonzero(changed) + 1))
    ends = np.concatenate((starts[1:], [len(trades)])) - 1
    taker = np.where(trades.maker, 0, trades.quantity)
    figures = zip(
        trades.symbol_id[starts].tolist(),
        (slot[starts] * length_us).tolist(),
        trades.price[starts].tolist(),
        np.maximum.reduceat(trades.price, starts).tolist(),
        np.minimum.reduceat(trades.price, starts).tolist(),
        trades.price[ends].tolist(),
        sums(trades.quantity.astype(np.uint64), starts),
        product_sums(trades.price, trades.quantity, starts),
        (ends - starts + 1).tolist(),
        sums(taker.astype(np.uint64), starts),
        product_sums(trades.price, taker, starts),
        trades.trade_id[starts].tolist(),
        trades.trade_id[ends].tolist(),
        strict=True,
    )
    return [RollupRow._make(figure) for figure in figures]


def coarser_rows(rows: Sequence[RollupRow], length_us: int) -> list[RollupRow]:
    """Return the rows for candles of ``length_us``, given those for candles of a length that divides it."""
    groups: dict[tuple[int, int], list[RollupRow]] = {}
    for row in rows:
        groups.setdefault((row.symbol_id, row.open_us - row.open_us % length_us), []).append(row)
    return [_sum(symbol_id, open_us, group) for (symbol_id, open_us), group in groups.items()]


def _sum(symbol_id: int, open_us: int, rows: list[RollupRow]) -> RollupRow:
    if len(rows) == 1:
        return rows[0]._replace(open_us=open_us)
    # By id rather than by time, as everywhere: the two may disagree, and the ids are the exchange's order.
    first, last = min(rows, key=_FIRST_ID), max(rows, key=_LAST_ID)
    _, _, _, highs, lows, _, volumes, quotes, counts, takers, taker_quotes, _, _ = zip(*rows, strict=True)
    return RollupRow(
        symbol_id=symbol_id,
        open_us=open_us,
        open=first.open,
        high=max(highs),
        low=min(lows),
        close=last.close,
        volume=sum(volumes),
        quote_volume=sum(quotes),
        trades=sum(counts),
        taker_buy_volume=sum(takers),
        taker_buy_quote_volume=sum(taker_quotes),
        first_trade_id=first.first_trade_id,
        last_trade_id=last.last_trade_id,
    )
