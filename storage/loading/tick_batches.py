"""Ticks of files made ready for the ledger: checked as columns, so that millions cost no object each. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.market.ports.loading import RefusedPlace
from app.market.quotes import tick_columns as market
from storage.quotes.refused_ticks import EARLIEST_US, LATEST_US, MOST_PLACE, MOST_PRICE_E8, MOST_SIZE_E8
from storage.quotes.tick_columns import TickColumns


def storable(ticks: market.TickColumns) -> tuple[NDArray[np.bool_], list[RefusedPlace]]:
    """Return which ticks a database can store, and why not the others; see `refused_ticks.refusal_reason`."""
    prices, sizes = (ticks.bid_e8, ticks.ask_e8), (ticks.bid_size_e8, ticks.ask_size_e8)
    unfit = {
        "its time is out of range": (ticks.time_us < EARLIEST_US) | (ticks.time_us >= LATEST_US),
        "its place is out of range": (ticks.place < 0) | (ticks.place > MOST_PLACE),
        "its bid or ask is out of range": np.logical_or(*((price <= 0) | (price >= MOST_PRICE_E8) for price in prices)),
        "its size is out of range": np.logical_or(*((size < 0) | (size > MOST_SIZE_E8) for size in sizes)),
    }
    fit = np.ones(len(ticks), dtype=np.bool_)
    refused: list[RefusedPlace] = []
    for reason, rows in unfit.items():
        refused += [RefusedPlace(int(place), reason) for place in np.flatnonzero(rows & fit)]
        fit &= ~rows
    return fit, refused


def numbered(ticks: market.TickColumns, symbol_id: int, rows: NDArray[np.bool_]) -> TickColumns:
    """Return the chosen rows as the ledger takes them, under that number of their symbol."""
    columns = (ticks.time_us, ticks.place, ticks.bid_e8, ticks.ask_e8, ticks.bid_size_e8, ticks.ask_size_e8)
    chosen = [column[rows] for column in columns]
    return TickColumns(np.full(len(chosen[0]), symbol_id, dtype=np.int64), *chosen)
