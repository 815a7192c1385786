"""
Which trades are held, as disjoint ranges of ids.

Binance numbers a symbol's spot trades consecutively, so the ids alone prove which trades are missing. The ids between
two ranges are a gap; trades before the first or after the last range are not known to exist.

A symbol usually has a handful of ranges, but a badly damaged database a hundred thousand. So operations on whole sets
use numpy and take a millisecond or two even then.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.trade import Trade

Ids = NDArray[np.int64]

_FEW = 16  # ranges; up to that many, adding them one by one is faster than numpy


class TradeGap(NamedTuple):
    """Trades of one symbol that exist and are not held, from one id to another, both inclusive."""

    symbol: str
    first_trade_id: int
    last_trade_id: int

    @property
    def missing(self) -> int:
        """The number of missing trades."""
        return self.last_trade_id - self.first_trade_id + 1


class IdRanges:
    """
    A set of trade ids, kept as disjoint, non-touching inclusive ranges in rising order.

    Ids are below 2**63 - 1. ``|``, ``&`` and ``-`` make new sets, in the time of one pass over both.
    """

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts = array("q")
        self._lasts = array("q")
        if isinstance(ranges, IdRanges):
            self._firsts, self._lasts = ranges._firsts[:], ranges._lasts[:]
        else:
            for first, last in ranges:
                self._append(first, last)

    @classmethod
    def of_columns(cls, firsts: Ids, lasts: Ids) -> IdRanges:
        """Return the set of the ranges given as columns, in any order; they may touch and overlap."""
        if not len(firsts):
            return cls()
        order = np.argsort(firsts, kind="stable")
        firsts, reached = firsts[order], np.maximum.accumulate(lasts[order])
        begins = np.concatenate(([True], firsts[1:] > reached[:-1] + 1))
        ends = np.concatenate((begins[1:], [True]))
        return cls._of_sorted(firsts[begins], reached[ends])

    @classmethod
    def _of_sorted(cls, firsts: Ids, lasts: Ids) -> IdRanges:
        ranges = cls()
        ranges._firsts.frombytes(np.ascontiguousarray(firsts, dtype=np.int64).view(np.uint8).data)
        ranges._lasts.frombytes(np.ascontiguousarray(lasts, dtype=np.int64).view(np.uint8).data)
        return ranges

    def _views(self) -> tuple[Ids, Ids]:
        """Return `columns` without copying; the set cannot change while the views exist."""
        return np.frombuffer(self._firsts, dtype=np.int64), np.frombuffer(self._lasts, dtype=np.int64)

    def columns(self) -> tuple[Ids, Ids]:
        """Return the first and the last id of every range, rising, as copies."""
        firsts, lasts = self._views()
        return firsts.copy(), lasts.copy()

    def __or__(self, other: IdRanges) -> IdRanges:
        more, fewer = (self, other) if self.range_count() >= other.range_count() else (other, self)
        if fewer.range_count() <= _FEW:
            joined = IdRanges(more)
            for first, last in fewer:
                joined.add_range(first, last)
            return joined
        (firsts, lasts), (other_firsts, other_lasts) = self._views(), other._views()
        return IdRanges.of_columns(np.concatenate((firsts, other_firsts)), np.concatenate((lasts, other_lasts)))

    def __and__(self, other: IdRanges) -> IdRanges:
        (firsts, lasts), (other_firsts, other_lasts) = self._views(), other._views()
        low = np.searchsorted(other_lasts, firsts)
        counts = np.maximum(np.searchsorted(other_firsts, lasts, side="right") - low, 0)
        # Pair each of our ranges with each of the other's that overlaps it.
        mine = np.repeat(np.arange(len(firsts)), counts)
        theirs = np.arange(len(mine)) - np.repeat(np.cumsum(counts) - counts, counts) + low[mine]
        return IdRanges._of_sorted(
            np.maximum(firsts[mine], other_firsts[theirs]), np.minimum(lasts[mine], other_lasts[theirs])
        )

    def __sub__(self, other: IdRanges) -> IdRanges:
        if not self or other.range_count() > _FEW:
            return self & other.complement(self._firsts[0], self._lasts[-1]) if self else IdRanges()
        left = IdRanges(self)
        for first, last in other:
            left.remove_range(first, last)
        return left

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges as (first, last), both inclusive, in rising order."""
        return iter(list(zip(self._firsts, self._lasts, strict=True)))

    def __reversed__(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges from the highest down; the set may not change meanwhile."""
        return zip(reversed(self._firsts), reversed(self._lasts), strict=True)

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdRanges) and self._firsts == other._firsts and self._lasts == other._lasts

    __hash__ = None  # type: ignore[assignment]  # because a set that changes has no hash

    def __repr__(self) -> str:
        return f"IdRanges({list(self)})"

    def __contains__(self, trade_id: int) -> bool:
        return self.range_of(trade_id) is not None

    @property
    def first(self) -> int | None:
        """The lowest id held, or None."""
        return self._firsts[0] if self._firsts else None

    @property
    def last(self) -> int | None:
        """The highest id held, or None."""
        return self._lasts[-1] if self._lasts else None

    def count(self) -> int:
        """Return how many ids are held."""
        firsts, lasts = self._views()
        return int(lasts.sum() - firsts.sum()) + len(firsts)

    def range_count(self) -> int:
        """Return how many ranges there are."""
        return len(self._firsts)

    def range_of(self, trade_id: int) -> tuple[int, int] | None:
        """Return the range (first, last), both inclusive, that holds the id, or None."""
        at = bisect_right(self._firsts, trade_id) - 1
        if at >= 0 and trade_id <= self._lasts[at]:
            return self._firsts[at], self._lasts[at]
        return None

    def add(self, trade_id: int) -> bool:
        """Add one id; return False if it was held already. Constant time for the id after the last."""
        lasts = self._lasts
        if lasts and trade_id == lasts[-1] + 1:
            lasts[-1] = trade_id
            return True
        if trade_id in self:
            return False
        self.add_range(trade_id, trade_id)
        return True

    def add_range(self, first: int, last: int) -> None:
        """
        Add every id from ``first`` to ``last``, joining ranges that touch.

        Raises:
            ValueError: If ``last`` is below ``first``.
        """
        if last < first:
            raise ValueError(f"a range cannot end before it begins: {first}..{last}")
        # Ranges low..high-1 overlap or touch the new one and become one with it.
        low = bisect_right(self._firsts, first - 1)
        if low and self._lasts[low - 1] >= first - 1:
            low -= 1
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        if high - low == 1:
            self._firsts[low], self._lasts[low] = first, last
        else:
            self._put(low, high, [(first, last)])

    def remove_range(self, first: int, last: int) -> None:
        """Remove every id from ``first`` to ``last``; ids that are not held are no error."""
        low = bisect_right(self._firsts, first) - 1
        if low < 0 or self._lasts[low] < first:
            low += 1
        high = bisect_right(self._firsts, last)
        if low >= high:
            return
        kept = []
        if self._firsts[low] < first:
            kept.append((self._firsts[low], first - 1))
        if self._lasts[high - 1] > last:
            kept.append((last + 1, self._lasts[high - 1]))
        self._put(low, high, kept)

    def within(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the ranges held within ``first``..``last``, inclusive, in rising order."""
        low = max(bisect_right(self._firsts, first) - 1, 0)
        high = bisect_right(self._firsts, last)
        pairs = zip(self._firsts[low:high], self._lasts[low:high], strict=True)
        return [(max(one, first), min(end, last)) for one, end in pairs if end >= first]

    def before(self, trade_id: int) -> int | None:
        """Return the highest id held below that one, or None."""
        at = bisect_right(self._firsts, trade_id - 1) - 1
        return None if at < 0 else min(self._lasts[at], trade_id - 1)

    def after(self, trade_id: int) -> int | None:
        """Return the lowest id held above that one, or None."""
        if trade_id + 1 in self:
            return trade_id + 1
        at = bisect_right(self._firsts, trade_id)
        return self._firsts[at] if at < len(self._firsts) else None

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the ranges not held within ``first``..``last``, inclusive, in rising order."""
        absent = []
        expected = first
        start, end = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        for low, high in zip(self._firsts[start:end], self._lasts[start:end], strict=True):
            if low > expected:
                absent.append((expected, low - 1))
            expected = high + 1
        if expected <= last:
            absent.append((expected, last))
        return absent

    def complement(self, first: int, last: int) -> IdRanges:
        """Return the ids not held within ``first``..``last`` as a set: `missing`, but fast for many ranges."""
        low, high = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        firsts, lasts = self._views()
        begins = np.empty(high - low + 1, dtype=np.int64)
        ends = np.empty_like(begins)
        begins[0], ends[-1] = first, last
        np.add(lasts[low:high], 1, out=begins[1:])
        np.subtract(firsts[low:high], 1, out=ends[:-1])
        # ``first`` and ``last`` may be held themselves; between two ranges some id is always missing.
        whole = slice(int(begins[0] > ends[0]), len(begins) - int(begins[-1] > ends[-1]))
        return IdRanges._of_sorted(begins[whole], ends[whole])

    def gaps(self) -> list[tuple[int, int]]:
        """Return the ranges missing between those held, in rising order."""
        return [(last + 1, first - 1) for last, first in zip(self._lasts, self._firsts[1:], strict=False)]

    def _append(self, first: int, last: int) -> None:
        """Add a range; in constant time if it comes after all others, as rows sorted by the database do."""
        if last >= first and (not self._lasts or first > self._lasts[-1] + 1):
            self._firsts.append(first)
            self._lasts.append(last)
        else:
            self.add_range(first, last)

    def _put(self, low: int, high: int, ranges: Iterable[tuple[int, int]]) -> None:
        """Replace the ranges at indices ``low`` up to ``high`` (exclusive)."""
        self._firsts[low:high] = array("q", [first for first, _ in ranges])
        self._lasts[low:high] = array("q", [last for _, last in ranges])


class SymbolCoverage:
    """The trades of one symbol received so far, and the gaps between them."""

    def __init__(self, symbol: str, held: IdRanges | None = None) -> None:
        self.symbol = symbol
        self.held = held if held is not None else IdRanges()

    def missing_before(self, trade: Trade) -> TradeGap | None:
        """
        Return the trades skipped just before ``trade``, or None. Changes nothing.

        Call before `add`. Returns None for a trade at or below the highest id held, and for the first of all.

        Raises:
            ValueError: If ``trade`` is for another symbol.

        Source: Binance spot "Trade Streams", field ``t``.
        """
        if trade.symbol != self.symbol:
            raise ValueError(f"{trade.symbol} trade given to the coverage of {self.symbol}")
        last = self.held.last
        if last is None or trade.trade_id <= last + 1:
            return None
        return TradeGap(self.symbol, last + 1, trade.trade_id - 1)

    def add(self, trade: Trade) -> bool:
        """Record ``trade`` as held; return False for a repeat."""
        return self.held.add(trade.trade_id)

    def gaps(self) -> list[TradeGap]:
        """Return every gap between the trades held, oldest first."""
        return [TradeGap(self.symbol, first, last) for first, last in self.held.gaps()]

    def missing(self) -> int:
        """Return how many trades are missing in all gaps."""
        return sum(last - first + 1 for first, last in self.held.gaps())


class StoredGap(NamedTuple):
    """
    A range of ids, inclusive, that are not stored.

    ``absent``: the exchange has no trades with these ids. Otherwise they are missing, and ``repairing`` says that a
    program has announced to fetch them. ``start_us`` and ``end_us`` are the times of the stored trades just before and
    after (UTC microseconds; None if not requested, if retention has dropped that trade, or if there is none).
    """

    symbol: str
    first_trade_id: int
    last_trade_id: int
    start_us: int | None
    end_us: int | None
    absent: bool
    repairing: bool = False

    @property
    def ids(self) -> int:
        """The number of ids."""
        return self.last_trade_id - self.first_trade_id + 1
