"""How the server finds the rows that candles are made of. What it makes of them: tests/storage/candles."""

from __future__ import annotations

import re

import pytest
from psycopg import sql

from app.market.interval import SECOND_US, Interval
from storage.rollups.candle_sql import fold
from tests.storage.helpers import START_US, World, compress, some_trades


@pytest.mark.parametrize("name", ["31s", "61s", "3601s"])
def test_the_trades_at_an_edge_between_candles_are_found_by_an_index_compressed_or_not(world: World, name: str) -> None:
    interval = Interval.parse(name)
    world.record(some_trades(2_000))
    values = {"symbol_id": 1, "start_us": interval.open_time_us(START_US)}
    values["end_us"] = interval.next_open_us(START_US + 3_600 * SECOND_US)
    with world.connect() as connection:
        compress(connection)
        connection.execute("SET enable_seqscan = off")  # which is no slower for these few trades
        plan = connection.execute(sql.SQL("EXPLAIN (COSTS OFF) ") + fold(interval), values, prepare=False).fetchall()
    lines = [line for (line,) in plan]
    found = [line for line in lines if re.search(r"(Index Cond|Recheck Cond).*LEAST", line)]
    assert found, plan
    assert all("GREATEST" in line for line in found), plan
    # Backwards, so that it may stop: an index of compressed batches begins with the time that they begin at.
    assert any("Index Scan Backward" in line for line in lines), plan
