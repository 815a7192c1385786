"""Stored trades by their ids, a page at a time: what followers and replays read. Blocks."""

from __future__ import annotations

from typing import NamedTuple

from app.market.coverage import IdRanges
from app.market.ports.database import SeparateStore
from app.market.trade import Trade


class StoredPage(NamedTuple):
    """
    Stored trades, rising; ``known``: the ids they were looked up by. ``is_last``: no more of the ids wanted are left.

    ``before``: by the first id of each range the trade before it, if that was asked for and is stored.
    """

    trades: list[Trade]
    known: IdRanges
    is_last: bool
    before: dict[int, Trade]


def read_page(
    store: SeparateStore, symbol: str, wanted: IdRanges, most: int, *, with_trades_before: bool = False
) -> StoredPage:
    """Return the trades of the lowest ids in ``wanted``, which are covered, up to ``most``. Raises StoreError."""
    trades, known, before = list[Trade](), IdRanges(), dict[int, Trade]()
    room = most
    for first, last in wanted:
        if room <= 0:
            break
        last = min(last, first + room - 1)
        if with_trades_before:
            before.update((first, one) for one in store.trades(symbol, first - 1, first - 1))
        trades += store.trades(symbol, first, last)
        known.add_range(first, last)
        room -= last - first + 1
    return StoredPage(trades, known, known == wanted, before)
