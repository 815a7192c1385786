"""
Where Dukascopy keeps what: paths of the JSON interface, whose months count from one, and of the tree of .bi5 files,
whose months count from zero. No I/O.

A bucket is what one path holds: an hour of ticks, or, in the tree alone, a day, a month or a year of candles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from app.brokers.dukascopy.instruments import BROKER, code_of
from app.market.errors import UsageError
from app.market.interval import SECOND_US, Interval
from app.market.ports.quote_history import HOUR_US
from app.market.quotes.tick import PriceSide
from app.market.symbol import bare_name

_INTERVALS = {"min_1": Interval.parse("1m"), "hour_1": Interval.parse("1h"), "day_1": Interval.parse("1d")}
_FOLDERS = {"min_1": 3, "hour_1": 2, "day_1": 1}  # year, month and day: a file has a day, a month or a year


@dataclass(frozen=True, slots=True)
class TickBucket:
    """The ticks of a symbol (``"dukascopy:EURUSD"``) in the hour that begins at ``start_us``, UTC microseconds."""

    symbol: str
    start_us: int

    @property
    def end_us(self) -> int:
        return self.start_us + HOUR_US

    @property
    def json_path(self) -> str:
        at = _utc(self.start_us)
        return f"/v1/ticks/{code_of(self.symbol)}/{at.year}/{at.month}/{at.day}/{at.hour}"

    @property
    def file_path(self) -> str:
        at = _utc(self.start_us)
        return f"/datafeed/{bare_name(self.symbol)}/{at.year}/{at.month - 1:02d}/{at.day:02d}/{at.hour:02d}h_ticks.bi5"


@dataclass(frozen=True, slots=True)
class CandleBucket:
    """
    The candles of bid or of ask that a file holds: of the day, the month or the year from ``start_us``.

    ``symbol`` and ``start_us``: as of a `TickBucket`.
    """

    symbol: str
    side: PriceSide
    interval: Interval
    start_us: int


Bucket = TickBucket | CandleBucket

_TICKS = re.compile(
    r"(?:^|/)(?P<name>[A-Za-z0-9]{5,20})/(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>\d{2})/(?P<hour>\d{2})h_ticks\.bi5$",
    re.IGNORECASE,
)
_CANDLES = re.compile(
    r"(?:^|/)(?P<name>[A-Za-z0-9]{5,20})/(?P<year>\d{4})(?:/(?P<month>\d{2})(?:/(?P<day>\d{2}))?)?"
    r"/(?P<side>BID|ASK)_candles_(?P<length>min_1|hour_1|day_1)\.bi5$",
    re.IGNORECASE,
)


def bucket_of_path(path: str) -> Bucket:
    """
    Return what a .bi5 file holds, by the end of its path: ``EURUSD/2019/01/04/08h_ticks.bi5``, months from zero.

    Raises:
        UsageError: If the path does not say what the file holds, or names a time that does not exist.
    """
    path = path.replace("\\", "/")
    found = _TICKS.search(path) or _CANDLES.search(path)
    problem = "its folders must name them, as in EURUSD/2019/01/04/08h_ticks.bi5"
    if found is not None:
        try:
            return _bucket(found.groupdict())
        except ValueError:
            problem = "the time in its path does not exist; months count from 00 there"
    raise UsageError(f"{path}: its symbol and time are not known: {problem}.")


def _bucket(parts: dict[str, str | None]) -> Bucket:
    symbol = f"{BROKER}:{(parts['name'] or '').upper()}"
    month, day, hour = (parts.get(name) for name in ("month", "day", "hour"))
    at_us = _us(
        datetime(
            int(parts["year"] or ""),
            1 if month is None else int(month) + 1,
            int(day or 1),
            int(hour or 0),
            tzinfo=UTC,
        )
    )
    if hour is not None:
        return TickBucket(symbol, at_us)
    length = (parts["length"] or "").lower()
    if 1 + (month is not None) + (day is not None) != _FOLDERS[length]:
        raise ValueError("the folders do not fit the name")
    return CandleBucket(symbol, PriceSide((parts["side"] or "").lower()), _INTERVALS[length], at_us)


def _utc(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us // SECOND_US, UTC)


def _us(at: datetime) -> int:
    return int(at.timestamp()) * SECOND_US
