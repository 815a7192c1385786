"""
Stores the rows of files: trades and quotes by way of their ledgers, candles beside the klines.

Trades go through `storage.trades.trade_ledger` like those that arrive live, only in larger batches: each is stored
exactly once, in one transaction with its coverage and rollups, and its symbol is locked for no longer than the batch
takes. So an import may be killed at any moment and begun again, and recording goes on meanwhile. A trade that
contradicts the stored one is not put into `refused_trades`: it stays in its file, and the import says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.market.candle import Candle
from app.market.comparison import FieldDifference
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.ports.loading import LoadResult, PreparedLoad, RefusedPlace
from app.market.ports.row_files import TradeBatch
from app.market.quotes.side_candle import SideCandle
from app.market.quotes.tick import PriceSide
from app.market.quotes.tick_columns import TickColumns
from app.market.trade import Trade
from storage.loading.candle_batches import store_aggregated, store_candles
from storage.loading.kline_check import kline_differences
from storage.loading.ledger_session import LedgerSession
from storage.loading.side_candle_batches import store_side_candles
from storage.loading.statistics import StoredSpan, refresh_statistics
from storage.loading.tick_loader import TickLoader
from storage.loading.trade_batches import PreparedTrades, prepared
from storage.postgres.connection import Connection, translated
from storage.postgres.symbol_ids import add_symbols, symbol_id_of, symbol_ids_of
from storage.rollups import candle_sql
from storage.schema import id_ranges
from storage.trades.trade_ledger import TradeLedger

STATEMENT_TIMEOUT_S = 600.0  # a batch over a slow line
_CONTRADICTION = "it contradicts the stored trade of the same id"


class BulkLoader:
    """
    A `app.market.ports.loading.BulkLoader`.

    ``connect`` makes a connection and may raise StoreError; after a failure the next call makes a new one.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._symbol_ids: dict[str, int] = {}
        self._session = LedgerSession(connect, self._open_ledger)
        self._contradictions: list[Trade] = []
        self._stored = StoredSpan()
        self._ticks = TickLoader(connect)
        self.quoted = set[str]()
        """The symbols that ticks were loaded of."""

    def prepare(self, batch: TradeBatch) -> PreparedTrades:
        """See `app.market.ports.loading.BulkLoader`. Asks the database once per symbol, on a connection of its own."""
        symbol_id = self._symbol_ids.get(batch.symbol, 0)
        if not symbol_id and len(batch.trade_id):
            with translated("add a symbol"), self._connect() as connection:
                add_symbols(connection, [batch.symbol])
                self._symbol_ids.update(symbol_ids_of(connection, [batch.symbol]))
            symbol_id = self._symbol_ids[batch.symbol]
        return prepared(batch, symbol_id)

    def load(self, batch: PreparedLoad) -> LoadResult:
        """See `app.market.ports.loading.BulkLoader`."""
        assert isinstance(batch, PreparedTrades)
        if not batch.columns:
            return LoadResult(0, batch.rows - len(batch.refused), batch.refused)
        self._contradictions.clear()
        with self._session.use("store trades") as ledger:
            ledger.symbol_ids([batch.symbol])
            result = ledger.store_columns(batch.columns, encoding=batch.encoding)
        refused = [RefusedPlace(batch.place_of(trade.trade_id), _CONTRADICTION) for trade in self._contradictions]
        refused = sorted([*batch.refused, *refused])
        if result.fresh:
            self._stored.note(result.fresh, batch.columns.time_us)
        return LoadResult(result.fresh, batch.rows - result.fresh - len(refused), tuple(refused))

    def restore(self, batch: PreparedLoad) -> int:
        """See `app.market.ports.loading.RestoringLoader`."""
        assert isinstance(batch, PreparedTrades)
        if not batch.columns:
            return 0
        with self._session.use("store trades") as ledger:
            ledger.symbol_ids([batch.symbol])
            restored = ledger.restore_columns(batch.columns)
        if restored:
            self._stored.note(restored, batch.columns.time_us)
        return restored

    def load_candles(
        self, symbol: str, interval: Interval, candles: Sequence[Candle], *, published: bool
    ) -> LoadResult:
        """See `app.market.ports.loading.BulkLoader`."""
        with self._session.use("store candles") as ledger:
            return store_candles(ledger.connection, symbol, interval, candles, published=published)

    def load_aggregated(self, symbol: str, minutes: Sequence[Candle]) -> set[int]:
        """See `app.market.ports.loading.BulkLoader`."""
        with self._session.use("store candles") as ledger:
            return store_aggregated(ledger.connection, symbol, minutes)

    def load_ticks(self, ticks: TickColumns, fetched: tuple[int, int] | None = None) -> LoadResult:
        """See `app.market.ports.loading.BulkLoader`."""
        self.quoted.add(ticks.symbol)
        return self._ticks.load(ticks, fetched)

    def restore_ticks(self, ticks: TickColumns) -> LoadResult:
        """See `app.market.ports.loading.RestoringLoader`."""
        self.quoted.add(ticks.symbol)
        return self._ticks.load(ticks, restores=True)

    def load_side_candles(
        self, symbol: str, interval: Interval, side: PriceSide, candles: Sequence[SideCandle]
    ) -> LoadResult:
        """See `app.market.ports.loading.BulkLoader`."""
        with self._session.use("store candles") as ledger:
            return store_side_candles(ledger.connection, symbol, interval, side, candles)

    def held(self, symbol: str, first_id: int, last_id: int) -> IdRanges:
        """See `app.market.ports.loading.BulkLoader`."""
        with self._session.use("read the coverage") as ledger:
            symbol_id = symbol_id_of(ledger.connection, symbol)
            held = id_ranges.read(ledger.connection, id_ranges.COVERAGE, symbol_id)
        return IdRanges(held.within(first_id, last_id))

    def kline_differences(self, symbol: str, start_us: int, end_us: int) -> list[FieldDifference]:
        """See `app.market.ports.loading.BulkLoader`."""
        with self._session.use("compare with the klines") as ledger:
            return kline_differences(ledger.connection, symbol, start_us, end_us)

    def finish(self) -> None:
        """See `app.market.ports.loading.BulkLoader`."""
        self._ticks.finish()
        if self._stored.is_large:
            with self._session.use("refresh the statistics") as ledger:
                refresh_statistics(ledger.connection, self._stored)
            self._stored = StoredSpan()

    def abort(self) -> None:
        """See `app.market.ports.loading.BulkLoader`."""
        self._session.abort()
        self._ticks.abort()

    def close(self) -> None:
        """See `app.market.ports.loading.BulkLoader`."""
        self._ticks.close()
        self._session.close()

    def _open_ledger(self, connection: Connection) -> TradeLedger:
        candle_sql.load_numerics_as_int(connection)
        return TradeLedger(connection, self._note_contradictions)

    def _note_contradictions(self, connection: Connection, contradictions: Sequence[tuple[Trade, Trade]]) -> None:
        self._contradictions += [trade for trade, _ in contradictions]
