"""Verify finds every candle that is not what its ticks add up to, and rebuild makes it so."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from app.market.coverage import IdRanges
from storage.integrity.differences import DifferenceKind
from storage.integrity.rebuild import rebuild
from storage.integrity.verify import verify
from storage.postgres.connection import Connection, connect
from storage.quotes import fetched_ranges
from storage.quotes.tick_ledger import TickLedger
from storage.quotes.tick_levels import LEVELS
from tests.storage.quotes.helpers import SYMBOL, assert_rollups_match, some_ticks, stored_ticks

pytestmark = pytest.mark.mostly_embedded

OTHER = "dukascopy:EURUSD"
WEEK_US = 7 * 86_400_000_000
TICKS = [*some_ticks(2_000), *some_ticks(700, seed=3, start_us=1_398_902_400_000_000 + WEEK_US)]


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with connect(url) as made:
        TickLedger(made).store([*TICKS, *some_ticks(300, symbol=OTHER, seed=5)])
        yield made


def test_nothing_differs_in_what_the_writer_stored(connection: Connection) -> None:
    report = verify(connection)
    assert not report.totals
    assert (report.ticks, report.trades, report.symbols) == (3_000, 0, [OTHER, SYMBOL])
    assert verify(connection, [OTHER]).ticks == 300


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.table)
@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("UPDATE {} SET bid_high = bid_high + 1", DifferenceKind.CANDLE_DIFFERENT),
        ("UPDATE {} SET last_place = last_place + 1", DifferenceKind.CANDLE_DIFFERENT),
        ("UPDATE {} SET ask_volume = ask_volume + 0.00000001", DifferenceKind.CANDLE_DIFFERENT),
        ("DELETE FROM {}", DifferenceKind.CANDLE_MISSING),
        ("UPDATE {} SET open_time = open_time + interval '20 years'", DifferenceKind.CANDLE_SUPERFLUOUS),
    ],
)
def test_every_damage_of_a_candle_is_found_and_mended(
    connection: Connection, level: tuple[str, int], damage: str, kind: DifferenceKind
) -> None:
    table = level[0]
    connection.execute(
        (damage.format(table) + " WHERE symbol_id = (SELECT id FROM symbols WHERE symbol = 'oanda:EURUSD')").encode()
    )
    report = verify(connection)
    assert report.totals[SYMBOL, kind] > 0
    assert report.differing == [SYMBOL]
    assert {one.table for one in report.listed} == {table}
    result = rebuild(connection)
    assert not result.remaining.totals
    assert result.found == report.totals
    assert_rollups_match(connection, stored_ticks(connection))


def test_a_writer_that_was_misled_by_lost_candles_goes_on_after_a_rebuild(connection: Connection) -> None:
    connection.execute(f"TRUNCATE {', '.join(level.table for level in LEVELS)}".encode())
    with pytest.raises(psycopg.errors.UniqueViolation):
        TickLedger(connection).store(TICKS)
    assert not rebuild(connection).remaining.totals
    assert TickLedger(connection).store(TICKS).fresh == 0
    assert_rollups_match(connection, stored_ticks(connection))


def test_candles_of_dropped_ticks_are_left_alone_and_those_of_stored_ones_mended(connection: Connection) -> None:
    connection.execute("DELETE FROM quotes WHERE time < '2014-05-01 00:10+00'")
    connection.execute("UPDATE quote_retention SET kept_from = '2014-05-02'")
    assert not verify(connection).totals
    connection.execute("UPDATE quote_rollup_1m SET mid_low = 0 WHERE open_time >= '2014-05-03'")
    connection.execute("UPDATE quote_rollup_5s SET mid_low = 0 WHERE open_time >= '2014-05-01 00:20+00'")
    assert verify(connection).differing == [SYMBOL]
    assert not rebuild(connection).remaining.totals
    assert_rollups_match(connection, sorted([*TICKS, *some_ticks(300, symbol=OTHER, seed=5)]))


def test_time_whose_ticks_were_lost_no_longer_counts_as_fetched(connection: Connection) -> None:
    (number,) = connection.execute("SELECT id FROM symbols WHERE symbol = %s", (SYMBOL,)).fetchone() or (0,)
    first_us, end_us = TICKS[0].time_us, TICKS[1_999].time_us + 1
    fetched_ranges.add(connection, number, first_us, end_us)
    lost = [*TICKS[40:60], TICKS[700]]
    for tick in lost:
        connection.execute(
            "DELETE FROM quotes WHERE symbol_id = %s AND place = %s"
            " AND time = timestamptz 'epoch' + %s * interval '1 microsecond'",
            (number, tick.place, tick.time_us),
        )
    assert not rebuild(connection).remaining.totals
    slot_us = LEVELS[0].length_us
    opens = {tick.time_us - tick.time_us % slot_us for tick in lost}
    missing = fetched_ranges.read(connection, number).missing(first_us, end_us - 1)
    assert list(missing) == list(IdRanges((open_us, open_us + slot_us - 1) for open_us in opens))
    assert TickLedger(connection).store(TICKS).fresh == len(lost)
    assert_rollups_match(connection, stored_ticks(connection))
    assert not verify(connection).totals
