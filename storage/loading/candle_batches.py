"""
Candles of files, stored beside the trades in the table of the klines.

Of two candles of one open time the complete one stays, then the exchange's, then the one that came first. A candle that
knows only prices and volume gives way to a complete one that agrees with it and knows the rest, whosever they are, and
never takes its place.

Every function takes a connection and may raise psycopg.Error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.market.aggregated_trades import MINUTE, finished, merged
from app.market.candle import Candle, CandleSource, has_prices_alone
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.ports.loading import LoadResult, RefusedPlace
from storage.candles import klines
from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import array_literal
from storage.postgres.symbol_ids import add_symbols, symbol_id_of

DIFFERS = "it differs from the stored candle of that time"
_AT_ONCE = 20_000  # candles
_NEIGHBOUR_US = 86_400 * SECOND_US  # how far from an aggregated minute the next one may be, in a quiet market


def store_candles(
    connection: Connection, symbol: str, interval: Interval, candles: Sequence[Candle], *, published: bool
) -> LoadResult:
    """Store candles of a file; see `app.market.ports.loading.BulkLoader.load_candles`."""
    refused = [RefusedPlace(at, reason) for at, one in enumerate(candles) if (reason := fault(one, interval))]
    faulty = {one.place for one in refused}
    places = sorted(set(range(len(candles))) - faulty, key=lambda at: candles[at].open_time_us)
    stored = 0
    for start in range(0, len(places), _AT_ONCE):
        part = places[start : start + _AT_ONCE]
        with connection.transaction():
            symbol_id = _locked(connection, symbol)
            fresh, differing = _fresh(connection, symbol_id, interval, candles, part)
            klines.save(connection, symbol, interval, list(fresh.values()))
            if published:
                for first_us, end_us in _runs(interval, (candles[at] for at in part if at not in differing)):
                    klines.save(connection, symbol, interval, [], (first_us, end_us))
        stored += len(fresh)
        refused += [RefusedPlace(at, DIFFERS) for at in differing]
    return LoadResult(stored, len(candles) - stored - len(refused), tuple(sorted(refused)))


def store_aggregated(connection: Connection, symbol: str, minutes: Sequence[Candle]) -> set[int]:
    """Store minutes of aggregated trades; see `app.market.ports.loading.BulkLoader.load_aggregated`."""
    changed: set[int] = set()
    for start in range(0, len(minutes), _AT_ONCE):
        part = minutes[start : start + _AT_ONCE]
        with connection.transaction():
            symbol_id = _locked(connection, symbol)
            changed |= _store_minutes(connection, symbol, symbol_id, part)
    return changed


def _store_minutes(connection: Connection, symbol: str, symbol_id: int, minutes: Sequence[Candle]) -> set[int]:
    start_us, end_us = minutes[0].open_time_us - _NEIGHBOUR_US, minutes[-1].open_time_us + _NEIGHBOUR_US
    stored = klines.read_stored(connection, symbol_id, MINUTE, start_us, end_us)
    known = {at: one for at, one in stored.items() if one.source is CandleSource.AGGTRADES}
    together = dict(known)
    for candle in minutes:
        before = together.get(candle.open_time_us)
        together[candle.open_time_us] = candle if before is None else merged(before, candle)
    traded = [together[at] for at in sorted(together) if together[at].first_trade_id is not None]
    ids = IdRanges()
    for one in traded:
        for first, last in _ids_of(one):
            ids.add_range(first, last)
    judged = {one.open_time_us: one for one in finished(traded, ids)}
    given = {one.open_time_us: one for one in minutes}
    better: list[Candle] = []
    for at, one in judged.items():
        before, mine = known.get(at), given.get(at)
        was_complete = any(other is not None and other.complete and _same(other, one) for other in (before, mine))
        one = one._replace(complete=one.complete or was_complete)
        published = None if at in known else stored.get(at)
        is_better = published is None or (_knows_less(published, one) and _agrees(published, one))
        if one != before and is_better:
            better.append(one)
    klines.save(connection, symbol, MINUTE, better)
    return {one.open_time_us for one in better}


def _ids_of(minute: Candle) -> list[tuple[int, int]]:
    """Return the ids that a minute is known to have: all between its first and last only if it has as many trades."""
    first, last = minute.first_trade_id, minute.last_trade_id
    assert first is not None
    assert last is not None
    return [(first, last)] if minute.trades == last - first + 1 else [(first, first), (last, last)]


def _locked(connection: Connection, symbol: str) -> int:
    """Lock the symbol until the transaction ends, and return its number."""
    add_symbols(connection, [symbol])
    symbol_id = symbol_id_of(connection, symbol)
    assert symbol_id is not None
    connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, array_literal([symbol_id])))
    return symbol_id


def fault(candle: Candle, interval: Interval) -> str:
    """Return why a candle cannot be stored, as a clause; empty if it can."""
    if interval.open_time_us(candle.open_time_us) != candle.open_time_us:
        return f"no candle of {interval} opens at that time"
    if not candle.closed:
        return "it has not ended"
    body = (candle.open_e8, candle.close_e8)
    if not 0 <= candle.low_e8 <= min(body) <= max(body) <= candle.high_e8:
        return "its prices lie outside its low and high"
    if not (0 <= candle.taker_buy_volume_e8 <= candle.volume_e8 and candle.trades >= 0):
        return "its volumes are out of range"
    if not 0 <= candle.taker_buy_quote_volume_e16 <= candle.quote_volume_e16:
        return "its volumes are out of range"
    return ""


def _fresh(
    connection: Connection, symbol_id: int, interval: Interval, candles: Sequence[Candle], places: Sequence[int]
) -> tuple[dict[int, Candle], list[int]]:
    """Return the candles to be stored, by open time, and the places of those that differ from what stays."""
    start_us, end_us = candles[places[0]].open_time_us, candles[places[-1]].open_time_us + 1
    known = klines.read_stored(connection, symbol_id, interval, start_us, end_us)
    fresh: dict[int, Candle] = {}
    differing: list[int] = []
    for place in places:
        candle = candles[place]
        before = known.get(candle.open_time_us)
        if before is None or _replaces(candle, before):
            fresh[candle.open_time_us] = known[candle.open_time_us] = candle
        elif (_rank(candle) == _rank(before) or _knows_less(candle, before)) and not _agrees(candle, before):
            differing.append(place)
    return fresh, differing


def _replaces(candle: Candle, before: Candle) -> bool:
    """Whether it is better, though its figures may be the same: complete, or the exchange's; or knows more."""
    if _knows_less(candle, before):
        return False
    return _rank(candle) > _rank(before) or (_knows_less(before, candle) and _agrees(before, candle))


def _knows_less(candle: Candle, other: Candle) -> bool:
    """Whether it has prices and volume alone, and the other all figures; both are complete."""
    is_less = has_prices_alone(candle) and not has_prices_alone(other)
    return is_less and candle.complete and other.complete


def _rank(candle: Candle) -> tuple[bool, bool]:
    return candle.complete, candle.source is not CandleSource.AGGTRADES


def _agrees(candle: Candle, other: Candle) -> bool:
    """Whether the other has all that the candle knows."""
    return candle[1:6] == other[1:6] if has_prices_alone(candle) else _same(candle, other)


def _same(one: Candle, other: Candle) -> bool:
    return one[1:10] == other[1:10]


def _runs(interval: Interval, candles: Iterable[Candle]) -> list[tuple[int, int]]:
    """Return the times of candles, oldest first, that follow each other without a break, ends exclusive."""
    runs: list[tuple[int, int]] = []
    for candle in candles:
        if not candle.complete:
            continue
        end_us = interval.next_open_us(candle.open_time_us)
        if runs and runs[-1][1] >= candle.open_time_us:
            runs[-1] = runs[-1][0], max(end_us, runs[-1][1])
        else:
            runs.append((candle.open_time_us, end_us))
    return runs
