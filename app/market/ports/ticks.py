"""
What a store offers for ticks: one Protocol per role, as `app.market.ports.storage` has them for trades.

All methods block, so call them from a worker thread; they raise StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.ports.storage import CandleStore, RowSpool, RowWriter
from app.market.quotes.tick import PriceSide, Tick

if TYPE_CHECKING:  # the window opens without
    from app.market.quotes.tick_candle import TickCandle


class TickCount(NamedTuple):
    """
    How many ticks of a batch were stored (``stored``), were there before (``held``), or cannot be stored or contradict
    what is stored (``refused``): those are set aside in the database.
    """

    stored: int
    held: int
    refused: int = 0


class TickSink(Protocol):
    """Takes ticks in, each stored exactly once, however often it comes."""

    def store_ticks(self, ticks: Sequence[Tick], fetched: tuple[str, int, int] | None = None) -> TickCount:
        """
        Store ticks of any symbols and add them to their candles, in one transaction.

        ``fetched``: a symbol and a span ``[start, end)``, UTC microseconds, in which the source has these ticks and no
        others; it is remembered in the same transaction.
        """


TickWriter = RowWriter[Tick]
"""Stores ticks as they arrive, in a thread of its own."""


TickSpool = RowSpool[Tick]
"""Keeps ticks on disk until the database has them."""


class TickReader(Protocol):
    """Reads stored ticks and their candles."""

    def ticks(self, symbol: str, start_us: int, end_us: int) -> list[Tick]:
        """Return the stored ticks of ``[start_us, end_us)``, by time and place."""

    def iter_ticks(
        self, symbol: str, start_us: int, end_us: int, *, batch: int = ...
    ) -> Generator[list[Tick], None, None]:
        """Yield the same at most ``batch`` at a time; it holds a connection: close it, or read it to its end."""

    def newest_ticks(self, symbols: Collection[str]) -> dict[str, int]:
        """Return the number (`Tick.number`) of the newest tick of each of these symbols that has any."""

    def ticks_after(self, symbol: str, number: int, limit: int) -> list[Tick]:
        """Return the first ``limit`` stored ticks after that number (`Tick.number`), by time and place."""

    def tick_candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int | None = None,
    ) -> list[TickCandle]:
        """Return the candles with open times in ``[start_us, end_us)``, oldest first; with ``limit`` the newest."""

    def iter_tick_candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        batch: int = ...,
    ) -> Generator[list[TickCandle], None, None]:
        """Yield the same at most ``batch`` at a time; it holds a connection: close it, or read it to its end."""

    def fetched_ticks(self, symbol: str) -> IdRanges:
        """Return the ranges of UTC microseconds in which every tick of the source is stored."""


class SideStores(Protocol):
    """Gives the candles of one price of ticks."""

    def of_side(self, side: PriceSide) -> CandleStore:
        """
        Return the candles of one price of ticks, by the symbols of brokers of quotes.

        Each is made of ticks where all of its time is known, else the broker's own, else an incomplete one.
        """


class TickLoader(TickSink, Protocol):
    """A sink with a connection of its own, for many ticks; one thread at a time, close it before the database."""

    def finish(self) -> None:
        """Refresh the server's statistics of what was stored, for quick reading at once."""

    def abort(self) -> None:
        """End what another thread is doing here with a StoreError, whatever the server does."""

    def close(self) -> None:
        """Close the connection."""


class TickDatabase(Protocol):
    """What an open database offers for ticks."""

    @property
    def tick_writer(self) -> TickWriter:
        """Stores what arrives live; its thread starts when it is first asked for, and the database closes it."""

    @property
    def ticks(self) -> TickReader:
        """Reads what is stored."""

    def tick_loader(self) -> TickLoader:
        """Return what history and files are stored with. Raises StoreError if the database may only be read."""
