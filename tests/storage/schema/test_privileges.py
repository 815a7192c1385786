"""The roles of docs/database.md, made by exactly the SQL that stands there."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.market.candle import CandleSource
from app.market.errors import StoreError, StoreSchemaMismatch
from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import Trade
from storage.database import Database
from storage.integrity.verify import verify
from storage.postgres.connection import connect
from storage.schema.editions import COMPRESSED_TABLES, owns_trades
from storage.schema.migrate import migrations
from storage.schema.privileges import privileges_of
from tests.servers import drop_roles
from tests.storage.helpers import PATIENCE_S, compress, folded, held_of, some_trades, stored
from tests.storage.quotes.helpers import START_US as TICKS_US
from tests.storage.quotes.helpers import SYMBOL, some_ticks, stored_ticks
from tests.storage.research.helpers import START_US as MINUTES_US
from tests.storage.research.helpers import keep_once, some_minutes

DOCUMENT = Path(__file__).parents[3] / "docs" / "database.md"
M1 = Interval.parse("1m")
MONTH_US = 31 * 86_400 * 1_000_000


@dataclass(frozen=True)
class Roles:
    """URLs of one schema's database: of the owner of its tables, and of a user of each role."""

    owner: str
    recording: str
    reading: str


def statements(part: str) -> str:
    """Return the SQL that stands in the document under the heading ``part``."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(part)}$.*?^```sql\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found is not None, part
    return found[1]


@pytest.fixture
def roles(url: str) -> Iterator[Roles]:
    """A user of each role; nothing of them stays."""
    known = conninfo_to_dict(url)
    schema = str(known["options"]).rpartition("=")[2]
    # Roles belong to the whole server, which tests share; and here tables lie in a schema of the test's own.
    script = statements("Roles")
    run = secrets.token_hex(3)
    for name in ("cryptopipe_recording", "cryptopipe_reading", "recorder", "reader"):
        assert name in script
        script = re.sub(rf"\b{name}\b", f"{name}_{run}", script)
    assert "SCHEMA public" in script
    script = script.replace("SCHEMA public", f"SCHEMA {schema}")
    made = [f"{name}_{run}" for name in ("recorder", "reader", "cryptopipe_recording", "cryptopipe_reading")]
    with connect(url) as connection:
        connection.execute(script.encode())
        try:
            yield Roles(url, make_conninfo(url, user=made[0]), make_conninfo(url, user=made[1]))
        finally:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ANY(%s)", (made,)
            )
            drop_roles(connection, *made)


def months(count: int) -> list[Trade]:
    """Return a few trades in each of some months, each on other days than the one before."""
    trades = []
    for month in range(count):
        for trade in some_trades(20, first_id=100 + 20 * month, seed=month):
            trades.append(trade._replace(time_us=trade.time_us + month * MONTH_US))
    return trades


def test_a_recording_role_records_months_that_were_never_seen_before(roles: Roles, tmp_path: Path) -> None:
    trades = months(4)
    klines = [candle._replace(source=CandleSource.KLINE) for candle in folded(trades, M1) if candle.closed][:1]
    for part in (trades[:50], trades[30:]):  # twice: the second one's months are there already, or are new
        database = Database.open(roles.recording, tmp_path)
        try:
            assert database.read_only_reason == ""
            assert database.writer.put(part)
            assert database.writer.drain(PATIENCE_S)
            assert database.writer.refused == 0
            assert database.writer.status.reason == ""
            database.store.save_symbols([Symbol("BTCUSDT", "BTC", "USDT", 1, 1, "TRADING")])
            database.store.save_klines("ETHUSDT", M1, klines)
        finally:
            assert database.close()
    owner = Database.open(roles.owner, tmp_path)
    try:
        assert stored(owner.store) == trades
        assert owner.store.coverage("BTCUSDT") == held_of(trades)
        assert owner.store.candles("BTCUSDT", M1) == folded(trades, M1)
    finally:
        assert owner.close()


def test_a_recording_role_records_ticks_of_months_never_seen_before_and_a_reading_role_reads_them(
    roles: Roles, tmp_path: Path
) -> None:
    ticks = [tick for month in range(3) for tick in some_ticks(50, seed=month, start_us=TICKS_US + month * MONTH_US)]
    database = Database.open(roles.recording, tmp_path)
    try:
        assert database.tick_writer.put([*ticks, ticks[1]._replace(ask_e8=0)])
        assert database.tick_writer.drain(PATIENCE_S)
        status = database.tick_writer.status
        assert (status.reason, status.stored, status.contradictions) == ("", 150, 0)
        loader = database.tick_loader()
        changed = [ticks[0]._replace(bid_e8=7), *ticks[1:]]  # a file's contradictions are set aside by this role, too
        assert loader.store_ticks(changed, (SYMBOL, ticks[0].time_us, ticks[-1].time_us + 1)) == (0, 149, 1)
        loader.close()
    finally:
        assert database.close()
    database = Database.open(roles.reading, tmp_path)
    try:
        assert database.ticks.ticks(SYMBOL, 0, 2**62) == ticks
        assert sum(one.ticks for one in database.ticks.tick_candles(SYMBOL, M1)) == 150
        assert database.tick_writer.put(ticks)
        with pytest.raises(StoreError, match="may only read this database"):
            database.tick_loader()
    finally:
        assert database.close()
    with connect(roles.reading) as connection:
        for view in ("market_ticks", "forex_candles_5m", "forex_candles_12h"):
            query = sql.SQL("SELECT count(*) > 0 FROM {}").format(sql.Identifier(view))
            assert connection.execute(query).fetchone() == (True,), view


def test_a_recording_role_stores_late_ticks_and_trades_where_the_owners_policy_has_compressed(
    roles: Roles, tmp_path: Path
) -> None:
    ticks, trades = some_ticks(5_000), some_trades(5_000)
    for part in (slice(0, None, 2), slice(None)):
        database = Database.open(roles.recording, tmp_path)
        try:
            assert database.writer.put(trades[part])
            assert database.tick_writer.put(ticks[part])
            assert database.writer.drain(PATIENCE_S)
            assert database.tick_writer.drain(PATIENCE_S)
            assert database.writer.status.reason == database.tick_writer.status.reason == ""
        finally:
            assert database.close()
        with connect(roles.owner) as connection:
            for table in COMPRESSED_TABLES:
                compress(connection, table)
    with connect(roles.owner) as connection:
        assert stored_ticks(connection) == ticks
        assert connection.execute("SELECT count(*), count(DISTINCT trade_id) FROM trades").fetchone() == (5_000, 5_000)
        assert not verify(connection).totals


def test_a_recording_role_may_set_an_impossible_trade_aside(roles: Roles, tmp_path: Path) -> None:
    good, bad = some_trades(2)
    bad = bad._replace(price_e8=-1)
    database = Database.open(roles.recording, tmp_path)
    try:
        assert database.writer.put([good, bad])
        assert database.writer.drain(PATIENCE_S)
        assert database.writer.refused == 1
        assert stored(database.store) == [good]
    finally:
        assert database.close()


FORBIDDEN = (
    "UPDATE trades SET price = 1",
    "DELETE FROM trades",
    "TRUNCATE trades",
    "DROP TABLE trades",
    "ALTER TABLE trades ADD COLUMN more text",
    "CREATE TABLE more (x int)",
    "UPDATE schema_version SET version = 999",
    "INSERT INTO schema_version (version, name) VALUES (999, 'mine')",
    "DELETE FROM symbols",
)


def test_neither_role_can_change_what_is_recorded(roles: Roles, tmp_path: Path) -> None:
    record(roles, tmp_path, some_trades(5))
    for url in (roles.recording, roles.reading):
        assert [statement for statement in FORBIDDEN if not is_refused(url, statement)] == []


def is_refused(url: str, statement: str) -> bool:
    with connect(url) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege:
            return True
    return False


def record(roles: Roles, tmp_path: Path, trades: list[Trade]) -> None:
    database = Database.open(roles.recording, tmp_path)
    assert database.writer.put(trades)
    assert database.close()


def test_a_reading_role_reads_everything_and_writes_nothing(roles: Roles, tmp_path: Path) -> None:
    trades = months(2)
    record(roles, tmp_path, trades)
    database = Database.open(roles.reading, tmp_path)
    try:
        user = conninfo_to_dict(roles.reading)["user"]
        assert database.read_only_reason == (
            f"Reading only: the user “{user}” may only read this database, so trades are not recorded."
        )
        assert stored(database.store) == trades
        assert database.store.candles("BTCUSDT", M1) == folded(trades, M1)
        assert database.writer.put(some_trades(10, first_id=9_000))
        assert database.writer.drain(0)
        assert (database.writer.status.queued, database.writer.status.stored) == (0, 0)
        database.store.save_symbols([Symbol("ETHUSDT", "ETH", "USDT", 1, 1, "TRADING")])
        database.store.save_klines("BTCUSDT", M1, [candle for candle in folded(trades, M1) if candle.closed])
        assert database.store.symbols() == []
        assert stored(database.store) == trades
        assert database.writer.unwritten() == []
    finally:
        assert database.close()
    with connect(roles.reading) as connection:
        for view in ("trade_log", "candles_30s", "candles_1m", "candles_1d", "raw_trades", "trades_30s", "trades_1d"):
            assert connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(view))).fetchone()


@pytest.mark.parametrize("way", ["options", "role"])
def test_a_database_set_to_read_only_is_not_written_to(way: str, roles: Roles, tmp_path: Path) -> None:
    url = roles.owner
    if way == "options":
        url = make_conninfo(url, options=f"{conninfo_to_dict(url)['options']} -cdefault_transaction_read_only=on")
    else:
        url = roles.recording
        with connect(roles.owner) as connection:
            user = sql.Identifier(str(conninfo_to_dict(url)["user"]))
            connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(user))
    with connect(url) as connection:
        assert not owns_trades(connection)  # so nothing is converted or compressed either
    database = Database.open(url, tmp_path)
    try:
        assert "the database is set to read-only for the user" in database.read_only_reason
        assert database.writer.put(some_trades(10))
        assert stored(database.store) == []
    finally:
        assert database.close()


@pytest.mark.parametrize("which", ["reading", "recording"])
def test_tables_of_an_older_version_are_refused_if_the_user_may_not_migrate_them(
    which: str, roles: Roles, tmp_path: Path
) -> None:
    newest = migrations()[-1].number
    with connect(roles.owner) as connection:
        connection.execute("DELETE FROM schema_version WHERE version = %s", (newest,))
    with pytest.raises(StoreSchemaMismatch) as caught:
        Database.open(getattr(roles, which), tmp_path)
    assert str(caught.value) == (
        f"The database holds tables of version {newest - 1}, this program needs {newest}, and this user may not change "
        "that: open it once as a user who may (cryptopipe doctor will do), then again as this one."
    )


def test_tables_of_a_newer_version_are_refused_for_a_reader_too(roles: Roles, tmp_path: Path) -> None:
    with connect(roles.owner) as connection:
        connection.execute("INSERT INTO schema_version (version, name) VALUES (999, 'of the future')")
    with pytest.raises(StoreSchemaMismatch, match="written by a newer cryptopipe"):
        Database.open(roles.reading, tmp_path)


def test_an_empty_database_is_refused_if_the_user_may_not_create_tables(roles: Roles, tmp_path: Path) -> None:
    with connect(roles.owner) as connection:
        schema = f"empty_{secrets.token_hex(3)}"
        user = sql.Identifier(str(conninfo_to_dict(roles.reading)["user"]))
        grant = sql.SQL("CREATE SCHEMA {0}; GRANT USAGE ON SCHEMA {0} TO {1}").format(sql.Identifier(schema), user)
        connection.execute(grant)
        try:
            for path in (schema, "nowhere"):
                with pytest.raises(StoreSchemaMismatch, match="holds no tables of cryptopipe yet, and this user may"):
                    Database.open(make_conninfo(roles.reading, options=f"-csearch_path={path}"), tmp_path)
        finally:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def test_the_privileges_of_each_user_are_known_beforehand(roles: Roles) -> None:
    newest = migrations()[-1].number
    expected = ((roles.owner, False, True), (roles.recording, False, False), (roles.reading, True, False))
    for url, reads, may_make in expected:
        with connect(url) as connection:
            privileges = privileges_of(connection)
        assert (privileges.tables_version, bool(privileges.read_only_reason), privileges.may_make_tables) == (
            newest,
            reads,
            may_make,
        )
        privileges.check_tables()


def test_a_recording_role_keeps_the_rows_of_rolling_windows_of_new_months_and_a_reading_role_reads_them(
    roles: Roles, tmp_path: Path
) -> None:
    owner = Database.open(roles.owner, tmp_path)
    try:
        owner.store.save_klines("BTCUSDT", M1, some_minutes(500))
        owner.research().build(["BTCUSDT"], [5], indicators="rsi_14,cvd", keep=True)
    finally:
        assert owner.close()
    recording = Database.open(roles.recording, tmp_path)
    try:
        later = some_minutes(500, start_us=MINUTES_US + MONTH_US)
        recording.store.save_klines("BTCUSDT", M1, later)
        with closing(connect(roles.recording)) as connection:
            keep_once(connection, recording.store)
        assert [one.rows for one in recording.research().status()] == [496 + 500 + 4]
        with pytest.raises(StoreError, match="lacks the right"):
            recording.research().build(["BTCUSDT"], [7])
    finally:
        assert recording.close()
    with connect(roles.reading) as connection:
        found = connection.execute("SELECT count(*), count(cvd) FROM ohlcv_5m WHERE symbol = 'BTCUSDT'").fetchone()
        assert found == (1000, 1000)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM ohlcv_5m")
