"""
Adds aggregated trades up to candles of a minute. Pure.

The exchange joins trades of one time, price and side to one aggregated trade, and says of each the ids of the trades
that it stands for. So a minute's figures are those of its trades, their number included, and ids that adjoin prove that
none is missing. The trades themselves are not known by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.builder import finish
from app.market.candle import Candle, CandleSource, joined
from app.market.columns.exact_sums import Ints, product_sums, sums
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.ports.row_files import AggTradeBatch

MINUTE = Interval.parse("1m")

_EARLIEST_US, _LATEST_US = 1_230_768_000_000_000, 4_102_444_800_000_000  # 2009, before any exchange, to 2100
_OVERLAP = "its trades are part of another row"
_COLUMNS = ("time_us", "price_e8", "quantity_e8", "first_trade_id", "last_trade_id", "is_buyer_maker")


class AddedRows(NamedTuple):
    """What became of a batch: rows that repeat earlier ones, and (place in the batch, reason) of those refused."""

    repeated: int
    refused: list[tuple[int, str]]


class AggregatedMinutes:
    """
    The minutes of one symbol, of batches in any order.

    ``rows``: how many rows each minute has, by its open time. ``is_in_order``: whether each row came after those
    before it, so that no minute but the last will have more.
    """

    def __init__(self) -> None:
        self.ids = IdRanges()
        self.rows: dict[int, int] = {}
        self.is_in_order = True
        self._minutes: dict[int, Candle] = {}

    def add(self, batch: AggTradeBatch) -> AddedRows:
        """Add the rows of a batch."""
        refused = _unusable(batch)
        usable = np.ones(len(batch.time_us), dtype=np.bool_)
        usable[[place for place, _ in refused]] = False
        places = np.flatnonzero(usable)
        # lexsort is stable: of rows of the same trades, the one given first stays first.
        places = places[np.argsort(batch.first_trade_id[places], kind="stable")]
        fresh, repeated, overlapping = self._sorted_out(batch, places)
        refused += [(place, _OVERLAP) for place in overlapping]
        if len(fresh):
            self._fold({name: getattr(batch, name)[fresh] for name in _COLUMNS})
        return AddedRows(repeated, sorted(refused))

    def candles(self) -> list[Candle]:
        """
        Return the minutes, oldest first, with the ids of their trades, and the empty ones between adjoining trades.

        Complete is a minute within which, before which and after which no id is missing: not one that the rows begin or
        end in.
        """
        return finished([self._minutes[open_us] for open_us in sorted(self._minutes)], self.ids)

    def take_ended(self) -> AggregatedMinutes:
        """Remove all minutes but the last, and return them; there must be one. Both keep all ids."""
        ended = AggregatedMinutes()
        ended.ids = IdRanges(self.ids)
        last = max(self._minutes)
        ended._minutes, self._minutes = self._minutes, {last: self._minutes[last]}
        ended.rows, self.rows = self.rows, {last: self.rows[last]}
        del ended._minutes[last], ended.rows[last]
        return ended

    def _sorted_out(self, batch: AggTradeBatch, places: Ints) -> tuple[Ints, int, list[int]]:
        """Return the places of new rows, how many rows are repeats, and the places of those that overlap others."""
        firsts, lasts = batch.first_trade_id[places], batch.last_trade_id[places]
        known_last = self.ids.last
        is_rising = len(places) < 2 or bool((firsts[1:] > np.maximum.accumulate(lasts)[:-1]).all())
        if is_rising and (known_last is None or not len(places) or int(firsts[0]) > known_last):
            self._note(firsts, lasts)
            return places, 0, []
        self.is_in_order = False
        fresh, overlapping, repeated = list[int](), list[int](), 0
        for place, first, last in zip(places.tolist(), firsts.tolist(), lasts.tolist(), strict=True):
            held = self.ids.within(first, last)
            if not held:
                self.ids.add_range(first, last)
                fresh.append(place)
            elif held == [(first, last)]:
                repeated += 1
            else:
                overlapping.append(place)
        return np.array(fresh, dtype=np.int64), repeated, overlapping

    def _note(self, firsts: Ints, lasts: Ints) -> None:
        self.ids |= IdRanges.of_columns(firsts, lasts)

    def _fold(self, columns: dict[str, NDArray[np.int64]]) -> None:
        slot = columns["time_us"] // MINUTE.length_us
        order = np.argsort(slot, kind="stable")  # the rows of a minute stay in the order of their ids
        slot = slot[order]
        prices, quantities, firsts, lasts, maker = (columns[name][order] for name in _COLUMNS[1:])
        starts = np.flatnonzero(np.concatenate(([True], np.diff(slot) != 0)))
        ends = np.concatenate((starts[1:], [len(slot)])) - 1
        taker = np.where(maker, 0, quantities)
        figures = zip(
            (slot[starts] * MINUTE.length_us).tolist(),
            prices[starts].tolist(),
            np.maximum.reduceat(prices, starts).tolist(),
            np.minimum.reduceat(prices, starts).tolist(),
            prices[ends].tolist(),
            sums(quantities.astype(np.uint64), starts),
            product_sums(prices, quantities, starts),
            np.add.reduceat(lasts - firsts + 1, starts).tolist(),
            sums(taker.astype(np.uint64), starts),
            product_sums(prices, taker, starts),
            firsts[starts].tolist(),
            np.maximum.reduceat(lasts, starts).tolist(),
            strict=True,
        )
        for row, count in zip(figures, (ends - starts + 1).tolist(), strict=True):
            candle = Candle(*row)._replace(closed=False, source=CandleSource.AGGTRADES)
            known = self._minutes.get(candle.open_time_us)
            self._minutes[candle.open_time_us] = candle if known is None else joined(known, candle)
            self.rows[candle.open_time_us] = self.rows.get(candle.open_time_us, 0) + count


def merged(known: Candle, candle: Candle) -> Candle:
    """Return what two candles of one minute give: their sum, where they have no trade in common; else the fuller."""
    first, last = known.first_trade_id, known.last_trade_id
    other_first, other_last = candle.first_trade_id, candle.last_trade_id
    if first is None or last is None or other_first is None or other_last is None:
        are_apart = False  # without ids nothing proves that they have no trade in common
    else:
        are_apart = last < other_first or other_last < first
    if are_apart:
        return joined(known, candle)
    return candle if candle.trades > known.trades else known


def finished(minutes: Iterable[Candle], ids: IdRanges) -> list[Candle]:
    """
    Return the minutes, oldest first and each with ids, closed and complete where ``ids`` prove it, and the empty ones.
    """
    return [
        candle._replace(closed=True, source=CandleSource.AGGTRADES, complete=candle.complete and candle.closed)
        for candle in finish(minutes, MINUTE, ids)
    ]


def _unusable(batch: AggTradeBatch) -> list[tuple[int, str]]:
    unfit = {
        "its ids are out of range": (batch.first_trade_id < 0)
        | (batch.last_trade_id < batch.first_trade_id)
        | (batch.last_trade_id > 2**63 - 2),
        "its time is out of range": (batch.time_us < _EARLIEST_US) | (batch.time_us >= _LATEST_US),
        "its price or quantity is out of range": (batch.price_e8 <= 0) | (batch.quantity_e8 <= 0),
    }
    found: dict[int, str] = {}
    for reason, rows in unfit.items():
        for place in np.flatnonzero(rows).tolist():
            found.setdefault(place, reason)
    return list(found.items())
