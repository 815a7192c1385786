"""What an import needs of the database it fills; `storage.loading` implements it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from app.market.candle import Candle
from app.market.comparison import FieldDifference
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.ports.row_files import TradeBatch
from app.market.quotes.side_candle import SideCandle
from app.market.quotes.tick import PriceSide
from app.market.quotes.tick_columns import TickColumns


class RefusedPlace(NamedTuple):
    """The place in its batch, from 0, of a row that is not stored, and why."""

    place: int
    reason: str


class LoadResult(NamedTuple):
    """How many rows are stored now and were not before, how many were held already, and those that were refused."""

    stored: int
    held: int
    refused: tuple[RefusedPlace, ...] = ()


class PreparedLoad(Protocol):
    """A batch made ready for the database. ``first_id``, ``last_id``: the lowest and highest id that can be stored."""

    @property
    def first_id(self) -> int | None: ...

    @property
    def last_id(self) -> int | None: ...


class BulkLoader(Protocol):
    """
    Stores the rows of files in large batches, each in a transaction of its own and each row once.

    Of rows with one id (trades) or one open time (candles) and other content the first stays, the others are refused.
    Blocks. `prepare` may run in another thread than the rest, which belongs to one thread at a time.

    Every method but `prepare` may raise StoreError; nothing of that batch is stored then.
    """

    def prepare(self, batch: TradeBatch) -> PreparedLoad:
        """Check and sort a batch of trades, without the database as far as its symbol is known."""

    def load(self, prepared: PreparedLoad) -> LoadResult:
        """Store the trades of a prepared batch that are not held yet."""

    def load_candles(
        self, symbol: str, interval: Interval, candles: Sequence[Candle], *, published: bool
    ) -> LoadResult:
        """
        Store closed candles beside the trades, and beside the klines by their own source if that is aggtrades.

        A complete one replaces one that is not, the exchange's one of aggregated trades. ``published``: they are the
        exchange's own, so what lies between two that adjoin need not be asked for.
        """

    def load_aggregated(self, symbol: str, minutes: Sequence[Candle]) -> set[int]:
        """
        Store minutes of aggregated trades, oldest first; return the open times of those stored or made better.

        ``minutes``: as `app.market.aggregated_trades` makes them. Where a kline is stored, none is. A minute that two
        files share is added up, and complete once both are stored.
        """

    def load_ticks(self, ticks: TickColumns, fetched: tuple[int, int] | None = None) -> LoadResult:
        """
        Store the ticks that are not held yet. Of ticks of one time and place the first stays, the others are refused.

        ``fetched``: a span ``[start, end)``, UTC microseconds, in which the source has these ticks and no others; it is
        remembered in the same transaction.
        """

    def load_side_candles(
        self, symbol: str, interval: Interval, side: PriceSide, candles: Sequence[SideCandle]
    ) -> LoadResult:
        """Store candles of bid or of ask as their broker published them. Of two of one time the first stays."""

    def held(self, symbol: str, first_id: int, last_id: int) -> IdRanges:
        """Return which ids from the first to the last, inclusive, nobody needs to fetch: held, or known as absent."""

    def kline_differences(self, symbol: str, start_us: int, end_us: int) -> list[FieldDifference]:
        """
        Return where minutes of the stored trades that open in ``[start_us, end_us)`` differ from the stored klines.

        Oldest first. A minute in which or beside which a trade is missing is not compared.
        """

    def finish(self) -> None:
        """Refresh the server's statistics of what was filled."""

    def abort(self) -> None:
        """Give up a statement under way, from any thread: whoever waits for it gets a StoreError."""

    def close(self) -> None:
        """Close the connection."""


class RestoringLoader(BulkLoader, Protocol):
    """A loader that also brings back what retention dropped."""

    def restore(self, prepared: PreparedLoad) -> int:
        """
        Store the trades again that retention had dropped, of a batch that was loaded; return how many.

        Candles and coverage stay as they are: they still count these trades.
        """

    def restore_ticks(self, ticks: TickColumns) -> LoadResult:
        """
        Do as `load_ticks`, and store the ticks again that retention had dropped: they count as stored.

        ``ticks`` has all of each of its times. Candles count the dropped ones already and stay as they are.
        """
