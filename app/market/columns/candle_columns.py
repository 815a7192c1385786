"""
Candles as columns: what an export reads, passes on and writes, without a Python object for each candle.

A batch is an Arrow RecordBatch of `schema`: the columns of the read contract, then closed, complete and source. Times
are UTC microseconds, amounts exact decimals of 8 and, where prices times quantities are summed, of 16 places.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.candle import Candle, CandleSource
from app.market.columns.arrow import arrow, arrow_compute
from app.market.columns.wide_decimals import counts_of, decimal_array
from app.market.interval import Interval

_MONTHS_TO_2000 = 360
PRICE_COLUMNS = ("open", "high", "low", "close")


@cache
def schema() -> Any:
    """Return the Arrow schema of candles."""
    pa = arrow()
    price, volume, quote = pa.decimal128(20, 8), pa.decimal128(28, 8), pa.decimal128(38, 16)
    return pa.schema(
        [
            ("open_time", pa.timestamp("us", "UTC")),
            *((name, price) for name in PRICE_COLUMNS),
            ("volume", volume),
            ("quote_volume", quote),
            ("trades", pa.int64()),
            ("taker_buy_volume", volume),
            ("taker_buy_quote_volume", quote),
            ("first_trade_id", pa.int64()),
            ("last_trade_id", pa.int64()),
            ("closed", pa.bool_()),
            ("complete", pa.bool_()),
            ("source", pa.string()),
        ]
    )


def columns_of(candles: Sequence[Candle]) -> Any:
    """Return the candles as a batch."""
    pa, known = arrow(), schema()
    fields: list[Sequence[Any]] = list(zip(*candles, strict=True)) if candles else [()] * len(known)
    arrays = [
        decimal_array(values, field.type) if pa.types.is_decimal(field.type) else pa.array(values, field.type)
        for field, values in zip(known, fields, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=known)


def candles_of(batch: Any) -> list[Candle]:
    """Return the candles of a batch."""
    columns = [
        counts_of(column)
        if arrow().types.is_decimal(column.type)
        else open_times(batch).tolist()
        if name == "open_time"
        else column.to_pylist()
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return [one._replace(source=CandleSource(one.source)) for one in starmap(Candle, zip(*columns, strict=True))]


def open_times(batch: Any) -> NDArray[np.int64]:
    """Return the open times of a batch, UTC microseconds."""
    times: NDArray[np.int64] = batch.column("open_time").view(arrow().int64()).to_numpy()
    return times


def flags(batch: Any, name: str) -> NDArray[np.bool_]:
    """Return the column ``closed`` or ``complete`` of a batch."""
    found: NDArray[np.bool_] = batch.column(name).to_numpy(zero_copy_only=False)
    return found


def prices_alone(batch: Any) -> NDArray[np.bool_]:
    """Return which candles of a batch might know more than prices and volume (`app.market.candle.lacks_amounts`)."""
    pc = arrow_compute()
    is_alone = pc.and_(pc.greater(batch.column("volume"), 0), pc.equal(batch.column("quote_volume"), 0))
    is_alone = pc.and_(is_alone, pc.not_equal(batch.column("source"), CandleSource.TICKS.value))
    found: NDArray[np.bool_] = is_alone.to_numpy(zero_copy_only=False)
    return found


def slots_of(interval: Interval, times_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the slots that hold these times (`Interval.slot`)."""
    slots: NDArray[np.int64]
    if interval.months:
        months = times_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)  # since 1970
        slots = (months - _MONTHS_TO_2000) // interval.months
    else:
        slots = (times_us - interval.origin_us) // interval.length_us
    return slots


def opens_of(interval: Interval, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the open times of the candles of these slots (`Interval.slot_open_us`)."""
    if interval.months:
        return np.array([interval.slot_open_us(slot) for slot in slots.tolist()], dtype=np.int64)
    opens_us: NDArray[np.int64] = slots * interval.length_us + interval.origin_us
    return opens_us
