"""
The messages to start fuzzing with: as the exchange sends them, from recordings if there are any, and some made here.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

STREAM_RECORDINGS = ("ws_raw/examples_spot_btcusdt_20240808.gz", "ws_raw/cryptofeed_BINANCE.ws.1.0")
REST_RECORDINGS = ("rest/gocryptotrader_public_rest_subset.json.gz",)
_FRAMES_A_FILE = 400
_LONGEST = 4096

MADE_FRAMES = (
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343000,"s":"BTCUSDT","t":3735683259,'
    b'"p":"61837.63000000","q":"0.02000000","T":1723161255342000,"m":true,"M":true}}',
    b'{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":1,"p":"0.1","q":"0","T":1723161255342,"m":false,"M":true}',
    b'{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000",'
    b'"a":"61837.64000000","A":"1.54698000"}}',
    b'{"stream":"bnbbtc@miniTicker","data":{"e":"24hrMiniTicker","E":1672515782136,"s":"BNBBTC","c":"0.0025",'
    b'"o":"0.0010","h":"0.0026","l":"0.0009","v":"10000","q":"18"}}',
    b'{"e":"serverShutdown","E":1770123456789}',
    b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
    b'{"result":null,"id":1}',
    b'{"result":["btcusdt@trade"],"id":3}',
    b'{"code":2,"msg":"Invalid request: unknown variant","id":"x"}',
    b'{"error":{"code":2,"msg":"Too many"},"id":null}',
    b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BTCUSDT","k":{"t":1672515780000}}}',
)
MADE_ANSWERS = (
    b'[{"id":28457,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012","time":1499865549590,'
    b'"isBuyerMaker":true,"isBestMatch":true}]',
    b'[{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1498793709153,"m":true,"M":true}]',
    b'[[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1499644799999,'
    b'"2434.19055334",308,"1756.87402397","28.46694368","0"]]',
    b'[{"symbol":"BNBBTC","openPrice":"99.0","highPrice":"100.0","lowPrice":"0.1","lastPrice":"4.0",'
    b'"volume":"8913.30000000","quoteVolume":"15.30000000","openTime":1499783499040,"closeTime":1499869899040}]',
    b'{"timezone":"UTC","serverTime":1565246363776,"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE",'
    b'"intervalNum":1,"limit":6000}],"symbols":[{"symbol":"ETHBTC","status":"TRADING","baseAsset":"ETH",'
    b'"quoteAsset":"BTC","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.00000100"},{"filterType":"LOT_SIZE",'
    b'"stepSize":"0.00100000"}]}]}',
    b'{"code":-1121,"msg":"Invalid symbol."}',
)
_WORDS = """
    e E s t p q T m u b B a A c o h l v f data stream id result code msg error trade 24hrMiniTicker serverShutdown
    price qty time isBuyerMaker symbol openPrice highPrice lowPrice lastPrice volume quoteVolume closeTime symbols
    rateLimits serverTime filters filterType tickSize stepSize status baseAsset quoteAsset limit @trade @bookTicker
    61837.63000000 0.00000001 99999999999.99999999 1e8 NaN -1.00000000 btcusdt@trade
"""
_NUMBERS = "null true 1723161255342000 9223372036854775807 18446744073709551616 -1 1e400 [["
TOKENS = [*(f'"{word}"' for word in _WORDS.split()), *_NUMBERS.split()]


def frames(recordings: Path | None) -> list[bytes]:
    """Return frames of the stream; ``recordings`` is the folder of recorded data, or None."""
    found = list(MADE_FRAMES)
    for name in STREAM_RECORDINGS if recordings is not None else ():
        assert recordings is not None
        path = recordings / name
        if path.exists():
            lines = _opened(path)[: 20 * _FRAMES_A_FILE]
            recorded = [line[line.index(b"{") :].strip() for line in lines if b'{"' in line]
            found += [frame for frame in recorded[:: max(1, len(recorded) // _FRAMES_A_FILE)] if len(frame) < _LONGEST]
    return found


def answers(recordings: Path | None) -> list[bytes]:
    """Return bodies of REST answers; ``recordings`` as for `frames`."""
    found = list(MADE_ANSWERS)
    for name in REST_RECORDINGS if recordings is not None else ():
        assert recordings is not None
        path = recordings / name
        if path.exists():
            recorded = json.loads(b"".join(_opened(path)))
            bodies = [
                json.dumps(answer.get("data"), separators=(",", ":")).encode()
                for kept in recorded.values()
                for answer in (kept if isinstance(kept, list) else [kept])
                if isinstance(answer, dict)
            ]
            found += [body[:_LONGEST] if len(body) > _LONGEST else body for body in bodies]
    return found


def _opened(path: Path) -> list[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return file.readlines()
