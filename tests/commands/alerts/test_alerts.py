"""The commands ``cryptopipe alerts …``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.main import main
from storage.postgres.connection import connect
from tests.commands.play import Play
from tests.storage.alerts.test_alert_store import market


def run(play: Play, *arguments: object) -> tuple[int, str, str]:
    code = main(["alerts", *map(str, arguments)])
    return code, *play.capsys.readouterr()


def document(play: Play, *arguments: object, code: int = 0) -> Any:
    found, printed, said = run(play, *arguments, "--json")
    assert found == code, said
    assert said == "" or code
    return json.loads(printed)


def test_add_list_verify_and_remove(play: Play) -> None:
    added = document(play, "add", "btc-usdt", "--when", "price crosses up 101", "--repeat", "every", "--name", "high")
    assert list(added) == ["id"]
    code, printed, said = run(play, "add", "BTCUSDT", "--when", "moves 2% in 5m", "--expires", "2124-01-01")
    assert (code, said) == (0, "")
    assert "waits on BTCUSDT" in printed
    with connect(play.world.url) as connection:
        connection.execute("UPDATE alerts SET expires = '2024-01-01Z' WHERE expires IS NOT NULL")
    first, second = document(play, "list")
    assert first == {
        "id": added["id"],
        "symbol": "BTCUSDT",
        "when": "price crosses up 101",
        "repeat": "every",
        "name": "high",
        "note": "",
        "expires": None,
        "notify": True,
        "sound": False,
        "state": "waiting",
        "replaced_by": None,
        "firings": [],
    }
    assert (second["state"], second["expires"]) == ("expired", "2024-01-01T00:00:00Z")
    trades = market(400)
    play.world.record(trades)
    with connect(play.world.url) as connection:
        connection.execute(
            "UPDATE alerts SET first_trade_id = 0, warm_from_id = 1, judged_to = 400 WHERE id = %s", (added["id"],)
        )
    report = document(play, "verify", "BTC", code=1)
    assert (report["doubled"], report["invented"]) == (0, 0)
    assert report["missed"] == len(report["differences"]) > 0
    code, printed, said = run(play, "verify")
    assert code == 1
    assert said.count("\n") == 1
    assert "are missed" in said
    missed = report["differences"][0]
    with connect(play.world.url) as connection:
        for one in report["differences"]:
            connection.execute(
                "INSERT INTO alert_firings (alert_id, trade_id, time, price, direction, late, provisional)"
                " VALUES (%s, %s, %s, %s, %s, false, false)",
                (one["id"], one["trade_id"], one["time"], one["price"], one["direction"]),
            )
    report = document(play, "verify")
    assert [report[name] for name in ("missed", "doubled", "invented", "provisional")] == [0, 0, 0, 0]
    assert report["trades"] == 400
    (fired, *_) = document(play, "list", "BTCUSDT")[0]["firings"]
    wanted = {name: missed[name] for name in ("trade_id", "time", "price", "direction")}
    assert fired == wanted | {"late": False, "provisional": False, "reason": ""}
    assert "price crosses up 101" in run(play, "list")[1]
    assert document(play, "remove", added["id"]) == {"id": added["id"]}
    assert [one["id"] for one in document(play, "list")] == [second["id"]]
    code, printed, said = run(play, "verify", "BTCUSDT")
    assert (code, said) == (0, "")
    assert "0 firings are those" in printed


def test_pause_resume_and_troubles_of_all_symbols(play: Play) -> None:
    first = document(play, "add", "BTCUSDT", "--when", "price crosses 100", "--sound", "--no-notify")["id"]
    trouble = document(play, "add", "all", "--when", "Recorder in trouble", "--repeat", "every")["id"]
    assert document(play, "pause", first) == {"id": first}
    assert "is paused until" in run(play, "pause", trouble, "--for", "1h")[1]
    one, other = document(play, "list")
    assert (one["state"], one["sound"], one["notify"]) == ("paused", True, False)
    assert (other["state"], other["symbol"], other["when"]) == ("paused", "all", "recorder in trouble for 10s")
    for number in (first, trouble):
        document(play, "resume", number)
    assert {one["state"] for one in document(play, "list")} == {"waiting"}
    with connect(play.world.url) as connection:
        connection.execute(
            "INSERT INTO alert_incidents (alert_id, time, reason) VALUES (%s, '2024-01-01', 'The disk is full.')",
            (trouble,),
        )
    (fired,) = document(play, "list")[1]["firings"]
    assert (fired["trade_id"], fired["reason"], fired["time"]) == (None, "The disk is full.", "2024-01-01T00:00:00Z")
    assert document(play, "verify")["unproven"] == 1
    assert "can't be judged again" in run(play, "verify")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("add", "BTCUSDT", "--when", "price goes up"), 2, "is not a condition"),
        (("add", "BTCUSDT", "--when", "price crosses 0"), 2, "0 is never reached"),
        (("add", "BTCUSDT"), 2, "--when"),
        (("add", "oanda:EURUSD", "--when", "price crosses 1.1"), 2, "quotes and no trades"),
        (("add", "BTCUSDT", "--when", "price crosses 1", "--expires", "soon"), 2, "is not a time"),
        (("add", "BTCUSDT", "--when", "price crosses 1", "--expires", "2024-01-01"), 2, "2024-01-01 is past"),
        (("add", "BTCUSDT", "--when", "price crosses 1", "--repeat", "thrice"), 2, "--repeat"),
        (("add", "all", "--when", "price crosses 1"), 2, "Only troubles"),
        (("pause", "7", "--for", "soon"), 2, "is not an interval"),
        (("pause", "7"), 1, "There is no alert 7"),
        (("resume", "7"), 1, "There is no alert 7"),
        (("remove", "7"), 1, "There is no alert 7"),
        (("remove", "x"), 2, "ID"),
        (("list", "NOSUCH"), 2, "not in the database"),
    ],
)
def test_bad_input_is_one_clear_sentence(play: Play, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    found, _, said = run(play, *arguments)
    assert (found, said.count("\n")) == (code, 1)
    assert sentence in said


def test_an_alert_that_has_ended_is_neither_paused_nor_resumed(play: Play) -> None:
    expired = document(play, "add", "NEWUSDT", "--when", "price crosses 100", "--expires", "2124-01-01")["id"]
    fired = document(play, "add", "all", "--when", "recorder in trouble")["id"]
    with connect(play.world.url) as connection:
        connection.execute("UPDATE alerts SET expires = '2024-01-01Z' WHERE id = %s", (expired,))
        connection.execute("INSERT INTO alert_incidents (alert_id, time, reason) VALUES (%s, now(), '')", (fired,))
    for command in ("pause", "resume"):
        for number, why in ((expired, "has expired"), (fired, "fires once, and has")):
            code, _, said = run(play, command, number)
            assert (code, said.count("\n")) == (1, 1)
            assert f"Alert {number} {why}, so" in said
    assert [one["state"] for one in document(play, "list")] == ["expired", "fired"]


def test_an_alert_on_a_symbol_that_was_never_recorded_is_listed_by_it(play: Play) -> None:
    added = document(play, "add", "NEWUSDT", "--when", "price crosses 100")["id"]
    assert [one["id"] for one in document(play, "list", "NEWUSDT")] == [added]
    assert [one["id"] for one in document(play, "list", "new")] == [added]
    assert run(play, "verify", "NEWUSDT")[1] == "1 alert: 0 firings are those of 0 stored trades.\n"


def test_without_a_database_there_are_none_and_none_is_made(
    surroundings: None, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    assert main(["alerts", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["alerts", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missed"] == 0
    assert not list(tmp_path.glob("data/database*"))
