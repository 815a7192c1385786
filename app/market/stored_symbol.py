"""What a database holds of a symbol, as values; and of each day, how much of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple

from app.market.candle import CandleSource
from app.market.coverage import IdRanges
from app.market.symbol import Symbol

DAY_US = 86_400_000_000


class StoredTrade(NamedTuple):
    """A stored trade's id and time (UTC microseconds; None if retention has dropped it)."""

    trade_id: int
    time_us: int | None


class StoredCandles(NamedTuple):
    """
    The candles of one interval: made of trades, or of one table of klines, the exchange's or a broker's of quotes.

    ``source`` of the latter: klines, aggregated trades or, where both are stored, mixed; if not ``is_exact``, it is
    that of the first candle of each day. ``first_us`` and ``last_us`` are open times, UTC microseconds. ``rows`` is how
    many there are, an estimate unless ``is_exact``; ``size_bytes`` is their share of the table.
    """

    interval: str
    source: CandleSource
    first_us: int
    last_us: int
    rows: int
    is_exact: bool
    size_bytes: int

    @property
    def is_of_trades(self) -> bool:
        """Whether they are made of stored trades."""
        return self.source is CandleSource.TRADES


class StoredTicks(NamedTuple):
    """
    The ticks of a symbol: how many are stored (``ticks``), how many retention dropped, the times of the first and last
    (UTC microseconds), and their size with their candles.
    """

    ticks: int
    dropped: int
    first_us: int
    last_us: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StoredSymbol:
    """
    One symbol that the database knows.

    ``trades`` counts the trades stored, ``dropped`` those that retention dropped, ``missing`` the ids between the first
    and the last that nothing has. ``trades_bytes`` is their share of the trades' table. ``candles``: finest first,
    those of trades before klines. ``active``: its trades or ticks are being recorded now. ``ticks``: None without any.
    """

    symbol: Symbol
    trades: int = 0
    dropped: int = 0
    missing: int = 0
    first: StoredTrade | None = None
    last: StoredTrade | None = None
    trades_bytes: int = 0
    candles: tuple[StoredCandles, ...] = ()
    active: bool = False
    ticks: StoredTicks | None = None

    @property
    def is_stored(self) -> bool:
        """Whether trades, ticks or candles of it are stored."""
        return self.first is not None or self.ticks is not None or bool(self.candles)

    @property
    def first_us(self) -> int | None:
        """
        When what is stored of it begins, UTC microseconds; None where nothing is.

        Candles made of trades do not count where the first trade is stored: those of a day begin before it.
        """
        traded_us = None if self.first is None else self.first.time_us
        begins = [one.first_us for one in self.candles if traded_us is None or not one.is_of_trades]
        begins += [self.ticks.first_us] if self.ticks else []
        begins += [] if traded_us is None else [traded_us]
        return min(begins, default=None)

    @property
    def last_us(self) -> int | None:
        """The time of the last trade or tick stored, or the last candle's open time, whichever is later."""
        ends = [one.last_us for one in self.candles]
        ends += [self.ticks.last_us] if self.ticks else []
        ends += [self.last.time_us] if self.last is not None and self.last.time_us is not None else []
        return max(ends, default=None)

    @property
    def rows(self) -> int:
        """How many trades or ticks are stored."""
        return self.ticks.ticks if self.ticks else self.trades

    @property
    def size_bytes(self) -> int:
        """The share of all tables, in bytes."""
        ticks = self.ticks.size_bytes if self.ticks else 0
        return self.trades_bytes + ticks + sum(one.size_bytes for one in self.candles)

    @property
    def share(self) -> float | None:
        """The share of the ids from the first to the last that are held, 0 to 1; None without trades."""
        held = self.trades + self.dropped
        return held / (held + self.missing) if held else None


class DayTrades(NamedTuple):
    """The trades of one UTC day that begins at ``day_us``: their lowest and highest id, and their number."""

    day_us: int
    first_trade_id: int
    last_trade_id: int
    trades: int


class DayState(Enum):
    """What is stored of a day."""

    NOTHING = auto()
    CANDLES = auto()  # candles alone: the exchange's, or those of aggregated trades
    PARTLY = auto()  # trades are missing
    WHOLE = auto()  # every trade, as far as the ids tell


@dataclass(frozen=True, slots=True)
class DayHeld:
    """
    A UTC day: the trades held and missing, and whether the exchange's candles, or those of aggregated trades, are
    stored.

    ``missing`` is an estimate, by time, where one gap reaches over several days.
    """

    day_us: int
    trades: int = 0
    missing: int = 0
    has_klines: bool = False
    has_aggtrades: bool = False

    @property
    def share(self) -> float | None:
        """The share of the day's trades that are held, 0 to 1; None where none are known of."""
        known = self.trades + self.missing
        return self.trades / known if known else None

    @property
    def state(self) -> DayState:
        """What is stored of the day."""
        if self.missing:
            return DayState.PARTLY
        if self.trades:
            return DayState.WHOLE
        return DayState.CANDLES if self.has_klines or self.has_aggtrades else DayState.NOTHING


def days_held(
    days: Sequence[DayTrades],
    covered: IdRanges,
    *,
    edges_us: Mapping[int, int] | None = None,
    kline_days: Iterable[int] = (),
    aggtrade_days: Iterable[int] = (),
) -> list[DayHeld]:
    """
    Return the days of which something is stored or missing, rising.

    ``days``: those with trades, rising. ``covered``: the ids not missing (`CoverageStore.coverage`). ``edges_us``: by
    id the times of the trades beside a gap, as far as known; without one, the trade before a gap counts as the last of
    its day, and the one after it as the first of its own. ``kline_days``: days with the exchange's candles;
    ``aggtrade_days``: with those of aggregated trades.
    """
    found = {one.day_us: DayHeld(one.day_us, one.trades) for one in days}
    for first, last, before, after in _placed_gaps(days, covered):
        start_us = end_us = before.day_us
        if after is not before:
            start_us = (edges_us or {}).get(first - 1, before.day_us + DAY_US - 1)
            end_us = (edges_us or {}).get(last + 1, after.day_us)
        for day_us, missing in _shared_out(last - first + 1, start_us, end_us):
            held = found.get(day_us, DayHeld(day_us))
            found[day_us] = replace(held, missing=held.missing + missing)
    for day_us in kline_days:
        found[day_us] = replace(found.get(day_us, DayHeld(day_us)), has_klines=True)
    for day_us in aggtrade_days:
        found[day_us] = replace(found.get(day_us, DayHeld(day_us)), has_aggtrades=True)
    return [found[day_us] for day_us in sorted(found)]


def gaps_over_midnight(days: Sequence[DayTrades], covered: IdRanges) -> list[tuple[int, int]]:
    """Return the gaps whose trade before and trade after are of different days: their first and last missing id."""
    return [(first, last) for first, last, before, after in _placed_gaps(days, covered) if before is not after]


def _placed_gaps(days: Sequence[DayTrades], covered: IdRanges) -> Iterator[tuple[int, int, DayTrades, DayTrades]]:
    """Yield each gap's first and last id with the days of the trades before and after it."""
    firsts, lasts = [one.first_trade_id for one in days], [one.last_trade_id for one in days]
    for first, last in covered.gaps() if days else ():
        before = max(bisect_right(firsts, first) - 1, 0)
        after = min(max(bisect_right(lasts, last), before), len(days) - 1)
        yield first, last, days[before], days[after]


def _shared_out(missing: int, start_us: int, end_us: int) -> list[tuple[int, int]]:
    """Return how many of the missing trades count to which day, by its share of the time; together they are all."""
    first_us, last_us = start_us - start_us % DAY_US, end_us - end_us % DAY_US
    if last_us <= first_us:
        return [(first_us, missing)]
    shared, given, length_us = list[tuple[int, int]](), 0, max(1, end_us - start_us)
    for day_us in range(first_us, last_us + 1, DAY_US):
        until = missing * (min(day_us + DAY_US, end_us) - start_us) // length_us
        if until > given:
            shared.append((day_us, until - given))
            given = until
    if given < missing:
        shared.append((last_us, missing - given))
    return shared
