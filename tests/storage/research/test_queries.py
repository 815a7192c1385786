"""The queries of docs/research.md: which partitions they read, and by which index; and what the status says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.storage.research.helpers import Place, some_minutes

DOCUMENT = Path(__file__).parents[3] / "docs" / "research.md"
START_US = 1_706_745_600_000_000  # 2024-02-01
DAYS, MONTHS = 58, 2  # within February and March

pytestmark = pytest.mark.embedded_only  # the partitions are PostgreSQL's own on every edition


@pytest.fixture
def filled(place: Place) -> Place:
    """Two months of rows of 60 minutes for a symbol, and two weeks for another one."""
    for at, (symbol, days) in enumerate((("BTCUSDT", DAYS), ("ETHUSDT", 14))):
        place.save(some_minutes(days * 1440, seed=at, start_us=START_US), symbol)
    place.research.build(["BTCUSDT", "ETHUSDT"], [60])
    with place.connect() as connection:
        connection.execute("ANALYZE ohlcv_60m")
    return place


def documented() -> list[str]:
    """Return the queries that stand in the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return [query for block in re.findall(r"^```sql\n(.*?)^```$", text, re.DOTALL | re.MULTILINE) for query in [block]]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def read_by(place: Place, query: str) -> tuple[set[str], set[str]]:
    """Return the partitions that a query reads when it runs, and the indexes by which it reads them."""
    ((found,),) = place.rows(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
    plan = json.loads(found) if isinstance(found, str) else found
    run = [node for node in nodes(plan[0]["Plan"]) if node.get("Actual Loops")]
    tables = {node["Relation Name"] for node in run if "Relation Name" in node}
    return tables, {node["Index Name"] for node in run if "Index Name" in node}


def test_queries_read_one_partition_the_status_says_so_and_an_update_is_hot(filled: Place) -> None:
    # One test: the rows take longer to make than all three parts together.
    queries_read_one_partition_by_their_index(filled)
    status_counts_rows_partitions_and_what_a_month_reads(filled)
    update_of_all_values_is_hot(filled)


def queries_read_one_partition_by_their_index(filled: Place) -> None:
    queries = documented()
    assert len(queries) >= 3
    for query in queries:
        tables, indexes = read_by(filled, query)
        assert len(tables) == 1, query
        if "minute_index" in query:
            assert all("minute_index" in name for name in indexes), query
            assert indexes, query
        assert all(name.startswith("ohlcv_60m_btcusdt_2024_") for name in tables), query
        assert filled.rows(query), query


def status_counts_rows_partitions_and_what_a_month_reads(filled: Place) -> None:
    found = filled.research.status(["BTCUSDT"])
    assert [(one.table, one.symbol, one.rows, one.partitions, one.month_reads) for one in found] == [
        ("ohlcv_60m", "BTCUSDT", DAYS * 1440 - 59, MONTHS, 1)
    ]
    assert found[0].bytes > 10_000_000
    assert (found[0].updates, found[0].hot_share) == (0, 1.0)


def update_of_all_values_is_hot(filled: Place) -> None:
    filled.research.build(["BTCUSDT"], [60], indicators="rsi_14,atr_14,cvd")
    for one in filled.research.status():
        assert one.updates == one.rows
        assert one.hot_share > 0.9
        assert one.due == []
    assert filled.rows("SELECT count(*) FROM ohlcv_60m WHERE cvd IS NULL") == [(0,)]
    with_indicators = filled.rows(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() AND indexdef ~ '(rsi_14|atr_14|cvd)'"
    )
    assert with_indicators == []
