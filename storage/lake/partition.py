"""
The layout of a lake: Hive partitions, as DuckDB, Spark, Trino, polars and pandas understand them. Pure.

    trades/broker=binance/symbol=BTCUSDT/date=2026-11-28/trades-<first id>-<last id>.parquet
    quotes/broker=dukascopy/symbol=EURUSD/date=2026-11-28/quotes-<first µs>-<last µs>.parquet
    candles/broker=binance/symbol=BTCUSDT/interval=1m/year=2026/candles-<first µs>-<last µs>.parquet

Beside the parts lies ``_manifest.json``. Readers of ``**/*.parquet`` do not match it, and readers of whole folders skip
names that begin with an underscore. It is written last; with it, the partition exists.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from app.market.symbol import BROKER, bare_name, broker_of

MANIFEST = "_manifest.json"
DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)
_KEY = re.compile(
    r"^(?P<kind>trades|quotes|candles)/broker=(?P<broker>[^/]+)/symbol=(?P<symbol>[^/]+)/(interval=(?P<interval>[^/]+)/)?"
    r"(date=(?P<date>\d{4}-\d{2}-\d{2})|year=(?P<year>\d{4}))/(?P<name>[^/]+)$"
)
_PART = re.compile(r"^(trades|quotes|candles)-(?P<first>\d+)-(?P<last>\d+)\.parquet$")


class LakeKind(StrEnum):
    """The kind of a partition's rows."""

    TRADES = "trades"
    QUOTES = "quotes"
    CANDLES = "candles"


ORDER_COLUMNS = {LakeKind.TRADES: "trade_id", LakeKind.QUOTES: "time", LakeKind.CANDLES: "open_time"}
"""The column by which the rows of a partition rise."""

BOUND_NAMES = {
    LakeKind.TRADES: ("first_trade_id", "last_trade_id"),
    LakeKind.QUOTES: ("first_time_us", "last_time_us"),
    LakeKind.CANDLES: ("first_open_time_us", "last_open_time_us"),
}
"""The names of that column's first and last value, in manifests and footers."""


class Partition(NamedTuple):
    """
    A day of trades or quotes of one symbol, or a year of its candles of one interval; UTC.

    ``symbol`` as the program writes it (``BTCUSDT``, ``dukascopy:EURUSD``); ``period`` is ``2026-11-28`` or ``2026``,
    ``interval`` is empty but for candles.
    """

    kind: LakeKind
    symbol: str
    period: str
    interval: str = ""

    @property
    def folder(self) -> str:
        """Its folder in the lake, without a slash at the end."""
        return f"{symbol_folder(self.kind, self.symbol, self.interval)}/{self.period_name}={self.period}"

    @property
    def period_name(self) -> str:
        """The name of its period, ``date`` or ``year``."""
        return "year" if self.kind is LakeKind.CANDLES else "date"

    @property
    def manifest_key(self) -> str:
        return f"{self.folder}/{MANIFEST}"

    @property
    def start_us(self) -> int:
        """Its start, UTC microseconds."""
        text = f"{self.period}-01-01" if self.kind is LakeKind.CANDLES else self.period
        return (date.fromisoformat(text) - _EPOCH).days * DAY_US

    @property
    def end_us(self) -> int:
        """Its end, exclusive."""
        if self.kind is LakeKind.CANDLES:
            return (date(int(self.period) + 1, 1, 1) - _EPOCH).days * DAY_US
        return self.start_us + DAY_US

    def part_name(self, first: int, last: int) -> str:
        """Return the name of a part with rows from ``first`` to ``last``: ids of trades, else microseconds."""
        return f"{self.kind}-{first}-{last}.parquet"


def symbol_folder(kind: LakeKind, symbol: str, interval: str = "") -> str:
    """Return the folder of a symbol's partitions."""
    folder = f"{kind}/broker={broker_of(symbol)}/symbol={bare_name(symbol)}"
    return f"{folder}/interval={interval}" if interval else folder


def symbol_of(broker: str, name: str) -> str:
    """Return a symbol as the program writes it."""
    return name if broker == BROKER else f"{broker}:{name}"


def partition_of(key: str) -> tuple[Partition, str] | None:
    """Return the partition that an object lies in, and its name there; None for anything else."""
    found = _KEY.match(key)
    if found is None:
        return None
    kind, year = LakeKind(found["kind"]), found["year"]
    if (kind is LakeKind.CANDLES) != (year is not None) or (kind is LakeKind.CANDLES) != bool(found["interval"]):
        return None
    symbol = symbol_of(found["broker"], found["symbol"])
    partition = Partition(kind, symbol, year or found["date"], found["interval"] or "")
    try:
        is_period = partition.start_us < partition.end_us
    except ValueError:  # the 30th of February, the year 9999
        is_period = False
    return (partition, found["name"]) if is_period else None


def part_range(name: str) -> tuple[int, int] | None:
    """Return the first and last in a part's name; None for another file."""
    found = _PART.match(name)
    return (int(found["first"]), int(found["last"])) if found else None


def day_text(time_us: int) -> str:
    """Return the UTC day of a time: ``2026-11-28``."""
    return (_EPOCH + timedelta(days=time_us // DAY_US)).isoformat()


def year_text(time_us: int) -> str:
    """Return the UTC year of a time: ``2026``."""
    return f"{datetime.fromtimestamp(time_us // 1_000_000, UTC):%Y}"
