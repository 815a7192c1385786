"""Conversion of the quotes of a plain database: nothing is lost, and what depends on them goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.database import Database
from storage.postgres.connection import connect
from storage.quotes.tick_ledger import TickLedger
from storage.schema.editions import is_hypertable, switch_on_timescale
from storage.timescale import quotes_conversion
from tests.servers import drop_roles
from tests.storage.helpers import World
from tests.storage.quotes.helpers import SYMBOL, assert_rollups_match, some_ticks, stored_ticks
from tests.storage.timescale.test_conversion import plain

__all__ = ["plain"]
WEEK_US = 7 * 86_400_000_000
TICKS = [
    tick for week in range(9) for tick in some_ticks(200, seed=week, start_us=1_398_902_400_000_000 + week * WEEK_US)
]


@pytest.mark.timescale_only
def test_quotes_are_converted_when_the_database_is_opened_and_look_the_same(plain: World, tmp_path: Path) -> None:
    with connect(plain.url) as connection:
        ledger = TickLedger(connection)
        ledger.store(TICKS)
        role = f"reading_quotes_{connection.info.backend_pid}"
        connection.execute(
            f"CREATE ROLE {role}; GRANT SELECT ON quotes, market_ticks TO {role};"
            "CREATE VIEW mine AS SELECT max(bid) AS highest FROM quotes".encode()
        )
        try:
            switch_on_timescale(connection)
            assert Database.open(plain.url, tmp_path).close()
            assert is_hypertable(connection, "quotes")
            assert stored_ticks(connection) == TICKS
            assert connection.execute("SELECT count(*) FROM market_ticks").fetchone() == (len(TICKS),)
            highest = max(tick.bid_e8 for tick in TICKS)
            assert connection.execute("SELECT (highest * 100000000)::bigint FROM mine").fetchone() == (highest,)
            for name in ("quotes", "market_ticks"):
                may = connection.execute("SELECT has_table_privilege(%s, %s, 'SELECT')", (role, name)).fetchone()
                assert may == (True,), name
            assert connection.execute("SELECT to_regclass('quotes_plain')").fetchone() == (None,)
            more = some_ticks(100, start_us=TICKS[-1].time_us + WEEK_US)
            assert ledger.store([*TICKS, *more]).fresh == 100  # a writer from before the conversion
            assert TickLedger(connection).store([*TICKS, *more]).fresh == 0
            assert_rollups_match(connection, [*TICKS, *more])
        finally:
            drop_roles(connection, role)


@pytest.mark.timescale_only
def test_many_quotes_stay_in_their_partitions_and_are_stored_and_read_as_before(
    plain: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotes_conversion, "MOST_TICKS", 10)
    with connect(plain.url) as connection:
        TickLedger(connection).store(TICKS[::2])
        switch_on_timescale(connection)
        database = Database.open(plain.url, tmp_path)
        try:
            assert not is_hypertable(connection, "quotes")
            assert TickLedger(connection).store(TICKS).fresh == len(TICKS) // 2
            assert database.ticks.ticks(SYMBOL, 0, 2**62) == TICKS
        finally:
            assert database.close()
