"""What `storage.integrity.verify` finds and `storage.integrity.rebuild` mends, as values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.market.coverage import IdRanges

MAX_LISTED = 100
"""So many differences of one symbol and kind are listed; the others are counted."""


class DifferenceKind(StrEnum):
    """In what way the database contradicts itself."""

    MISSING = "missing trades"  # the ranges say that they are held
    UNCOVERED = "uncovered trades"  # stored, but the ranges say that they are not
    DUPLICATE = "trade stored twice"  # one id with two times
    RANGES = "ranges overlap or touch"
    CANDLE_MISSING = "candle missing"
    CANDLE_SUPERFLUOUS = "candle superfluous"
    CANDLE_DIFFERENT = "candle different"
    CANDLE_UNFOUNDED = "candle unfounded"  # it holds more trades than the finer candles, and the trades were dropped
    UNCOUNTED = "trades in no candle"  # held by the ranges, dropped from the trades, and in no candle either
    ABSENT = "absent trades wrong"  # stored all the same, or not in the ranges
    KLINE = "kline impossible"
    UNKNOWN_SYMBOL = "trades without a symbol"


REBUILDABLE = frozenset(DifferenceKind) - {DifferenceKind.CANDLE_UNFOUNDED, DifferenceKind.UNCOUNTED}
"""What the trades still there can put right."""


class Difference(NamedTuple):
    """
    One difference. ``number`` is how many trades, ranges, candles or klines it concerns, ``what`` says the rest.

    The ids are inclusive; ``open_time_us`` (UTC microseconds) and ``table`` name a candle; None where there are none.
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
    The times ``[start_us, end_us)``, UTC microseconds, each a multiple of the coarsest level's length.

    ``dropped``: retention has dropped trades of this time, so that its candles may hold more than the trades tell.
    """

    start_us: int
    end_us: int
    dropped: bool = False


@dataclass(slots=True)
class Damage:
    """All that is wrong with one symbol, as far as it can be mended."""

    symbol_id: int
    name: str
    missing: IdRanges = field(default_factory=IdRanges)
    uncovered: IdRanges = field(default_factory=IdRanges)
    duplicates: IdRanges = field(default_factory=IdRanges)
    windows: list[TimeWindow] = field(default_factory=list)
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
            self.absent,
            self.faulty_ranges,
            self.impossible_klines,
            self.has_unknown_symbol,
        )
        return any(map(bool, found))


@dataclass(slots=True)
class DifferenceReport:
    """
    What was found. ``trades`` counts those looked at, ``symbols`` are those that were named or hold any. ``listed`` has
    at most `MAX_LISTED` differences of one symbol and kind, ``totals`` how many there are of each.
    """

    trades: int = 0
    symbols: list[str] = field(default_factory=list)
    listed: list[Difference] = field(default_factory=list)
    totals: Counter[tuple[str, DifferenceKind]] = field(default_factory=Counter)
    damages: list[Damage] = field(default_factory=list)
    _lines: Counter[tuple[str, DifferenceKind]] = field(default_factory=Counter)

    @property
    def differing(self) -> list[str]:
        """The symbols with a difference, by name."""
        return sorted({name for name, _ in self.totals})

    def add(self, difference: Difference, *, of: int | None = None) -> None:
        """Note one difference; ``of`` is what it adds to the total where that is not its number."""
        key = (difference.symbol, difference.kind)
        self.totals[key] += difference.number if of is None else of
        self._lines[key] += 1
        if self._lines[key] <= MAX_LISTED:
            self.listed.append(difference)
