"""A sandbox with an archive, a real database, and downloads between them, by a clock that advances with each sleep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from app.brokers.binance.archive import BinanceArchive
from app.brokers.binance.rest import BinanceRest
from app.live.charts.candle_history import CandleHistory
from app.live.transfers.downloads.download import Download, DownloadProgress, DownloadRequest, Source
from app.live.transfers.downloads.report import DownloadReport
from app.live.transfers.downloads.resources import Resources
from app.market.interval import Interval
from app.market.ports.archive import DAY_US
from app.market.trade import Trade
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.server.server import SandboxServer
from storage.database import Database
from storage.files.readers.open_rows import open_rows
from tests.sandbox.helpers import NOW_US, ManualClock, serving, small_market
from tests.servers import EMBEDDED, shared_server
from tests.tables import our_tables

TODAY_US = NOW_US - NOW_US % DAY_US  # 2026-08-14


class World:
    """A sandbox exchange of four days, and a database to fill."""

    def __init__(
        self, market: SimulatedMarket, server: SandboxServer, database: Database, folder: Path, now_us: int
    ) -> None:
        self.market = market
        self.server = server
        self.database = database
        self.clock = ManualClock(now_us)
        self.folder = folder
        self.progress: list[DownloadProgress] = []

    async def download(
        self,
        start_us: int,
        end_us: int,
        interval: Interval | None = None,
        *,
        symbols: Sequence[str] = ("BTCUSDT",),
        source: Source = Source.ANY,
        keep_files: bool = False,
    ) -> DownloadReport:
        """Run one download with connections of its own, as another run of the program would."""
        archive = BinanceArchive(self.server.rest_url, self.folder)
        rest = BinanceRest(self.server.rest_url, clock=self.clock)
        resources = Resources(
            archive,
            rest,
            CandleHistory(rest, self.database.store),
            self.database,
            self.clock,
            open_rows,
            keep_files,
        )
        request = DownloadRequest(symbols, interval, start_us, end_us, source)
        try:
            return await Download(request, resources, self.progress.append).run()
        finally:
            await archive.close()
            await rest.close()

    def wanted(self, symbol: str, start_us: int, end_us: int) -> list[Trade]:
        """The market's own trades of that time."""
        first, end = self.market.first_id_from(symbol, start_us), self.market.first_id_from(symbol, end_us)
        return self.market.trades(symbol, first, end - first)

    def stored(self, symbol: str = "BTCUSDT") -> list[Trade]:
        """Every stored trade."""
        return self.database.store.trades(symbol, 0, 1 << 62)


@asynccontextmanager
async def world(tmp_path: Path, *, rate: float = 0.05, days: int = 4, now_us: int = NOW_US) -> AsyncIterator[World]:
    """A `World` of its own, whose market begins some days ago; everything is closed afterwards."""
    market = small_market(rate=rate, history=timedelta(days=days), clock=ManualClock(now_us))
    with our_tables(shared_server(EMBEDDED)) as url:
        database = Database.open(url, tmp_path)
        try:
            async with serving(market) as server:
                yield World(market, server, database, tmp_path / "archive", now_us)
        finally:
            assert database.close()
