"""
One pair of the simulated market: each trade is a function of the seed, the pair and the trade's id.

Each second shows one of 240 windows of the tape at one of four levels of activity. A permutation that changes every
four minutes picks the window; the order of the levels changes daily. Each day therefore has the same number of trades:
the ids of a second, and the second of an id, are found by arithmetic, while minutes range from silent to bursting.

The pair's noise gives the price of a second, the tape moves its trades around that price, and a factor of the second
scales their quantities. The figures of all windows are summed up in advance, so a second becomes a row of a candle
without its trades being computed (`SimulatedPair.seconds`).

Prices are in ticks here and quantities in steps; the caller multiplies.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.errors import UsageError
from app.market.interval import SECOND_US
from app.market.symbol import Symbol
from app.market.trade import Trade
from app.sandbox.market.trade_tape import (
    LONGEST_WINDOW,
    ONE,
    Ints,
    TradeTape,
    key_of,
    log_normal_counts,
    uniform,
    value_noise,
)

# 2020-01-01T00:00:00Z, the time of trade id 0 of every pair. A fixed origin makes ids independent of the start.
LISTED_US = 1_577_836_800 * SECOND_US
DAY_S = 86_400

# The figures of a folded stretch of trades, by row; each column is one stretch.
OPEN_US, OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE, TAKER, TAKER_QUOTE, COUNT, FIRST_ID = range(11)
FIGURES = 11

_WINDOWS = 240
_GROUPS_A_DAY = DAY_S // _WINDOWS
# Activity, and how many of a day's 360 groups have it: mostly calm, rarely a burst. Always all of them, so that every
# day has the same number of trades.
_LEVELS = ((0.35, 108), (0.9, 162), (1.6, 72), (3.5, 18))
_PROFILES = 16
_FOLDED_AT_ONCE = 64  # windows; in a very busy market each holds tens of thousands of trades
_BURSTY_UP_TO_PER_S = 50.0
_USUAL_PER_S = 50.0  # more trades than this only on request
# Steps coprime to 240: multiplying by one of them visits every window exactly once.
_COPRIME = np.array([step for step in range(1, _WINDOWS) if math.gcd(step, _WINDOWS) == 1], np.int64)
# Noise slower than 64 s is computed per node of 64 s and interpolated; only the octaves below are computed per second.
_NODE_LOG2 = 6
_FINEST, _COARSEST = 1, 25  # octaves: swings of 2 s up to 2**25 s, about a year
_DAYS_KEPT = 24
# Streams and tickers ask for one second after another, and to compute 64 of them costs hardly more than one.
_BLOCKS_KEPT, _BLOCKS_AT_ONCE = 16, 4


class TapeColumns(NamedTuple):
    """Trades as columns: ids rising by one, UTC microseconds, price in ticks, quantity in steps, the taker's side."""

    ids: Ints
    time_us: Ints
    price: Ints
    quantity: Ints
    taker_sells: NDArray[np.bool_]


# Of consecutive seconds: the price in ticks, whether it falls, and the factor of the quantities.
Levels = tuple[Ints, NDArray[np.bool_], Ints]


class SimulatedPair:
    """
    The trades of one symbol from `LISTED_US` on, without an end. Thread-safe.

    ``price_e8`` is the level that the price moves around, ``trades_per_s`` the average over a day.

    Raises:
        UsageError: If one second would have more trades than `LONGEST_WINDOW`.
    """

    def __init__(self, seed: int, symbol: Symbol, *, price_e8: int, trades_per_s: float, tape: TradeTape) -> None:
        self.symbol = symbol
        self._key = key_of(seed, symbol.name)
        self._subkeys: dict[str, int] = {}
        self._tape = tape
        self._price = price_e8 // symbol.tick_size_e8
        # The tape's median quantity is 700 lots; at 0.1 of the quote asset per lot a usual trade is worth some 70 USDT.
        self.lot = max(1, round(10_000_000 * 100_000_000 / (price_e8 * symbol.step_size_e8)))
        # In a flood of trades each is smaller, because a day's turnover in ticks times steps must fit into 64 bits.
        divisor = max(1, int(trades_per_s // _USUAL_PER_S))
        self._quantities = np.maximum(tape.quantity // divisor, 1) * self.lot
        # A drift of 1024 is 3 millionths of the price, and the tape's reaches six times that: within a second the price
        # hardly leaves its level.
        self._drift_scale = self._price * 3 >> 20
        counts = self._level_counts(trades_per_s)
        self._counts = np.concatenate(counts)
        if self._counts.max() > LONGEST_WINDOW:
            raise UsageError(f"{trades_per_s:,.0f} trades a second of one symbol are too many: ask for a lower rate.")
        self.day_trades = sum(int(of.sum()) * groups for of, (_, groups) in zip(counts, _LEVELS, strict=True))
        self._starts = [
            tape.window_starts(self._subkey("windows"), self._counts, falling=down) for down in (False, True)
        ]
        self._windows = np.concatenate([self._folded_windows(starts) for starts in self._starts], axis=1)
        self._window_starts = np.concatenate(self._starts)
        self._profiles = [self._profile(number) for number in range(_PROFILES)]
        self._day_index = lru_cache(_DAYS_KEPT)(self._compute_day_index)
        self._block_levels = lru_cache(_BLOCKS_KEPT)(self._compute_block_levels)

    def first_id_from(self, time_us: int) -> int:
        """Return the id of the first trade at or after that time."""
        second, _ = divmod(max(time_us - LISTED_US, 0), SECOND_US)
        within = self.trades_of_seconds(second, second + 1)
        return self._first_id(second) + int(np.searchsorted(within.time_us, time_us, side="left"))

    def trades(self, first_id: int, end_id: int) -> TapeColumns:
        """Return the trades with ids in ``[first_id, end_id)``; not empty."""
        seconds = np.unique(self._seconds_of(first_id, end_id))
        trades = self._expand(seconds)
        skip = first_id - int(trades.ids[0])
        kept = slice(skip, skip + end_id - first_id)
        return TapeColumns(
            trades.ids[kept], trades.time_us[kept], trades.price[kept], trades.quantity[kept], trades.taker_sells[kept]
        )

    def as_trades(self, columns: TapeColumns) -> list[Trade]:
        """Return the columns as trades, in 1e-8 units."""
        name, tick, step = self.symbol.name, self.symbol.tick_size_e8, self.symbol.step_size_e8
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [
            Trade(name, trade_id, time_us, price * tick, quantity * step, taker_sells)
            for trade_id, time_us, price, quantity, taker_sells in rows
        ]

    def trades_of_seconds(self, first: int, end: int) -> TapeColumns:
        """Return the trades of the seconds ``[first, end)`` since `LISTED_US`."""
        return self._expand(np.arange(first, end, dtype=np.int64))

    def seconds(self, first: int, end: int) -> Ints:
        """
        Return a column of figures (rows `OPEN_US` to `FIRST_ID`) for each second with trades.

        ``[first, end)`` counts seconds since `LISTED_US`. No trade is computed.
        """
        seconds = np.arange(first, end, dtype=np.int64)
        codes, first_ids = self._index(seconds)
        base, falling, factor = self._levels(first, end)
        busy = np.flatnonzero(self._counts[codes])
        codes, base, factor = codes[busy] + len(self._counts) * falling[busy], base[busy], factor[busy]
        rows = self._windows[:, codes]
        rows[OPEN_US] = LISTED_US + seconds[busy] * SECOND_US
        rows[FIRST_ID] = first_ids[busy]
        # The windows were folded at price 0 and factor 1. A price p + base and a quantity q * factor turn the sum of
        # p * q into factor * (sum + base * volume), so the figures of any second follow from those of its window.
        rows[OPEN : CLOSE + 1] += base
        for volume, quote in ((VOLUME, QUOTE), (TAKER, TAKER_QUOTE)):
            rows[volume] *= factor
            rows[quote] = rows[quote] * factor + base * rows[volume]
        return rows

    def _expand(self, seconds: Ints) -> TapeColumns:
        """Return every trade of these consecutive seconds, in order."""
        codes, first_ids = self._index(seconds)
        base, falling, factor = (of[seconds - seconds[0]] for of in self._levels(int(seconds[0]), int(seconds[-1]) + 1))
        counts = self._counts[codes]
        starts = self._window_starts[codes + len(self._counts) * falling]
        row = np.repeat(np.arange(len(seconds)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = starts[row] + within
        gap_sum, begin = self._tape.gap_sum, starts[row]
        # The window's gaps, and one after its last trade, are stretched to the second. The 1 keeps a window whose gaps
        # are all zero from dividing by zero.
        whole = gap_sum[begin + counts[row] + 1] - gap_sum[begin] + 1
        return TapeColumns(
            ids=first_ids[row] + within,
            time_us=LISTED_US + seconds[row] * SECOND_US + (gap_sum[at + 1] - gap_sum[begin]) * SECOND_US // whole,
            price=base[row] + self._offsets(at),
            quantity=self._quantities[at] * factor[row],
            taker_sells=self._tape.taker_sells[at],
        )

    def _offsets(self, at: Ints) -> Ints:
        return ((self._tape.drift[at] * self._drift_scale) >> 10) + self._tape.ticks[at]

    def _level_counts(self, trades_per_s: float) -> list[Ints]:
        """Return the trade counts of the 240 windows of each level; busy pairs trade more evenly."""
        burstiness = min(1.0, (_BURSTY_UP_TO_PER_S / trades_per_s) ** 0.35)
        activities = [activity**burstiness for activity, _ in _LEVELS]
        mean = sum(of * groups for of, (_, groups) in zip(activities, _LEVELS, strict=True)) / _GROUPS_A_DAY
        totals = [_WINDOWS * trades_per_s * activity / mean for activity in activities]
        return [
            log_normal_counts(self._subkey(f"counts {level}"), total, _WINDOWS, 1.1 * burstiness)
            for level, total in enumerate(totals)
        ]

    def _folded_windows(self, starts: Ints) -> Ints:
        """Return the figures of the windows that begin at ``starts``, at price 0 and factor 1, one column each."""
        windows = np.zeros((FIGURES, len(starts)), np.int64)
        busy = np.flatnonzero(self._counts)
        for begin in range(0, len(busy), _FOLDED_AT_ONCE):
            columns = busy[begin : begin + _FOLDED_AT_ONCE]
            windows[:, columns] = self._fold_windows(starts[columns], self._counts[columns])
        return windows

    def _fold_windows(self, starts: Ints, counts: Ints) -> Ints:
        ends = np.cumsum(counts)
        firsts = ends - counts
        at = np.arange(ends[-1]) + np.repeat(starts - firsts, counts)
        offsets, quantities = self._offsets(at), self._quantities[at]
        bought = quantities * ~self._tape.taker_sells[at]
        sums = np.zeros((FIGURES, len(counts)), np.int64)
        sums[OPEN], sums[CLOSE] = offsets[firsts], offsets[ends - 1]
        sums[HIGH], sums[LOW] = np.maximum.reduceat(offsets, firsts), np.minimum.reduceat(offsets, firsts)
        figures = (
            (VOLUME, quantities),
            (QUOTE, quantities * offsets),
            (TAKER, bought),
            (TAKER_QUOTE, bought * offsets),
        )
        for figure, values in figures:
            sums[figure] = np.add.reduceat(values, firsts)
        sums[COUNT] = counts
        return sums

    def _levels(self, first: int, end: int) -> Levels:
        """Return the levels of the seconds ``[first, end)``; of a few from blocks that are kept."""
        blocks = range(first >> _NODE_LOG2, ((end - 1) >> _NODE_LOG2) + 1)
        if len(blocks) > _BLOCKS_AT_ONCE:
            return self._compute_levels(first, end)
        kept = [self._block_levels(block) for block in blocks]
        base, falling, factor = kept[0] if len(kept) == 1 else map(np.concatenate, zip(*kept, strict=True))
        begin = first - (blocks[0] << _NODE_LOG2)
        part = slice(begin, begin + end - first)
        return base[part], falling[part], factor[part]

    def _compute_block_levels(self, block: int) -> Levels:
        return self._compute_levels(block << _NODE_LOG2, (block + 1) << _NODE_LOG2)

    def _compute_levels(self, first: int, end: int) -> Levels:
        seconds = np.arange(first - 1, end, dtype=np.int64)
        nodes = np.arange(int(seconds[0]) >> _NODE_LOG2, (end >> _NODE_LOG2) + 2, dtype=np.int64)
        at, part = (seconds >> _NODE_LOG2) - nodes[0], seconds & ((1 << _NODE_LOG2) - 1)
        coarse, volatility = self._coarse_noise(nodes), self._volatility(nodes)
        level = coarse[at] + (((coarse[at + 1] - coarse[at]) * part) >> _NODE_LOG2)
        swing = volatility[at] + (((volatility[at + 1] - volatility[at]) * part) >> _NODE_LOG2)
        fine = np.zeros_like(level)
        for octave in range(_FINEST, _NODE_LOG2 + 1):
            fine += (value_noise(self._subkey(f"price {octave}"), seconds, octave) * _amplitude(octave)) >> 24
        # Only the fine octaves swing more in volatile times, or the price level itself would jump with the volatility.
        noise = level + ((fine * swing) >> 10)
        price = (self._price * (ONE + noise)) >> 30
        # Volume rises with volatility, and in some stretches of 16 s by itself: 23 in a hundred by 1, 7 by 4.
        surge = uniform(self._subkey("surge"), seconds >> 4, 100)
        factor = 1 + (swing >> 9) + (surge >= 70) + 3 * (surge >= 93)
        return np.maximum(price[1:], 64), price[1:] < price[:-1], factor[1:]

    def _coarse_noise(self, nodes: Ints) -> Ints:
        noise = np.zeros_like(nodes)
        for octave in range(_NODE_LOG2 + 1, _COARSEST + 1):
            wave = value_noise(self._subkey(f"price {octave}"), nodes, octave - _NODE_LOG2)
            noise += (wave * _amplitude(octave)) >> 24
        return noise

    def _volatility(self, nodes: Ints) -> Ints:
        """Return how much the price swings at these nodes; 1024 is usual."""
        slow, quick = (value_noise(self._subkey(f"storm {octave}"), nodes, octave) for octave in (9, 4))
        return 1024 + ((slow * 500 + quick * 300) >> 30)

    def _first_id(self, second: int) -> int:
        return int(self._index(np.array([second], np.int64))[1][0])

    def _seconds_of(self, first_id: int, end_id: int) -> Ints:
        """Return the second of each id of ``[first_id, end_id)``."""
        found = []
        for day in range(first_id // self.day_trades, (end_id - 1) // self.day_trades + 1):
            low = max(first_id, day * self.day_trades)
            high = min(end_id, (day + 1) * self.day_trades)
            first_ids = self._day_index(day)[1]
            found.append(day * DAY_S + np.searchsorted(first_ids, np.arange(low, high), side="right") - 1)
        return np.concatenate(found)

    def _index(self, seconds: Ints) -> tuple[Ints, Ints]:
        """Return the window that each of these consecutive seconds shows, and the id of its first trade."""
        first_day = int(seconds[0]) // DAY_S
        if int(seconds[-1]) // DAY_S == first_day:
            within = seconds - first_day * DAY_S
            day_codes, day_ids = self._day_index(first_day)
            return day_codes[within], day_ids[within]
        days = seconds // DAY_S
        codes, ids = np.empty_like(seconds), np.empty_like(seconds)
        for day in range(first_day, int(days[-1]) + 1):
            part = slice(*np.searchsorted(days, (day, day + 1)))
            day_codes, day_ids = self._day_index(day)
            within = seconds[part] - day * DAY_S
            codes[part], ids[part] = day_codes[within], day_ids[within]
        return codes, ids

    def _compute_day_index(self, day: int) -> tuple[Ints, Ints]:
        """Return the window that each second of the day shows, and the id of its first trade."""
        groups = np.arange(day * _GROUPS_A_DAY, (day + 1) * _GROUPS_A_DAY, dtype=np.int64)
        profile = int(uniform(self._subkey("profile"), np.array([day], np.int64), _PROFILES)[0])
        steps = _COPRIME[uniform(self._subkey("step"), groups, len(_COPRIME))]
        offsets = uniform(self._subkey("offset"), groups, _WINDOWS)
        places = (steps[:, None] * np.arange(_WINDOWS) + offsets[:, None]) % _WINDOWS
        codes = (self._profiles[profile][:, None] * _WINDOWS + places).ravel()
        counts = self._counts[codes]
        return codes, day * self.day_trades + np.cumsum(counts) - counts

    def _profile(self, number: int) -> Ints:
        """Return the level of each group of a day; all profiles have the same levels in different orders."""
        groups = np.arange(_GROUPS_A_DAY, dtype=np.int64)
        key = self._subkey(f"profile {number}")
        wave = 2 * value_noise(key, groups, 6) + value_noise(key + 1, groups, 3) + value_noise(key + 2, groups, 0)
        levels = np.empty(_GROUPS_A_DAY, np.int64)
        levels[np.argsort(wave, kind="stable")] = np.repeat(np.arange(len(_LEVELS)), [groups for _, groups in _LEVELS])
        return levels

    def _subkey(self, use: str) -> int:
        """Return the key for one use. The names are part of the seed: another name would change every market."""
        key = self._subkeys.get(use)
        if key is None:
            key = self._subkeys[use] = key_of(self._key, use)
        return key


@cache
def _amplitude(octave: int) -> int:
    """
    Return how far the price swings within ``2**octave`` seconds, in 2**-24 of itself.

    It grows like a random walk (an exponent near 0.5) and is bounded at 10%, so that the price stays near its level.
    """
    return round(min(1.1e-4 * 2 ** ((octave - 1) * 0.47), 0.1) * (1 << 24))
