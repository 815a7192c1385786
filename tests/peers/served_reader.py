"""
Reads `cryptopipe serve` by ccxt and python-binance, to which only its address is given, and compares every number.

Runs where these are installed, without anything of ours: `make clients`. Exits with 1 if anything differs.

Usage: ``python tests/peers/served_reader.py URL EXPECTED``: see `tests.peers.served_recording`
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import ccxt
import ccxt.pro
from binance.client import Client
from served_expectations import differences, end, read_trades

SYMBOL, PAIR = "BTCUSDT", "BTC/USDT"
PAGE = 1000
WATCH_S = 120


def numbers(candle: list[Any]) -> list[float]:
    """Return a candle expected as ccxt has it: time, prices and volume."""
    return [candle[0], *map(float, candle[1:6])]


def trade_of(one: dict[str, Any]) -> list[Any]:
    """Return a trade of ccxt as those that are expected."""
    return [int(one["id"]), one["timestamp"], one["price"], one["amount"], one["side"] == "sell"]


def as_numbers(trade: list[Any]) -> list[Any]:
    """Return a trade expected as ccxt has it."""
    return [trade[0], trade[1], float(trade[2]), float(trade[3]), trade[4]]


def with_ccxt(exchange: Any, expected: dict[str, Any]) -> dict[str, str]:
    """Return what ccxt read wrongly, by what it read."""
    found = {}
    stored = expected["trades"][: expected["stored"]]
    for timeframe, wanted in expected["candles"].items():
        read: list[Any] = []
        # No further: the server refuses what is not stored.
        while not read or read[-1][0] < wanted[-1][0]:
            read += exchange.fetch_ohlcv(PAIR, timeframe, read[-1][0] + 1 if read else wanted[0][0], PAGE)
        found[f"{timeframe} candles"] = differences(read, list(map(numbers, wanted)))
    trades: list[Any] = []
    while len(trades) < len(stored):
        first = trades[-1][0] + 1 if trades else stored[0][0]
        page = exchange.fetch_trades(
            PAIR, limit=PAGE, params={"fromId": first, "fetchTradesMethod": "publicGetHistoricalTrades"}
        )
        trades += map(trade_of, page)
        if not page:
            break
    found["trades"] = differences(trades, list(map(as_numbers, stored)))
    aggregated: list[Any] = []
    first = stored[0][0]
    while first <= stored[-1][0]:
        aggregated += exchange.fetch_trades(PAIR, limit=PAGE, params={"fromId": first})
        first = int(aggregated[-1]["info"]["l"]) + 1
    total, wanted_total = sum(one["amount"] for one in aggregated), sum(float(one[3]) for one in stored)
    is_same = abs(total - wanted_total) < 1e-6 and int(aggregated[-1]["info"]["l"]) == stored[-1][0]
    found["aggregated trades"] = "" if is_same else f"{total} and not {wanted_total}"
    return found


def with_python_binance(client: Any, expected: dict[str, Any]) -> dict[str, str]:
    """Return what python-binance read wrongly, by what it read."""
    found = {}
    stored = expected["trades"][: expected["stored"]]
    for interval, wanted in expected["candles"].items():
        rows = client.get_historical_klines(SYMBOL, interval, wanted[0][0], wanted[-1][0])
        found[f"{interval} candles"] = differences([[*row[:6], row[8]] for row in rows], wanted)
    trades = read_trades(lambda first: client.get_historical_trades(symbol=SYMBOL, limit=PAGE, fromId=first), stored)
    found["trades"] = differences(trades, stored)
    return found


async def with_ccxt_live(exchange: Any, expected: dict[str, Any]) -> str:
    """Return what ccxt watched wrongly: the trades that are stored meanwhile."""
    coming = list(map(as_numbers, expected["trades"][expected["stored"] :]))
    heard: dict[int, list[Any]] = {}
    try:
        watching = asyncio.create_task(exchange.watch_trades(PAIR))
        await asyncio.sleep(2)
        print("watching", flush=True)
        async with asyncio.timeout(WATCH_S):
            while coming[-1][0] not in heard:
                await asyncio.wait({watching}, timeout=1)
                # All that it has: trades that come between two calls are in no call's result.
                heard.update({one[0]: one for one in map(trade_of, exchange.trades.get(PAIR, ()))})
                if watching.done():
                    watching.result()
                    watching = asyncio.create_task(exchange.watch_trades(PAIR))
        watching.cancel()
    finally:
        await exchange.close()
    return differences(list(heard.values()), coming)


def at(url: str, make: Any) -> Any:
    """Return a ccxt exchange at that address instead of the exchange's own."""
    exchange = make(
        {
            "apiKey": "any",
            "options": {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False, "tradesLimit": 10_000},
        }
    )
    exchange.urls["api"]["public"] = f"{url}/api/v3"
    if "ws" in exchange.urls["api"]:
        exchange.urls["api"]["ws"]["spot"] = f"{url.replace('http', 'ws')}/ws"
    exchange.has["fetchCurrencies"] = False  # which needs an account
    return exchange


def main() -> None:
    url, expected = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    found = {f"ccxt {name}": sentence for name, sentence in with_ccxt(at(url, ccxt.binance), expected).items()}
    client = Client("any", "any", ping=False)
    client.API_URL = f"{url}/api"
    found |= {f"python-binance {name}": said for name, said in with_python_binance(client, expected).items()}
    found["ccxt watchTrades"] = asyncio.run(with_ccxt_live(at(url, ccxt.pro.binance), expected))
    end(found, "ccxt", "python-binance")


if __name__ == "__main__":
    main()
