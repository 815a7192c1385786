"""``cryptopipe history`` of a broker of quotes, against a Dukascopy on loopback that serves the recordings."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from app.brokers.dukascopy.retries import RetryPlan
from app.main import main
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.sandbox.dukascopy.server import DukascopySandbox
from app.sandbox.dukascopy.sources import RecordedArchive, SimulatedArchive
from storage.database import Database
from storage.postgres.connection import connect
from tests.program import served

EUR = "dukascopy:EURUSD"
DAY = ["--from", "2019-02-04", "--to", "2019-02-05"]
TICKS = 136_741  # of the recorded day


pytestmark = pytest.mark.usefixtures("named_tables")


@contextmanager
def broker(made: DukascopySandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[DukascopySandbox]:
    """Serve it, where the program finds it."""
    with served(made):
        monkeypatch.setenv("CRYPTOPIPE_DUKASCOPY_URL", f"{made.url}/v1")
        monkeypatch.setenv("CRYPTOPIPE_DUKASCOPY_FILES_URL", f"{made.url}/datafeed")
        yield made


@contextmanager
def opened(url: str, data_dir: Path) -> Iterator[Database]:
    database = Database.open(url, data_dir)
    try:
        yield database
    finally:
        database.close()


def test_the_recorded_day_comes_whole_and_a_second_run_asks_for_no_tick(
    data_dir: Path,
    named_tables: str,
    shared_data: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = shared_data("dukascopy")
    with broker(DukascopySandbox(RecordedArchive(folder)), monkeypatch) as server:
        assert main(["history", EUR, "quotes", *DAY, "--parallel", "4", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["read"], said["stored"], said["held"], said["missing"]) == (TICKS, TICKS, 0, 0)
        assert said["hours"] == {"fetched": 24, "empty": 0, "known": 0, "closed": 0}
        assert server.most_at_once <= 10

        asked = server.asked("ticks")
        assert main(["history", EUR, "quotes", *DAY, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["read"], said["hours"]["known"]) == (0, 24)
        assert server.asked("ticks") == asked
    with opened(named_tables, data_dir) as database:
        for side in (PriceSide.BID, PriceSide.ASK):
            minutes = database.store.of_side(side).candles(EUR, Interval.parse("1m"))
            assert len(minutes) == 1440
            assert all(one.complete for one in minutes)
        assert sum(one.trades for one in database.store.candles(EUR, Interval.parse("1h"))) == TICKS


def test_an_hour_without_ticks_is_an_answer_and_closed_time_is_not_asked_for(
    data_dir: Path, named_tables: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # From Friday 20:00, an hour before the forex week ends in summer, to Sunday 23:00, two hours after it begins.
    weekend = ["--from", "2026-07-10T20:00", "--to", "2026-07-12T23:00"]
    with broker(DukascopySandbox(SimulatedArchive(ticks_per_hour=5)), monkeypatch) as server:
        assert main(["history", EUR, "quotes", *weekend, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["hours"]["closed"] == 48
        assert said["hours"]["fetched"] == 3
        assert server.asked("/2026/7/11/") == server.asked("/2026/06/11/") == 0
    assert main(["db", "sessions", "--json"]) == 0
    (kept,) = json.loads(capsys.readouterr().out)
    assert (kept["symbol"], kept["gaps"]) == (EUR, 1)
    assert main(["db", "sessions", "oanda:USDJPY"]) == 2
    assert capsys.readouterr().err.startswith("cryptopipe: Nothing of oanda:USDJPY is stored")
    with opened(named_tables, data_dir) as database, connect(database.url) as connection:
        days = "SELECT session_date FROM session_gaps WHERE symbol = %s"
        assert connection.execute(days, (EUR,)).fetchall() == [(date(2026, 7, 13),)]
        sessions = "SELECT session_start FROM trading_sessions WHERE exchange = %s AND session_date = '2026-07-13'"
        opens = connection.execute(sessions, (kept["calendar"],)).fetchone()
        assert opens == (datetime(2026, 7, 12, 21, tzinfo=UTC),)


def test_a_whole_group_is_fetched_and_two_brokers_at_once_are_not(
    data_dir: Path, named_tables: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = ["--from", "2026-07-08T10:00", "--to", "2026-07-08T11:00"]
    with broker(DukascopySandbox(SimulatedArchive(ticks_per_hour=5)), monkeypatch):
        assert main(["history", "quotes", "--group", "majors", *hour]) == 0
        capsys.readouterr()
        assert main(["history", "BTCUSDT,dukascopy:EURUSD", "quotes", *hour]) == 2
        assert "one broker at a time" in capsys.readouterr().err
        assert main(["history", "quotes", "--group", "majorz", *hour]) == 2
        assert "did you mean majors?" in capsys.readouterr().err
        assert main(["history", EUR, "1m", *hour, "--json"]) == 0  # made of ticks, which are there
        assert json.loads(capsys.readouterr().out)["hours"]["known"] == 1
        ahead = ["--days", "2", "--to", "2026-07-08T11:00", "--json"]  # whole days before that one
        assert main(["history", EUR, "quotes", *ahead]) == 0
        hours = json.loads(capsys.readouterr().out)["hours"]
        assert hours["fetched"] + hours["known"] + hours["closed"] == 48 + 11
        assert main(["history", EUR, "trades", *hour]) == 2
        assert "write quotes instead" in capsys.readouterr().err
        assert main(["history", "BTCUSDT", "quotes", *hour]) == 2
        assert "BTCUSDT has trades, not quotes" in capsys.readouterr().err
    with opened(named_tables, data_dir) as database:
        assert {"dukascopy:EURUSD", "dukascopy:USDJPY"} <= database.store.symbol_names()


def test_a_chosen_calendar_that_cannot_be_used_is_refused_before_anything_is_fetched(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    monkeypatch.setenv("CRYPTOPIPE_CALENDARS", f"{EUR}=XNSY,oanda:EURUSD=XNSY")
    wanted = ["--from", "2026-07-08T10:00", "--to", "2026-07-08T12:00"]
    with broker(DukascopySandbox(SimulatedArchive(ticks_per_hour=5)), monkeypatch):
        assert main(["history", EUR, "quotes", *wanted]) == 2
        assert "The calendar XNSY needs the package exchange_calendars" in capsys.readouterr().err
        assert main(["history", "oanda:EURUSD", "1m", *wanted]) == 2
        assert "The calendar XNSY needs the package exchange_calendars" in capsys.readouterr().err
        assert main(["history", "dukascopy:USDJPY", "quotes", *wanted]) == 0  # another symbol's is of no concern


def test_a_range_that_reaches_beyond_now_ends_now_and_says_so_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    wanted = ["history", EUR, "quotes", "--from", f"{now - timedelta(hours=5):%Y-%m-%dT%H}:00"]
    ahead = ["--to", f"{now + timedelta(days=3):%Y-%m-%d}"]
    monkeypatch.setenv("CRYPTOPIPE_CALENDARS", f"{EUR}=crypto")
    with broker(DukascopySandbox(SimulatedArchive(ticks_per_hour=5)), monkeypatch):
        assert main([*wanted, *ahead]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        assert printed.out.count("UTC is not complete yet and was not requested.") == 1
        assert main([*wanted, *ahead, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["missing"], said["hours"]["fetched"]) == (0, 0)
        assert datetime.fromisoformat(said["until"]) <= now
        assert main([*wanted, "--json"]) == 0
        assert "until" not in json.loads(capsys.readouterr().out)


def test_what_cannot_be_had_is_named_by_the_hour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_DUKASCOPY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("CRYPTOPIPE_DUKASCOPY_FILES_URL", "")
    monkeypatch.setattr(RetryPlan, "waits_s", property(lambda plan: [0.0] * plan.tries))
    assert main(["history", EUR, "quotes", "--from", "2026-07-08T10:00", "--to", "2026-07-08T12:00", "--json"]) == 3
    printed = capsys.readouterr()
    assert [one["hour"] for one in json.loads(printed.out)["skipped"]] == ["2026-07-08T10:00", "2026-07-08T11:00"]
    assert "missing: dukascopy:EURUSD 2026-07-08T11:00: " in printed.err
