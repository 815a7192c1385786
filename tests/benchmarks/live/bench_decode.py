"""How fast frames become values, as a ratio to reading the same JSON and doing nothing with it."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from app.brokers.binance.decode_stream import decode

FRAMES = 20_000
TRADE = (
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343123,"s":"BTCUSDT","t":%d,'
    '"p":"61837.63000000","q":"0.02000000","T":1723161255342123,"m":true,"M":true}}'
)
QUOTE = (
    '{"stream":"btcusdt@bookTicker","data":{"u":%d,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000",'
    '"a":"61837.64000000","A":"1.54698000"}}'
)


def frames_per_s(read: Callable[[bytes], object], frames: list[bytes]) -> float:
    """Return the best of five runs."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for frame in frames:
            read(frame)
        best = min(best, time.perf_counter() - began)
    return len(frames) / best


def main() -> None:
    yardstick = msgspec.json.Decoder().decode
    for name, pattern in (("trades", TRADE), ("quotes", QUOTE)):
        frames = [(pattern % number).encode() for number in range(FRAMES)]
        ours = frames_per_s(decode, frames)
        print(
            f"{name}: {ours:,.0f} frames/s, {ours / frames_per_s(yardstick, frames):.2f} of msgspec into dictionaries"
        )


if __name__ == "__main__":
    main()
