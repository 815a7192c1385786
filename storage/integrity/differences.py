"""The differences that `storage.integrity.verify` finds and `storage.integrity.rebuild` corrects, as values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.market.coverage import IdRanges

MAX_LISTED = 100
"""At most this many differences of one symbol and kind are listed; the rest are only counted."""


class DifferenceKind(StrEnum):
    """The ways in which the database can contradict itself. The values appear in reports and JSON."""

    MISSING = "missing trades"  # in the ranges, but not stored
    UNCOVERED = "uncovered trades"  # stored, but not in the ranges
    DUPLICATE = "trade stored twice"  # one id with two times
    RANGES = "ranges overlap or touch"
    CANDLE_MISSING = "candle missing"
    CANDLE_SUPERFLUOUS = "candle superfluous"
    CANDLE_DIFFERENT = "candle different"
    CANDLE_UNFOUNDED = "candle unfounded"  # it has more trades than the finer candles, and the trades were dropped
    UNCOUNTED = "trades in no candle"  # in the ranges, but dropped from the trades and in no candle
    ABSENT = "absent trades wrong"  # recorded as absent, but stored, or not in the ranges
    KLINE = "kline impossible"
    UNKNOWN_SYMBOL = "trades without a symbol"


REBUILDABLE = frozenset(DifferenceKind) - {DifferenceKind.CANDLE_UNFOUNDED, DifferenceKind.UNCOUNTED}
"""The kinds that `storage.integrity.rebuild` can correct from the stored trades."""


class Difference(NamedTuple):
    """
    One difference. ``number`` counts the affected trades, ranges, candles or klines; ``what`` describes it.

    The ids are inclusive. ``table`` and ``open_time_us`` (UTC microseconds) name a candle or kline. None if not
    applicable.
    """

    symbol: str
    kind: DifferenceKind
    number: int
    what: str
    first_trade_id: int | None = None
    last_trade_id: int | None = None
    table: str | None = None
    open_time_us: int | None = None


class TimeWindow(NamedTuple):
    """
    The time range ``[start_us, end_us)``, UTC microseconds, both multiples of the coarsest level's length.

    ``dropped``: retention has dropped trades from this range, so its candles may contain more trades than are stored.
    """

    start_us: int
    end_us: int
    dropped: bool = False


@dataclass(slots=True)
class Damage:
    """The differences of one symbol that a rebuild can correct."""

    symbol_id: int
    name: str
    missing: IdRanges = field(default_factory=IdRanges)
    uncovered: IdRanges = field(default_factory=IdRanges)
    duplicates: IdRanges = field(default_factory=IdRanges)
    windows: list[TimeWindow] = field(default_factory=list)
    tick_windows: list[TimeWindow] = field(default_factory=list)
    absent: IdRanges = field(default_factory=IdRanges)
    faulty_ranges: bool = False
    impossible_klines: bool = False
    has_unknown_symbol: bool = False

    def __bool__(self) -> bool:
        found = (
            self.missing,
            self.uncovered,
            self.duplicates,
            self.windows,
            self.tick_windows,
            self.absent,
            self.faulty_ranges,
            self.impossible_klines,
            self.has_unknown_symbol,
        )
        return any(map(bool, found))


@dataclass(slots=True)
class DifferenceReport:
    """
    The result of a verification.

    ``trades`` and ``ticks`` count what was compared; ``symbols`` are the symbols that were named or have any.
    ``listed`` has at most `MAX_LISTED` differences per symbol and kind, ``totals`` the number of all. ``damages`` is a
    rebuild's input.
    """

    trades: int = 0
    ticks: int = 0
    symbols: list[str] = field(default_factory=list)
    listed: list[Difference] = field(default_factory=list)
    totals: Counter[tuple[str, DifferenceKind]] = field(default_factory=Counter)
    damages: list[Damage] = field(default_factory=list)
    _lines: Counter[tuple[str, DifferenceKind]] = field(default_factory=Counter)

    @property
    def differing(self) -> list[str]:
        """The symbols with a difference, sorted by name."""
        return sorted({name for name, _ in self.totals})

    def add(self, difference: Difference, *, of: int | None = None) -> None:
        """Add one difference; ``of`` is its contribution to the total if not its number."""
        key = (difference.symbol, difference.kind)
        self.totals[key] += difference.number if of is None else of
        self._lines[key] += 1
        if self._lines[key] <= MAX_LISTED:
            self.listed.append(difference)
