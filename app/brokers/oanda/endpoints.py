"""
Every address, path and limit that OANDA's v20 interface defines, in one place.

Source: OANDA's v20 documentation, "Development Guide", "Pricing Endpoints", "Instrument Endpoints".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.brokers.addresses import check_base
from app.market.symbol import bare_name

SERVICE = "OANDA"
BROKER = "oanda"

REST_BASES = {"practice": "https://api-fxpractice.oanda.com", "live": "https://api-fxtrade.oanda.com"}
STREAM_BASES = {"practice": "https://stream-fxpractice.oanda.com", "live": "https://stream-fxtrade.oanda.com"}

REQUESTS_PER_S = 120
CONNECTIONS_PER_S = 2
MAX_CANDLES = 5_000

HEARTBEAT_S = 5.0
SILENCE_S = 2 * HEARTBEAT_S
"""A stream that is silent for two heartbeats is dead."""

# By our interval's name. Days, weeks and months are asked for on our boundaries, see `candle_parameters`.
GRANULARITIES: Mapping[str, str] = {
    "5s": "S5", "10s": "S10", "15s": "S15", "30s": "S30",
    "1m": "M1", "2m": "M2", "4m": "M4", "5m": "M5", "10m": "M10", "15m": "M15", "30m": "M30",
    "1h": "H1", "2h": "H2", "3h": "H3", "4h": "H4", "6h": "H6", "8h": "H8", "12h": "H12",
    "1d": "D", "1w": "W", "1M": "M",
}  # fmt: skip


def check_rest_base(url: str, server: str = "practice") -> str:
    """
    Return the base address of the REST interface, without ``/v3`` and without a trailing slash.

    ``server``: whose address an empty ``url`` stands for, practice or live.

    Raises:
        SettingsError: If it is not ``http://`` or ``https://``, a host, perhaps a port and a path.
    """
    return _without_version(check_base(url or REST_BASES[server], SERVICE, REST_BASES["practice"]))


def check_stream_base(url: str, server: str = "practice") -> str:
    """Return the base address of the pricing stream; see `check_rest_base`."""
    return _without_version(check_base(url or STREAM_BASES[server], SERVICE, STREAM_BASES["practice"]))


def instruments_path(account: str) -> str:
    """Return the path of the instruments that the account may trade."""
    return f"/v3/accounts/{account}/instruments"


def stream_path(account: str) -> str:
    """Return the path of the account's pricing stream."""
    return f"/v3/accounts/{account}/pricing/stream"


def candles_path(instrument: str) -> str:
    """Return the path of an instrument's candles (``"EUR_USD"``)."""
    return f"/v3/instruments/{instrument}/candles"


def candle_parameters(granularity: str) -> dict[str, str]:
    """Return the parameters for candles of bid, ask and mid on our boundaries: days of UTC, weeks from Monday."""
    return {
        "price": "MBA",
        "granularity": granularity,
        "dailyAlignment": "0",
        "alignmentTimezone": "UTC",
        "weeklyAlignment": "Monday",
    }


def instrument_of(symbol: str) -> str:
    """
    Return OANDA's name of our symbol: ``"EUR_USD"`` of ``"oanda:EURUSD"``.

    All its names end in a currency of three letters: ``SPX500_USD``, ``USB10Y_USD``.
    """
    name = bare_name(symbol)
    return f"{name[:-3]}_{name[-3:]}"


def symbol_of(instrument: str) -> str:
    """Return our symbol of OANDA's name: ``"oanda:EURUSD"`` of ``"EUR_USD"``."""
    return f"{BROKER}:{instrument.replace('_', '').replace('/', '')}"


def _without_version(base: str) -> str:
    return re.sub(r"/v3$", "", base)
