"""Days go into a lake and come back equal to the digit, on every edition; what is there is never written again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.errors import LakeDamaged, LakeError
from app.market.trade import Trade
from storage.integrity.verify import verify
from storage.lake.folder_store import FolderStore
from storage.lake.lake import Lake
from storage.lake.manifest import Manifest
from storage.lake.parquet_part import PART_ROWS, facts_of, lake_schema, rows_of
from storage.lake.partition import LakeKind, Partition
from storage.lake.partition_writer import PartitionWriter
from storage.lake.pull import Pull, PullReport
from storage.lake.push import Push, PushReport
from storage.lake.trade_days import TradeDays
from storage.lake.verify import Verification, VerifyReport
from storage.loading.bulk_loader import BulkLoader
from storage.quotes.tick_store import TickStore
from tests.depth import examples
from tests.storage.helpers import World, stored
from tests.storage.lake.trades import days_of_trades, lake_batch, on_days

DAYS, A_DAY = 5, 300
TRADES = days_of_trades(DAYS, A_DAY)
INSIDE = ["2024-08-10", "2024-08-11", "2024-08-12"]  # the first and the last day are not known to be complete


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(FolderStore(tmp_path / "lake"))


def push(world: World, lake: Lake) -> PushReport:
    return Push(lake, [TradeDays(world.store.pool)], "1.2.3").run(["BTCUSDT"])


def pull(world: World, lake: Lake, days: list[Partition] | None = None) -> PullReport:
    loader = BulkLoader(world.connect)
    try:
        return Pull(lake, loader, world.store, TickStore(world.store.pool)).run(
            days or lake.partitions(LakeKind.TRADES, "BTCUSDT")
        )
    finally:
        loader.close()


def verified(lake: Lake) -> VerifyReport:
    return Verification(lake).run([(LakeKind.TRADES, "BTCUSDT", "")])


def snapshot(folder: Path) -> dict[str, tuple[str, int]]:
    """Return each file's content and time of change."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_days_come_back_equal_to_the_digit_with_coverage_and_candles(
    world: World, lake: Lake, other: World, tmp_path: Path
) -> None:
    world.record(TRADES)
    report = push(world, lake)
    assert [one.partition.period for one in report.pushed] == INSIDE
    assert {one.period: reason for one, reason in report.incomplete} == {
        "2024-08-09": "the trades before it are not known",
        "2024-08-13": "no trade after it is known yet",
    }
    before = snapshot(tmp_path / "lake")
    again = push(world, lake)
    assert (again.pushed, again.there) == ([], 3)
    assert snapshot(tmp_path / "lake") == before
    assert verified(lake).problems == []
    pulled = pull(other, lake)
    assert [(one.stored, one.held, one.refused) for one in pulled.days] == [(A_DAY, 0, 0)] * 3
    inside = on_days(TRADES, 1, 3)
    assert stored(other.store) == inside
    assert list(other.store.coverage("BTCUSDT")) == [(inside[0].trade_id, inside[-1].trade_id)]
    with other.connect() as connection:
        assert list(verify(connection).listed) == []
    assert [one.held for one in pull(other, lake).days] == [A_DAY] * 3
    # What was pulled is complete there, too: it came as whole days.
    copy = Lake(FolderStore(tmp_path / "copy"))
    assert [one.partition.period for one in push(other, copy).pushed] == INSIDE
    assert {key: one[0] for key, one in snapshot(tmp_path / "copy").items()} == {
        key: one[0] for key, one in before.items()
    }


@pytest.mark.embedded_only
def test_a_hole_keeps_its_day_and_the_days_that_it_touches_out_of_the_lake(world: World, lake: Lake) -> None:
    hole = on_days(TRADES, 2, 2)[-1]
    world.record([one for one in TRADES if one != hole])
    report = push(world, lake)
    assert [one.partition.period for one in report.pushed] == ["2024-08-10"]
    world.record([hole])
    assert [one.partition.period for one in push(world, lake).pushed] == ["2024-08-11", "2024-08-12"]
    assert verified(lake).problems == []


@pytest.mark.embedded_only
def test_ids_that_the_exchange_has_not_are_absent_after_a_pull_too(world: World, lake: Lake, other: World) -> None:
    gone = on_days(TRADES, 2, 2)[:3]
    world.record([one for one in TRADES if one not in gone])
    world.store.save_absent("BTCUSDT", [(gone[0].trade_id, gone[-1].trade_id)])
    assert len(push(world, lake).pushed) == 3
    assert verified(lake).problems == []
    pull(other, lake)
    assert list(other.store.absent_of(["BTCUSDT"])["BTCUSDT"]) == [(gone[0].trade_id, gone[-1].trade_id)]
    assert other.store.coverage("BTCUSDT").range_count() == 1


@pytest.mark.embedded_only
def test_days_without_a_trade_are_there_as_such(world: World, lake: Lake) -> None:
    quiet = on_days(TRADES, 0, 1) + [one._replace(trade_id=one.trade_id - A_DAY) for one in on_days(TRADES, 3, 4)]
    world.record(quiet)
    report = push(world, lake)
    assert [(one.partition.period, one.rows) for one in report.pushed] == list(
        zip(INSIDE, (A_DAY, 0, A_DAY), strict=True)
    )
    assert verified(lake).problems == []


@pytest.mark.embedded_only
def test_ids_may_be_out_of_the_order_of_times(world: World, lake: Lake) -> None:
    mixed = list(TRADES)
    for at in range(A_DAY, 4 * A_DAY, 7):  # neighbours change their ids, some over midnight
        one, other = mixed[at], mixed[at + 1]
        mixed[at], mixed[at + 1] = other._replace(trade_id=one.trade_id), one._replace(trade_id=other.trade_id)
    world.record(mixed)
    pushed = push(world, lake).pushed
    assert [one.partition.period for one in pushed] == INSIDE
    for manifest in pushed:
        ids = [trade_id for batch in lake.batches(manifest) for trade_id in batch.column("trade_id").to_pylist()]
        start, end = manifest.partition.start_us, manifest.partition.end_us
        assert ids == sorted(one.trade_id for one in mixed if start <= one.time_us < end)
    assert verified(lake).problems == []


@pytest.mark.embedded_only
def test_of_a_trade_with_other_content_the_stored_one_stays(world: World, lake: Lake) -> None:
    world.record(TRADES)
    push(world, lake)
    day = lake.partitions(LakeKind.TRADES, "BTCUSDT")[:1]
    world.rows("SELECT 1")
    other = on_days(TRADES, 1, 1)[4]
    with world.connect() as connection:  # as if another recorder had stored that day but for some trades
        connection.execute("DELETE FROM trades")
        connection.execute("TRUNCATE coverage, rollup_5s, rollup_1m, rollup_15m, rollup_1h, rollup_1d")
    world.record([other._replace(price_e8=other.price_e8 + 1)])
    (report,) = pull(world, lake, day).days
    assert (report.stored, report.held, report.refused) == (A_DAY - 1, 0, 1)
    assert report.reason.startswith(f"trade {other.trade_id} is refused: it contradicts")


def test_days_that_retention_dropped_come_back_and_count_once(world: World, lake: Lake) -> None:
    world.record(TRADES)
    push(world, lake)
    (rolled,) = world.rows("SELECT sum(trades), sum(quote_volume) FROM rollup_1d")
    coverage = list(world.store.coverage("BTCUSDT"))
    inside = on_days(TRADES, 1, 3)
    with world.connect() as connection:
        connection.execute(
            "DELETE FROM trades WHERE trade_id BETWEEN %s AND %s", (inside[0].trade_id, inside[700].trade_id)
        )
        connection.execute("UPDATE retention SET kept_from = '2024-08-13'")
    report = push(world, Lake(FolderStore(Path(lake.name).with_name("second"))))
    reasons = {one.period: reason for one, reason in report.incomplete}
    assert reasons["2024-08-11"] == "trades of it were dropped by db retention"
    assert [(one.stored, one.held) for one in pull(world, lake).days] == [(A_DAY, 0), (A_DAY, 0), (101, 199)]
    assert stored(world.store) == TRADES
    assert world.rows("SELECT sum(trades), sum(quote_volume) FROM rollup_1d") == [rolled]
    assert list(world.store.coverage("BTCUSDT")) == coverage
    assert [(one.stored, one.held) for one in pull(world, lake).days] == [(0, A_DAY)] * 3


@pytest.mark.embedded_only
def test_a_damaged_part_stores_nothing_and_is_named(world: World, lake: Lake, other: World, tmp_path: Path) -> None:
    world.record(TRADES)
    manifest = push(world, lake).pushed[1]
    path = tmp_path / "lake" / manifest.key_of(manifest.parts[0])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(LakeDamaged, match=manifest.parts[0].name):
        pull(other, lake, [manifest.partition])
    assert stored(other.store) == []


# One partition


def write(lake: Lake, trades: list[Trade], *, part_rows: int = PART_ROWS, version: str = "1", day: int = 1) -> Manifest:
    partition = Partition(LakeKind.TRADES, "BTCUSDT", f"2024-08-{9 + day:02d}")
    leftovers = lake.contents(LakeKind.TRADES, "BTCUSDT").unfinished.get(partition, {})
    writer = PartitionWriter(
        lake.store,
        partition,
        leftovers,
        completeness="complete",
        source="binance",
        version=version,
        part_rows=part_rows,
    )
    for start in range(0, len(trades), 70):
        writer.write(lake_batch(trades[start : start + 70]))
    return writer.finish()


DAY = on_days(TRADES, 1, 1)


@settings(max_examples=examples(25))
@given(part_rows=st.integers(1, 400), step=st.integers(1, 300))
def test_parts_hold_all_rows_in_order_however_large_they_are(
    tmp_path_factory: pytest.TempPathFactory, part_rows: int, step: int
) -> None:
    lake = Lake(FolderStore(tmp_path_factory.mktemp("parts")))
    trades = DAY[:step]
    manifest = write(lake, trades, part_rows=part_rows)
    assert [one.rows for one in manifest.parts[:-1]] == [part_rows] * (len(manifest.parts) - 1)
    assert pa.Table.from_batches(lake.batches(manifest)) == pa.Table.from_batches([lake_batch(trades)])
    assert verified(lake).problems == []


def test_a_part_is_what_the_contract_says(lake: Lake) -> None:
    manifest = write(lake, DAY)
    (part,) = manifest.parts
    content = lake.content(manifest, part)
    metadata = pq.read_metadata(pa.BufferReader(content))
    columns = [metadata.row_group(0).column(number) for number in range(metadata.num_columns)]
    assert {one.compression for one in columns} == {"ZSTD"}
    assert all(one.statistics is not None and one.statistics.has_min_max for one in columns)
    kinds = {field.name: str(field.type) for field in pq.read_schema(pa.BufferReader(content))}
    assert kinds == {
        "trade_id": "int64",
        "time": "timestamp[us]",
        "price": "decimal128(20, 8)",
        "quantity": "decimal128(20, 8)",
        "is_buyer_maker": "bool",
    }
    assert facts_of(content) == (
        A_DAY,
        {
            "kind": "trades",
            "symbol": "BTCUSDT",
            "date": "2024-08-10",
            "first_trade_id": str(DAY[0].trade_id),
            "last_trade_id": str(DAY[-1].trade_id),
            "rows": str(A_DAY),
            "completeness": "complete",
            "source": "binance",
            "version": "1",
        },
    )
    assert part.name == f"trades-{DAY[0].trade_id}-{DAY[-1].trade_id}.parquet"
    assert lake_schema(LakeKind.TRADES).equals(next(rows_of(content)).schema)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write(Lake(FolderStore(tmp_path / name)), DAY, part_rows=100)
    one, other = ({key: it[0] for key, it in snapshot(tmp_path / name).items()} for name in "ab")
    assert one == other


def test_parts_that_an_interrupted_push_left_are_adopted(lake: Lake, tmp_path: Path) -> None:
    manifest = write(lake, DAY, part_rows=100)
    (tmp_path / "lake" / manifest.partition.manifest_key).unlink()
    (tmp_path / "lake" / manifest.key_of(manifest.parts[2])).unlink()
    before = snapshot(tmp_path / "lake")
    assert verified(lake).problems  # they belong to no manifest
    again = write(lake, DAY, part_rows=100, version="2")  # by a newer program, whose bytes differ
    assert snapshot(tmp_path / "lake").items() >= before.items()
    assert (again.rows, [one.name for one in again.parts]) == (A_DAY, [one.name for one in manifest.parts])
    assert verified(lake).problems == []


@pytest.mark.parametrize("other_rows", [DAY[:50], DAY[50:120]])
def test_other_rows_that_are_there_stay_and_nothing_is_written_beside_them(
    lake: Lake, tmp_path: Path, other_rows: list[Trade]
) -> None:
    manifest = write(lake, other_rows)
    (tmp_path / "lake" / manifest.partition.manifest_key).unlink()
    before = snapshot(tmp_path / "lake")
    with pytest.raises(LakeError, match=rf"{manifest.parts[0].name} in the lake .* holds other rows"):
        write(lake, DAY, part_rows=100)
    after = snapshot(tmp_path / "lake")
    assert after.items() >= before.items()
    assert not any(key.endswith(".json") for key in after)


def test_a_part_with_other_content_of_the_same_name_stays(lake: Lake, tmp_path: Path) -> None:
    changed = [DAY[0]._replace(price_e8=1), *DAY[1:]]
    manifest = write(lake, changed)
    (tmp_path / "lake" / manifest.partition.manifest_key).unlink()
    before = snapshot(tmp_path / "lake")
    with pytest.raises(LakeError, match="nothing was overwritten"):
        write(lake, DAY)
    assert snapshot(tmp_path / "lake") == before


def test_another_push_that_was_faster_is_no_error(lake: Lake) -> None:
    partition = Partition(LakeKind.TRADES, "BTCUSDT", "2024-08-10")
    slow = PartitionWriter(lake.store, partition, {}, completeness="complete", source="binance", version="1")
    slow.write(lake_batch(DAY))
    fast = write(lake, DAY)
    assert slow.finish() == fast


# Verification


def problems(lake: Lake, start_us: int | None = None, end_us: int | None = None) -> list[str]:
    report = Verification(lake).run([(LakeKind.TRADES, "BTCUSDT", "")], start_us, end_us)
    return [one.path.rpartition("/date=")[2] for one in report.problems]


@pytest.fixture
def three_days(lake: Lake) -> Lake:
    for day in (1, 2, 3):
        write(lake, on_days(TRADES, day, day), part_rows=200, day=day)
    return lake


def test_a_missing_day_is_found(three_days: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "lake" / "trades" / "broker=binance" / "symbol=BTCUSDT" / "date=2024-08-11"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert problems(three_days) == ["2024-08-11/_manifest.json"]


def test_a_day_of_the_range_asked_for_is_missed(three_days: Lake) -> None:
    start_us = Partition(LakeKind.TRADES, "BTCUSDT", "2024-08-12").start_us
    end_us = Partition(LakeKind.TRADES, "BTCUSDT", "2024-08-14").start_us
    assert problems(three_days, start_us, end_us) == ["2024-08-13/_manifest.json"]
    assert problems(three_days, None, end_us) == ["2024-08-13/_manifest.json"]
    assert problems(three_days, start_us) == []


def test_a_missing_part_is_found_and_named(three_days: Lake, tmp_path: Path) -> None:
    path = next((tmp_path / "lake").glob("**/date=2024-08-11/*.parquet"))
    path.unlink()
    assert problems(three_days) == [f"2024-08-11/{path.name}"]


@settings(max_examples=examples(30))
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), file=st.integers(0, 8))
def test_any_flipped_bit_is_found_and_its_file_named(
    tmp_path_factory: pytest.TempPathFactory, at: float, bit: int, file: int
) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    lake = Lake(FolderStore(folder))
    for day in (1, 2, 3):
        write(lake, on_days(TRADES, day, day), part_rows=200, day=day)
    path = sorted(path for path in folder.rglob("*") if path.is_file())[file]
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1 << bit
    path.write_bytes(content)
    assert path.relative_to(folder).as_posix().rpartition("/date=")[2] in problems(lake)


def test_a_wrong_count_is_found_where_the_checksum_was_made_to_match(three_days: Lake, tmp_path: Path) -> None:
    day = Partition(LakeKind.TRADES, "BTCUSDT", "2024-08-11")
    manifest = three_days.manifest(day)
    part = manifest.parts[0]._replace(rows=199)
    wrong = Manifest(day, 299, manifest.first, manifest.last, "complete", "binance", "1", (part, *manifest.parts[1:]))
    (tmp_path / "lake" / day.manifest_key).write_bytes(wrong.content())
    assert problems(three_days) == [f"2024-08-11/{part.name}"]


def test_a_file_that_no_manifest_names_is_found(three_days: Lake, tmp_path: Path) -> None:
    path = next((tmp_path / "lake").glob("**/date=2024-08-11/*.parquet"))
    path.with_name("trades-1-2.parquet").write_bytes(path.read_bytes())
    assert problems(three_days) == ["2024-08-11/trades-1-2.parquet"]


def test_ids_must_go_on_from_day_to_day(lake: Lake) -> None:
    write(lake, on_days(TRADES, 1, 1), day=1)
    write(lake, on_days(TRADES, 2, 2)[1:], day=2)
    assert problems(lake) == ["2024-08-11/_manifest.json"]
