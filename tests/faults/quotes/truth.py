"""Compares what is stored with the market's prices and with what a recording received."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from app.market.coverage import IdRanges
from app.market.quotes.tick import Tick
from storage.integrity.verify import verify
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import symbol_id_of
from storage.quotes import fetched_ranges
from tests.faults.quotes.world import QuoteScene, Span

_TICKS = """
    SELECT s.symbol, (extract(epoch FROM q.time) * 1000000)::bigint, q.place, (q.bid * 100000000)::bigint,
        (q.ask * 100000000)::bigint, (q.bid_size * 100000000)::bigint, (q.ask_size * 100000000)::bigint
    FROM quotes q JOIN symbols s ON s.id = q.symbol_id WHERE s.symbol = %s ORDER BY q.time, q.place
"""
_NEWEST = """
    SELECT min(newest) FROM (
        SELECT (extract(epoch FROM max(last_time)) * 1000000)::bigint AS newest FROM quote_rollup_5s GROUP BY symbol_id
    ) AS each HAVING count(*) >= %s
"""
_MID = "trunc((bid + ask) / 2, 8)"
_ROLLUP_DIFFERENCES = """
    WITH folded AS (
        SELECT symbol_id, date_bin({length}, time, timestamptz '2000-01-03 00:00:00+00') AS open_time, {sides},
            count(*) AS ticks, sum(bid_size) AS bid_volume, sum(ask_size) AS ask_volume,
            min(time) AS first_time, (array_agg(place ORDER BY time, place))[1] AS first_place,
            max(time) AS last_time, (array_agg(place ORDER BY time DESC, place DESC))[1] AS last_place
        FROM quotes GROUP BY 1, 2
    )
    SELECT 'missing or wrong', count(*) FROM (TABLE folded EXCEPT TABLE {rollup}) AS d
    UNION ALL SELECT 'not of its ticks', count(*) FROM (TABLE {rollup} EXCEPT TABLE folded) AS d
"""
_LENGTHS = {"5s": "5 s", "1m": "1 min", "15m": "15 min", "1h": "1 h", "1d": "1 d"}


def stored_ticks(connection: Connection, symbol: str) -> list[Tick]:
    """Return the stored ticks of a symbol, by time and place."""
    return [Tick(*row) for row in connection.execute(_TICKS, (symbol,))]


def newest_us(connection: Connection, symbols: int) -> int:
    """Return up to when ticks of every symbol are stored; 0 while there are fewer symbols, or no tables."""
    (there,) = connection.execute("SELECT to_regclass('quote_rollup_5s') IS NOT NULL").fetchone() or (False,)
    row = connection.execute(_NEWEST, (symbols,)).fetchone() if there else None
    return 0 if row is None else int(row[0])


def differences(
    connection: Connection,
    scene: QuoteScene,
    *,
    received: Sequence[Tick] | None,
    given_up: int = 0,
    several: bool = False,
) -> list[str]:
    """
    Compare everything stored with the market, from the first tick on; return a sentence per difference.

    ``received``: what one recording received; None if that is not known. ``given_up``: as many of these may be missing.
    ``several``: more than one recorded, so that ticks of one time may be in another order (decision 091).
    """
    verified = [f"{one.kind}: {one.what}" for one in verify(connection).listed]
    return compared(connection, scene, received=received, given_up=given_up, several=several) + verified


def compared(
    connection: Connection,
    scene: QuoteScene,
    *,
    received: Sequence[Tick] | None,
    given_up: int = 0,
    several: bool = False,
) -> list[str]:
    """Return the `differences` except those found by `storage.integrity.verify`, which needs autocommit."""
    connection.execute("SET statement_timeout = 0")
    found: list[str] = []
    lost = 0
    for symbol in scene.symbols:
        held = stored_ticks(connection, symbol)
        if not held:
            found.append(f"nothing of {symbol} is held")
            continue
        if received is not None:
            had = [tick for tick in received if tick.symbol == symbol]
            lost += len(had) - len(held)
            if given_up and not _is_in_order(held, had):
                found.append(f"{symbol}: ticks are held that were not received, or in another order")
            if not given_up:
                found += _first_difference(held, had)
        found += _not_of_market(scene, symbol, held, several=several)
        found += _missing(connection, scene, symbol, held)
    if lost != given_up:
        found.append(f"{lost} ticks that were received are not held, and {given_up} were given up")
    (refused,) = connection.execute("SELECT count(*) FROM refused_quotes").fetchone() or (0,)
    if refused:
        found.append(f"{refused} ticks were refused")
    return [*found, *wrong_rollups(connection)]


def wrong_rollups(connection: Connection) -> Iterator[str]:
    """Fold every rollup again from the ticks, by SQL of its own, and yield what differs."""
    sides = ", ".join(
        f"(array_agg({price} ORDER BY time, place))[1] AS {side}_open, max({price}) AS {side}_high,"
        f" min({price}) AS {side}_low, (array_agg({price} ORDER BY time DESC, place DESC))[1] AS {side}_close"
        for side, price in (("bid", "bid"), ("ask", "ask"), ("mid", _MID))
    )
    for name, length in _LENGTHS.items():
        query = sql.SQL(_ROLLUP_DIFFERENCES).format(
            rollup=sql.Identifier(f"quote_rollup_{name}"),
            length=sql.Literal(length),
            sides=sql.SQL(sides),  # type: ignore[arg-type]  # because it is put together of constants
        )
        for kind, count in connection.execute(query):
            if count:
                yield f"quote_rollup_{name}: {count} candles are {kind}"


def _first_difference(held: Sequence[Tick], had: Sequence[Tick]) -> Iterator[str]:
    for number, (one, expected) in enumerate(zip(held, had, strict=False)):
        if one != expected:
            yield f"the ticks differ first at {number}: {one} is held where {expected} was received"
            return
    if len(held) != len(had):
        yield f"{len(held)} ticks of {had[0].symbol if had else held[0].symbol} are held of {len(had)} received"


def _not_of_market(scene: QuoteScene, symbol: str, held: Sequence[Tick], *, several: bool) -> Iterator[str]:
    """Yield the first tick that the market did not have, or had but once, or earlier. Places may begin later."""
    ticks = [tick._replace(place=0) for tick in held]
    market = [tick._replace(place=0) for tick in scene.tape.ticks(symbol, held[0].time_us, held[-1].time_us)]
    if several:
        ticks, market = sorted(ticks), sorted(market)
    if not _is_in_order(ticks, market):
        offered = set(market)
        stray = [tick for tick in ticks if tick not in offered]
        yield f"{symbol}: of no price of the market, or not in its order: {stray[:1] or 'none by itself'}"


def _is_in_order(some: Sequence[Tick], whole: Sequence[Tick]) -> bool:
    remaining = iter(whole)
    return all(tick in remaining for tick in some)


def _missing(connection: Connection, scene: QuoteScene, symbol: str, held: Sequence[Tick]) -> Iterator[str]:
    """Yield what is missing outside of the outages, and what is missing of times that are said to be whole."""
    known = {tick._replace(place=0) for tick in held}
    market = scene.tape.ticks(symbol, held[0].time_us, held[-1].time_us)
    missing = [tick.time_us for tick in market if tick._replace(place=0) not in known]
    # At its first time, a stream may have begun behind the first of two prices.
    lost = [time_us for time_us in missing if not _is_within(time_us, scene.away) and time_us != held[0].time_us]
    if lost:
        yield f"{len(lost)} ticks of {symbol} are missing outside of the outages, the first at {lost[0]}"
    whole = fetched_ranges.read(connection, symbol_id_of(connection, symbol))
    if wrong := [one for one in missing if _is_said_whole(one, whole) and not _is_within(one, scene.blind)]:
        yield f"{len(wrong)} ticks of {symbol} are missing of times that are said to be whole, the first at {wrong[0]}"


def _is_within(time_us: int, spans: Sequence[Span]) -> bool:
    return any(first_us <= time_us <= last_us for first_us, last_us in spans)


def _is_said_whole(time_us: int, whole: IdRanges) -> bool:
    return not whole.missing(time_us, time_us)
