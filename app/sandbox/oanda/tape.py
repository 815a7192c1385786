"""
The markets that the loopback OANDA serves: prices of instruments by time, recorded or simulated.

Prices are whole points; an instrument's precision says how many decimal places these are. Times are UTC microseconds.
"""

from __future__ import annotations

import bisect
import csv
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import starmap
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.market.errors import UsageError
from app.sandbox.forex_market import SWINGS, is_open

_SECOND_US = 1_000_000
_HOUR_US = 3_600 * _SECOND_US


class Listing(NamedTuple):
    """An instrument: its name (``"EUR_USD"``), what it is called, and the decimal places of its prices."""

    name: str
    display_name: str
    precision: int
    kind: str = "CURRENCY"


class TapePrice(NamedTuple):
    """Bid and ask in points at a time, each good for ``liquidity`` units."""

    time_us: int
    bid: int
    ask: int
    liquidity: int = 1_000_000


class PriceColumns(NamedTuple):
    """Prices as equally long columns: time, bid and ask."""

    time_us: NDArray[np.int64]
    bid: NDArray[np.int64]
    ask: NDArray[np.int64]

    def between(self, start_us: int, end_us: int) -> PriceColumns:
        """Return those in ``(start_us, end_us]``."""
        first, last = np.searchsorted(self.time_us, (start_us, end_us), side="right")
        return PriceColumns(*(column[first:last] for column in self))


class PriceTape(Protocol):
    """The prices of a market. A range excludes its start and includes its end: it is what is new since its start."""

    @property
    def listings(self) -> Sequence[Listing]:
        """Every instrument."""

    def prices(self, name: str, start_us: int, end_us: int) -> Sequence[TapePrice]:
        """Return the prices in ``(start_us, end_us]``, oldest first."""

    def columns(self, name: str, start_us: int, end_us: int) -> PriceColumns:
        """Return the same prices as columns, which is quicker for many."""

    def last(self, name: str, at_us: int) -> TapePrice | None:
        """Return the newest price not after ``at_us``."""


_EURUSD = Listing("EUR_USD", "EUR/USD", 5)
_DAY_FILE = re.compile(r"(\d{8})_([a-z]{6})_tick_quote\.csv")


class RecordedTape:
    """
    Recorded ticks of EUR/USD: zip files of ``20140501_eurusd_tick_quote.csv``, milliseconds of the day, bid, ask.

    ``start_us``, ``end_us`` are the times of the first and the last.

    Raises:
        UsageError: If a file is not such a recording.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        # Prices of one time stay in the recording's order.
        self._prices = sorted((price for file in files for price in _recorded(file)), key=lambda price: price.time_us)
        if not self._prices:
            raise UsageError("The recording of OANDA's prices is empty.")
        self._times = [price.time_us for price in self._prices]
        self._columns = _columns_of(self._prices)
        self.start_us, self.end_us = self._times[0], self._times[-1]

    @property
    def listings(self) -> Sequence[Listing]:
        return (_EURUSD,)

    def prices(self, name: str, start_us: int, end_us: int) -> Sequence[TapePrice]:
        if name != _EURUSD.name:
            return ()
        return self._prices[bisect.bisect_right(self._times, start_us) : bisect.bisect_right(self._times, end_us)]

    def columns(self, name: str, start_us: int, end_us: int) -> PriceColumns:
        return self._columns.between(start_us, end_us if name == _EURUSD.name else start_us)

    def last(self, name: str, at_us: int) -> TapePrice | None:
        place = bisect.bisect_right(self._times, at_us)
        return self._prices[place - 1] if place and name == _EURUSD.name else None


def _recorded(file: Path) -> list[TapePrice]:
    try:
        with zipfile.ZipFile(file) as archive:
            (member,) = archive.namelist()
            found = _DAY_FILE.fullmatch(member)
            if found is None or found[2] != "eurusd":
                raise ValueError(member)
            day_us = int(datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).timestamp()) * _SECOND_US
            rows = csv.reader(io.TextIOWrapper(archive.open(member), "ascii"))
            return [TapePrice(day_us + int(ms) * 1_000, _points(bid), _points(ask)) for ms, bid, ask in rows]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{file} is no recording of OANDA's prices ({error}).") from error


def _points(text: str) -> int:
    whole, _, places = text.partition(".")
    return int(whole + places.ljust(_EURUSD.precision, "0"))


LISTINGS: Mapping[str, tuple[Listing, float]] = {
    listing.name: (listing, level)
    for listing, level in (
        (_EURUSD, 1.1427),
        (Listing("GBP_USD", "GBP/USD", 5), 1.3112),
        (Listing("USD_JPY", "USD/JPY", 3), 148.25),
        (Listing("USD_CHF", "USD/CHF", 5), 0.8931),
        (Listing("AUD_USD", "AUD/USD", 5), 0.6621),
        (Listing("NZD_USD", "NZD/USD", 5), 0.6014),
        (Listing("USD_CAD", "USD/CAD", 5), 1.3744),
        (Listing("XAU_USD", "Gold", 3, "METAL"), 2_411.5),
        (Listing("SPX500_USD", "US SPX 500", 1, "CFD"), 5_611.0),
    )
}


class SimulatedTape:
    """
    Instruments with the same prices for the same ``seed``, whatever is asked for and in which order.

    The market is open from Sunday to Friday, 17:00 New York; with ``always_open`` also at weekends, so that a demo has
    prices on a Saturday. ``prices_per_s``: about.
    """

    def __init__(self, seed: int = 1, *, prices_per_s: float = 1.0, always_open: bool = False) -> None:
        self._seed = seed
        self._per_second = prices_per_s
        self._always_open = always_open
        self._hour = lru_cache(maxsize=64)(self._made)

    @property
    def listings(self) -> Sequence[Listing]:
        return [listing for listing, _ in LISTINGS.values()]

    def prices(self, name: str, start_us: int, end_us: int) -> Sequence[TapePrice]:
        found: list[TapePrice] = []
        if name in LISTINGS:
            for hour_us in range((start_us + 1) // _HOUR_US * _HOUR_US, end_us + 1, _HOUR_US):
                prices, times = self._hour(name, hour_us)
                found += prices[bisect.bisect_right(times, start_us) : bisect.bisect_right(times, end_us)]
        return found

    def columns(self, name: str, start_us: int, end_us: int) -> PriceColumns:
        hours = range((start_us + 1) // _HOUR_US * _HOUR_US, end_us + 1, _HOUR_US) if name in LISTINGS else ()
        found = [self._columns(name, hour_us)[0] for hour_us in hours if self._is_open(hour_us)]
        joined = (np.concatenate(columns) for columns in zip(*found, strict=True)) if found else _NO_PRICES
        return PriceColumns(*joined).between(start_us, end_us)

    def last(self, name: str, at_us: int) -> TapePrice | None:
        for hours in range(72):  # a weekend has 48
            start_us = at_us // _HOUR_US * _HOUR_US - hours * _HOUR_US
            if found := self.prices(name, start_us - 1, min(at_us, start_us + _HOUR_US - 1)):
                return found[-1]
        return None

    def _made(self, name: str, hour_us: int) -> tuple[list[TapePrice], list[int]]:
        if not self._is_open(hour_us):
            return [], []
        columns, sizes = self._columns(name, hour_us)
        times, bids, asks = (column.tolist() for column in columns)
        return list(starmap(TapePrice, zip(times, bids, asks, sizes.tolist(), strict=True))), times

    def _is_open(self, hour_us: int) -> bool:
        return self._always_open or is_open(hour_us // _SECOND_US)

    def _columns(self, name: str, hour_us: int) -> tuple[PriceColumns, NDArray[np.int64]]:
        """Return an hour's prices, and for how many units each is good."""
        listing, level = LISTINGS[name]
        chance = np.random.default_rng([self._seed, *name.encode(), hour_us // _HOUR_US])
        # Those that fall on one millisecond become one, so there are a few fewer.
        times = hour_us + np.unique(chance.integers(0, 3_600_000, max(1, round(self._per_second * 3_600)))) * 1_000
        count = len(times)
        days = times / (24 * _HOUR_US)
        swing = sum(np.sin(days * rate + place) * share for place, (rate, share) in enumerate(SWINGS))
        bids = np.rint(level * (1 + swing) * 10**listing.precision).astype(np.int64) + chance.integers(-3, 4, count)
        asks = bids + chance.integers(1, 7, count)
        return PriceColumns(times, bids, asks), chance.choice((250_000, 1_000_000), count)


def _columns_of(prices: Sequence[TapePrice]) -> PriceColumns:
    rows = np.array([price[:3] for price in prices], dtype=np.int64).reshape(len(prices), 3)
    return PriceColumns(*(np.ascontiguousarray(column) for column in rows.T))


_NO_PRICES = _columns_of(())
