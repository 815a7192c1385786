"""
Reads `cryptopipe serve` by binance-connector and cryptofeed, to which only its address is given, and compares it all.

Runs where these are installed, without anything of ours: `make clients`. Exits with 1 if anything differs.

Usage: ``python tests/peers/served_feed_reader.py URL EXPECTED``: see `tests.peers.served_recording`
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from binance.spot import Spot
from cryptofeed import FeedHandler
from cryptofeed.defines import CANDLES, TRADES
from cryptofeed.exchanges import Binance
from served_expectations import differences, end, joined, read_trades

SYMBOL, PAIR = "BTCUSDT", "BTC-USDT"
PAGE = 1000
WATCH_S = 120


def with_binance_connector(url: str, expected: dict[str, Any]) -> dict[str, str]:
    """Return what binance-connector read wrongly, by what it read."""
    client, found = Spot(base_url=url), {}
    stored = expected["trades"][: expected["stored"]]
    for interval, wanted in expected["candles"].items():
        rows = client.klines(SYMBOL, interval, startTime=wanted[0][0], endTime=wanted[-1][0], limit=PAGE)
        found[f"{interval} candles"] = differences([[*row[:6], row[8]] for row in rows], wanted)
    trades = read_trades(lambda first: client.historical_trades(SYMBOL, limit=PAGE, fromId=first), stored)
    found["trades"] = differences(trades, stored)
    rows, wanted_rows = [], joined(stored)
    while len(rows) < len(wanted_rows):
        page = client.agg_trades(SYMBOL, limit=PAGE, fromId=rows[-1][0] + 1 if rows else stored[0][0])
        rows += [[one["a"], one["T"], one["p"], round(float(one["q"]) * 1e8), one["m"], one["l"]] for one in page]
        if not page:
            break
    found["aggregated trades"] = differences(rows, wanted_rows)
    return found


def with_cryptofeed(url: str, expected: dict[str, Any]) -> dict[str, str]:
    """Return what cryptofeed heard wrongly: the aggregated trades that are stored meanwhile, and their candles."""
    Binance.websocket_endpoints[0].address = url.replace("http", "ws")
    Binance.rest_endpoints[0].address = url
    newest = expected["trades"][expected["stored"] - 1][0]
    # One that began before cryptofeed was there is nobody's news.
    coming = [one for one in joined(expected["trades"]) if one[0] > newest]
    heard: list[Any] = []
    candles: dict[int, Any] = {}

    async def take_trade(trade: Any, received_s: float) -> None:
        units, time_ms = round(float(trade.amount) * 1e8), round(trade.timestamp * 1000)
        raw = trade.raw
        heard.append([int(trade.id), time_ms, raw["p"], units, trade.side == "sell", raw["l"]])

    async def take_candle(candle: Any, received_s: float) -> None:
        candles[round(candle.start * 1000)] = candle

    feed = Binance(
        symbols=[PAIR],
        channels=[TRADES, CANDLES],
        callbacks={TRADES: take_trade, CANDLES: take_candle},
        candle_interval="1m",
        candle_closed_only=False,
    )
    handler = FeedHandler()
    handler.add_feed(feed)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    handler.run(start_loop=False)

    async def watch() -> None:
        await asyncio.sleep(3)
        print("watching", flush=True)
        async with asyncio.timeout(WATCH_S):
            while len(heard) < len(coming) or len(candles) < 2:
                await asyncio.sleep(0.1)
        await asyncio.sleep(2)  # nothing more is to come

    try:
        loop.run_until_complete(watch())
    except TimeoutError:
        print(f"heard {len(heard)} of {len(coming)}", flush=True)
    handler.stop(loop=loop)
    newest_candle = []
    if candles:
        last = candles[max(candles)]
        prices = (last.open, last.high, last.low, last.close, last.volume)
        newest_candle = [round(last.start * 1000), *map(float, prices), last.trades]
    wanted = expected["whole_minutes"][-1]
    return {
        "aggregated trades": differences(heard, coming),
        "newest candle": differences([newest_candle], [[wanted[0], *map(float, wanted[1:6]), wanted[6]]]),
    }


def main() -> None:
    url, expected = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    found = {f"binance-connector {name}": said for name, said in with_binance_connector(url, expected).items()}
    found |= {f"cryptofeed {name}": said for name, said in with_cryptofeed(url, expected).items()}
    end(found, "binance-connector", "cryptofeed")


if __name__ == "__main__":
    main()
