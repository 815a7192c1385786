"""An export of trades has each stored trade of its range, and says which are missing."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.live.transfers.trade_report import TradeReport
from app.live.transfers.trade_transfer import TradeTransfer
from app.market.columns.wide_decimals import counts_of
from app.market.export_plan import RowsRequest
from app.market.file_columns import RowsOf
from app.market.file_format import FileFormat, FileLayout
from app.market.interval import SECOND_US
from app.market.trade import Trade
from storage.candles import trade_columns
from storage.files.export_file import rows_file
from storage.files.target import NewFile
from tests.depth import examples
from tests.live.helpers import START_US
from tests.servers import EMBEDDED, shared_server
from tests.storage.helpers import World
from tests.tables import our_tables


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with our_tables(shared_server(EMBEDDED)) as url:
        world = World(url)
        yield world
        world.close()


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_columns, "_PAGE", 7)


def exported(world: World, request: RowsRequest, path: Path) -> tuple[list[Trade], TradeReport]:
    async def run() -> TradeReport:
        transfer = TradeTransfer(request, world.store)
        expected = await transfer.count()
        file = rows_file(NewFile(path.parent, path.name), FileFormat.PARQUET, FileLayout(), RowsOf.TRADES)
        outcome = await transfer.run(file, "1.2.3", lambda *_: path.name)
        assert expected == outcome.report.rows
        return outcome.report

    report = asyncio.run(run())
    table = pq.read_table(path).combine_chunks()
    if not table.num_rows:
        return [], report
    assert set(table.column("symbol").to_pylist()) == {request.symbol}
    columns = [table.column(name).combine_chunks() for name in table.schema.names]
    columns = [one.chunk(0) if hasattr(one, "chunk") else one for one in columns]
    ids, times = columns[1].to_pylist(), columns[2].view("int64").to_pylist()
    rows = zip(ids, times, counts_of(columns[3]), counts_of(columns[4]), columns[5].to_pylist(), strict=True)
    return [Trade(request.symbol, *row) for row in rows], report


_symbols = iter(range(1, 1 << 30))


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_every_stored_trade_is_in_the_file_and_every_missing_id_is_named(
    world: World, tmp_path: Path, seed: int
) -> None:
    dice, symbol = random.Random(seed), f"T{next(_symbols)}"
    first_id, at_us, market = dice.choice([1, 500]), START_US, list[Trade]()
    for number in range(dice.randrange(1, 40)):
        at_us += dice.choice([0, 1, 500_000, 90 * SECOND_US])
        market.append(
            Trade(symbol, first_id + number, at_us, dice.randrange(1, 10**12), dice.randrange(1, 10**12), False)
        )
    stored = [one for one in market if dice.random() < 0.9] or market[:1]
    world.record(stored)
    span_us = at_us - START_US + 60 * SECOND_US
    start_us, end_us = sorted(START_US + dice.randrange(-span_us // 4, span_us) for _ in range(2))
    wanted = RowsRequest(symbol, RowsOf.TRADES, dice.choice([start_us, None]), dice.choice([end_us + 1, None]))
    inside = [one for one in market if (wanted.start_us or 0) <= one.time_us < (wanted.end_us or at_us + 1)]
    rows, report = exported(world, wanted, tmp_path / "a.parquet")
    assert rows == [one for one in inside if one in stored]
    assert report.rows == len(rows)
    # Whatever of the market is not in the file is named by its id, or by the time of which nothing is known.
    lost = [one for one in inside if one not in stored and stored[0].trade_id < one.trade_id < stored[-1].trade_id]
    named = {number for first, last in report.missing_ids for number in range(first, last + 1)}
    assert {one.trade_id for one in lost} <= named
    assert all(number not in {one.trade_id for one in stored} for number in named)
    if report.complete and rows:
        assert [one.trade_id for one in rows] == list(range(rows[0].trade_id, rows[-1].trade_id + 1))
        assert report.lack == ""
    if wanted.end_us is not None and wanted.end_us > stored[-1].time_us + 1:
        assert not report.complete  # nobody has seen that no trade follows
    json.dumps(report.facts("1"))


def test_a_range_that_was_fetched_whole_is_complete_whatever_is_missing_beside_it(world: World, tmp_path: Path) -> None:
    trades = [Trade("DOWNUSDT", number, START_US + number * SECOND_US, 10**8, 10**8, True) for number in range(100)]
    fetched_us = START_US + 20 * SECOND_US, START_US + 40 * SECOND_US
    whole = RowsRequest("DOWNUSDT", RowsOf.TRADES, *fetched_us)
    world.record(trades[20:40])
    assert exported(world, whole, tmp_path / "a.parquet")[1].complete is False  # nobody knows what lies beside them
    world.store.save_fetched_trades("DOWNUSDT", *fetched_us)
    for _ in range(2):
        rows, report = exported(world, whole, tmp_path / "a.parquet")
        assert (rows, report.complete, report.lack, report.missing) == (trades[20:40], True, "", [])
        inner = RowsRequest("DOWNUSDT", RowsOf.TRADES, fetched_us[0] + 100, fetched_us[0] + 200)  # between two trades
        assert exported(world, inner, tmp_path / "b.parquet")[1].complete
        world.record([*trades[:5], *trades[90:]])
    for start_us, end_us, lacking in (
        (fetched_us[0] - 1, fetched_us[1], [(5, 19)]),
        (fetched_us[0], fetched_us[1] + 1, [(40, 89)]),
        (START_US, START_US + 99 * SECOND_US, [(5, 19), (40, 89)]),
    ):
        report = exported(world, RowsRequest("DOWNUSDT", RowsOf.TRADES, start_us, end_us), tmp_path / "c.parquet")[1]
        assert (report.complete, report.missing_ids) == (False, lacking)


def test_the_sentence_names_the_first_missing_id_and_its_minute(world: World, tmp_path: Path) -> None:
    trades = [
        Trade("GAPUSDT", number, START_US + number * 30 * SECOND_US, 10**8, 10**8, True) for number in range(1, 20)
    ]
    world.record([one for one in trades if one.trade_id not in (5, 6, 9)])
    wanted = RowsRequest("GAPUSDT", RowsOf.TRADES, START_US, START_US + 500 * SECOND_US)
    rows, report = exported(world, wanted, tmp_path / "a.parquet")
    assert len(rows) == 13
    assert report.missing_ids == [(5, 6), (9, 9)]
    assert report.lack == "3 trades are missing; the first is 5, at 2024-08-09T00:02."
    facts = json.loads((tmp_path / "a.parquet.meta.json").read_text())
    assert (facts["interval"], facts["complete"], facts["rows"]) == ("trades", False, 13)
    assert facts["missing_ids"] == [[5, 6], [9, 9]]
    assert facts["missing"][0] == ["2024-08-09T00:02:00Z", "2024-08-09T00:03:30Z"]
