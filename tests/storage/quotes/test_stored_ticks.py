"""What is stored of each symbol, counted by the candles: against the ticks."""

from __future__ import annotations

from app.market.stored_symbol import StoredTicks
from storage.postgres.connection import connect
from storage.quotes import stored_ticks
from storage.quotes.tick_ledger import TickLedger
from tests.storage.helpers import World
from tests.storage.quotes.helpers import SYMBOL, some_ticks


def test_counts_times_and_shares_are_those_of_the_ticks(world: World) -> None:
    many, few = some_ticks(3_000), some_ticks(1_000, symbol="dukascopy:EURUSD", seed=4)
    with connect(world.url) as connection:
        ledger = TickLedger(connection)
        ledger.store([*many, *few])
        numbers = ledger.symbol_ids([SYMBOL, "dukascopy:EURUSD"])
        found = stored_ticks.read(connection)
        assert found.keys() == set(numbers.values())
        one, other = found[numbers[SYMBOL]], found[numbers["dukascopy:EURUSD"]]
        assert one[:4] == (3_000, 0, many[0].time_us, many[-1].time_us)
        assert other[:4] == (1_000, 0, few[0].time_us, few[-1].time_us)
        assert one.size_bytes // 3 == other.size_bytes > 100_000
        connection.execute("UPDATE quote_retention SET kept_from = '2014-06-01'")
        assert stored_ticks.read(connection, numbers[SYMBOL]) == {
            numbers[SYMBOL]: StoredTicks(0, 3_000, many[0].time_us, many[-1].time_us, 0)
        }
    listed = {symbol.symbol.name: symbol.ticks for symbol in world.store.stored_symbols()}
    assert {name: ticks.dropped for name, ticks in listed.items() if ticks} == {
        SYMBOL: 3_000,
        "dukascopy:EURUSD": 1_000,
    }
    single = world.store.stored_symbol(SYMBOL)
    assert single is not None
    assert single.ticks is not None
    assert single.ticks.dropped == 3_000
