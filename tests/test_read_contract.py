"""The examples of docs/reading.md do what it says, on the embedded database and beside a program that uses it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.market.interval import Interval
from app.market.trade import Trade
from storage.database import Database
from storage.postgres.connection import connect
from tests.docs import ROOT
from tests.program import set_surroundings
from tests.servers import forget
from tests.storage.quotes.helpers import SYMBOL, candles_of, some_ticks

DOCUMENT = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
HOUR_US = 3_600_000_000


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def recorded(reachable_folder: Path) -> Iterator[Database]:
    """A database in use that holds the last six hours of BTCUSDT, a trade a minute."""
    data_dir = reachable_folder / "reading" / "data"
    data_dir.parent.mkdir(mode=0o711)
    now_us = time.time_ns() // 1000
    database = Database.open(None, data_dir)
    try:
        trades = [
            Trade("BTCUSDT", number, now_us - 6 * HOUR_US + number * 60_000_000, (60_000 + number) * 10**8, 10**8, True)
            for number in range(360)
        ]
        assert database.writer.put(trades)
        assert database.writer.drain(30)
        yield database
    finally:
        database.close()
        forget(data_dir)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reachable_folder: Path) -> None:
    set_surroundings(monkeypatch, tmp_path, reachable_folder / "reading" / "data")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


def run(script: str) -> str:
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.usefixtures("recorded")
def test_the_examples_for_psql_show_what_is_recorded() -> None:
    hours, largest = (run(script) for script in examples("sh"))
    assert re.search(r"^ +open_time +\| +open +\| +high ", hours, re.MULTILINE)
    assert re.search(r"^\((6|7) rows\)$", hours, re.MULTILINE)
    header, *rows = largest.splitlines()
    assert header == "time,price,quantity,amount,is_buyer_maker"
    assert len(rows) == 10
    assert rows[0].split(",")[1:3] == ["60359.00000000", "1.00000000"]


@pytest.mark.usefixtures("recorded")
def test_the_example_for_pandas_prints_candles(tmp_path: Path) -> None:
    (script,) = examples("python")
    (tmp_path / "candles.py").write_text(script, encoding="utf-8")
    compile(script, "candles.py", "exec")
    if importlib.util.find_spec("pandas") is None:
        pytest.skip("pandas is not installed: its example was read but not run")
    assert "volatility: " in run("cryptopipe db run python candles.py")


@pytest.mark.usefixtures("recorded")
def test_a_program_in_the_place_of_pandas_finds_the_database_in_its_environment(tmp_path: Path) -> None:
    (script,) = examples("python")
    query = script[script.index('query = """') : script.index("with ")]
    (tmp_path / "rows.py").write_text(
        f"import psycopg\n{query}print(len(psycopg.connect('').execute(query, ['BTCUSDT']).fetchall()))",
        encoding="utf-8",
    )
    assert int(run("cryptopipe db run python rows.py")) in {72, 73}


def test_the_query_for_grafana_has_the_fields_of_its_candlesticks(recorded: Database) -> None:
    (query,) = (one for one in examples("sql") if "$" in one)
    assert query.count("$") == 1
    begin, end = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
    query = query.replace("$__timeFilter(open_time)", f"open_time BETWEEN '{begin}' AND '{end}'")
    with connect(recorded.url) as connection:
        cursor = connection.execute(query)
        assert [column.name for column in cursor.description or ()] == "time open high low close volume".split()
        assert len(cursor.fetchall()) in {360, 361}


def test_every_view_and_column_of_the_document_is_there_and_no_other(recorded: Database) -> None:
    with connect(recorded.url) as connection:
        rows = connection.execute(
            "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.views v"
            " USING (table_schema, table_name) WHERE table_schema = 'public' ORDER BY c.ordinal_position"
        ).fetchall()
    columns: dict[str, list[str]] = {}
    for view, column in rows:
        columns.setdefault(view, []).append(column)
    log, candles, beside, ticks, mids, sessions, gaps, raw, buckets = (
        [name for cells in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cells)]
        for table in re.findall(r"^\| column .*?\n\n", DOCUMENT, re.MULTILINE | re.DOTALL)
    )
    assert columns.pop("trade_log") == log
    assert columns.pop("kline_log") == beside
    assert columns.pop("raw_trades") == raw
    assert columns.pop("market_ticks") == ticks
    with connect(recorded.url) as connection:
        for table, documented in (("trading_sessions", sessions), ("session_gaps", gaps)):
            cursor = connection.execute(f"TABLE {table}".encode())
            assert [column.name for column in cursor.description or ()] == documented, table
    quoted = set(re.findall(r"`(forex_candles_\w+)`", DOCUMENT))
    assert len(quoted) == 5
    for view in quoted:
        assert columns.pop(view) == mids, view
    named = set(re.findall(r"`(candles_\w+)`", DOCUMENT))
    assert set(columns) == named | {name.replace("candles", "trades") for name in named}
    assert set(re.findall(r"`(trades_\d+\w)`", DOCUMENT)) == set(columns) - named
    for view, names in columns.items():
        assert names == (candles if view in named else buckets), view


def test_the_views_of_other_recorders_show_the_same_trades_and_candles(recorded: Database) -> None:
    with connect(recorded.url) as connection:
        assert connection.execute(
            "SELECT count(*), bool_and(side = 'sell'), count(buyer_order_id) FROM raw_trades r JOIN trade_log l"
            " ON (l.symbol, l.trade_id, l.time, l.price) = (r.symbol, r.trade_id, r.timestamp, r.price)"
        ).fetchone() == (360, True, 0)
        for length in ("30s", "5m", "1h", "1d"):
            candles, same, trades = connection.execute(
                f"SELECT count(*), count(*) FILTER (WHERE (c.open, c.high, c.low, c.close) = (t.open, t.high, t.low,"
                f" t.close)), sum(t.volume) FROM candles_{length} c JOIN trades_{length} t"
                f" ON (t.symbol, t.bucket) = (c.symbol, c.open_time)"
            ).fetchone() or (0, 0, 0)
            assert candles == same > 0
            assert trades == 360


@pytest.mark.usefixtures("recorded")
def test_the_address_alone_reaches_a_database_in_use() -> None:
    with connect(run("cryptopipe db url").strip()) as connection:
        assert connection.execute("SELECT count(*) FROM trade_log").fetchone() == (360,)


@pytest.mark.usefixtures("recorded")
def test_a_program_may_only_read_unless_it_is_said() -> None:
    refused = subprocess.run(
        ["cryptopipe", "db", "run", "psql", "-c", "DELETE FROM klines"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "read-only transaction" in refused.stderr
    assert run("cryptopipe db run --writing psql -c 'DELETE FROM klines'") == "DELETE 0\n"
    assert run("cryptopipe db run -At -c 'SELECT count(*) FROM trade_log'") == "360\n"
    assert run("cryptopipe db run --csv -c 'SELECT 1 AS one'") == "one\n1\n"
    assert run("cryptopipe db run sh -c 'echo $PGDATABASE $PGTZ'") == "cryptopipe UTC\n"
    failed = subprocess.run(["cryptopipe", "db", "run", "sh", "-c", "exit 7"], check=False)
    assert failed.returncode == 7


def test_the_views_of_quotes_show_the_same_ticks_and_the_candles_of_their_mid(recorded: Database) -> None:
    ticks = some_ticks(3_000)
    writer = recorded.tick_writer
    assert writer.put(ticks)
    assert writer.drain(30)
    with connect(recorded.url) as connection:
        rows = connection.execute(
            "SELECT symbol, (extract(epoch FROM time) * 1000000)::bigint, (bid * 100000000)::bigint,"
            " (ask * 100000000)::bigint FROM market_ticks WHERE symbol = %s ORDER BY time, bid, ask",
            (SYMBOL,),
        ).fetchall()
        assert rows == sorted((tick.symbol, tick.time_us, tick.bid_e8, tick.ask_e8) for tick in ticks)
        for length in ("5m", "15m", "1h", "4h", "12h"):
            found = connection.execute(
                "SELECT (extract(epoch FROM bucket) * 1000000)::bigint, (open * 100000000)::bigint,"
                " (high * 100000000)::bigint, (low * 100000000)::bigint, (close * 100000000)::bigint, ticks"
                f" FROM forex_candles_{length} WHERE symbol = %s AND bucket >= '2014-04-30' ORDER BY 1",
                (SYMBOL,),
            ).fetchall()
            candles = candles_of(ticks, Interval.parse(length).length_us)
            assert found == [(one.open_time_us, *one.mid, one.ticks) for one in candles], length
