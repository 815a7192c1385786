"""
A batch of a file's trades, made ready for the ledger: checked, sorted, each id once, and encoded for the server.

Pure. So it can be done in one thread while another sends the batch before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.market.ports.loading import RefusedPlace
from app.market.ports.row_files import Ints, TradeBatch
from storage.postgres import batch_columns
from storage.postgres.batch_columns import TradeColumns
from storage.trades.encoded_batch import EncodedBatch, encoded
from storage.trades.refused_trades import EARLIEST_US, LATEST_US

CONTRADICTION = "another trade of the same id came first"
_LARGEST_ID = 2**63 - 2


@dataclass(frozen=True, slots=True)
class PreparedTrades:
    """
    A batch ready to be stored; see `app.market.ports.loading.PreparedLoad`.

    ``rows`` of the file were given; ``columns`` has each id once, by rising id, and ``places`` says where in the batch
    each of them stood. ``encoding``: the columns, None where they are not to be stored. ``refused``: the rows that no
    database could store, and those that contradict an earlier one.
    """

    symbol: str
    rows: int
    columns: TradeColumns
    places: Ints
    encoding: EncodedBatch | None
    refused: tuple[RefusedPlace, ...]

    @property
    def first_id(self) -> int | None:
        return int(self.columns.trade_id[0]) if len(self.columns) else None

    @property
    def last_id(self) -> int | None:
        return int(self.columns.trade_id[-1]) if len(self.columns) else None

    def place_of(self, trade_id: int) -> int:
        """Return where in the batch the trade of this id stood, which is one of the columns'."""
        return int(self.places[np.searchsorted(self.columns.trade_id, trade_id)])


def prepared(batch: TradeBatch, symbol_id: int, *, is_stored: bool = True) -> PreparedTrades:
    """Return the batch, ready to be stored under that number of its symbol, or only checked."""
    storable, refused = _storable(batch)
    columns = TradeColumns(
        np.full(len(batch.trade_id), symbol_id, dtype=np.int64),
        batch.trade_id,
        batch.time_us,
        batch.price_e8,
        batch.quantity_e8,
        batch.is_buyer_maker,
    )
    places = np.flatnonzero(storable)
    columns = columns if storable.all() else columns.take(places)
    if len(columns) and (np.diff(columns.trade_id) <= 0).any():
        firsts, contradicting = batch_columns.distinct_rows(columns)
        refused += [RefusedPlace(int(place), CONTRADICTION) for place in places[np.sort(contradicting)]]
        columns, places = columns.take(firsts), places[firsts]
    encoding = encoded(columns) if is_stored and len(columns) else None
    return PreparedTrades(batch.symbol, len(batch.trade_id), columns, places, encoding, tuple(refused))


def _storable(batch: TradeBatch) -> tuple[NDArray[np.bool_], list[RefusedPlace]]:
    """Return which trades a database can store, and why not the others; see `refused_trades.refusal_reason`."""
    unfit = {
        "its id is out of range": (batch.trade_id < 0) | (batch.trade_id > _LARGEST_ID),
        "its time is out of range": (batch.time_us < EARLIEST_US) | (batch.time_us >= LATEST_US),
        "its price or quantity is out of range": (batch.price_e8 <= 0) | (batch.quantity_e8 <= 0),
    }
    storable = np.ones(len(batch.trade_id), dtype=np.bool_)
    refused: list[RefusedPlace] = []
    for reason, rows in unfit.items():
        refused += [RefusedPlace(int(place), reason) for place in np.flatnonzero(rows & storable)]
        storable &= ~rows
    return storable, refused
