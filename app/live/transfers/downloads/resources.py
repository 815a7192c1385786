"""What a download works with."""

from __future__ import annotations

from dataclasses import dataclass

from app.live.charts.candle_history import CandleHistory
from app.market.ports.archive import MarketArchive
from app.market.ports.clock import Clock
from app.market.ports.database import OpenedDatabase
from app.market.ports.exchange import TradeHistory
from app.market.ports.row_files import OpenRows


@dataclass(frozen=True, slots=True)
class Resources:
    """
    ``clock`` is the exchange's, as far as that is known. ``open_rows`` reads files.

    ``keep_files``: the archive's files stay once they are stored.
    """

    archive: MarketArchive
    exchange: TradeHistory
    history: CandleHistory
    database: OpenedDatabase
    clock: Clock
    open_rows: OpenRows
    keep_files: bool = False
