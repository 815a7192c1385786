"""
Every address, path, weight and limit that Binance defines, in one place.

Source: binance-spot-api-docs, web-socket-streams.md, rest-api.md and faqs/market_data_only.md; binance-public-data,
README.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.brokers.addresses import check_base
from app.market.interval import Interval
from app.market.ports.archive import ArchiveFile

_SERVICE = "the exchange"

WS_BASE = "wss://stream.binance.com:9443"
REST_BASE = "https://api.binance.com"
ARCHIVE_BASE = "https://data.binance.vision"
MARKET_DATA_ONLY_REST_HOST = "data-api.binance.vision"  # has no historicalTrades

STREAM_PATH = "/stream?timeUnit=MICROSECOND"
STREAM_KINDS = ("trade", "bookTicker", "miniTicker")

MAX_STREAMS = 1024  # per connection
MAX_SYMBOLS = MAX_STREAMS // len(STREAM_KINDS)
STREAMS_PER_REQUEST = 200
# The exchange closes a connection that sends more than five messages per second, pongs included: at 0.3 s apart, any
# second holds at most four requests.
REQUEST_SPACING_S = 0.3
# Three hundred attempts in five minutes get the address banned; half of that leaves room for a second program.
MAX_CONNECTION_ATTEMPTS = 150
FREE_CONNECTION_ATTEMPTS = 75  # may follow each other at once; the others are spread over the period
CONNECTION_ATTEMPTS_PERIOD_S = 300.0
CONNECTION_LIFE_S = 24 * 3600.0
REPLACE_AFTER_S = CONNECTION_LIFE_S - 1800.0  # half an hour early, in case replacing fails at first

WEIGHT_PER_MINUTE = 6000
USED_WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
TIME_UNIT_HEADERS = {"X-MBX-TIME-UNIT": "MICROSECOND"}
MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A REST endpoint: its path, and the weight of one request."""

    path: str
    weight: int


ARCHIVE_CHECKSUM = ".CHECKSUM"
ARCHIVE_INTERVALS = tuple(Interval.parse(name) for name in "1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d".split())
"""The intervals of which the archive has klines for each day."""

TIME = Endpoint("/api/v3/time", 1)
EXCHANGE_INFO = Endpoint("/api/v3/exchangeInfo", 20)
KLINES = Endpoint("/api/v3/klines", 2)
AGGREGATE_TRADES = Endpoint("/api/v3/aggTrades", 4)
RECENT_TRADES = Endpoint("/api/v3/trades", 25)
HISTORICAL_TRADES = Endpoint("/api/v3/historicalTrades", 25)
DAY_TICKER_FEW = Endpoint("/api/v3/ticker/24hr", 2)  # up to 20 symbols
DAY_TICKER_SOME = Endpoint("/api/v3/ticker/24hr", 40)  # up to 100
DAY_TICKER_ALL = Endpoint("/api/v3/ticker/24hr", 80)  # without a list of symbols: all of them

INVALID_SYMBOL = -1121
ILLEGAL_CHARACTERS = -1100
TOO_MUCH_WEIGHT = -1003


def day_ticker_endpoint(symbols: int) -> Endpoint:
    """Return the cheapest endpoint for the rolling days of that many symbols; beyond 100, the one for all symbols."""
    if symbols <= 20:
        return DAY_TICKER_FEW
    return DAY_TICKER_SOME if symbols <= 100 else DAY_TICKER_ALL


def streams_of(symbol: str) -> tuple[str, ...]:
    """Return the names of the streams received for one symbol (``"BTCUSDT"``)."""
    name = symbol.lower()
    return tuple(f"{name}@{kind}" for kind in STREAM_KINDS)


def archive_path(file: ArchiveFile) -> str:
    """Return the path of a file of the archive; that of its checksum is the same with `ARCHIVE_CHECKSUM`."""
    span = "monthly" if file.is_month else "daily"
    kind = "trades" if file.interval is None else "klines"
    folders = [file.symbol] if file.interval is None else [file.symbol, file.interval.name]
    return "/".join(["/data/spot", span, kind, *folders, file.name])


def check_ws_base(url: str) -> str:
    """
    Return the base address of the streams without a trailing slash, and without the path of a stream (``/ws``).

    Raises:
        SettingsError: If it is not ``ws://`` or ``wss://``, a host and perhaps a port.
    """
    without_path = re.sub(r"/(ws|stream)/*$", "", url.strip())
    return check_base(without_path, _SERVICE, WS_BASE, ("wss", "ws"), may_have_path=False)


def check_rest_base(url: str) -> str:
    """
    Return the base address of the REST requests without a trailing slash.

    Raises:
        SettingsError: If it is not ``http://`` or ``https://``, a host and perhaps a port.
    """
    return check_base(url, _SERVICE, REST_BASE, may_have_path=False)


def check_archive_base(url: str) -> str:
    """
    Return the base address of the archive without a trailing slash; a mirror's may have a path.

    Raises:
        SettingsError: If it is not ``http://`` or ``https://``, a host, perhaps a port and a path.
    """
    return check_base(url, _SERVICE, ARCHIVE_BASE)


def exchange_of(url: str) -> str:
    """Return the name under which an address shares its bans: its domain (``binance.com``), or its host and port."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    labels = host.split(".")
    return parts.netloc if len(labels) < 2 or labels[-1].isdigit() or ":" in host else ".".join(labels[-2:])
