"""Compares what is stored with the market's trades, for the fault suite and the soak alike."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from app.market.trade import Trade
from storage.integrity.verify import verify
from storage.postgres.connection import Connection
from tests.faults.world import WatchedMarket
from tests.soak.recorder.checks import wrong_rollups

_TRADES = """
    SELECT t.trade_id, (extract(epoch FROM t.time) * 1000000)::bigint, (t.price * 100000000)::bigint,
        (t.quantity * 100000000)::bigint, t.is_buyer_maker
    FROM trades t JOIN symbols s ON s.id = t.symbol_id WHERE s.name = %s ORDER BY t.trade_id
"""
_COVERAGE = """
    SELECT s.name, c.first_trade_id, c.last_trade_id
    FROM coverage c JOIN symbols s ON s.id = c.symbol_id ORDER BY s.name, 2
"""
_PAGE = 20_000

Ranges = dict[str, list[tuple[int, int]]]


def stored_ranges(connection: Connection) -> Ranges:
    """Return the id ranges of the table coverage, by symbol."""
    found: Ranges = {}
    for name, first, last in connection.execute(_COVERAGE):
        found.setdefault(name, []).append((first, last))
    return found


def expected_ranges(market: WatchedMarket) -> Ranges:
    """Return the id ranges to expect of a stopped market: from the first trade sent to its last."""
    return {symbol: [(first, market.last_id(symbol))] for symbol, first in market.first_given.items()}


def differences(connection: Connection, market: WatchedMarket, *, contradicted: bool = False) -> list[str]:
    """
    Compare everything stored with the market, from the first trade sent; return a sentence per difference.

    ``contradicted``: the exchange sent two versions of some trades. The first stays; the others must be in
    refused_trades, and there must be some.
    """
    verified = [f"{one.kind}: {one.what}" for one in verify(connection).listed]
    return compared(connection, market, contradicted=contradicted) + verified


def compared(connection: Connection, market: WatchedMarket, *, contradicted: bool = False) -> list[str]:
    """Return the `differences` except those found by `storage.integrity.verify`, which needs autocommit."""
    connection.execute("SET statement_timeout = 0")
    held = stored_ranges(connection)
    found = [] if held == expected_ranges(market) else [f"{held} is held, and not {expected_ranges(market)}"]
    for symbol, first in market.first_given.items():
        found += _wrong_trades(connection, market, symbol, first, ids_only=contradicted)
    (refused,) = connection.execute("SELECT count(*) FROM refused_trades").fetchone() or (0,)
    if bool(refused) != contradicted:
        found.append(f"{refused} trades were refused")
    found += wrong_rollups(connection)
    return found


def _wrong_trades(
    connection: Connection, market: WatchedMarket, symbol: str, first: int, *, ids_only: bool
) -> Iterator[str]:
    with connection.transaction(), connection.cursor("trades") as cursor:
        cursor.itersize = _PAGE
        cursor.execute(_TRADES, (symbol,))
        for row, expected in zip_longest(cursor, _had(market, symbol, first)):
            held = Trade(symbol, *row) if row is not None else None
            same = held == expected or (ids_only and held and expected and held.trade_id == expected.trade_id)
            if not same:
                yield f"where {expected} should be, {held} is held"
                return


def _had(market: WatchedMarket, symbol: str, first: int) -> Iterator[Trade]:
    last = market.last_id(symbol)
    for start in range(first, last + 1, _PAGE):
        yield from market.trades(symbol, start, min(_PAGE, last + 1 - start))
