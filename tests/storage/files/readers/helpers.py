"""Files of trades to read, and what the readers made of one."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from app.market.candle import Candle
from app.market.ports.row_files import (
    AggTradeBatch,
    CandleBatch,
    ReadingOptions,
    RefusedFile,
    RefusedRow,
    RowFile,
    RowKind,
    TradeBatch,
)
from storage.files.readers.open_rows import open_rows


class TradeRow(NamedTuple):
    symbol: str
    trade_id: int
    time_us: int
    price_e8: int
    quantity_e8: int
    is_buyer_maker: bool


class AggTradeRow(NamedTuple):
    symbol: str
    agg_id: int
    time_us: int
    price_e8: int
    quantity_e8: int
    first_trade_id: int
    last_trade_id: int
    is_buyer_maker: bool


class Reading(NamedTuple):
    """All that one file gave: its rows as tuples, those refused, and how many it says it read."""

    kind: RowKind
    symbol: str | None
    trades: list[TradeRow]
    agg_trades: list[AggTradeRow]
    candles: list[tuple[str, str, Candle]]
    refused: list[RefusedRow]
    rows: int
    shortfall: str | None


def opened(path: Path, options: ReadingOptions | None = None) -> list[RowFile]:
    """Return the files behind a path, all of them usable."""
    found = list(open_rows(path, options))
    refused = [file.reason for file in found if isinstance(file, RefusedFile)]
    assert not refused, refused
    return [file for file in found if not isinstance(file, RefusedFile)]


def refusal(path: Path, options: ReadingOptions | None = None) -> str:
    """Return why nothing of a file can be used."""
    (found,) = open_rows(path, options)
    assert isinstance(found, RefusedFile)
    return found.reason


def read(path: Path, options: ReadingOptions | None = None) -> Reading:
    """Read the one usable file behind a path."""
    (file,) = opened(path, options)
    return drained(file)


def drained(file: RowFile) -> Reading:
    """Read a file to its end."""
    reading = Reading(file.kind, file.symbol, [], [], [], [], 0, None)
    rows = 0
    for batch in file.batches():
        rows += batch.rows
        reading.refused.extend(batch.refused)
        if isinstance(batch, TradeBatch):
            columns = (batch.trade_id, batch.time_us, batch.price_e8, batch.quantity_e8, batch.is_buyer_maker)
            lists = (column.tolist() for column in columns)
            reading.trades.extend(TradeRow(batch.symbol, *row) for row in zip(*lists, strict=True))
            used = len(batch.trade_id)
        elif isinstance(batch, AggTradeBatch):
            columns = (batch.agg_id, batch.time_us, batch.price_e8, batch.quantity_e8)
            ends = (batch.first_trade_id, batch.last_trade_id, batch.is_buyer_maker)
            lists = (column.tolist() for column in (*columns, *ends))
            reading.agg_trades.extend(AggTradeRow(batch.symbol, *row) for row in zip(*lists, strict=True))
            used = len(batch.agg_id)
        else:
            assert isinstance(batch, CandleBatch)
            reading.candles.extend((batch.symbol, str(batch.interval), candle) for candle in batch.candles)
            used = len(batch.candles)
        assert batch.rows == used + len(batch.refused)
    return reading._replace(rows=rows, shortfall=file.shortfall())


def archive_rows(count: int, *, first_id: int = 100, first_us: int = 1_735_689_600_000_000) -> list[str]:
    """Return lines of an archive's file of trades."""
    return [
        f"{first_id + number},{60_000 + number % 100}.{number % 100:02d}000000,0.{number % 1000 + 1:05d}000,1.00000000,"
        f"{first_us + number * 1_000},{'True' if number % 3 else 'False'},True"
        for number in range(count)
    ]


def zipped(path: Path, members: dict[str, Iterable[str] | bytes]) -> Path:
    """Write a zip of texts and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else "".join(f"{line}\n" for line in content).encode()
            archive.writestr(name, data)
    return path
