"""What a store offers: a writer of trades, a spool for an outage, and readers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import Trade


class CandleReader(Protocol):
    """The part of the store that export needs. Blocks; raises StoreUnavailable."""

    def iter_candles(
        self, symbol: str, interval: Interval, *, start_us: int | None = None, end_us: int | None = None
    ) -> Iterator[list[Candle]]:
        """Yield the stored candles of ``[start_us, end_us)`` in batches, oldest first, with bounded memory."""


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

    def announce_repairs(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        """
        Tell other programs on the database what this one fetches from now on, in place of what it told before: of some
        symbols gaps of up to ``largest`` trades, of others all that is missing. Holds until the store is closed.
        Returns the symbols of which another program fetches all; leave those to it.
        """

    def save_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Remember the exchange's symbols, for a start without the exchange."""

    def symbols(self) -> list[Symbol]:
        """Return the remembered symbols, by name."""
