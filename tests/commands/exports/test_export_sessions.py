"""cryptopipe export of sessions and of the gaps between them: the rows of the tables, in every format."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.transfers.session_transfer import spans_of_days
from app.main import main
from app.market.file_columns import SESSION_COLUMNS, SESSION_GAP_COLUMNS
from storage.postgres.connection import connect
from tests.commands.play import Play

SYMBOL, CHOSEN = "oanda:EURUSD", "oanda:GBPUSD"
# The first price of each hour is the close of the one before, so a gap comes over the weekends and on Wednesday.
QUOTES = {
    "2024-12-20T20:00": "1.03",
    "2024-12-22T23:00": "1.05",  # of Monday
    "2024-12-24T10:00": "1.05",
    "2024-12-25T10:00": "1.04000001",
}


@pytest.fixture
def week(play: Play) -> Play:
    """Quotes about a Christmas, and one odd name of a holiday."""
    lines = [f"{time}:00Z,{price},{price}" for time, price in QUOTES.items()]
    given = play.file("ticks.csv", "\n".join(["time,bid,ask", *lines]) + "\n")
    assert play.run(given, "--symbol", SYMBOL)[0] == 0
    with connect(play.world.url) as connection:
        connection.execute(
            "UPDATE trading_sessions SET session_start = NULL, session_end = NULL, total_minutes = 0,"
            " is_holiday = true, notes = %s WHERE session_date = '2024-12-25'",
            ('New "Year\'s",\nDay\\',),
        )
    return play


def export(play: Play, *arguments: object) -> tuple[int, str, str]:
    code = main(["export", *map(str, arguments)])
    return code, *play.capsys.readouterr()


def plain(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file as others read them."""
    name = path.name
    if name.endswith((".csv", ".tsv", ".csv.gz")):
        text = (gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()).decode()
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if name.endswith("tsv") else ","))
    if name.endswith(".json"):
        return list(json.loads(path.read_text()))
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in path.read_text().splitlines()]
    if name.endswith(".xlsx"):
        names, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
        return [dict(zip(map(str, names), row, strict=True)) for row in rows]
    table = pq.read_table(path) if name.endswith(".parquet") else pyarrow.feather.read_table(path)
    return list(table.to_pylist())


def value(kind: type, given: Any) -> object:
    """Return a value of a file as the table has it."""
    if given in (None, ""):
        return None
    if kind is bool:
        return given if isinstance(given, bool) else {"true": True, "false": False}[given]
    if kind is date:
        return (
            given.date()
            if isinstance(given, datetime)
            else given
            if isinstance(given, date)
            else date.fromisoformat(given)
        )
    if kind is datetime:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(given)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return round(Decimal(given), 8) if kind is Decimal else kind(given)


def rows_of(play: Play, query: str) -> list[tuple[Any, ...]]:
    with connect(play.world.url) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        return connection.execute(query.encode()).fetchall()


def read(path: Path, names: Sequence[str], kinds: Sequence[type]) -> list[tuple[object, ...]]:
    rows = plain(path)
    assert [tuple(row) for row in rows] == [tuple(names)] * len(rows)
    return [tuple(value(kind, row[name]) for name, kind in zip(names, kinds, strict=True)) for row in rows]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "parquet", "feather", "json", "jsonl", "xlsx"])
def test_every_format_has_the_rows_of_the_tables(week: Play, ending: str) -> None:
    path = week.folder / f"sessions.{ending}"
    stored = rows_of(week, f"SELECT {', '.join(SESSION_COLUMNS)} FROM trading_sessions ORDER BY session_date")
    code, out, errors = export(week, SYMBOL, "sessions", "--out", path)
    assert (code, errors) == (0, "")
    assert out == f"{len(stored):,} sessions of {SYMBOL} written to {path}.\n"
    kinds = (str, date, datetime, datetime, int, bool, bool, str)
    assert read(path, SESSION_COLUMNS, kinds) == [(*row[:-1], row[-1] or None) for row in stored]

    path = week.folder / f"gaps.{ending}"
    stored = rows_of(week, f"SELECT {', '.join(SESSION_GAP_COLUMNS)} FROM session_gaps ORDER BY session_date")
    assert [row[-1] for row in stored] == ["up", "flat", "down"]
    assert export(week, SYMBOL, "session_gaps", "--out", path) == (
        0,
        f"3 session gaps of {SYMBOL} written to {path}.\n",
        "",
    )
    kinds = (str, date, Decimal, Decimal, Decimal, Decimal, str)
    assert read(path, SESSION_GAP_COLUMNS, kinds) == stored


def test_a_session_belongs_to_a_range_by_its_date_and_what_is_missing_is_said(week: Play) -> None:
    path = week.folder / "out.csv"
    code, _, errors = export(week, SYMBOL, "sessions", "--from", "2024-12-23", "--to", "2024-12-28", "--out", path)
    assert (code, errors) == (0, "")
    assert [row["session_date"] for row in plain(path)] == [f"2024-12-{day}" for day in range(23, 28)]
    facts = json.loads(path.with_name("out.csv.meta.json").read_text())
    assert {name: facts[name] for name in ("symbol", "interval", "source", "rows", "complete", "missing")} == {
        "symbol": SYMBOL,
        "interval": "sessions",
        "source": "FOREX",
        "rows": 5,
        "complete": True,
        "missing": [],
    }
    assert facts["given"] == {"from": "2024-12-23T00:00:00Z", "to": "2024-12-28T00:00:00Z"}

    # Before the first price there are no sessions; of a week one does not move a weekend.
    range_ = ("--from", "2024-12-12", "--to", "2024-12-22")
    code, out, errors = export(week, SYMBOL, "sessions", *range_, "--out", path, "--json")
    assert code == 3
    assert errors == (
        "cryptopipe: 6 of 7 sessions are missing; the first is 2024-12-12T00:00. They are kept from the first price to "
        "eight weeks ahead: cryptopipe db sessions makes them.\n"
    )
    assert json.loads(out)["missing"] == [
        ["2024-12-12T00:00:00Z", "2024-12-14T00:00:00Z"],
        ["2024-12-16T00:00:00Z", "2024-12-20T00:00:00Z"],
    ]
    code, out, errors = export(
        week, SYMBOL, "session_gaps", "--from", "2024-12-20", "--to", "2024-12-27", "--out", path, "--json"
    )
    assert code == 3
    assert errors.startswith("cryptopipe: 2 of 5 session gaps are missing; the first is 2024-12-20T00:00. A gap needs")
    assert [row["session_date"] for row in plain(path)] == ["2024-12-23", "2024-12-24", "2024-12-25"]
    assert json.loads(out)["source"] == "oanda"


def test_one_file_is_named_by_its_dates_and_several_go_to_a_folder(week: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(week.folder)
    assert export(week, SYMBOL, "session-gaps")[0] == 0
    assert (week.folder / "oanda-EURUSD-session_gaps-20241223-20241226.csv").is_file()
    assert export(week, SYMBOL, "sessions,session_gaps,1h", "--stored", "--out", "all", "--format", "parquet")[0] == 0
    names = ["oanda-EURUSD-1h.parquet", "oanda-EURUSD-session_gaps.parquet", "oanda-EURUSD-sessions.parquet"]
    assert sorted(path.name for path in (week.folder / "all").glob("*.parquet")) == names


def test_several_files_have_what_there_is_where_no_gap_is_stored(week: Play) -> None:
    with connect(week.world.url) as connection:
        connection.execute("TRUNCATE session_gaps")
    code, _, errors = export(week, SYMBOL, "session_gaps", "--out", week.folder / "alone.csv")
    assert (code, "No session gap of oanda:EURUSD is stored" in errors) == (2, True)
    folder = week.folder / "all"
    code, out, errors = export(week, SYMBOL, "sessions,session_gaps", "--out", folder)
    assert code == 0, errors
    assert f"0 session gaps of {SYMBOL} written to " in out
    assert errors.startswith(f"cryptopipe: {SYMBOL} session_gaps: None is stored. A gap needs a stored price of ")
    assert plain(folder / "oanda-EURUSD-session_gaps.csv") == []
    assert len(plain(folder / "oanda-EURUSD-sessions.csv")) > 40
    facts = json.loads((folder / "oanda-EURUSD-session_gaps.csv.meta.json").read_text())
    assert (facts["rows"], facts["complete"]) == (0, False)
    range_ = ("--from", "2024-12-23", "--to", "2024-12-28")
    assert export(week, SYMBOL, "sessions,session_gaps", *range_, "--out", folder, "--format", "parquet")[0] == 3


def test_a_symbol_without_sessions_and_options_of_candles_are_refused_in_a_sentence(week: Play) -> None:
    for rows in ("sessions", "session_gaps"):
        code, _, errors = export(week, "BTCUSDT", rows, "--stored")
        assert code == 2
        assert "BTCUSDT" in errors
    code, _, errors = export(week, SYMBOL, "sessions", "--preset", "ccxt")
    assert (code, "--preset ccxt is for candles" in errors) == (2, True)
    code, _, errors = export(week, SYMBOL, "sessions", "--columns", "open")
    assert (code, "“open” is not a column here: choose from exchange, session_date" in errors) == (2, True)


@pytest.mark.filterwarnings("ignore:Series.values returning:DeprecationWarning")  # of the package
def test_days_that_a_table_of_sessions_does_not_know_are_not_called_complete(
    week: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("exchange_calendars", reason="the calendars of exchanges are an extra")
    monkeypatch.setenv("CRYPTOPIPE_CALENDARS", f"{SYMBOL}=XNYS")
    assert main(["db", "sessions", SYMBOL]) == 0
    week.capsys.readouterr()
    path = week.folder / "out.csv"
    for range_, rows in (
        (("--from", "1980-01-01", "--to", "1980-02-01"), 0),
        (("--from", "2150-01-01", "--to", "2150-02-01"), 0),
    ):
        code, out, errors = export(week, SYMBOL, "sessions", *range_, "--out", path, "--json")
        assert (code, json.loads(out)["rows"], json.loads(out)["complete"]) == (3, rows, False)
        assert errors.startswith("cryptopipe: The calendar is known from 1990-01-02 to ")
        assert json.loads(out)["missing"] == [[f"{time}T00:00:00Z" for time in range_[1::2]]]
    assert export(week, SYMBOL, "sessions", "--from", "2024-12-23", "--to", "2024-12-28", "--out", path)[0] == 0


@given(st.sets(st.dates(date(1990, 1, 1), date(1990, 3, 1))))
def test_spans_of_days_cover_the_days_and_nothing_else(days: set[date]) -> None:
    spans = spans_of_days(days)
    found = []
    for start_us, end_us in spans:
        moment = datetime.fromtimestamp(start_us / 1e6, UTC)
        while moment < datetime.fromtimestamp(end_us / 1e6, UTC):
            found.append(moment.date())
            moment += timedelta(days=1)
    assert found == sorted(days)
    assert all(before[1] < after[0] for before, after in pairwise(spans))
