"""
What a store offers, one Protocol per role: whoever uses a store names only the roles it uses.

`RowWriter` and `RowSpool` take trades or ticks in: one into the database, the other onto the disk while the database is
away. The other roles read and keep candles, klines, trades, coverage and symbols; their methods block, so call them
from a worker thread, and they raise StoreUnavailable. `app.market.ports.database` puts all roles together. `storage`
implements them without importing their names; mypy checks that they fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from app.market.availability import StoredTimes
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.stored_symbol import DayHeld, StoredSymbol
from app.market.symbol import Symbol
from app.market.trade import Trade

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """
    The state of a `RowWriter`.

    ``reason``: one sentence while the database cannot be written, else empty. ``queued``: rows not yet committed.
    ``stored``: rows committed since the start, repeats not counted. ``at_work_s``: for how many seconds the current
    batch has been in progress; 0 between batches. ``contradictions``: rows since the start that differ from the
    stored one of the same identity; the stored one stands, the other is kept aside.
    """

    reason: str = ""
    queued: int = 0
    stored: int = 0
    contradictions: int = 0
    at_work_s: float = 0.0


StoredListener = Callable[[Sequence[Trade], float], None]
"""Takes the trades of one batch just committed, and how many seconds the commit took."""


class RowWriter(Protocol[Row]):
    """Stores trades or ticks in a thread of its own. Methods return at once unless they say otherwise."""

    @property
    def status(self) -> WriterStatus: ...

    @property
    def refused(self) -> int:
        """How many rows the database rejected since the start; they are set aside, not lost."""

    def on_stored(self, listener: Callable[[Sequence[Row], float], None]) -> None:
        """Call ``listener`` after each commit from now on, in the writer's thread; it must be quick."""

    def put(self, rows: Sequence[Row]) -> bool:
        """
        Queue rows of any symbols; each is stored exactly once, however often it is put.

        Returns False, and takes none of them, if the queue is full.
        """

    async def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until the queue has room; return False if it has none after ``timeout_s``."""

    async def flush(self, timeout_s: float) -> bool:
        """Commit everything put so far; return False if that takes longer than ``timeout_s``."""

    def unwritten(self) -> list[Row]:
        """Return the rows put and not committed, in arrival order; they stay queued."""


TradeWriter = RowWriter[Trade]
"""Stores trades."""


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """
    The contents of a `RowSpool`: its ``rows``, trades or ticks, repeats counted, and their size.

    ``reason``: one sentence while it accepts no more, else empty.
    """

    rows: int = 0
    size_bytes: int = 0
    reason: str = ""


class SpooledBatch(NamedTuple, Generic[Row]):
    """Rows read from the spool, in the order they were appended; ``number`` is that of the last batch among them."""

    number: int
    rows: list[Row]


class RowSpool(Protocol[Row]):
    """
    Keeps trades or ticks on disk until a database has committed them, across kills and power failures.

    Batches are numbered from 1; a number is never used twice. The spool never raises: it does not take rows it cannot
    keep, sets an unreadable file aside, and reports the rows lost with it through `take_lost`. Await one call at a
    time.
    """

    @property
    def status(self) -> SpoolStatus: ...

    async def open(self) -> None:
        """Find the rows an earlier run left; call it before everything else."""

    async def append(self, rows: Sequence[Row]) -> int:
        """Append rows; return how many of them, from the first, are on disk now, where they stay."""

    async def read(self, after: int, limit: int) -> SpooledBatch[Row] | None:
        """Return about ``limit`` of the oldest rows that follow batch ``after``; None if there are none."""

    async def forget(self, number: int) -> None:
        """Delete all batches up to ``number``, because a database has committed them."""

    @property
    def last_number(self) -> int:
        """The number of the newest batch, 0 before the first."""

    def held(self, symbol: str) -> IdRanges:
        """Return the ids of a symbol's trades, or the times of its ticks, that are on disk."""

    def take_lost(self) -> dict[str, IdRanges]:
        """Return the ids or times, by symbol, lost with a damaged file since the last call."""

    async def close(self, timeout_s: float) -> bool:
        """End the spool's thread and leave its contents on disk; return False if that takes longer than allowed."""


TradeSpool = RowSpool[Trade]
"""Keeps trades."""


class CandleReader(Protocol):
    """Reads stored candles."""

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
        Return the candles with open times in ``[start_us, end_us)``, oldest first; with ``limit`` the newest of them.

        Each is built from trades if those are complete, else the stored kline, else an incomplete candle marked as
        such; `app.market.builder.finish` closes the list. An unknown symbol has none. Give ``now_us`` only if recording
        goes on until then: slots without a trade are empty candles up to that time.
        """

    def iter_candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        batch: int = ...,
    ) -> Generator[list[Candle], None, None]:
        """
        Yield the candles of ``[start_us, end_us)``, oldest first, at most ``batch`` at a time, with bounded memory.

        The generator holds a connection: close it, or read it to its end.
        """

    def iter_candle_columns(
        self, symbol: str, interval: Interval, *, start_us: int | None = None, end_us: int | None = None
    ) -> Generator[Any, None, None]:
        """
        Yield the same as batches of `app.market.columns.candle_columns`, many times as fast.

        The generator holds a connection: close it, or read it to its end.
        """

    def stored_times(self, symbol: str, interval: Interval) -> StoredTimes:
        """Return when trades and klines are stored, of which candles of ``interval`` can be made."""

    def traded_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        """
        Return the stored candles that have trades, with their first and last ids, oldest first.

        They are those that overlap ``[start_us, end_us)``, the one before and the one after. They may be incomplete or
        open, and the time between two of them may hold trades that are missing.
        """


class KlineStore(Protocol):
    """Keeps the exchange's klines, so that they are fetched once."""

    def save_klines(
        self, symbol: str, interval: Interval, klines: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> int:
        """
        Keep closed klines, or candles added up from klines of a shorter interval; open ones are ignored.

        Return how many of them were not kept before, or otherwise.

        ``fetched``: a span ``[start, end)``, UTC microseconds, in which the exchange has these klines and no others.
        """

    def fetched_klines(self, symbol: str, interval: Interval) -> IdRanges:
        """
        Return the times, as ranges of UTC microseconds, for which the klines of exactly this interval are known.

        Known means: kept, or reported absent by the exchange.
        """

    def save_listing(self, symbol: str, listed_us: int) -> None:
        """Remember that the exchange has no kline, of any interval, that ends before ``listed_us``."""


class TruthReader(Protocol):
    """Reads both sides of a comparison: candles of the stored trades alone, and the exchange's as they are stored."""

    def recounted_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        """
        Return what `CandleReader.traded_candles` does, counted from the trades themselves, not from rollups.

        The cost is that of reading all trades of that time. Those that retention dropped are in no candle.
        """

    def klines(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        """
        Return the stored klines that open in ``[start_us, end_us)``, oldest first.

        Klines of a shorter interval that add up to one in full count as it.
        """


class CandleStore(CandleReader, KlineStore, Protocol):
    """What the history of a chart reads and keeps."""


class FetchedTrades(Protocol):
    """Remembers of which times the trades were fetched to the last one, which their ids alone do not prove."""

    def save_fetched_trades(self, symbol: str, start_us: int, end_us: int) -> None:
        """Remember that every trade of ``[start_us, end_us)``, UTC microseconds, is stored that the exchange has."""

    def forget_fetched_trades(self, symbol: str, start_us: int, end_us: int) -> None:
        """Take ``[start_us, end_us)`` back: a trade of that time turned out to be missing."""

    def fetched_trades(self, symbol: str) -> IdRanges:
        """Return these times as ranges of UTC microseconds; the time before the symbol was listed is in them."""


class TradeReader(Protocol):
    """Reads stored trades."""

    def trades(self, symbol: str, first_trade_id: int, last_trade_id: int) -> list[Trade]:
        """Return the stored trades with ids in that inclusive range, in rising order."""

    def iter_trade_columns(self, symbol: str, start_us: int, end_us: int) -> Generator[Any, None, None]:
        """
        Yield the stored trades of ``[start_us, end_us)`` as batches with the columns of trade_log, by time and id.

        The generator holds a connection: close it, or read it to its end.
        """

    def nearest_trade(self, symbol: str, at_us: int, *, before: bool) -> Trade | None:
        """Return the last stored trade before ``at_us``, or the first from then on; None if there is none."""

    def hours_of(self, symbol: str, first_trade_id: int, last_trade_id: int) -> tuple[int, int] | None:
        """
        Return the span of whole hours (UTC microseconds) in which the stored trades of these ids, inclusive, lie.

        Trades dropped by retention count as well. None: none of them was ever stored.
        """


class CoverageStore(Protocol):
    """Knows which trade ids are held, and which ids the exchange itself has no trades for."""

    def coverage(self, symbol: str) -> IdRanges:
        """Return the ids of the symbol that are not missing: held, or known to be absent (see `absent_of`)."""

    def coverage_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        """Return the `coverage` of several symbols, by name; empty ranges for an unknown symbol."""

    def coverage_from(self, first_ids: Mapping[str, int]) -> dict[str, IdRanges]:
        """
        Return the `coverage` of these symbols, each from the id given for it on, by name.

        Quick however many gaps there are before these ids: for following what is stored from now on.
        """

    def absent_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        """Return, by name, the ids of these symbols for which the exchange itself has no trades."""

    def save_absent(self, symbol: str, absent: Sequence[tuple[int, int]]) -> None:
        """Record absent ids, as inclusive ranges; ids that are held stay held."""


class ComparedStore(CandleStore, TruthReader, CoverageStore, Protocol):
    """What a comparison of stored trades with the exchange's candles reads and keeps."""


class SymbolStore(Protocol):
    """Remembers the exchange's symbols, for a start without the exchange."""

    def save_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Insert or update these symbols; others stay as they are."""

    def symbols(self) -> list[Symbol]:
        """Return the remembered symbols, by name."""

    def symbol_names(self) -> set[str]:
        """Return the names of all symbols: those remembered, and those that anything is stored of."""


class InventoryReader(Protocol):
    """Knows what is stored of each symbol."""

    def stored_symbols(self) -> list[StoredSymbol]:
        """
        Return every symbol in the database, sorted by name, including symbols without stored trades or candles.

        Quick on a large database: nothing is read but ranges of ids, ends of indexes, and the candles of days.
        """

    def stored_symbol(self, symbol: str) -> StoredSymbol | None:
        """
        Return that symbol alone, None if the database does not know it. Reads nothing of others.

        Rows and sizes are 0 and ``active`` is False: they are shares of tables that all symbols have in common.
        """

    def stored_days(self, symbol: str) -> list[DayHeld]:
        """Return the UTC days of which something of the symbol is stored or missing, rising."""


class RepairAnnouncements(Protocol):
    """Lets programs that share a database agree on which of them fetches what."""

    def announce_repairs(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        """
        Announce to other programs what this one fetches from now on, replacing its earlier announcement.

        ``small``: symbols whose gaps of up to ``largest`` trades it fetches. ``whole``: symbols of which it fetches all
        that is missing. The announcement holds until the store is closed. Returns the symbols of which another program
        fetches everything; leave those to it.
        """
