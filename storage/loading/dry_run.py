"""A loader that stores nothing: it judges the rows of files as far as that takes no database."""

from __future__ import annotations

from app.market.coverage import IdRanges
from app.market.ports.loading import LoadResult, PreparedLoad
from app.market.ports.row_files import TradeBatch
from storage.loading.trade_batches import PreparedTrades, prepared
from storage.postgres import batch_columns


class DryRunLoader:
    """A `app.market.ports.loading.BulkLoader`; what it counts as stored would be, unless the database has it."""

    def __init__(self) -> None:
        self._seen: dict[str, IdRanges] = {}

    def prepare(self, batch: TradeBatch) -> PreparedTrades:
        """See `app.market.ports.loading.BulkLoader`."""
        return prepared(batch, 0, is_packed=False)

    def load(self, batch: PreparedLoad) -> LoadResult:
        """Note the ids; those that came before count as held."""
        assert isinstance(batch, PreparedTrades)
        runs = batch_columns.id_runs(batch.columns.trade_id)
        before = self._seen.setdefault(batch.symbol, IdRanges())
        known = before.count()
        self._seen[batch.symbol] = before | IdRanges(runs)
        stored = self._seen[batch.symbol].count() - known
        return LoadResult(stored, batch.rows - stored - len(batch.refused), batch.refused)

    def held(self, symbol: str, first_id: int, last_id: int) -> IdRanges:
        """Return the ids that came, from the first to the last."""
        return IdRanges(self._seen.get(symbol, IdRanges()).within(first_id, last_id))

    def finish(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
