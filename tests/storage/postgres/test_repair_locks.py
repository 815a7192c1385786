"""Programs on one database announce to each other which gaps they repair."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

import pytest

from app.market.errors import StoreError
from storage.candles.store import PostgresStore
from storage.integrity.gap_report import read_gaps
from storage.postgres.connection import Connection, connect
from storage.postgres.repair_locks import RepairNotice, exclusive_repair
from tests.storage.helpers import World, some_trades

BTC, ETH = "BTCUSDT", "ETHUSDT"


def repaired(world: World) -> list[tuple[str, int]]:
    """Return the gaps that are being repaired, as symbol and number of trades."""
    with world.connect() as connection:
        return [(gap.symbol, gap.ids) for gap in read_gaps(connection) if gap.repairing]


@pytest.fixture
def holed(world: World) -> World:
    """Two symbols that each miss 10 trades, and 100 later ones."""
    for symbol in (BTC, ETH):
        trades = some_trades(300, symbol=symbol)
        world.record([*trades[:50], *trades[60:100], *trades[200:]])
    return world


def test_a_recording_program_announces_gaps_up_to_the_size_that_it_repairs(holed: World) -> None:
    assert repaired(holed) == []
    assert holed.store.announce_repairs({BTC, "NOPE"}, (), 20) == set()
    assert repaired(holed) == [(BTC, 10)]
    other = PostgresStore(holed.connect)
    other.announce_repairs({BTC, ETH}, (), 1 << 40)
    assert repaired(holed) == [(BTC, 10), (BTC, 100), (ETH, 10), (ETH, 100)]
    other.close()
    assert repaired(holed) == [(BTC, 10)]
    holed.store.announce_repairs({ETH}, (), 5)
    assert repaired(holed) == []
    holed.store.announce_repairs((), {ETH}, 20)
    assert repaired(holed) == [(ETH, 10), (ETH, 100)]
    holed.store.announce_repairs((), (), 20)
    assert repaired(holed) == []


def test_a_whole_repair_excludes_others_which_learn_of_it(holed: World) -> None:
    with holed.connect() as connection:
        with exclusive_repair(connection, [ETH]):
            assert holed.store.announce_repairs({BTC, ETH}, {ETH}, 20) == {ETH}
            assert repaired(holed) == [(BTC, 10), (ETH, 10), (ETH, 100)]
        assert holed.store.announce_repairs({BTC}, {ETH}, 20) == set()
        expected = pytest.raises(StoreError, match="Another program is fetching what is missing of ETHUSDT")
        with expected, exclusive_repair(connection, [ETH]):
            pass


def test_a_notice_closed_while_it_announces_keeps_no_connection(holed: World) -> None:
    given_back = []

    @contextlib.contextmanager
    def borrow(doing: str) -> Iterator[Connection]:
        with holed.connect() as connection:
            notice.close()
            yield connection
        given_back.append(connection)

    notice = RepairNotice(borrow)
    notice.announce({BTC}, (), 20)
    assert [connection.closed for connection in given_back] == [True]
    assert repaired(holed) == []


def test_repairs_are_announced_again_after_their_connection_broke(holed: World) -> None:
    name = f"announcing {secrets.token_hex(4)}"  # other tests, and other programs, may use the server
    store = PostgresStore(lambda: connect(holed.url, application_name=name))
    store.announce_repairs({BTC}, (), 20)
    assert repaired(holed) == [(BTC, 10)]
    with holed.connect() as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s", (name,)
        ).fetchall()
    assert ended == [(True,)]
    assert repaired(holed) == []
    with pytest.raises(StoreError):
        store.announce_repairs({BTC}, (), 20)
    store.announce_repairs({BTC}, (), 20)
    assert repaired(holed) == [(BTC, 10)]
    store.close()
