"""
The interface between the sandbox server and a market: the Protocols `MarketSource` and `FrameCursor`.

A source knows trades; the server turns them into Binance's protocol. Every answer of a source is as of its own
exchange clock: later trades do not exist yet. Streams are pulled: each connection has its own `FrameCursor` and asks
for the next frames once it has written the last ones, so a slow client slows only its own stream and loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Quote, Trade


class Frame(NamedTuple):
    """One event to send: the name of its stream (``"btcusdt@trade"``) and the JSON of the raw event."""

    stream: str
    payload: bytes


class RollingDay(NamedTuple):
    """The last 24 hours of one symbol, from ``open_time_us`` to ``ticker.time_us``; the ids are inclusive."""

    ticker: DayTicker
    open_time_us: int
    trades: int
    first_trade_id: int
    last_trade_id: int
    previous_close_e8: int
    last_quantity_e8: int


class FrameCursor(Protocol):
    """One connection's position in the streams of a market."""

    async def next_frames(self, streams: Collection[str], *, microseconds: bool) -> Sequence[Frame]:
        """
        Return the next frames of these streams, in order, or none after a short wait.

        The streams may differ from call to call. Streams that the source does not know have no frames.
        """


class MarketData(Protocol):
    """
    What REST answers from: a market as of its exchange clock.

    Symbols are upper-case names; the caller checks that they are known. Amounts are in 1e-8 units,
    times in UTC microseconds.
    """

    def now_us(self) -> int:
        """Return the exchange's time, UTC microseconds."""

    def symbols(self) -> Sequence[Symbol]:
        """Return every symbol, including those that do not trade."""

    def trade_ids(self, symbol: str) -> tuple[int, int] | None:
        """Return the oldest and the newest trade id served, or None before the first trade."""

    def first_id_from(self, symbol: str, time_us: int) -> int:
        """Return the id of the first trade at or after that time; one past the newest if there is none."""

    def trades(self, symbol: str, first_id: int, limit: int) -> list[Trade]:
        """Return up to ``limit`` trades with ids from ``first_id`` on, in ascending order."""

    async def klines(
        self, symbol: str, interval: Interval, *, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Candle]:
        """
        Return candles, oldest first, including empty ones between trades; the current one is last and not closed.

        Their open times are in ``[start_us, end_us]``: the oldest ``limit`` of them with ``start_us``, else the newest.
        """

    async def day(self, symbol: str) -> RollingDay | None:
        """Return the rolling day, or None if it has no trades."""

    def quote(self, symbol: str) -> Quote | None:
        """Return the best bid and ask, or None if they are unknown."""


class MarketSource(MarketData, Protocol):
    """A market with its streams."""

    def open_cursor(self) -> FrameCursor:
        """Return the cursor for a new connection; it starts at the present."""
