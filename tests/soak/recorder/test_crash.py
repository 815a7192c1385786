"""The soak in small, and that it would see what it is there to see."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.market.trade import Trade
from storage.database import Database
from storage.postgres.connection import connect
from tests.depth import repeats
from tests.soak.recorder.checks import differences, missing_of_rounds
from tests.soak.recorder.crash import Soak
from tests.soak.recorder.tape import LATEST, SAFE_ROUNDS, all_of, distinct_of_round, trades_of_round

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its server is ended by signals of Unix")

SEED = 4


def test_the_tape_brings_repeats_and_late_trades_and_ends_as_a_set() -> None:
    rounds = SAFE_ROUNDS + 20
    come: list[Trade] = [trade for number in range(rounds) for trade in trades_of_round(SEED, number)]
    assert sorted(set(come)) == sorted(all_of(SEED, rounds))
    assert len(come) > len(set(come))
    first_round = {trade: number for number in reversed(range(rounds)) for trade in trades_of_round(SEED, number)}
    blocks_late = {number - (trade.trade_id - 1) // 100 for trade, number in first_round.items()}
    assert blocks_late == set(range(LATEST + 1))
    recent = {trade for number in range(rounds - SAFE_ROUNDS, rounds) for trade in distinct_of_round(SEED, number)}
    again = trades_of_round(SEED, rounds)
    assert {trade for trade in again if trade in recent} == set()


def test_kills_of_writer_and_server_lose_and_double_nothing(data_dir: Path) -> None:
    kills = repeats(2, deep=3)
    report = Soak(data_dir, SEED).run(writer_kills=kills, server_kills=kills)
    assert report.differences == []
    assert (report.writer_kills, report.server_kills, len(report.opened_after_s)) == (kills, kills, kills + 1)
    assert report.trades > 100


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("DELETE FROM trades WHERE trade_id = 777", "the trades differ"),
        ("UPDATE trades SET quantity = quantity + 1 WHERE trade_id = 777", "the trades differ"),
        ("UPDATE coverage SET last_trade_id = last_trade_id + 1", "the coverage of"),
        ("UPDATE rollup_1h SET trades = trades + 1", "rollup_1h: "),
        ("DELETE FROM rollup_1m WHERE first_trade_id < 500", "rollup_1m: "),
    ],
)
def test_the_comparison_sees(recorded: str, damage: str, found: str) -> None:
    with connect(recorded) as connection, connection.transaction(force_rollback=True):
        assert differences(connection, SEED, ROUNDS) == []
        connection.execute(damage.encode())
        assert any(one.startswith(found) for one in differences(connection, SEED, ROUNDS))


def test_the_check_between_kills_sees_what_is_lost(recorded: str) -> None:
    with connect(recorded) as connection, connection.transaction(force_rollback=True):
        assert missing_of_rounds(connection, SEED, range(ROUNDS)) == []
        connection.execute("DELETE FROM trades WHERE trade_id = 777")
        assert {trade.trade_id for trade in missing_of_rounds(connection, SEED, range(ROUNDS))} == {777}


ROUNDS = 12


@pytest.fixture(scope="module")
def recorded(reachable_folder: Path) -> Iterator[str]:
    """A database that recorded some rounds, as a URL."""
    database = Database.open(None, reachable_folder / "recorded")
    for number in range(ROUNDS):
        assert database.writer.put(trades_of_round(SEED, number))
    assert database.writer.drain(60)
    yield database.url
    assert database.close()
