"""
Which prices of the stream are new, and their places. No I/O.

A stream begins with the last price of each instrument, which the stream before most often sent already. OANDA's prices
carry no ids; so a price is the same if its time, bid and ask are. One that is older than the newest is a repetition, or
late beyond use: another could have its time and place already.
"""

from __future__ import annotations

from app.market.quotes.tick import Tick


class TickOrder:
    """The newest time of each symbol, and the prices at that time."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, list[tuple[int, int]]]] = {}

    def take(self, tick: Tick) -> Tick | None:
        """Return the tick with its place among those of its time, or None if it is a repetition."""
        time_us, prices = self._newest.get(tick.symbol, (-1, []))
        price = (tick.bid_e8, tick.ask_e8)
        if tick.time_us < time_us or (tick.time_us == time_us and price in prices):
            return None
        if tick.time_us > time_us:
            self._newest[tick.symbol] = (tick.time_us, [price])
            return tick
        prices.append(price)
        return tick._replace(place=len(prices) - 1)
