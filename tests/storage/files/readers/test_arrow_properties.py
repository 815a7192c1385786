"""Typed columns give, all at once, what the same cells give one by one; or nothing, and then it is done one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import event, given
from hypothesis import strategies as st

from app.market.ports.row_files import RowKind, TradeBatch
from storage.files.readers.arrow_columns import arrow_batches
from storage.files.readers.batches import NumberedRow, RowConverter
from storage.files.readers.identity import Identity
from storage.files.readers.layout import Layout

NAMES = ("trade_id", "time", "price", "quantity", "side")
LAYOUT = Layout(RowKind.TRADES, {name: place for place, name in enumerate(NAMES)}, NAMES, "")
IDENTITY = Identity("BTCUSDT", None)
SIZE = 4
FIRST = datetime(2000, 1, 1, tzinfo=UTC)


def columns(*choices: tuple[st.SearchStrategy[Any], Any]) -> st.SearchStrategy[Any]:
    """Return arrays of one of the types, of values that it can hold."""
    return st.one_of(
        [
            st.lists(values, min_size=SIZE, max_size=SIZE).map(lambda cells, kind=kind: pa.array(cells, kind))
            for values, kind in choices
        ]
    )


ids = columns(
    (st.integers(0, 2**63 - 1), pa.int64()),
    (st.integers(-5, 5), pa.int32()),
    (st.integers(0, 2**64 - 1), pa.uint64()),
    (st.integers(0, 2**60).map(str), pa.string()),
    (st.integers(0, 2**50).map(float), pa.float64()),
)
moments = st.integers(0, 3_000_000_000).map(
    lambda second: FIRST + timedelta(seconds=second, microseconds=second % 1000)
)
numbers = st.integers(946_684_000, 4_102_445_000)
times = columns(
    (moments, pa.timestamp("us", "UTC")),
    (moments, pa.timestamp("ns", "UTC")),
    (moments.map(lambda moment: moment.replace(microsecond=0)), pa.timestamp("s", "Asia/Tokyo")),
    (moments.map(lambda moment: moment.date()), pa.date32()),
    (st.one_of(numbers, numbers.map(lambda second: second * 1000 + 7)), pa.int64()),
    (numbers.map(lambda second: second * 10**6 + 7), pa.int64()),
    (numbers.map(lambda second: f"{second}.5"), pa.string()),
)
amounts = columns(
    (st.decimals(0, 10**11, places=8), pa.decimal128(20, 8)),
    (st.decimals(-5, 10**11, places=8), pa.decimal128(20, 8)),
    (st.decimals(0, 10**9, places=2), pa.decimal128(12, 2)),
    (st.decimals(0, 10**9, places=10), pa.decimal128(25, 10)),
    (st.decimals(0, 10**7, places=8).map(float), pa.float64()),
    (st.floats(), pa.float64()),
    (st.floats(0, 10**6, width=32), pa.float32()),
    (st.integers(0, 2**63 - 1), pa.int64()),
    (st.decimals(0, 10**7, places=8).map(str), pa.string()),
    (st.integers(1, 10**6).map(lambda count: Decimal(count).scaleb(-8)), pa.decimal256(40, 8)),
)
sides = columns((st.sampled_from(["buy", "SELL", "seller", "b", "?"]), pa.string()), (st.booleans(), pa.bool_()))


GOOD = {
    "trade_id": pa.array(range(SIZE), pa.int64()),
    "time": pa.array([1_723_161_255_342 + number for number in range(SIZE)], pa.int64()),
    "price": pa.array([Decimal(number + 1) for number in range(SIZE)], pa.decimal128(20, 8)),
    "quantity": pa.array([Decimal(number) for number in range(SIZE)], pa.decimal128(20, 8)),
    "side": pa.array(["buy", "sell"] * (SIZE // 2)),
}
KINDS = {"trade_id": ids, "time": times, "price": amounts, "quantity": amounts, "side": sides}
one_column = st.sampled_from(NAMES).flatmap(lambda name: KINDS[name].map(lambda column: {name: column}))


@given(one_column)
def test_at_once_is_as_one_by_one(changed: dict[str, Any]) -> None:
    arrays = GOOD | changed
    at_once = arrow_batches(LAYOUT, IDENTITY, arrays, 1)
    event("one by one" if at_once is None else "at once")
    if at_once is None:
        return
    time, side = arrays["time"], arrays["side"]
    if pa.types.is_timestamp(time.type) and time.type.unit == "ns":
        time = time.cast(pa.timestamp("us", "UTC"))
    if pa.types.is_boolean(side.type):
        side = pa.array(["sell" if sold else "buy" for sold in side.to_pylist()])
    arrays |= {"time": time, "side": side}
    cells = zip(*(arrays[name].to_pylist() for name in NAMES), strict=True)
    rows = [NumberedRow(number, row) for number, row in enumerate(cells, 1)]
    (one_by_one,) = RowConverter(LAYOUT, IDENTITY).batches(rows)
    (found,) = at_once
    assert isinstance(found, TradeBatch)
    assert isinstance(one_by_one, TradeBatch)
    assert one_by_one.refused == ()
    for name in ("trade_id", "time_us", "price_e8", "quantity_e8", "is_buyer_maker", "numbers"):
        assert np.array_equal(getattr(found, name), getattr(one_by_one, name)), name
