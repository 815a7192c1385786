"""``cryptopipe db compare``: what it prints, and its exit codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.live.transfers import exchange_patience
from app.main import main
from app.market.builder import CandleBuilder, finish
from app.market.candle import CandleSource
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.units import format_e8
from storage.database import Database
from storage.files.times import format_time
from storage.postgres.connection import connect
from tests.program import set_surroundings, unchanged_process
from tests.servers import forget
from tests.storage.helpers import START_US, some_trades

MINUTE = Interval.parse("1m")
FIRST_US = MINUTE.next_open_us(START_US)
TRADES = some_trades(9_000)
RANGE = ["--from", format_time(FIRST_US), "--to", format_time(FIRST_US + 2 * MINUTE.length_us)]


@pytest.fixture(scope="module")
def recorded(reachable_folder: Path) -> Iterator[Database]:
    """Three minutes of trades; the two whole ones have their klines stored."""
    data_dir = reachable_folder / "compare" / "data"
    data_dir.parent.mkdir(mode=0o711)
    database = Database.open(None, data_dir)
    try:
        assert database.writer.put(TRADES)
        assert asyncio.run(database.writer.flush(30.0))
        builder = CandleBuilder(MINUTE)
        for one in TRADES:
            builder.add(one)
        klines = [
            one._replace(first_trade_id=None, last_trade_id=None, source=CandleSource.KLINE)
            for one in finish(builder.candles(), MINUTE, IdRanges([(100, 9_099)]))
            if one.complete
        ]
        assert [one.open_time_us for one in klines[:2]] == [FIRST_US, FIRST_US + MINUTE.length_us]
        database.store.save_klines("BTCUSDT", MINUTE, klines[:2])
        yield database
    finally:
        database.close()
        forget(data_dir)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recorded: Database) -> Iterator[None]:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", recorded.url)
    monkeypatch.setattr(exchange_patience, "AWAY_S", 0.0)
    with unchanged_process():
        yield


def test_what_agrees_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "compare", "btc", *RANGE]) == 0
    printed = capsys.readouterr()
    assert printed.out == "2 candles of BTCUSDT 1m compared: nothing differs.\n"
    assert printed.err == ""
    assert main(["db", "compare", "BTCUSDT", "1m", *RANGE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "symbol": "BTCUSDT",
        "interval": "1m",
        "from": RANGE[1],
        "to": RANGE[3],
        "compared": 2,
        "missing": [],
        "differences": [],
    }


def test_each_difference_is_listed_and_the_command_fails(
    recorded: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    change = "UPDATE klines SET high = high + {0}, trades = trades + {0} WHERE open_time = %s"
    with connect(recorded.url) as connection:
        (high,) = connection.execute("SELECT high FROM klines ORDER BY open_time LIMIT 1").fetchone() or (None,)
        try:
            connection.execute(change.format("1"), (format_time(FIRST_US),))
            assert main(["db", "compare", "BTCUSDT", *RANGE, "--json"]) == 1
            printed = capsys.readouterr()
            assert main(["db", "compare", "BTCUSDT", *RANGE]) == 1
            said = capsys.readouterr().out
        finally:
            connection.execute(change.format("-1"), (format_time(FIRST_US),))
    assert "1 candle differs from the exchange's in 2 fields" in printed.err
    document = json.loads(printed.out)
    assert document["compared"] == 2
    by_field = {one["field"]: one for one in document["differences"]}
    assert list(by_field) == ["high", "trades"]
    assert by_field["high"] == {
        "open_time": format_time(FIRST_US),
        "field": "high",
        "stored": str(high),
        "exchange": format_e8(int(high * 10**8) + 10**8),
    }
    assert by_field["trades"]["exchange"] == by_field["trades"]["stored"] + 1
    assert said.endswith("2 candles of BTCUSDT 1m compared; 1 differ: high 1, trades 1.\n")


def test_what_cannot_be_compared_is_never_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    longer = [*RANGE[:3], format_time(FIRST_US + 5 * MINUTE.length_us)]
    assert main(["db", "compare", "BTCUSDT", *longer, "--json"]) == 3
    printed = capsys.readouterr()
    third = format_time(FIRST_US + 2 * MINUTE.length_us)
    assert json.loads(printed.out)["missing"] == [[third, longer[3]]]
    assert f"3 of 5 candles could not be compared; the first is {third[:16]}." in printed.err
    assert main(["db", "compare", "BTCUSDT", "--from", "2020-01-01", "--to", "2020-01-02"]) == 1
    assert "Nothing of BTCUSDT 1m could be compared." in capsys.readouterr().err
    assert main(["db", "compare", "ETHUSDT", *RANGE]) == 1
    assert "“ETHUSDT” is not in the database" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["BTCUSDT", "1m", "--to", "2024-08-09"], "--from is missing"),
        (["BTCUSDT", "x", *RANGE], "not an interval"),
        (["BTCUSDT", "--from", "2024-08-09", "--to", "2024-08-08"], "--to must be later"),
        (["BTCUSDT", "--from", "yesterday", "--to", "2024-08-08"], "is not a time"),
        (["BTCUSDT", "1d", *RANGE], "No whole candle of 1d"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "compare", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert sentence in printed.err
    assert printed.err.count("\n") == 1


def test_candles_of_aggregated_trades_are_none_of_the_exchanges(
    recorded: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    change = "UPDATE klines SET source = %s WHERE open_time = %s"
    with connect(recorded.url) as connection:
        try:
            connection.execute(change, ("aggtrades", format_time(FIRST_US)))
            assert main(["db", "compare", "BTCUSDT", *RANGE, "--json"]) == 3
        finally:
            connection.execute(change, ("kline", format_time(FIRST_US)))
    document = json.loads(capsys.readouterr().out)
    assert document["compared"] == 1
    assert document["missing"] == [[RANGE[1], format_time(FIRST_US + MINUTE.length_us)]]
