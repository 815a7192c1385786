"""Quotes as columns: the rows of a file of quotes, and what candles of quotes have besides those of trades. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from app.market.candle import CandleSource
from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import open_times, schema
from app.market.columns.wide_decimals import decimal_array
from app.market.file_columns import QUOTE_COLUMNS, SIDE_VOLUMES
from app.market.quotes.tick import Tick
from app.market.quotes.tick_candle import TickCandle
from app.market.quotes.tick_columns import columns_of_ticks


@cache
def quote_schema() -> Any:
    """Return the Arrow schema of quotes; sizes are in millions of the base asset."""
    pa = arrow()
    amount = pa.decimal128(20, 8)
    kinds = (pa.timestamp("us", "UTC"), *[amount] * 4)
    return pa.schema(list(zip(QUOTE_COLUMNS, kinds, strict=True)))


@cache
def quote_candle_schema() -> Any:
    """Return the Arrow schema of candles of quotes: that of candles, and the sums of the sizes in millions."""
    pa, known = arrow(), schema()
    for name in SIDE_VOLUMES:
        known = known.append(pa.field(name, pa.decimal128(28, 8)))
    return known


def quote_rows(ticks: Sequence[Tick]) -> Any:
    """Return ticks of one symbol as an Arrow RecordBatch."""
    pa, kinds = arrow(), quote_schema()
    found = columns_of_ticks("", ticks)
    amounts = (found.bid_e8, found.ask_e8, found.bid_size_e8, found.ask_size_e8)
    times = pa.array(found.time_us).view(kinds.field("time").type)
    arrays = [times, *(decimal_array(column, kinds.field("bid").type) for column in amounts)]
    return pa.RecordBatch.from_arrays(arrays, schema=kinds)


def with_side_volumes(candles: Any, ticks: Iterable[TickCandle], source: str) -> Any:
    """
    Return a batch of candles with the sizes of the ``ticks`` of the same open times, and with ``source`` as theirs.

    A candle without ticks has sizes of 0, one that the broker made has none that is known.
    """
    pa, kinds = arrow(), quote_candle_schema()
    by_time = {one.open_time_us: (one.bid_volume_e8, one.ask_volume_e8) for one in ticks}
    opens = open_times(candles).tolist()
    from_ticks = np.array([one == CandleSource.TICKS for one in candles.column("source").to_pylist()], dtype=np.bool_)
    arrays = list(candles.columns)
    arrays[kinds.get_field_index("source")] = pa.array([source] * len(opens), pa.string())
    for side, name in enumerate(SIDE_VOLUMES):
        values = [by_time.get(open_us, (0, 0))[side] for open_us in opens]
        arrays.append(decimal_array(values, kinds.field(name).type, from_ticks))
    return pa.RecordBatch.from_arrays(arrays, schema=kinds)
