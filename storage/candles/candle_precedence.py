"""
Merges the candles of stored trades with stored klines, for a window of slots. Pure.

`app.market.precedence` decides between a candle of trades and a kline; `app.market.builder.finish` adds the empty
candles. This module gives both what they need from outside the window. Only the nearest candle on each side matters
there, and only its side, not its time. So those two candles are moved next to the window, and a long quiet stretch
outside costs nothing. The result is that of merging the whole history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.market.builder import finish, is_complete
from app.market.candle import Candle, CandleSource
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.precedence import better


def merged(
    interval: Interval,
    held: IdRanges,
    *,
    before: Candle | None,
    traded: Sequence[Candle],
    after: Candle | None,
    klines: Mapping[int, Candle],
    last_kline_us: int | None = None,
    first: int,
    last: int,
    now_us: int | None,
) -> list[Candle]:
    """
    Return the finished candles of the slots ``first`` to ``last``, oldest first.

    ``traded``: the candles of the window that have stored trades; ``before`` and ``after``: the nearest ones outside.
    ``klines``: stored klines by open time, from one slot before the window on; ``last_kline_us``: the open time of the
    symbol's last kline. ``now_us``: the exchange's time, if the recording goes on until then.

    The trades prove the empty candles between trades whose ids adjoin. They do not prove the newest candle with trades
    if there is a kline of its slot or of a later one: its last trades may not be stored.
    """
    folded = [*_moved(before, interval, first - 1), *traded, *_moved(after, interval, last + 1)]
    chosen = {candle.open_time_us: candle for candle in finish(folded, interval, held)}
    start_us, end_us = interval.slot_open_us(first), interval.slot_open_us(last + 1)
    for open_us, kline in klines.items():
        known = chosen.get(open_us)
        # The candle of trades may have been moved to the slot before the window; then the kline is the newer one.
        moved = open_us < start_us and before is not None and before.open_time_us < open_us
        chosen[open_us] = kline if known is None or moved else better(known, kline, empty_is_proven=True)
    ordered = [chosen[open_us] for open_us in sorted(chosen)]
    everything = [candle if candle.closed else candle._replace(closed=True, complete=False) for candle in ordered[:-1]]
    newest = ordered[-1:]
    if newest and not newest[0].closed and (last_kline_us or 0) >= interval.next_open_us(newest[0].open_time_us):
        everything.append(newest[0]._replace(closed=True, complete=False))
    else:
        everything += _ending(newest, interval, held, None if now_us is None else min(now_us, end_us))
    within = [candle for candle in everything if start_us <= candle.open_time_us < end_us]
    return within if now_us is None else [_watched(candle, interval, held, now_us) for candle in within]


def _moved(candle: Candle | None, interval: Interval, slot: int) -> list[Candle]:
    return [] if candle is None else [candle._replace(open_time_us=interval.slot_open_us(slot))]


def _watched(candle: Candle, interval: Interval, held: IdRanges, now_us: int) -> Candle:
    """Return the candle, complete if it has the newest id: where ids and times disagree, it need not be the newest."""
    if candle.complete or candle.last_trade_id is None or candle.last_trade_id != held.last:
        return candle
    watched = interval.next_open_us(candle.open_time_us) <= now_us
    return candle._replace(complete=is_complete(candle, held, closed=candle.closed, watched=watched))


def _ending(newest: list[Candle], interval: Interval, held: IdRanges, now_us: int | None) -> list[Candle]:
    """Return the newest candle, finished, and the empty ones after it up to ``now_us``."""
    ended = finish(newest, interval, held, now_us=now_us)
    if newest and newest[0].source is not CandleSource.TRADES:
        # Only closed ones are stored beside the trades, and `finish` cannot know that this one ended.
        ended[0] = ended[0]._replace(closed=True)
    return ended
