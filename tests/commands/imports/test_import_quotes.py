"""cryptopipe import of quotes: each stored once, hours of Dukascopy whole, and by commands alone."""

from __future__ import annotations

import lzma
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.market.interval import SECOND_US
from app.market.quotes.tick import Tick
from storage.postgres.connection import connect
from tests.commands.play import Play
from tests.storage.quotes.helpers import assert_rollups_match, stored_ticks

HOUR_US = 3_600 * SECOND_US
MIDNIGHT_US = 1_549_238_400 * SECOND_US  # 2019-02-04


def ticks_of(play: Play) -> list[Tick]:
    with connect(play.world.url) as connection:
        return stored_ticks(connection)


def fetched(play: Play) -> list[tuple[str, int, int]]:
    """Return the times fetched whole: symbol and ends, UTC microseconds."""
    with connect(play.world.url) as connection:
        return [
            (row[0], int(row[1]), int(row[2]))
            for row in connection.execute(
                "SELECT symbol, extract(epoch FROM first_time) * 1000000, extract(epoch FROM end_time) * 1000000"
                " FROM fetched_quotes JOIN symbols ON id = symbol_id ORDER BY 1, 2"
            )
        ]


def figures(report: dict[str, Any]) -> tuple[int, ...]:
    return tuple(report[name] for name in ("read", "stored", "held", "refused", "missing"))


def test_quotes_of_a_table_are_stored_and_the_second_time_they_are_held(play: Play) -> None:
    lines = ["1398902400292,1.38676,1.38686,1.5,0.75", "1398902400292,1.38677,1.38687,1,1"]
    path = play.file("ticks.csv", "\n".join(["time,bid,ask,bid_size,ask_size", *lines, lines[0]]) + "\n")
    code, report = play.report(path, "--symbol", "oanda:EUR_USD", "--kind", "quotes")
    assert (code, figures(report)) == (0, (3, 3, 0, 0, 0))
    assert [(one["symbol"], one["kind"]) for one in report["files"]] == [("oanda:EURUSD", "quotes")]
    at_us = 1_398_902_400_292_000
    first = Tick("oanda:EURUSD", at_us, 0, 138_676_000, 138_686_000, 150_000_000, 75_000_000)
    second = Tick("oanda:EURUSD", at_us, 1, 138_677_000, 138_687_000, 100_000_000, 100_000_000)
    assert ticks_of(play) == [first, second, first._replace(place=2)]
    assert fetched(play) == []
    code, report = play.report(path, "--symbol", "oanda:EURUSD")
    assert (code, figures(report)) == (0, (3, 0, 3, 0, 0))
    with connect(play.world.url) as connection:
        first = connection.execute(
            "SELECT exchange, min(session_date)::text FROM trading_sessions GROUP BY 1"
        ).fetchall()
        assert first == [("FOREX", "2014-05-01")]


def test_unreadable_and_contradicting_rows_lie_beside_the_file(play: Play) -> None:
    play.file("first.csv", "time,bid,ask\n1398902400292,1.38676,1.38686\n")
    assert play.run(play.folder / "first.csv", "--symbol", "oanda:EURUSD")[0] == 0
    path = play.file("second.csv", "time,bid,ask\n1398902400292,1.5,1.6\n1398902400293,1.4,\n1398902400294,1.4,1.5\n")
    code, report = play.report(path, "--symbol", "oanda:EURUSD")
    assert (code, figures(report)) == (3, (3, 1, 0, 2, 0))
    rows = path.with_name("second.csv.refused.csv").read_text().splitlines()
    assert rows[1].startswith("1,it contradicts the stored quote of the same time and place,")
    assert rows[2].startswith("2,ask is empty,")
    with connect(play.world.url) as connection:
        assert connection.execute("SELECT count(*) FROM refused_quotes").fetchone() == (0,)


def test_a_dry_run_needs_no_database(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", "postgresql://127.0.0.1:9/none")
    path = play.file("ticks.csv", "time,bid,ask\n1398902400292,1.3,1.4\n1398902400292,1.3,1.4\n")
    code, out, _ = play.run(path, path, "--symbol", "oanda:EURUSD", "--dry-run")
    assert (code, out) == (0, "4 rows read from 2 files: 2 would be stored, 2 held already.\n")


def test_a_quote_without_a_broker_is_refused_in_one_sentence(play: Play) -> None:
    path = play.file("ticks.csv", "time,bid,ask\n1398902400292,1.38676,1.38686\n")
    code, out, errors = play.run(path, "--symbol", "EURUSD", "--kind", "quotes")
    assert (code, errors.count("\n")) == (1, 1)
    assert "name the symbol with its broker, such as --symbol oanda:EURUSD" in errors
    assert out == "0 rows read from 1 file: 0 stored, 0 held already.\n"


def test_hours_of_dukascopy_are_stored_whole(play: Play, shared_data: Callable[[str], Path]) -> None:
    tree = play.folder / "EURUSD/2019/01/04"
    tree.mkdir(parents=True)
    for hour in ("00h", "03h"):
        shutil.copy(shared_data("dukascopy") / f"datafeed/EURUSD/2019/01/04/{hour}_ticks.bi5", tree)
    (tree / "01h_ticks.bi5").touch()
    code, report = play.report(play.folder)
    assert (code, report["refused"], report["read"]) == (0, 0, report["stored"])
    assert [one["read"] > 0 for one in report["files"]] == [True, False, True]
    symbol = "dukascopy:EURUSD"
    hours = [(0, 2), (3, 4)]
    assert fetched(play) == [
        (symbol, MIDNIGHT_US + start * HOUR_US, MIDNIGHT_US + end * HOUR_US) for start, end in hours
    ]
    ticks = ticks_of(play)
    assert len(ticks) == report["stored"]
    with connect(play.world.url) as connection:
        assert_rollups_match(connection, ticks)
    code, report = play.report(play.folder)
    assert (code, report["stored"], report["held"]) == (0, 0, len(ticks))
    assert play.report(tree / "00h_ticks.bi5", "--dry-run")[0] == 0


def test_files_of_dukascopy_that_cannot_be_used_say_why(play: Play) -> None:
    tree = play.folder / "EURUSD/2019/01/04"
    tree.mkdir(parents=True)
    damaged, stray = tree / "00h_ticks.bi5", play.folder / "01h_ticks.bi5"
    damaged.write_bytes(b"\x5d\0\0\1\0nothing")
    stray.touch()
    code, _, errors = play.run(play.folder)
    assert code == 1
    assert errors.count("\n") == 2
    assert f"{damaged} cannot be used: " in errors
    assert f"{stray}: its symbol and time are not known" in errors
    assert fetched(play) == []
    assert "holds dukascopy:EURUSD by its folders, not oanda:EURUSD" in play.run(damaged, "--symbol", "oanda:EURUSD")[2]
    assert "holds quotes, not trades" in play.run(damaged, "--kind", "trades")[2]
    assert f"{tree} holds no file of trades." in play.run(tree, "--kind", "trades")[2]


def test_recorded_quotes_of_lean(play: Play, shared_data: Callable[[str], Path]) -> None:
    for path in shared_data("oanda").glob("eurusd_*.zip"):  # candles, too, which --kind leaves out
        shutil.copy(path, play.folder)
    code, report = play.report(play.folder, "--symbol", "oanda:EURUSD", "--kind", "quotes")
    assert (code, figures(report)) == (0, (74_684, 74_684, 0, 0, 0))
    assert len(ticks_of(play)) == 74_684
    code, report = play.report(play.folder, "--symbol", "oanda:EURUSD", "--kind", "quotes")
    assert (code, figures(report)) == (0, (74_684, 0, 74_684, 0, 0))
    assert "holds candles by its name" in play.run(play.folder / "eurusd_hour.zip", "--kind", "quotes")[2]


def published_rows(play: Play) -> list[tuple[int, int, int, int]]:
    """Return the stored candles of the broker by interval: seconds, and how many there are, of bid and of ask."""
    with connect(play.world.url) as connection:
        return connection.execute(
            "SELECT seconds, count(*), count(bid_volume), count(ask_volume) FROM quote_klines"
            " WHERE source = 'dukascopy' GROUP BY 1 ORDER BY 1"
        ).fetchall()


def test_the_recorded_tree_with_its_candles_is_imported_whole(play: Play, shared_data: Callable[[str], Path]) -> None:
    shutil.copytree(shared_data("dukascopy") / "datafeed", play.folder / "datafeed")
    code, report = play.report(play.folder)
    assert (code, report["read"], report["refused"]) == (0, report["stored"], 0)
    by_kind = {
        kind: sum(one["stored"] for one in report["files"] if one["kind"] == kind) for kind in ("quotes", "candles")
    }
    assert by_kind["quotes"] == 136_741 + 8_523
    rows = published_rows(play)
    assert [row[0] for row in rows] == [60, 3_600, 86_400]
    assert rows[0] == (60, 1_440, 1_440, 1_440)
    assert all(row[3] == 0 for row in rows[1:])
    assert by_kind["candles"] == 2 * 1_440 + rows[1][1] + rows[2][1]
    code, again = play.report(play.folder)
    assert (code, again["stored"], again["held"]) == (0, 0, report["read"])
    code, report = play.report(play.folder, "--dry-run")
    assert (code, report["stored"], report["read"]) == (0, again["read"], again["read"])


def test_candles_that_contradict_the_stored_ones_are_refused(play: Play) -> None:
    tree = play.folder / "EURUSD/2019/01/04"
    tree.mkdir(parents=True)
    path = tree / "BID_candles_min_1.bi5"
    minutes = [(0, 114_500, 114_510, 114_490, 114_520, 1.5), (60, 114_510, 114_500, 114_480, 114_530, 2.5)]
    path.write_bytes(packed(minutes))
    assert play.run(path)[0] == 0
    path.write_bytes(packed([minutes[0], (60, 114_511, *minutes[1][2:])]))
    code, report = play.report(path)
    assert (code, figures(report)) == (3, (2, 0, 1, 1, 0))
    line = path.with_name(path.name + ".refused.csv").read_text().splitlines()[1]
    assert line.startswith("2,it contradicts the stored candle of the same time,")
    assert published_rows(play) == [(60, 2, 2, 0)]


def test_a_day_of_candles_without_ticks_is_an_answer(play: Play) -> None:
    tree = play.folder / "EURUSD/2019/01/02"
    tree.mkdir(parents=True)
    flat = packed([(second, *[114_500] * 4, 0.0) for second in range(0, 86_400, 60)])
    (tree / "BID_candles_min_1.bi5").write_bytes(flat)
    code, report = play.report(play.folder)
    assert (code, figures(report)) == (0, (0, 0, 0, 0, 0))


def packed(candles: list[tuple[float, ...]]) -> bytes:
    """Return a .bi5 file of candles: second, open, close, low, high and volume."""
    return lzma.compress(b"".join(struct.pack(">IIIIIf", *one) for one in candles), lzma.FORMAT_ALONE)
