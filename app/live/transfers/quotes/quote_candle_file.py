"""Adds the sums of sizes to candles of quotes on their way into a file, and names the broker as their source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.live.transfers.quotes.quote_report import completeness
from app.market.columns.candle_columns import open_times
from app.market.columns.quote_columns import with_side_volumes
from app.market.interval import Interval
from app.market.ports.files import ExportFile
from app.market.ports.ticks import TickReader
from app.market.quotes.tick import PriceSide
from app.market.symbol import broker_of


class QuoteCandleFile:
    """An `app.market.ports.files.ExportFile` of candles of one price of quotes, which writes into ``file``."""

    def __init__(self, file: ExportFile, ticks: TickReader, symbol: str, interval: Interval, price: PriceSide) -> None:
        self._file = file
        self._ticks = ticks
        self._symbol = symbol
        self._interval = interval
        self._price = price

    def write(self, rows: Any) -> None:
        """See `app.market.ports.files.ExportFile`. May raise StoreError."""
        found = []
        if rows.num_rows:
            opens_us = open_times(rows)
            ends = {"start_us": int(opens_us[0]), "end_us": int(opens_us[-1]) + 1}
            found = self._ticks.tick_candles(self._symbol, self._interval, **ends)
        self._file.write(with_side_volumes(rows, found, broker_of(self._symbol)))

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        """See `app.market.ports.files.ExportFile`."""
        return self._file.finish(name, self.facts(facts))

    def facts(self, facts: Mapping[str, object]) -> dict[str, object]:
        """Return the facts of candles with those of quotes added."""
        about = {"price": self._price.value, "completeness": completeness(self._symbol)}
        return {**facts, "source": broker_of(self._symbol) if facts.get("rows") else None, **about}

    def discard(self) -> None:
        """See `app.market.ports.files.ExportFile`."""
        self._file.discard()
