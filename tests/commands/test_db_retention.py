"""``cryptopipe db retention`` and ``db convert``: what they show, when they ask, what they change."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.commands.reports.retention_report import plan_text
from app.main import main
from app.market.trade import Trade
from storage.database import Database
from storage.postgres.connection import connect
from storage.quotes.tick_ledger import TickLedger
from storage.retention.droppable_parts import DroppablePart
from storage.retention.policy import RetentionPlan
from storage.schema.migrate import migrations
from storage.schema.retention_period import RetentionPeriod
from tests.program import set_surroundings, unchanged_process
from tests.servers import APACHE, empty_database, shared_server
from tests.storage.helpers import PATIENCE_S, World, some_trades, stored
from tests.storage.quotes.helpers import some_ticks

DAY_US = 86_400_000_000
NOW_US = time.time_ns() // 1000
OLD = [trade._replace(time_us=NOW_US - 800 * DAY_US + number) for number, trade in enumerate(some_trades(30))]
YOUNG = [
    trade._replace(time_us=NOW_US - 50 * DAY_US + number) for number, trade in enumerate(some_trades(10, first_id=130))
]


@pytest.fixture
def aged(named_tables: str, tmp_path: Path) -> Iterator[Database]:
    """An open database with trades of two years ago, stored long ago, that the commands find in the settings."""
    database = Database.open(named_tables, tmp_path)
    try:
        assert database.writer.put([*OLD, *YOUNG])
        assert database.writer.drain(PATIENCE_S)
        with connect(database.url) as connection:
            connection.execute("UPDATE late_days SET stored_at = stored_at - interval '30 days'")
        yield database
    finally:
        database.close()


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["db", *arguments]) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def held(database: Database) -> list[Trade]:
    return stored(database.store)


def test_retention_is_shown_then_confirmed_then_done(aged: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "retention") == "All trades are kept.\n"
    shown = said(capsys, "retention", "1y")
    assert re.search(
        r"Keeping trades for 1 year drops 30 trades of BTCUSDT, from \d{4}-\d\d-01 to \d{4}-\d\d-01:", shown
    )
    assert re.search(r"^\d{4}-\d\d-01  \d{4}-\d\d-01  BTCUSDT +30  +0\.\d MB$", shown, re.M)
    assert "Nothing was changed: cryptopipe db retention 1y --yes confirms it." in shown
    assert json.loads(said(capsys, "retention", "1y", "--json"))["would_drop"]["trades"] == 30
    assert held(aged) == [*OLD, *YOUNG]
    done = said(capsys, "retention", "1y", "--yes")
    assert re.search(r"Trades are kept for 1 year \(confirmed on \d{4}-\d\d-\d\d\); candles for ever\.", done)
    assert "Keeping trades for 1 year dropped 30 trades of BTCUSDT" in done
    assert held(aged) == YOUNG
    assert said(capsys, "verify").startswith("Nothing differs")
    assert "Trades are kept for 1 year" in said(capsys, "status")
    answer = json.loads(said(capsys, "retention", "--json"))
    assert answer["retention"]["keep"] == "1y"
    assert answer["would_drop"]["parts"] == []
    assert said(capsys, "retention", "off", "--yes").endswith("All trades are kept.\n")


def test_a_setting_waits_in_the_status_until_it_is_confirmed(
    aged: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_KEEP_TRADES", "1y")
    sentence = "`cryptopipe db retention 1y` shows what would be dropped and asks."
    assert sentence in said(capsys, "status")
    status = json.loads(said(capsys, "status", "--json"))
    assert sentence in status["retention"]["waiting"]
    assert status["conversion"] is None
    assert "Keeping trades for 1 year drops 30 trades" in said(capsys, "retention")
    said(capsys, "retention", "--yes")
    assert held(aged) == YOUNG
    assert sentence not in said(capsys, "status")
    monkeypatch.setenv("CRYPTOPIPE_KEEP_TRADES", "5y")
    assert "The setting keep_trades says 5y, which takes its place" in said(capsys, "retention", "2y", "--yes")


@pytest.mark.usefixtures("aged")
def test_a_period_of_wrong_form_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("2", "5d", "soon"):
        assert "give 30d" in (line := said(capsys, "retention", text, code=2)) or "write 90d" in line


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals on Windows")
@pytest.mark.parametrize(
    ("answer", "left"), [("n", [*OLD, *YOUNG]), ("", [*OLD, *YOUNG]), ("\x04", [*OLD, *YOUNG]), ("y", YOUNG)]
)
def test_at_a_terminal_retention_asks_for_confirmation(aged: Database, answer: str, left: list[Trade]) -> None:
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.main", "db", "retention", "1y"], stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        printed = b""
        while b"[y/N]" not in printed:
            printed += os.read(ours, 4096)
        os.write(ours, f"{answer}\n".encode())
        assert process.wait(PATIENCE_S) == 0
        printed += os.read(ours, 4096)
    finally:
        os.close(ours)
    assert b"Keeping trades for 1 year drops 30 trades" in printed
    assert (b"Nothing was changed." in printed) is (answer != "y")
    assert held(aged) == left


def test_parts_without_a_trade_are_not_listed() -> None:
    empty = DroppablePart("a", 0, 31 * DAY_US, 8192, 0, (), 400 * DAY_US)
    some = dataclasses.replace(empty, rows=30, symbols=("BTCUSDT",))
    keep = RetentionPeriod.parse("1y")
    for plan in (RetentionPlan(keep, [], [empty]), RetentionPlan(keep, [empty], [])):
        assert plan_text(plan) == "Keeping trades for 1 year drops nothing now."
    printed = "30 trades are as old, but some were stored in the last week: they are kept until 1971-02-05."
    assert printed in plan_text(RetentionPlan(keep, [], [empty, some]))
    assert printed.replace("trades", "more", 1) in plan_text(RetentionPlan(keep, [some], [some]))


def test_what_is_left_to_timescaledbs_policy_is_not_called_dropped() -> None:
    part = DroppablePart("a", 0, 31 * DAY_US, 2_000_000, 30, ("BTCUSDT",), None)
    keep = RetentionPeriod.parse("1y")
    begin = "Keeping trades for 1 year {} 30 trades of BTCUSDT, from 1970-01-01 to 1970-02-01: 2.0 MB{}. Candles stay."
    assert plan_text(RetentionPlan(keep, [part], []), done=True) == begin.format("dropped", "")
    left = plan_text(RetentionPlan(keep, [part], [], by_policy=True), done=True)
    assert left == begin.format("has TimescaleDB drop", " at its policy's next run")


@pytest.mark.usefixtures("aged")
def test_a_plain_server_has_nothing_to_convert(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "convert").startswith("There is nothing to convert")


def test_a_plain_database_on_timescaledb_is_converted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with empty_database(shared_server(APACHE)) as url:
        with connect(url) as connection:
            for step in migrations():
                connection.execute(step.script.encode())
                connection.execute("INSERT INTO schema_version (version, name) VALUES (%s, %s)", step[:2])
        world = World(url)
        try:
            world.record([*OLD, *YOUNG])
            with connect(url) as connection:
                TickLedger(connection).store(some_ticks(30))
            set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
            monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", url)
            with unchanged_process():
                assert said(capsys, "convert") == (
                    "40 trades were converted to a hypertable.\n30 ticks were converted to a hypertable.\n"
                )
                assert said(capsys, "convert").startswith("There is nothing to convert")
                assert re.search(r"^Trades lie in 2 chunks", said(capsys, "status"), re.M)
                assert said(capsys, "verify").startswith("Nothing differs")
            assert stored(world.store) == [*OLD, *YOUNG]
        finally:
            world.close()


def test_a_lake_is_confirmed_remembered_and_taken_away(
    aged: Database, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shown = said(capsys, "retention", "1y", "--lake", str(lake))
    assert "30 trades are as old and stay until the lake holds them: BTCUSDT " in shown
    assert f"is not in the lake {lake}" in shown
    assert f"Nothing was changed: cryptopipe db retention 1y --lake {lake} --yes confirms it." in shown
    done = said(capsys, "retention", "1y", "--lake", str(lake), "--yes")
    assert f"and until the lake {lake} holds them; candles for ever." in done
    assert held(aged) == [*OLD, *YOUNG]
    assert "is not in the lake" in said(capsys, "status")
    answer = json.loads(said(capsys, "retention", "1y", "--yes", "--json"))  # the lake is remembered
    assert (answer["retention"]["lake"], answer["dropped"]["trades"]) == (str(lake), 0)
    assert [one["trades"] for one in answer["dropped"]["waiting"]] == [30]
    assert held(aged) == [*OLD, *YOUNG]
    assert "dropped 30 trades" in said(capsys, "retention", "1y", "--lake=", "--yes")
    assert held(aged) == YOUNG
