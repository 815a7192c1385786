"""
What the sandbox server needs from a market, whichever it is: the Protocols `MarketSource` and `FrameCursor`.

A source knows trades; the server turns them into Binance's protocol. Everything a source answers is as of its own
exchange clock: what has not happened there yet does not exist. Streams are pulled: each connection has a `FrameCursor`
of its own and asks for the next frames when it has written the last, so a slow reader slows its own feed and loses
nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Quote, Trade


class Frame(NamedTuple):
    """One event as it goes out: the stream's name (``"btcusdt@trade"``) and the raw event's JSON."""

    stream: str
    payload: bytes


class RollingDay(NamedTuple):
    """The last 24 hours of one symbol; ``ticker.time_us`` is their end, ``open_time_us`` their begin."""

    ticker: DayTicker
    open_time_us: int
    trades: int
    first_trade_id: int
    last_trade_id: int
    previous_close_e8: int
    last_quantity_e8: int


class FrameCursor(Protocol):
    """The streams of one connection."""

    async def next_frames(self, streams: Collection[str], *, microseconds: bool) -> Sequence[Frame]:
        """
        Return the next frames of these streams, in order; waits for them, but no longer than a moment.

        May return none. The streams may differ from call to call; names the source does not know stay silent.
        """


class MarketSource(Protocol):
    """A market as of its exchange clock. Symbols are upper-case names; the caller checks that they are known."""

    def now_us(self) -> int:
        """The exchange's time, UTC microseconds."""

    def symbols(self) -> Sequence[Symbol]:
        """Every symbol, the ones that do not trade included."""

    def trade_ids(self, symbol: str) -> tuple[int, int] | None:
        """The first and the newest trade id served, or None before the first trade."""

    def first_id_from(self, symbol: str, time_us: int) -> int:
        """The id of the first trade at or after that time; one past the newest where there is none."""

    def trades(self, symbol: str, first_id: int, limit: int) -> list[Trade]:
        """Return up to ``limit`` trades with ids from ``first_id`` on, in rising order."""

    async def klines(
        self, symbol: str, interval: Interval, *, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Candle]:
        """
        Return candles, oldest first, empty ones between trades included, the open one last.

        Open times lie in ``[start_us, end_us]``; with ``start_us`` the oldest ``limit`` of them, else the newest.
        """

    async def day(self, symbol: str) -> RollingDay | None:
        """The rolling day, or None where nothing traded in it."""

    def quote(self, symbol: str) -> Quote | None:
        """The best bid and ask, or None where they are not known."""

    def open_cursor(self) -> FrameCursor:
        """Return the feed of a new connection: what happens from now on."""
