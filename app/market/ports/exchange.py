"""
What a broker offers: live events through a `TradeFeed`, and answers about the past through a `TradeHistory`.

`TradeHistory` is the sum of small roles; whoever asks the exchange names only the role it uses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.market.candle import Candle
from app.market.durations import with_retry
from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import DayTicker, MarketEvent, Trade


class FeedState(StrEnum):
    """What the connection to the exchange is doing."""

    IDLE = "idle"  # not started
    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"  # connected, but silent for too long; being replaced
    BACKING_OFF = "backing off"  # waiting before the next attempt
    REFUSED = "refused"  # the exchange rejected us, or attempts ran out; only the user can change that
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """
    The feed's current state. ``reason`` is one sentence for the user, empty while all is well; that of a failed attempt
    stands until one succeeds. ``attempt`` counts failed attempts in a row. ``retry_in_s`` counts from when the state
    began, ``retry_at_s`` is the same as a time of the feed's clock (monotonic); both None unless a connection waits for
    its next attempt.

    A feed of several ``connections`` is LIVE while one of them is. ``down``: how many deliver nothing now; ``reason``,
    ``attempt`` and the retry times are about these. ``refused``: the symbols of connections that are not retried.
    """

    state: FeedState = FeedState.IDLE
    reason: str = ""
    attempt: int = 0
    retry_in_s: float | None = None
    retry_at_s: float | None = None
    connections: int = 1
    down: int = 0
    refused: tuple[str, ...] = ()

    def sentence(self, now_s: float) -> str:
        """Return the reason, how many connections it affects, and the time left at ``now_s`` (monotonic) to a retry."""
        some = self.reason and self.state is FeedState.LIVE and self.down
        reason = f"{self.down} of {self.connections} connections: {self.reason}" if some else self.reason
        return reason if self.retry_at_s is None else with_retry(reason, self.retry_at_s - now_s)


@dataclass(slots=True)
class FeedCounters:
    """Totals since the start: messages received, those that could not be read, connections after the first."""

    messages: int = 0
    malformed: int = 0
    reconnects: int = 0
    last_malformed: str = ""


EventHandler = Callable[[MarketEvent, int], Awaitable[None] | None]
"""
Called on the loop with each event in arrival order and the local receive time (UTC microseconds). If it returns an
awaitable, the feed awaits it before reading on; a full queue slows the reading down that way.
"""


class TradeFeed(Protocol):
    """Live events of the chosen symbols: trades, best bid and ask, rolling day."""

    @property
    def status(self) -> FeedStatus: ...

    @property
    def counters(self) -> FeedCounters: ...

    def status_of(self, symbol: str) -> FeedStatus:
        """Return the status of the connection that carries ``symbol``; the feed's own if none does."""

    def on_status(self, listener: Callable[[FeedStatus], None]) -> None:
        """Call ``listener`` on the loop at each change of state; quick successions may report only the newest."""

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Receive exactly these symbols; a running feed (un)subscribes within the exchange's limits."""

    async def run(self, handler: EventHandler) -> None:
        """
        Receive until cancelled, and reconnect without end (or up to the configured maximum).

        Raises:
            FeedRejected: If the exchange refuses every connection for good.
        """

    def retry_now(self) -> None:
        """End a wait between attempts at once; also retry refused connections while others are live."""


class SymbolSource(Protocol):
    """Lists the exchange's symbols."""

    async def symbols(self) -> list[Symbol]:
        """Return all symbols by name, also those not trading."""


class TimeSource(Protocol):
    """Asks the exchange for its time."""

    async def server_time_us(self) -> int:
        """Return the exchange's time, UTC microseconds, by a request of its own."""


class DayTickerSource(Protocol):
    """Reads the rolling 24 hours of symbols."""

    async def day_tickers(self, symbols: Sequence[str]) -> list[DayTicker]:
        """Return the rolling day of each symbol."""


class KlineSource(Protocol):
    """Reads klines, and the time up to which they can be final."""

    async def exchange_time_us(self) -> int:
        """
        Return the exchange's time, UTC microseconds, or a little less, whatever our clock says.

        Asks the exchange only if its time is not known yet.
        """

    async def klines(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 1000,
    ) -> list[Candle]:
        """
        Return up to 1000 klines of an interval the exchange offers, oldest first, source KLINE.

        Open times in ``[start_us, end_us)``. With ``start_us`` the oldest of them, else the newest. The last may be
        unfinished: ``closed`` False.
        """


class TradeSource(Protocol):
    """Reads past trades."""

    async def trades_from(self, symbol: str, first_trade_id: int, *, limit: int = 1000) -> list[Trade]:
        """Return up to 1000 trades with ids from ``first_trade_id`` up, in rising order (historicalTrades)."""

    async def recent_trades(self, symbol: str, *, limit: int = 1000) -> list[Trade]:
        """Return the newest trades, in rising order."""


class TradeHistory(SymbolSource, TimeSource, DayTickerSource, KlineSource, TradeSource, Protocol):
    """
    Everything a broker can be asked for; consumers name the role they use.

    Every call may raise FeedDisconnected (try later), FeedRejected (permanent) or UnknownSymbol.
    """

    async def first_trade_id_since(self, symbol: str, time_us: int) -> int | None:
        """Return the id of the first trade at or after ``time_us`` within an hour of it, or None (aggTrades)."""
