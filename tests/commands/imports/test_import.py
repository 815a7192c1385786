"""cryptopipe import: files into the database by one command, and one sentence for each that cannot be used."""

from __future__ import annotations

import json

import pytest

from app.main import main
from tests.commands.play import TRADES, Play
from tests.storage.helpers import stored


def test_archives_of_a_folder_are_stored_and_the_second_time_they_are_held(play: Play) -> None:
    play.archive("BTCUSDT-trades-2024-08-08", TRADES[:200])
    play.archive("BTCUSDT-trades-2024-08-09", TRADES[200:])
    code, report = play.report(play.folder)
    assert code == 0
    assert {name: report[name] for name in ("read", "stored", "held", "refused", "missing")} == {
        "read": 500,
        "stored": 500,
        "held": 0,
        "refused": 0,
        "missing": 0,
    }
    assert [(one["symbol"], one["kind"], one["stored"]) for one in report["files"]] == [
        ("BTCUSDT", "trades", 200),
        ("BTCUSDT", "trades", 300),
    ]
    assert stored(play.world.store) == TRADES
    assert play.run(play.folder) == (0, "500 rows read from 2 files: 0 stored, 500 held already.\n", "")


def test_a_hole_and_a_row_that_contradicts_end_with_code_three(play: Play) -> None:
    other = TRADES[3]._replace(price_e8=1)
    path = play.archive("BTCUSDT-trades-2024-08-08", [*TRADES[:10], *TRADES[12:20], other])
    code, report = play.report(path)
    assert code == 3
    assert [report[name] for name in ("read", "stored", "held", "refused", "missing")] == [19, 18, 0, 1, 2]
    rows = path.with_name(path.name + ".refused.csv").read_text().splitlines()
    assert rows[0] == "number,reason,row,table"
    assert rows[1].startswith("19,another trade of the same id came first,")
    assert "2 ids of BTCUSDT are missing inside, the first is 110." in report["files"][0]["reason"]


def test_a_dry_run_stores_nothing_and_needs_no_database(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", "postgresql://127.0.0.1:9/none")
    path = play.archive("BTCUSDT-trades-2024-08-08", TRADES)
    assert play.run(path, "--dry-run") == (0, "500 rows read from 1 file: 500 would be stored, 0 held already.\n", "")
    assert stored(play.world.store) == []
    assert list(play.folder.iterdir()) == [path]


def test_klines_and_aggregated_trades_lie_beside_the_trades(play: Play) -> None:
    play.file("BTCUSDT-1m-2024-08-08.csv", "1723161240000,5,9,4,8,3,1723161299999,24,7,1,8,0\n")
    rows = ["7,5.5,2.0,100,103,1723161600000,True,True\n", "8,5.6,1.0,104,104,1723161660000,False,True\n"]
    play.file("BTCUSDT-aggTrades-2024-08-09.csv", "".join(rows))
    code, report = play.report(play.folder)
    assert code == 0
    assert [(one["kind"], one["stored"]) for one in report["files"]] == [("klines", 1), ("aggtrades", 2)]
    assert play.world.rows("SELECT source, trades, complete FROM klines ORDER BY open_time") == [
        ("kline", 7, True),
        ("aggtrades", 4, False),
        ("aggtrades", 1, False),
    ]
    assert not play.world.store.coverage("BTCUSDT")
    assert [one["held"] for one in play.report(play.folder)[1]["files"]] == [1, 2]
    assert main(["symbols", "--json"]) == 0
    (listed,) = json.loads(play.capsys.readouterr().out)
    assert [(one["interval"], one["source"]) for one in listed["candles"]] == [("1m", "mixed")]
    assert main(["symbols"]) == 0
    assert "1m        kline, aggtrades  2024-08-08" in play.capsys.readouterr().out


def test_columns_of_any_name_are_given_with_map(play: Play) -> None:
    path = play.file("mine.csv", "nr,when,rate,size,sold\n1,1723161240000,5,2,true\n2,1723161240001,6,1,false\n")
    names = ("trade_id=nr", "time=when", "price=rate", "quantity=size", "is_buyer_maker=sold")
    options = [part for name in names for part in ("--map", name)]
    assert play.run(path, "--symbol", "eth/usdt", *options)[0] == 0
    assert [trade.price_e8 for trade in stored(play.world.store, "ETHUSDT")] == [5 * 10**8, 6 * 10**8]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--kind", "quotas"], "“quotas” is not a kind of rows: choose trades, aggtrades, klines, candles, quotes."),
        (["--map", "price"], "“price” is not a column: write --map time=timestamp, our name first."),
        (["--map", "prize=rate"], "prize"),
        (["--interval", "never"], "never"),
    ],
)
def test_wrong_options_are_refused_with_code_two(play: Play, options: list[str], sentence: str) -> None:
    path = play.archive("BTCUSDT-trades-2024-08-08", TRADES)
    code, printed, complaint = play.run(path, *options)
    assert (code, printed) == (2, "")
    assert sentence in complaint
    assert stored(play.world.store) == []


def test_a_database_that_is_away_is_one_sentence(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", "postgresql://127.0.0.1:9/none?connect_timeout=2")
    code, _, complaint = play.run(play.archive("BTCUSDT-trades-2024-08-08", TRADES))
    assert code == 1
    assert complaint.count("\n") == 1
    assert "Could not connect to the database" in complaint
