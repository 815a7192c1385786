"""
The arithmetic of the simulated market: hashes, noise, and the tape its trades are cut from.

Everything is integer arithmetic on counters, so any moment of the market can be computed on its own, in any order and
on any machine, with the same result. `hashed` is splitmix64; `value_noise` interpolates hashed lattice values; `Tape`
is a long list of trades without a price level or a date, of which every busy second shows a window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

ONE = 1 << 30  # noise and its factors count 2**-30
_ALL_BITS = (1 << 64) - 1
_HALF_TAPE = 1 << 16
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_QUANTILES = 1 << 12
_CONTINUES_SHARE = 0.38  # of the trades, the ones that belong to the sweep of the trade before them
_BUYS_RISING, _BUYS_FALLING = 0.62, 0.38


def key_of(*parts: int | str) -> int:
    """Return a 64-bit key that differs with every part."""
    key = 0
    for part in parts:
        numbers = part.encode() if isinstance(part, str) else (part & _ALL_BITS).to_bytes(8, "little")
        for number in numbers:
            key = _mixed_one((key * 257 + number + 1) & _ALL_BITS)
    return key


def hashed(key: int, counters: Ints) -> NDArray[np.uint64]:
    """Return 64 random bits for each counter."""
    return _mixed(counters.astype(np.uint64) * _GOLDEN + np.uint64(key))


def uniform(key: int, counters: Ints, below: int) -> Ints:
    """Return a whole number in ``[0, below)`` for each counter; ``below`` at most 2**31."""
    bits: Ints = (hashed(key, counters) >> np.uint64(33)).astype(np.int64)
    bits *= below
    bits >>= 31
    return bits


def value_noise(key: int, counters: Ints, log2_period: int) -> Ints:
    """
    Return smooth noise in ``[-ONE, ONE)`` for consecutive counters, rising.

    It runs straight between random values that stand ``2**log2_period`` counters apart.
    """
    period = 1 << log2_period
    moved = counters + key % period  # or the octaves would all turn at the same moments
    cells = moved >> log2_period
    first = int(cells[0])
    nodes = uniform(key, np.arange(first, int(cells[-1]) + 2, dtype=np.int64), 2 * ONE - 1) - ONE
    cells -= first
    begin: Ints = nodes[cells]
    begin += ((nodes[cells + 1] - begin) * (moved & (period - 1))) >> log2_period
    return begin


def heavy_tailed(key: int, counters: Ints, median: float, sigma: float) -> Ints:
    """Return log-normal whole numbers, at least 1."""
    table = np.array([max(1, round(median * math.exp(sigma * z))) for z in _normal_quantiles(_QUANTILES)], np.int64)
    return table[uniform(key, counters, _QUANTILES)]


def spread_counts(key: int, total: float, places: int, sigma: float) -> Ints:
    """Return ``places`` whole counts, log-normal and shuffled, that add up to ``total`` rounded."""
    weights = np.array([math.exp(sigma * z) for z in _normal_quantiles(places)])
    order = np.argsort(hashed(key, np.arange(places, dtype=np.int64)), kind="stable")
    bounds = np.floor(np.concatenate(([0.0], np.cumsum(weights[order] / weights.sum()))) * round(total) + 1e-6)
    return np.diff(bounds).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Tape:
    """
    Trades in a row without a level: in the first half buyers are in the majority, in the second sellers.

    ``gap_sum`` accumulates the time between trades (no unit: a window is stretched to its second), ``wander`` moves the
    price slowly, ``ticks`` adds the spread and the depth of a sweep, ``quantity`` counts lots, ``sells`` is the taker.
    """

    gap_sum: Ints
    wander: Ints
    ticks: Ints
    quantity: Ints
    sells: NDArray[np.bool_]

    def window_starts(self, key: int, counts: Ints, *, falling: bool) -> Ints:
        """Return where each window of that many trades begins."""
        room = _HALF_TAPE - int(counts.max(initial=0)) - 2
        return uniform(key, np.arange(len(counts), dtype=np.int64), max(room, 1)) + _HALF_TAPE * falling


LONGEST_WINDOW = _HALF_TAPE - 3


@lru_cache(maxsize=4)
def tape_for(seed: int) -> Tape:
    """Return the tape of that seed."""
    places = np.arange(2 * _HALF_TAPE, dtype=np.int64)
    continues = uniform(key_of(seed, "continues"), places, 1000) < _CONTINUES_SHARE * 1000
    gaps = np.where(continues, 0, heavy_tailed(key_of(seed, "gap"), places, 300.0, 1.3))
    sweep = np.cumsum(~continues, dtype=np.int64)
    depth = places - np.maximum.accumulate(np.where(continues, 0, places))
    buys_share = np.where(places < _HALF_TAPE, _BUYS_RISING, _BUYS_FALLING) * 1000
    # The sweep's own first place decides its half, so that a sweep never changes sides.
    buys = uniform(key_of(seed, "side"), sweep, 1000) < buys_share[places - depth]
    wander = 4 * value_noise(key_of(seed, "wander"), places, 5) + 2 * value_noise(key_of(seed, "step"), places, 2)
    return Tape(
        gap_sum=np.concatenate(([0], np.cumsum(gaps))),
        wander=wander >> 20,
        ticks=np.where(buys, 1 + depth, -depth),
        quantity=heavy_tailed(key_of(seed, "quantity"), places, 700.0, 1.7),
        sells=~buys,
    )


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = bits ^ (bits >> np.uint64(30))
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def _mixed_one(bits: int) -> int:
    """Return what `_mixed` does of one number; for a single one numpy is slow."""
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _ALL_BITS
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _ALL_BITS
    return bits ^ (bits >> 31)


@lru_cache(maxsize=2)
def _normal_quantiles(places: int) -> tuple[float, ...]:
    normal = NormalDist()
    return tuple(normal.inv_cdf((place + 0.5) / places) for place in range(places))
