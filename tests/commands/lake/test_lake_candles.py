"""``cryptopipe lake candles``: what it makes of a lake equals what the database exports, to the digit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.main import main
from app.market.trade import Trade
from storage.lake.lake import Lake
from storage.lake.reading import lake_candles
from tests.commands.lake.conftest import INSIDE, TRADES, Place
from tests.storage.lake.trades import lake_batch

RANGE = ("--from", "2024-08-11", "--to", "2024-08-13")  # the close before it lies in the lake, too
INTERVALS = ("5s", "1m", "13m", "1h", "181m", "1d")
LONGER = ("13m", "1h", "1d")


def out_of(folder: Path, intervals: tuple[str, ...], kind: str) -> str:
    """Return a folder for several files, and the name that one of them would have there for one."""
    folder.mkdir()
    return str(folder if len(intervals) > 1 else folder / f"BTCUSDT-{intervals[0]}.{kind}")


def exported(place: Place, folder: Path, intervals: tuple[str, ...], kind: str = "csv") -> dict[str, bytes]:
    """Return the files that the database's export gives, by interval."""
    where = ["--out", out_of(folder, intervals, kind), "--format", kind]
    assert main(["export", "BTCUSDT", ",".join(intervals), "--stored", *RANGE, *where]) in (0, 3)
    place.capsys.readouterr()
    return {one: (folder / f"BTCUSDT-{one}.{kind}").read_bytes() for one in intervals}


def made(place: Place, folder: Path, intervals: tuple[str, ...], kind: str = "csv") -> dict[str, bytes]:
    code, _, complaints = place.run(
        "candles",
        place.folder,
        "BTCUSDT",
        *intervals,
        *RANGE,
        "--out",
        out_of(folder, intervals, kind),
        "--format",
        kind,
    )
    assert code in (0, 3), complaints
    return {one: (folder / f"BTCUSDT-{one}.{kind}").read_bytes() for one in intervals}


def test_files_equal_the_export_and_each_part_is_read_once(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.run("push", place.folder)
    read = list[str]()
    content = Lake.content
    monkeypatch.setattr(
        Lake, "content", lambda lake, manifest, part: read.append(part.name) or content(lake, manifest, part)
    )
    assert made(place, tmp_path / "lake-csv", INTERVALS) == exported(place, tmp_path / "csv", INTERVALS)
    assert len(read) == len(set(read)) == 3
    ones = tuple(json.loads((tmp_path / one / "BTCUSDT-13m.csv.meta.json").read_text()) for one in ("lake-csv", "csv"))
    assert ones[0]["missing"] == ones[1]["missing"]
    assert (ones[0]["rows"], ones[0]["given"]) == (ones[1]["rows"], ones[1]["given"])
    table = pq.read_table(pa.BufferReader(made(place, tmp_path / "parquet", ("1m",), "parquet")["1m"]))
    assert table.column("complete").to_pylist() == [True] * 2_880


def test_a_day_that_is_missing_leaves_its_candles_out_and_no_empty_one_across_it(place: Place, tmp_path: Path) -> None:
    place.run("push", place.folder)
    shutil.rmtree(next(place.folder.glob("**/date=2024-08-11")))
    code, document = place.document(
        "candles",
        place.folder,
        "BTCUSDT",
        "1h,1d,3d",
        "--from",
        "2024-08-10",
        "--to",
        "2024-08-13",
        "--out",
        tmp_path / "out",
        "--format",
        "jsonl",
    )
    assert code == 3
    missing = {one["interval"]: one["missing_candles"] for one in document["candles"]}
    assert missing["1h"] == 24
    assert missing["1d"] == 1
    hours = [json.loads(line) for line in (tmp_path / "out/BTCUSDT-1h.jsonl").read_text().splitlines()]
    assert len(hours) == 48
    assert not [one for one in hours if one["open_time"].startswith("2024-08-11")]
    assert all(one["complete"] for one in hours)


def month_file(place: Place, trades: list[Trade], name: str) -> Path:
    path = place.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_batches([lake_batch(trades)]), path, row_group_size=100)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "trades/broker=binance/symbol=BTCUSDT/month=2024-08/data.parquet",
        "trades/BTCUSDT/2024-08.parquet",
        "trades/BTCUSDT-2024-08.parquet",
    ],
)
def test_a_month_file_of_others_is_read_once(
    place: Place, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    month_file(place, TRADES, name)
    opened = list[str]()
    read = lake_candles.trades_of_file
    monkeypatch.setattr(lake_candles, "trades_of_file", lambda lake, file: opened.append(file.key) or read(lake, file))
    assert made(place, tmp_path / "made", LONGER) == exported(place, tmp_path / "csv", LONGER)
    assert opened == [name]


def test_days_amid_a_month_file_count_before_its_rows(place: Place, tmp_path: Path) -> None:
    place.run("push", place.folder, "--from", "2024-08-11", "--to", "2024-08-12")
    lacking = [one for one in TRADES if one not in INSIDE[450:500]]  # some of the 11th
    month_file(place, lacking, "trades/BTCUSDT/2024-08.parquet")
    assert made(place, tmp_path / "made", LONGER) == exported(place, tmp_path / "csv", LONGER)


def test_a_hole_in_a_month_file_shows_in_its_candles(place: Place, tmp_path: Path) -> None:
    month_file(place, [one for one in TRADES if one not in INSIDE[450:452]], "trades/BTCUSDT/2024-08.parquet")
    code, document = place.document("candles", place.folder, "BTCUSDT", "1d", *RANGE, "--out", tmp_path / "x.csv")
    assert (code, document["candles"][0]["missing"]) == (3, [["2024-08-11T00:00:00Z", "2024-08-12T00:00:00Z"]])


def event(trade: Trade) -> dict[str, object]:
    """Return a trade as the exchange's stream has it."""
    symbol, trade_id, time_us, price, quantity, maker = trade
    amounts = {"p": f"{price // 10**8}.{price % 10**8:08d}", "q": f"{quantity // 10**8}.{quantity % 10**8:08d}"}
    times = {"E": time_us // 1_000 + 3, "T": time_us // 1_000}
    return {"e": "trade", "s": symbol, "t": trade_id, **amounts, **times, "m": maker, "M": True}


@pytest.mark.parametrize("as_array", [False, True])
def test_the_older_layout_is_read(place: Place, tmp_path: Path, as_array: bool) -> None:
    for day in range(9, 14):
        mine = [
            one
            for one in TRADES
            if (one.time_us - TRADES[0].time_us // 86_400_000_000 * 86_400_000_000) // 86_400_000_000 == day - 9
        ]
        folder = place.folder / f"ticks/BTCUSDT/2024/08/{day:02d}"
        folder.mkdir(parents=True)
        for part in range(0, len(mine), 150):
            rows = [event(one) for one in mine[max(0, part - 5) : part + 150]]  # a recorder repeats after a restart
            text = json.dumps(rows) if as_array else "\n".join(map(json.dumps, rows)) + "\n"
            (folder / f"part-{mine[part].time_us // 1_000}.json").write_text(text)
    assert made(place, tmp_path / "made", LONGER) == exported(place, tmp_path / "csv", LONGER)
    listed = place.document("list", place.folder)[1]
    assert {one["symbol"] for one in listed["other_files"]} == {"BTCUSDT"}
    code, verified = place.document("verify", place.folder)
    symbols = {"BTCUSDT": {"first_trade_id": TRADES[0].trade_id, "last_trade_id": TRADES[-1].trade_id, "missing": 0}}
    assert (code, verified["other_files"]["symbols"]) == (0, symbols)
    assert "without a manifest" in place.run("list", place.folder)[1]
    place.use_empty_database()
    code, pulled = place.document("pull", place.folder)
    assert (code, pulled["stored"], pulled["refused"]) == (0, len(TRADES), 0)
    assert place.stored() == TRADES
    assert place.document("pull", place.folder)[1]["stored"] == 0
    next(place.folder.glob("ticks/BTCUSDT/2024/08/11/*")).unlink()
    code, _, complaints = place.run("verify", place.folder)
    assert code == 1
    assert "are in no file" in complaints
    broken = next(place.folder.glob("ticks/BTCUSDT/2024/08/12/*"))
    broken.write_text('{"e": "trade", "nonsense')
    assert broken.name in place.run("verify", place.folder)[2]


def test_candles_go_into_the_database_as_added_up_elsewhere(place: Place, tmp_path: Path) -> None:
    place.run("push", place.folder)
    wanted = exported(place, tmp_path / "csv", ("13m",))["13m"].decode().splitlines()
    place.use_empty_database()
    code, document = place.document("candles", place.folder, "BTCUSDT", "13m", "1h", *RANGE)
    assert code in (0, 3)
    assert document["candles"][0]["stored"] == len(wanted) - 1
    stored = exported(place, tmp_path / "again", ("13m",))["13m"].decode().splitlines()
    assert [one.split(",")[:9] for one in stored] == [one.split(",")[:9] for one in wanted]
    assert {one.split(",")[-1] for one in stored[1:]} == {"aggtrades"}
    code, document = place.document("candles", place.folder, "BTCUSDT", "13m", *RANGE)
    assert (document["candles"][0]["stored"], document["candles"][0]["held"]) == (0, len(wanted) - 1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("BTCUSDT",), "Name at least one interval after the symbols, such as 1m or 1m,13m,4h."),
        (("1m",), "Name a lake"),
        (("{lake}", "BTCUSDT", "x", "1m"), "Name one lake and one list of symbols, then intervals"),
        (("{lake}", "ETHUSDT", "1m"), "“ETHUSDT” is not in the lake"),
        (("{lake}", "BTCUSDT", "1m", "--format", "csv"), "--format, --preset and --zone are for files"),
        (("{lake}", "BTCUSDT", "1m", "--from", "2030-01-01", "--out", "x.csv"), "has no whole candle of BTCUSDT 1m"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(place: Place, words: tuple[str, ...], sentence: str) -> None:
    place.run("push", place.folder)
    code, printed, complaints = place.run("candles", *(one.replace("{lake}", str(place.folder)) for one in words))
    assert (code, printed) in ((2, ""), (1, "")), complaints
    assert sentence in complaints
    assert complaints.count("\n") <= 3
