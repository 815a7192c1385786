"""
Which candle a reader gets, for a window of slots. Pure.

The whole history, finished as a reader should see it, would be the same for this window: of what lies outside only the
nearest candle on each side matters, and of its time only on which side it is. So those two are moved next to the window
before `finish` fills what is empty, and a long quiet stretch outside costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.market.builder import finish
from app.market.candle import Candle, CandleSource
from app.market.coverage import IdRanges
from app.market.interval import Interval


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
    Return the candles of the slots ``first`` to ``last``, oldest first, finished.

    ``traded``: those of the window that have stored trades; ``before`` and ``after``: the nearest such outside.
    ``klines``: the exchange's by open time, those of the slot before the window too; ``last_kline_us``: when the last
    of all opens. Empty candles between trades whose ids join are known from the trades; a kline never stands in for a
    candle that trades prove complete. They prove nothing of the newest candle with trades where there is a kline of its
    time or a later one: its last trades may not be stored.
    """
    folded = [*_moved(before, interval, first - 1), *traded, *_moved(after, interval, last + 1)]
    chosen = {candle.open_time_us: candle for candle in finish(folded, interval, held)}
    start_us, end_us = interval.slot_open_us(first), interval.slot_open_us(last + 1)
    for open_us, kline in klines.items():
        known = chosen.get(open_us)
        # Before the window the kline is the newer of the two where the trades' candle was moved there.
        moved = open_us < start_us and before is not None and before.open_time_us < open_us
        if known is None or not known.complete or moved or (not known.closed and kline.trades >= known.trades):
            chosen[open_us] = kline
    ordered = [chosen[open_us] for open_us in sorted(chosen)]
    everything = [candle if candle.closed else candle._replace(closed=True, complete=False) for candle in ordered[:-1]]
    newest = ordered[-1:]
    if newest and not newest[0].closed and (last_kline_us or 0) >= interval.next_open_us(newest[0].open_time_us):
        everything.append(newest[0]._replace(closed=True, complete=False))
    else:
        everything += _ending(newest, interval, held, None if now_us is None else min(now_us, end_us))
    return [candle for candle in everything if start_us <= candle.open_time_us < end_us]


def _moved(candle: Candle | None, interval: Interval, slot: int) -> list[Candle]:
    return [] if candle is None else [candle._replace(open_time_us=interval.slot_open_us(slot))]


def _ending(newest: list[Candle], interval: Interval, held: IdRanges, now_us: int | None) -> list[Candle]:
    """Return the newest candle judged, and the empty ones after it up to ``now_us``."""
    ended = finish(newest, interval, held, now_us=now_us)
    if newest and newest[0].source is CandleSource.KLINE:
        # Only closed ones are stored.
        ended[0] = ended[0]._replace(closed=True)
    return ended
