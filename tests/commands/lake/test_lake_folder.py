"""``cryptopipe lake`` on a folder: what it prints, how it ends, and which lake and symbols it takes."""

from __future__ import annotations

import signal
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from app.commands.lake.lake_options import lake_and_symbols
from app.market.errors import UsageError
from tests.commands.lake.conftest import DAYS, INSIDE, Place, started
from tests.program import needs_signals
from tests.storage.lake.trades import on_days
from tests.storage.small_disk import mounted

INTERRUPTED = (
    "cryptopipe: the push was cancelled; what is in the lake stays, and the same command goes on from there.\n"
)


def test_days_go_there_and_come_back(place: Place) -> None:
    code, pushed = place.document("push", place.folder)
    assert code == 0
    assert [one["date"] for one in pushed["pushed"]] == DAYS
    assert [one["rows"] for one in pushed["pushed"]] == [400] * 3
    assert {one["date"]: one["reason"] for one in pushed["incomplete"]} == {
        "2024-08-09": "the trades before it are not known",
        "2024-08-13": "no trade after it is known yet",
    }
    code, printed, complaints = place.run("push", place.folder, "BTCUSDT")
    assert (code, complaints) == (0, "")
    assert "3 days were there already" in printed
    assert place.run("verify", place.folder)[::2] == (0, "")
    place.use_empty_database()
    code, pulled = place.document("pull", place.folder, "btc-usdt")
    assert (code, pulled["stored"], pulled["held"], pulled["refused"], pulled["missing"]) == (0, 1_200, 0, 0, [])
    assert place.stored() == INSIDE
    assert place.document("pull", place.folder)[1]["held"] == 1_200


def test_a_range_that_is_not_complete_is_done_in_part(place: Place) -> None:
    code, printed, complaints = place.run("push", place.folder, "BTCUSDT", "--from", "2024-08-12", "--to", "2024-08-14")
    assert code == 3
    assert printed.startswith("1 day with 400 rows pushed")
    assert complaints == "cryptopipe: BTCUSDT 2024-08-13 is not complete: no trade after it is known yet.\n"
    place.use_empty_database()
    code, _, complaints = place.run("pull", place.folder, "BTCUSDT", "--from", "2024-08-12", "--to", "2024-08-14")
    assert code == 3
    assert complaints == f"cryptopipe: BTCUSDT 2024-08-13 is not in the lake {place.folder}.\n"
    assert place.run("verify", place.folder, "--from", "2024-08-12", "--to", "2024-08-14")[0] == 1
    assert place.run("verify", place.folder, "--from", "2024-08-12", "--to", "2024-08-13")[0] == 0


def test_a_list_has_days_ids_rows_and_some_rows_to_look_at(place: Place) -> None:
    place.run("push", place.folder)
    code, listed = place.document("list", place.folder, "--sample")
    assert code == 0
    (series,) = listed["series"]
    ids = (series["first_trade_id"], series["last_trade_id"])
    assert ids == (INSIDE[0].trade_id, INSIDE[-1].trade_id)
    assert (series["days"], series["rows"], series["missing"], series["completeness"]) == (3, 1_200, 0, "complete")
    assert [one["date"] for one in series["partitions"]] == DAYS
    assert [one["trade_id"] for one in series["sample"]] == [one.trade_id for one in INSIDE[-10:]]
    _, printed, _ = place.run("list", place.folder, "--sample")
    assert str(INSIDE[-1].trade_id) in printed.splitlines()[-1]


def test_damage_is_named_and_ends_with_1(place: Place) -> None:
    place.run("push", place.folder)
    path = sorted(place.folder.glob("**/*.parquet"))[1]
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    code, printed, complaints = place.run("verify", place.folder)
    assert code == 1
    assert "1 problem" in printed
    assert path.name in complaints
    assert complaints.count("\n") == 1
    code, report = place.document("verify", place.folder)
    assert (code, [one["path"] for one in report["problems"]]) == (1, [path.relative_to(place.folder).as_posix()])
    place.use_empty_database()
    code, _, complaints = place.run("pull", place.folder)
    assert (code, complaints.count("\n")) == (1, 1)
    assert path.name in complaints


def test_a_damaged_day_is_pushed_again_once_its_file_and_manifest_are_removed(place: Place) -> None:
    place.run("push", place.folder)
    path = sorted(place.folder.glob("**/*.parquet"))[1]
    content = path.read_bytes()
    path.unlink()
    path.with_name("_manifest.json").unlink()
    assert place.run("verify", place.folder)[0] == 1
    assert place.document("push", place.folder)[1]["rows"] == 400
    assert path.read_bytes() == content
    assert place.run("verify", place.folder)[::2] == (0, "")
    printed = place.run("push", place.folder, "BTCUSDT", "--from", DAYS[1], "--to", DAYS[2])[1]
    assert "1 day was there already" in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("push",), "Name a lake"),
        (("push", "BTCUSDT"), "No lake is named"),
        (("push", "LAKE", "NOSUCH"), "“NOSUCH” is not in the database"),
        (("push", "LAKE", "BTCUSDT", "--from", "yesterday"), "not a time"),
        (("push", "LAKE", "BTCUSDT", "--from", "2024-08-10", "--to", "2024-08-10"), "--to must be later"),
        (("push", "ftp://somewhere"), "is not known"),
        (("pull", "LAKE", "NOSUCH"), "“NOSUCH” is not in the lake"),
    ],
)
def test_wrong_usage_is_one_sentence(place: Place, arguments: tuple[str, ...], sentence: str) -> None:
    place.run("push", place.folder, "BTCUSDT", "--from", "2024-08-10", "--to", "2024-08-11")
    code, printed, complaints = place.run(*(place.folder if one == "LAKE" else one for one in arguments))
    assert (code, printed, complaints.count("\n")) == (2, "", 1)
    assert sentence in complaints


@needs_signals
def test_an_interrupted_push_says_so_and_the_next_one_goes_on(place: Place) -> None:
    process = started("push", place.folder)
    deadline = time.monotonic() + 60
    while process.poll() is None and not place.folder.exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode in (0, 1)
    assert complaints in ("", INTERRUPTED)
    assert (complaints == INTERRUPTED) == (process.returncode == 1)
    names = {path.name.partition("-")[0] for path in place.folder.rglob("*") if path.is_file()}
    assert names <= {"trades", "_manifest.json"}
    assert place.run("push", place.folder)[0] == 0
    assert place.run("verify", place.folder)[0] == 0


@pytest.mark.parametrize("command", ["list", "verify"])
def test_where_no_lake_is_one_sentence_says_so(place: Place, command: str) -> None:
    code, printed, complaints = place.run(command, place.folder)
    assert (code, printed, complaints.count("\n")) == (1, "", 1)
    assert str(place.folder) in complaints
    assert not place.folder.exists()


def test_a_full_disk_is_one_sentence_and_the_push_goes_on_once_there_is_room(place: Place, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        lake = disk.path / "lake"
        assert place.run("push", lake, "BTCUSDT", "--from", "2024-08-10", "--to", "2024-08-11")[0] == 0
        disk.fill(leave=4_096)
        code, _, complaints = place.run("push", lake, "BTCUSDT")
        assert (code, complaints.count("\n")) == (1, 1)
        assert "is full: free some space" in complaints
        assert place.run("verify", lake)[0] in (0, 1)
        assert not [path for path in lake.rglob("*") if path.name.startswith(".")]
        disk.make_room()
        assert place.run("push", lake, "BTCUSDT")[0] == 0
        assert place.run("verify", lake)[0] == 0


def test_one_argument_is_the_lake_or_the_symbols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "BNBUSDT").mkdir()
    assert lake_and_symbols("any", "BTCUSDT", configured=True) == ("any", "BTCUSDT")
    assert lake_and_symbols("BTCUSDT,eth/usdt", "", configured=True) == ("", "BTCUSDT,eth/usdt")
    assert lake_and_symbols("", "", configured=True) == ("", "")
    for text in ("s3://bucket", "/lake", "./lake", "~/lake", "..", "BNBUSDT"):
        for configured in (False, True):
            assert lake_and_symbols(text, "", configured=configured) == (text, "")
    assert lake_and_symbols("lake", "", configured=False) == ("lake", "")
    for text in ("", "BTCUSDT", "BTCUSDT,ETHUSDT"):
        with pytest.raises(UsageError):
            lake_and_symbols(text, "", configured=False)


def test_the_setting_is_the_lake_where_none_is_named(place: Place) -> None:
    place.use({"CRYPTOPIPE_LAKE": str(place.folder)})
    assert [one["date"] for one in place.document("push", "BTCUSDT")[1]["pushed"]] == DAYS
    assert place.document("list")[1]["lake"] == str(place.folder)


def test_duckdb_reads_one_day_out_of_five_years_by_opening_one_file(place: Place) -> None:
    place.run("push", place.folder, "BTCUSDT", "--from", "2024-08-10", "--to", "2024-08-11")
    (part,) = place.folder.glob("**/*.parquet")
    manifest = part.with_name("_manifest.json")
    first = date(2020, 1, 1)
    days = [first + timedelta(days=number) for number in range(5 * 365 + 2)]
    for day in days:
        folder = part.parent.with_name(f"date={day}")
        folder.mkdir(exist_ok=True)
        for file in (part, manifest):
            if folder != part.parent:
                (folder / file.name).hardlink_to(file)
    query = (
        f"FROM read_parquet('{place.folder}/trades/**/*.parquet', hive_partitioning=true) WHERE symbol = 'BTCUSDT' AND "
        "date = '2023-03-03'"
    )
    with duckdb.connect() as connection:
        plan = " ".join(connection.execute(f"EXPLAIN ANALYZE SELECT sum(price) {query}").fetchall()[0][1].split())
        found = connection.execute(
            f"SELECT trade_id, epoch_us(time), price, quantity, is_buyer_maker {query}"
        ).fetchall()
    assert len(days) == 1_827
    assert "Total Files Read: 1 " in plan, plan
    expected = [
        (one.trade_id, one.time_us, Decimal(one.price_e8).scaleb(-8), Decimal(one.quantity_e8).scaleb(-8), one[5])
        for one in on_days(INSIDE, 1, 1)
    ]
    assert found == expected
