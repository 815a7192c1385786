"""
Where Dukascopy keeps what: paths of the JSON interface, whose months count from one, and of the tree of .bi5 files,
whose months count from zero. No I/O.

A bucket is what one path answers: an hour of ticks, or a day, a month or a year of candles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from app.brokers.dukascopy.instruments import BROKER, code_of
from app.market.errors import UsageError
from app.market.interval import SECOND_US, Interval
from app.market.ports.quote_history import HOUR_US
from app.market.quotes.tick import PriceSide
from app.market.symbol import bare_name


class Length(Enum):
    """The length of published candles, and with it of the bucket they come in."""

    MINUTE = "minute"  # by the day
    HOUR = "hour"  # by the month
    DAY = "day"  # by the year


_FILE_NAMES = {Length.MINUTE: "min_1", Length.HOUR: "hour_1", Length.DAY: "day_1"}
_LENGTHS = {name: length for length, name in _FILE_NAMES.items()}


_SECONDS = {60: Length.MINUTE, 3_600: Length.HOUR, 86_400: Length.DAY}


def interval_of(length: Length) -> Interval:
    """Return the interval of candles of that length."""
    return Interval(next(seconds for seconds, one in _SECONDS.items() if one is length))


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
        return f"{_folder(self.symbol)}/{at.year}/{at.month - 1:02d}/{at.day:02d}/{at.hour:02d}h_ticks.bi5"


@dataclass(frozen=True, slots=True)
class CandleBucket:
    """
    The candles of one side of a symbol, of the bucket that ``time_us`` (UTC microseconds) lies in.

    Raises:
        ValueError: If ``side`` is neither bid nor ask.
    """

    symbol: str
    side: PriceSide
    length: Length
    time_us: int

    def __post_init__(self) -> None:
        if self.side is PriceSide.MID:
            raise ValueError("Dukascopy publishes candles of bid and of ask")

    @property
    def start_us(self) -> int:
        return _us(self._bounds()[0])

    @property
    def end_us(self) -> int:
        return _us(self._bounds()[1])

    @property
    def json_path(self) -> str:
        dates = "/".join(str(part) for part in self._date())
        return f"/v1/candles/{self.length.value}/{code_of(self.symbol)}/{self.side.value.upper()}/{dates}"

    @property
    def file_path(self) -> str:
        year, *rest = self._date()
        # The month counts from zero there, the day from one.
        parts = [f"{part - (place == 0):02d}" for place, part in enumerate(rest)]
        name = f"{self.side.value.upper()}_candles_{_FILE_NAMES[self.length]}.bi5"
        return "/".join([_folder(self.symbol), str(year), *parts, name])

    def _date(self) -> tuple[int, ...]:
        start = self._bounds()[0]
        return (start.year, start.month, start.day)[: {Length.MINUTE: 3, Length.HOUR: 2, Length.DAY: 1}[self.length]]

    def _bounds(self) -> tuple[datetime, datetime]:
        at = _utc(self.time_us).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.length is Length.MINUTE:
            return at, at + timedelta(days=1)
        if self.length is Length.HOUR:
            start = at.replace(day=1)
            return start, (start + timedelta(days=31)).replace(day=1)
        start = at.replace(month=1, day=1)
        return start, start.replace(year=start.year + 1)


Bucket = TickBucket | CandleBucket

_TICKS = re.compile(
    r"(?:^|/)(?P<name>[A-Za-z0-9]{5,20})/(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>\d{2})/(?P<hour>\d{2})h_ticks\.bi5$"
)
_CANDLES = re.compile(
    r"(?:^|/)(?P<name>[A-Za-z0-9]{5,20})/(?P<year>\d{4})(?:/(?P<month>\d{2})(?:/(?P<day>\d{2}))?)?"
    r"/(?P<side>BID|ASK)_candles_(?P<length>min_1|hour_1|day_1)\.bi5$"
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
    length = _LENGTHS[parts["length"] or ""]
    if (month is None, day is None) != (length is Length.DAY, length is not Length.MINUTE):
        raise ValueError("the folders do not fit the name")
    return CandleBucket(symbol, PriceSide((parts["side"] or "").lower()), length, at_us)


def _folder(symbol: str) -> str:
    return f"/datafeed/{bare_name(symbol)}"


def _utc(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us // SECOND_US, UTC)


def _us(at: datetime) -> int:
    return int(at.timestamp()) * SECOND_US
