"""The commands ``cryptopipe research …``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.main import main
from tests.commands.play import Play
from tests.storage.research.helpers import MINUTE, some_minutes


@pytest.fixture
def stocked(play: Play) -> Play:
    play.world.store.save_klines("BTCUSDT", MINUTE, some_minutes(2_000))
    play.world.store.save_klines("ETHUSDT", MINUTE, some_minutes(30))
    return play


def run(play: Play, *arguments: object) -> tuple[int, str, str]:
    code = main(["research", *map(str, arguments)])
    return code, *play.capsys.readouterr()


def document(play: Play, *arguments: object) -> Any:
    code, printed, said = run(play, *arguments, "--json")
    assert (code, said) == (0, "")
    return json.loads(printed)


def test_build_status_and_drop(stocked: Play) -> None:
    built = document(stocked, "build", "btc", "1,60", "--indicators", "rsi_14,atr_14,cvd,macd", "--keep")
    assert [(one["table"], one["rows"], one["written"], one["incomplete"]) for one in built] == [
        ("ohlcv_1m", 2_000, 2_000, 0),
        ("ohlcv_60m", 1_941, 1_941, 0),
    ]
    assert built[0]["first"] == "2024-08-08T23:55:00Z"
    code, printed, said = run(stocked, "build", "BTC/USDT", "60")
    assert (code, said) == (0, "")
    assert "ohlcv_60m" in printed
    first, second = document(stocked, "status")
    assert (first["table"], first["symbol"], first["rows"], first["partitions"]) == ("ohlcv_1m", "BTCUSDT", 2_000, 1)
    assert second["bytes"] > 100_000
    assert 0.9 < second["hot_share"] <= 1
    assert (second["month_reads"], second["kept"], second["due"]) == (1, True, [])
    assert second["indicators"] == ["rsi_14", "atr_14", "cvd", "macd"]
    assert stocked.world.rows("SELECT count(macd_signal) FROM ohlcv_1m") != [(0,)]
    assert "1 partition" in run(stocked, "status", "BTCUSDT", "60")[1]
    assert document(stocked, "drop", "BTCUSDT", "1") == [{"symbol": "BTCUSDT", "minutes": 1}]
    assert [one["table"] for one in document(stocked, "status")] == ["ohlcv_60m"]
    assert "all that are there" in run(stocked, "status", "BTCUSDT", "7")[1]
    assert run(stocked, "drop", "BTCUSDT")[:2] == (0, "Dropped the rows of BTCUSDT in ohlcv_60m.\n")
    assert document(stocked, "status") == []
    assert "research build makes them" in run(stocked, "status")[1]


def test_a_range_has_the_windows_whose_last_minute_is_in_it(stocked: Play) -> None:
    (built,) = document(stocked, "build", "BTCUSDT", "5", "--from", "2024-08-09T01:00", "--to", "2024-08-09T02:00")
    assert (built["rows"], built["first"], built["last"]) == (60, "2024-08-09T01:01:00Z", "2024-08-09T02:00:00Z")


def test_a_series_without_rows_is_done_in_part(stocked: Play) -> None:
    code, printed, said = run(stocked, "build", "BTCUSDT,ETHUSDT", "60", "--json")
    assert code == 3
    assert [one["rows"] for one in json.loads(printed)] == [1_941, 0]
    assert said.count("\n") == 1
    assert "no rows of ETHUSDT 60" in said


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("build", "BTCUSDT", "1h"), 2, "no number of minutes"),
        (("build", "BTCUSDT", "0"), 2, "give 1 to 32,767"),
        (("build", "BTCUSDT", "60", "--indicators", "rsx_14"), 2, "not an indicator"),
        (("build", "BTCUSDT", "60", "--from", "2024-08-09", "--to", "2024-08-08"), 2, "--from must be before --to"),
        (("build", "BTCUSD", "60"), 2, "did you mean BTCUSDT"),
        (("build", "BTCUSDT", "60", "--from", "2030-01-01"), 1, "No minutes of that range"),
        (("build", "BTCUSDT"), 2, "MINUTES"),
        (("build", "BTCUSDT", ""), 2, "Name lengths in minutes"),
        (("build", "BTCUSDT", ","), 2, "Name lengths in minutes"),
        (("build", ",", "60"), 2, "Name symbols"),
        (("drop", "BTCUSDT", ","), 2, "Name lengths in minutes"),
        (("drop", "BTCUSDT", "7"), 2, "research status lists"),
    ],
)
def test_bad_input_is_one_clear_sentence(stocked: Play, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    found, _, said = run(stocked, *arguments)
    assert (found, said.count("\n")) == (code, 1)
    assert sentence in said
