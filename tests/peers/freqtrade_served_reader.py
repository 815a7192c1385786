"""
Lets freqtrade's `download-data` read `cryptopipe serve` as its exchange, and compares every candle and trade.

Nothing of freqtrade is changed: its configuration gives ccxt the address, and asks for ccxt alone, without the archive.

Runs where freqtrade is installed, without anything of ours: `make freqtrade`. Exits with 1 if anything differs.

Usage: ``python tests/peers/freqtrade_served_reader.py URL EXPECTED``: see `tests.peers.served_recording`
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from freqtrade.data.history.datahandlers import get_datahandler
from freqtrade.enums import CandleType, TradingMode
from served_expectations import differences, joined

PAIR = "BTC/USDT"
FREQTRADE = Path(sys.executable).with_name("freqtrade")


def configuration(url: str) -> dict[str, Any]:
    """Return what freqtrade is configured with: the exchange Binance, at that address."""
    client = {
        "urls": {"api": {"public": f"{url}/api/v3"}},
        "options": {"fetchMarkets": {"types": ["spot"]}},
    }
    exchange = {
        "name": "binance",
        "pair_whitelist": [PAIR],
        "only_from_ccxt": True,
        "ccxt_config": client,
        "ccxt_async_config": client,
    }
    return {"exchange": exchange, "stake_currency": "USDT", "dry_run": True, "trading_mode": "spot"}


def download(folder: Path, first_ms: int, last_ms: int, *more: str) -> None:
    """Let freqtrade download that time; both ends belong to it."""
    command = [FREQTRADE, "download-data", "--config", folder / "config.json", "--userdir", folder, "--datadir", folder]
    times = ("--timerange", f"{first_ms}-{last_ms}")
    subprocess.run([*map(str, command), *times, *more], check=True)


def main() -> None:
    url, expected = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    trades, wrong = expected["trades"][: expected["stored"]], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(configuration(url)))
        candles = expected["candles"]
        begin, end = candles["1h"][0][0], (trades[-1][1] // 1000 + 1) * 1000
        download(folder, begin, end, "--timeframes", *candles)
        download(folder, begin, end, "--dl-trades")
        handler = get_datahandler(folder, "feather")
        for timeframe, wanted in candles.items():
            frame = handler._ohlcv_load(PAIR, timeframe, None, CandleType.SPOT)
            frame["date"] = frame["date"].astype("int64") // {"ns": 10**6, "us": 10**3, "ms": 1}[frame["date"].dt.unit]
            # It cuts off the last, which may be open.
            said = differences(frame.values.tolist(), [[one[0], *map(float, one[1:6])] for one in wanted[:-1]])
            wrong += bool(said)
            print(f"{timeframe:>8}: {len(frame):>6,} candles, {said or 'the same'}")
        loaded = handler._trades_load(PAIR, TradingMode.SPOT)
        rows = loaded[["id", "timestamp", "price", "amount", "side"]].values.tolist()
        found = [[int(one[0]), int(one[1]), one[2], round(one[3] * 1e8), one[4] == "sell"] for one in rows]
        said = differences(found, [[*one[:2], float(one[2]), *one[3:5]] for one in joined(trades)])
        wrong += bool(said)
        print(f"{'':>8}  {len(rows):>6,} aggregated trades, {said or 'the same'}")
    print(f"freqtrade {version('freqtrade')}: {f'{wrong} differ' if wrong else 'no difference'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
