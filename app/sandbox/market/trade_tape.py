"""
The arithmetic of the simulated market: hashes, noise, and the tape that its trades are cut from.

All of it is integer arithmetic on counters, so any moment of the market can be computed on its own, in any order and
on any machine, with the same result. `random_bits` is splitmix64 and `value_noise` interpolates between hashed values.
`TradeTape` is a long list of trades without a price level or a date; `app.sandbox.market.pair` cuts a window from it
for every busy second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# Fixed point: 2**30 leaves room in 64 bits for a product with a price, so no float ever rounds differently elsewhere.
ONE = 1 << 30
_ALL_BITS = (1 << 64) - 1
_HALF_TAPE = 1 << 16
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # splitmix64's increment: 2**64 divided by the golden ratio
_QUANTILES = 1 << 12
# Share of the trades that continue the sweep of the trade before them: a large order takes several resting ones.
_CONTINUES_SHARE = 0.38
# Share of buyers while the price rises and while it falls, so that taker volume follows the price as on a real market.
_BUYS_RISING, _BUYS_FALLING = 0.62, 0.38


def key_of(*parts: int | str) -> int:
    """Return a 64-bit key that depends on every part and on their order."""
    key = 0
    for part in parts:
        numbers = part.encode() if isinstance(part, str) else (part & _ALL_BITS).to_bytes(8, "little")
        for number in numbers:
            key = _mix_one((key * 257 + number + 1) & _ALL_BITS)
    return key


def random_bits(key: int, counters: Ints) -> NDArray[np.uint64]:
    """Return 64 random bits for each counter: the outputs of splitmix64 seeded with ``key``."""
    return _mix(counters.astype(np.uint64) * _GOLDEN + np.uint64(key))


def uniform(key: int, counters: Ints, below: int) -> Ints:
    """Return an evenly distributed integer in ``[0, below)`` for each counter; ``below`` is at most 2**31."""
    # Multiply and shift instead of a remainder: faster, and 31 bits times 31 bits stay within an int64.
    bits: Ints = (random_bits(key, counters) >> np.uint64(33)).astype(np.int64)
    bits *= below
    bits >>= 31
    return bits


def value_noise(key: int, counters: Ints, log2_period: int) -> Ints:
    """
    Return continuous noise in ``[-ONE, ONE)`` for consecutive rising counters.

    It is linear between random values that are ``2**log2_period`` counters apart.
    """
    period = 1 << log2_period
    moved = counters + key % period  # without this shift all octaves would turn at the same moments
    cells = moved >> log2_period
    first = int(cells[0])
    nodes = uniform(key, np.arange(first, int(cells[-1]) + 2, dtype=np.int64), 2 * ONE - 1) - ONE
    cells -= first
    begin: Ints = nodes[cells]
    begin += ((nodes[cells + 1] - begin) * (moved & (period - 1))) >> log2_period
    return begin


def log_normal(key: int, counters: Ints, median: float, sigma: float) -> Ints:
    """Return a log-normal integer of at least 1 for each counter."""
    # Looked up by quantile, because exp() per trade would be slow.
    table = np.array([max(1, round(median * math.exp(sigma * z))) for z in _normal_quantiles(_QUANTILES)], np.int64)
    return table[uniform(key, counters, _QUANTILES)]


def log_normal_counts(key: int, total: float, places: int, sigma: float) -> Ints:
    """Return ``places`` log-normal counts in random order whose sum is ``total``, rounded."""
    weights = np.array([math.exp(sigma * z) for z in _normal_quantiles(places)])
    order = np.argsort(random_bits(key, np.arange(places, dtype=np.int64)), kind="stable")
    # Differences of a rounded running sum, so that rounding never changes the total.
    bounds = np.floor(np.concatenate(([0.0], np.cumsum(weights[order] / weights.sum()))) * round(total) + 1e-6)
    return np.diff(bounds).astype(np.int64)


@dataclass(frozen=True, slots=True)
class TradeTape:
    """
    Consecutive trades without a price level: buyers prevail in the first half, sellers in the second.

    ``gap_sum``: running sum of the time between trades, without a unit, because each window is stretched to its second.
    ``drift``: slow movement of the price, to be scaled with it. ``ticks``: the spread and the depth of a sweep.
    ``quantity``: in lots. ``taker_sells``: whether the taker sold.
    """

    gap_sum: Ints
    drift: Ints
    ticks: Ints
    quantity: Ints
    taker_sells: NDArray[np.bool_]

    def window_starts(self, key: int, counts: Ints, *, falling: bool) -> Ints:
        """Return where the windows of these lengths begin, in the half for a ``falling`` price or in the other."""
        room = _HALF_TAPE - int(counts.max(initial=0)) - 2
        return uniform(key, np.arange(len(counts), dtype=np.int64), max(room, 1)) + _HALF_TAPE * falling


LONGEST_WINDOW = _HALF_TAPE - 3
"""The most trades one second can have: its window must fit into half of the tape."""


@lru_cache(maxsize=4)
def tape_for(seed: int) -> TradeTape:
    """
    Return the tape of that seed.

    The names given to `key_of` are part of the seed: another name would change every market.
    """
    places = np.arange(2 * _HALF_TAPE, dtype=np.int64)
    continues = uniform(key_of(seed, "continues"), places, 1000) < _CONTINUES_SHARE * 1000
    gaps = np.where(continues, 0, log_normal(key_of(seed, "gap"), places, 300.0, 1.3))
    sweep = np.cumsum(~continues, dtype=np.int64)
    depth = places - np.maximum.accumulate(np.where(continues, 0, places))
    buys_share = np.where(places < _HALF_TAPE, _BUYS_RISING, _BUYS_FALLING) * 1000
    # The half is that of the sweep's first trade, so that a sweep never changes sides.
    buys = uniform(key_of(seed, "side"), sweep, 1000) < buys_share[places - depth]
    drift = 4 * value_noise(key_of(seed, "wander"), places, 5) + 2 * value_noise(key_of(seed, "step"), places, 2)
    return TradeTape(
        gap_sum=np.concatenate(([0], np.cumsum(gaps))),
        drift=drift >> 20,
        ticks=np.where(buys, 1 + depth, -depth),
        quantity=log_normal(key_of(seed, "quantity"), places, 700.0, 1.7),
        taker_sells=~buys,
    )


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = bits ^ (bits >> np.uint64(30))
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def _mix_one(bits: int) -> int:
    """Return `_mix` of a single number, for which numpy would be slow."""
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _ALL_BITS
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _ALL_BITS
    return bits ^ (bits >> 31)


@lru_cache(maxsize=2)
def _normal_quantiles(places: int) -> tuple[float, ...]:
    normal = NormalDist()
    return tuple(normal.inv_cdf((place + 0.5) / places) for place in range(places))
