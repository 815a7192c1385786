"""
The Protocols by which siblings meet: the exchange, the store and what happens between them.

``app.binance`` implements `TradeFeed` and `TradeHistory`, ``storage`` implements `TradeWriter` and `CandleStore`, and
``app.live`` uses all four without knowing either. ``app.main`` passes the implementations in. All times are UTC
microseconds; symbols are the exchange's upper-case names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from app.market.candle import Candle
from app.market.countdown import with_retry
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import DayTicker, MarketEvent, Trade


class Clock(Protocol):
    """Time, passed in so that tests can set it."""

    def now_us(self) -> int:
        """The time of day, UTC microseconds; may jump."""

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never jumps."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


class FeedState(StrEnum):
    """What the connection to the exchange is doing."""

    IDLE = "idle"  # nothing asked for yet
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
    The feed's state as of now. ``reason`` is one sentence for the user, empty while all is well; ``attempt`` counts
    failed attempts in a row. ``retry_in_s`` counts from when the state began, ``retry_at_s`` is the same as a time of
    the feed's clock (monotonic); both None unless something waits for its next attempt.

    A feed of several ``connections`` is LIVE while one of them is. ``down`` of them bring nothing just now, which
    ``reason`` and what follows it are about; ``refused`` are the symbols of those that are not tried again.
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
        """Return the reason, whom it concerns and, where something waits, how long yet at ``now_s`` (monotonic)."""
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
Called on the loop with each event in arrival order and the local receive time (UTC microseconds). Where it returns an
awaitable, the feed awaits it before it reads on: that is how a full queue slows the reading down.
"""


class TradeFeed(Protocol):
    """Live events of the chosen symbols: trades, best bid and ask, rolling day."""

    @property
    def status(self) -> FeedStatus: ...

    @property
    def counters(self) -> FeedCounters: ...

    def status_of(self, symbol: str) -> FeedStatus:
        """Return the status of the connection that carries ``symbol``; the feed's where none does."""

    def on_status(self, listener: Callable[[FeedStatus], None]) -> None:
        """Call ``listener`` on the loop at each change of state. The newest status, not each one, is what counts."""

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Make these the symbols received, any number; (un)subscribes while running, within the exchange's limits."""

    async def run(self, handler: EventHandler) -> None:
        """
        Receive until cancelled, reconnecting for ever (or to the configured maximum).

        Raises:
            FeedRejected: If the exchange refuses every connection for good.
        """

    def retry_now(self) -> None:
        """End a wait between attempts at once, and try again what was refused while others go on."""


class TradeHistory(Protocol):
    """
    What the exchange remembers. Every call may raise FeedDisconnected (try later) or FeedRejected (never will);
    UnknownSymbol where the exchange has no such symbol.
    """

    async def symbols(self) -> list[Symbol]:
        """Return all symbols, also those not trading, by name."""

    async def server_time_us(self) -> int:
        """Return the exchange's time."""

    async def exchange_time_us(self) -> int:
        """Return the exchange's time, or a little less, whatever our clock says; asked for only where not known."""

    async def day_tickers(self, symbols: Sequence[str]) -> list[DayTicker]:
        """Return the rolling day of each symbol."""

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

    async def trades_from(self, symbol: str, first_trade_id: int, *, limit: int = 1000) -> list[Trade]:
        """Return up to 1000 trades with ids from ``first_trade_id`` up, in rising order (historicalTrades)."""

    async def recent_trades(self, symbol: str, *, limit: int = 1000) -> list[Trade]:
        """Return the newest trades, in rising order."""

    async def first_trade_id_since(self, symbol: str, time_us: int) -> int | None:
        """Return the id of the first trade at or after ``time_us`` within an hour of it, or None (aggTrades)."""


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """
    What the writer is doing. ``reason``: one sentence while the database cannot be written, else empty.
    ``queued``: trades not yet committed. ``stored``: trades committed since the start, repeats not counted.
    ``at_work_s``: for how long it has been storing what it stores now, in seconds; 0 while it does not.
    ``contradictions``: trades since the start that differ from the stored one of their id; that one stands, and they
    are kept aside.
    """

    reason: str = ""
    queued: int = 0
    stored: int = 0
    contradictions: int = 0
    at_work_s: float = 0.0


StoredListener = Callable[[Sequence[Trade], float], None]
"""Takes the trades of one batch just committed, and how many seconds that took."""


class TradeWriter(Protocol):
    """Stores trades in a thread of its own. All methods return at once unless they say otherwise."""

    @property
    def status(self) -> WriterStatus: ...

    def on_stored(self, listener: StoredListener) -> None:
        """Call ``listener`` after each commit from now on, in the thread that committed; it must be quick."""

    def put(self, trades: Sequence[Trade]) -> bool:
        """
        Queue trades of any symbols, each exactly once stored however often it is put.

        Returns False, and takes none of them, where the queue is full.
        """

    async def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until the queue has room; False where it still has none after ``timeout_s``."""

    async def flush(self, timeout_s: float) -> bool:
        """Commit everything put so far; False where that took longer than ``timeout_s``."""

    def unwritten(self) -> list[Trade]:
        """Return the trades put and not committed, in the order they came; they stay where they are."""


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """
    What the spool holds: ``trades``, repeats counted, and their size. ``reason``: one sentence while it takes no more,
    else empty.
    """

    trades: int = 0
    size_bytes: int = 0
    reason: str = ""


class SpooledBatch(NamedTuple):
    """Trades read from the spool, in the order they were appended; ``number`` is that of the last batch among them."""

    number: int
    trades: list[Trade]


class TradeSpool(Protocol):
    """
    Keeps trades on disk until a database has committed them, across kills and power failures.

    Batches are numbered from 1 up, for ever. It never raises: what cannot be kept is not taken, and a file that cannot
    be read is set aside, and the trades lost with it are told by `take_lost`. One coroutine at a time.
    """

    @property
    def status(self) -> SpoolStatus: ...

    async def open(self) -> None:
        """Find what an earlier run has left; before everything else."""

    async def append(self, trades: Sequence[Trade]) -> int:
        """Put trades behind all others. Returns how many of the first of them are on disk, where they stay."""

    async def read(self, after: int, limit: int) -> SpooledBatch | None:
        """Return about ``limit`` of the oldest trades behind that batch; None where there are none."""

    async def forget(self, number: int) -> None:
        """Let go of all batches up to this one, because a database has committed them."""

    @property
    def last_number(self) -> int:
        """The number of the newest batch, 0 before the first."""

    def held(self, symbol: str) -> IdRanges:
        """Return the ids held of a symbol."""

    def take_lost(self) -> dict[str, IdRanges]:
        """Return the ids by symbol that a damaged file has cost since the last call."""

    async def close(self, timeout_s: float) -> bool:
        """End its thread; what it holds stays on disk. False where that took longer than ``timeout_s``."""


class CandleStore(Protocol):
    """Reads what is stored. Methods block: call them from a worker thread. They raise StoreUnavailable."""

    def candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int | None = None,
        now_us: int | None = None,
    ) -> list[Candle]:
        """
        Return stored candles with open times in ``[start_us, end_us)``, oldest first; with ``limit`` the newest of
        them. Built from trades where those are complete, else stored klines, else incomplete ones marked as such;
        finished by `app.market.builder.finish`. An unknown symbol has none. Give ``now_us`` only where the recording
        goes on until then: candles without a trade are empty up to it.
        """

    def traded(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        """
        Return the stored candles with a trade and its ids that lie at least in part in ``[start_us, end_us)``, the one
        before and the one after, oldest first. Nothing is said of what is between them, and not whether they are
        complete or closed.
        """

    def save_klines(
        self, symbol: str, interval: Interval, klines: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> None:
        """
        Keep closed klines of the exchange, or candles of another interval that its klines add up to; open ones are
        passed over. ``fetched``: these are all that the exchange has from then until before then.
        """

    def fetched_klines(self, symbol: str, interval: Interval) -> IdRanges:
        """
        Return the microseconds of which the klines of exactly this interval are known: kept, or the exchange has none.
        """

    def save_listing(self, symbol: str, listed_us: int) -> None:
        """Remember that the exchange has no kline of any interval that ends before then."""

    def trades(self, symbol: str, first_trade_id: int, last_trade_id: int) -> list[Trade]:
        """Return the stored trades with ids in that inclusive range, in rising order."""

    def hours_of(self, symbol: str, first_trade_id: int, last_trade_id: int) -> tuple[int, int] | None:
        """
        Return from when to when (UTC microseconds, whole hours) the trades stored of these ids, inclusive, lie; also of
        dropped ones. None: none was ever stored.
        """

    def coverage(self, symbol: str) -> IdRanges:
        """Return the ids of the symbol that are not missing: held, or known to be absent (see `absent_of`)."""

    def absent_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        """Return the ids of each of these symbols that the exchange itself has no trades of, by name."""

    def save_absent(self, symbol: str, absent: Sequence[tuple[int, int]]) -> None:
        """Note such ids, as inclusive ranges; those that are held stay held."""

    def coverage_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        """Return the ids held of each of these symbols, by name; empty ranges for one that is not known."""

    def tell_repairs(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        """
        Tell other programs on the database what this one fetches from now on, in place of what it told before: of some
        symbols gaps of up to ``largest`` trades, of others all that is missing. Holds until the store is closed.
        Returns the symbols of which another program fetches all; leave those to it.
        """

    def save_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Remember the exchange's symbols, for a start without the exchange."""

    def symbols(self) -> list[Symbol]:
        """Return the remembered symbols, by name."""
