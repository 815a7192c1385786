"""Mean prices of exact amounts, of any size."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from app.market.columns.wide_decimals import counts_of, decimal_array, mean_prices

E8 = 10**8
amounts = st.one_of(st.integers(0, 10**12), st.integers(0, 2**90), st.sampled_from([0, 2**63, 2**64, 2**65]))


@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=8))
@example([(1, 2**64)])  # the low half of that volume is zero
@example([(2**64, 2**64), (5, 2), (0, 3), (3, 0)])
def test_a_mean_price_is_the_nearest_and_null_where_either_is_zero(rows: list[tuple[int, int]]) -> None:
    kind = pa.decimal128(38, 16)
    rows = [(quote, volume) for quote, volume in rows if not volume or quote * E8 // volume < 10**38 - 1] or [(1, 1)]
    quotes, volumes = ([row[at] for row in rows] for at in (0, 1))
    found = mean_prices(decimal_array(quotes, kind), decimal_array(volumes, pa.decimal128(38, 8)), kind)
    assert found.is_valid().to_pylist() == [quote > 0 and volume > 0 for quote, volume in rows]
    expected = [(quote * E8 + volume // 2) // volume for quote, volume in rows if quote and volume]
    assert counts_of(found.drop_null()) == expected
