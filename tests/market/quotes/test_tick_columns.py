"""Columns of ticks hold the same ticks as rows do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.quotes.tick import Tick
from app.market.quotes.tick_columns import columns_of_ticks, no_ticks, tick_columns
from tests.tick_candles import with_places

_AMOUNTS = st.integers(min_value=0, max_value=10**15)
_ROWS = st.lists(st.tuples(st.integers(min_value=0, max_value=9), _AMOUNTS, _AMOUNTS, _AMOUNTS, _AMOUNTS), max_size=30)


@given(_ROWS)
def test_columns_give_each_tick_its_place_as_rows_do(rows):
    rows.sort(key=lambda row: row[0])
    columns = tick_columns("oanda:EURUSD", *np.array(rows, dtype=np.int64).reshape(len(rows), 5).T)
    expected = list(with_places(Tick("oanda:EURUSD", time_us, 0, *amounts) for time_us, *amounts in rows))
    assert list(columns) == expected
    assert list(columns_of_ticks("oanda:EURUSD", expected)) == expected
    assert len(columns) == len(rows)


def test_times_that_fall_are_refused():
    with pytest.raises(ValueError, match="do not rise"):
        tick_columns("oanda:EURUSD", *(np.array([5, 4], dtype=np.int64) for _ in range(5)))


def test_there_may_be_no_ticks():
    assert list(no_ticks("oanda:EURUSD")) == []
