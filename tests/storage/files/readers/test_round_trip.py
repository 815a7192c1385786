"""What our export writes comes back, to the digit where the format is not rounded by its nature."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from app.market.candle import Candle, CandleSource
from app.market.columns.candle_columns import columns_of
from app.market.file_format import FileFormat, FileLayout, Preset
from app.market.interval import Interval
from app.market.ports.row_files import ReadingOptions, RowKind
from storage.files.export_file import candle_file, trade_file, trade_schema
from storage.files.target import NewFile
from tests.storage.files.readers.helpers import read

MINUTE = Interval.parse("1m")
START_US = 1_723_161_240_000_000
DIGITS_KEPT = [one for one in FileFormat if one is not FileFormat.XLSX]


def candles(count: int = 50) -> list[Candle]:
    return [
        Candle(
            START_US + 60_000_000 * number,
            6_183_763_000_000 + number,
            6_183_763_000_100 + number,
            6_183_763_000_000 - number,
            6_183_763_000_003,
            10**21 if number == 7 else 1_243_238_000 + number,
            10**27 + number,
            875 + number,
            632_003_000,
            3_908_040_386_229_000_000_000,
            None if number % 5 == 0 else 100 * number,
            None if number % 5 == 0 else 100 * number + 99,
            True,
            number % 3 != 0,
            CandleSource.KLINE if number % 5 == 0 else CandleSource.TRADES,
        )
        for number in range(count)
    ]


def written(folder: Path, file_format: FileFormat, layout: FileLayout, rows: list[Candle]) -> Path:
    facts = {"symbol": "BTCUSDT", "interval": "1m", "zone": layout.zone}
    name = f"export.{file_format}"
    file = candle_file(NewFile(folder, name), file_format, layout, MINUTE)
    file.write(columns_of(rows))
    path = file.finish(name, facts)
    assert path is not None
    return path


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("file_format", DIGITS_KEPT)
def test_candles_come_back_to_the_digit(tmp_path: Path, file_format: FileFormat, zone: str) -> None:
    reading = read(written(tmp_path, file_format, FileLayout(zone=zone), candles()))
    assert reading.refused == []
    assert {row[:2] for row in reading.candles} == {("BTCUSDT", "1m")}
    assert [candle for _, _, candle in reading.candles] == candles()


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("with_meta", [True, False])
def test_a_sheet_rounds_to_fifteen_digits_and_keeps_its_times(tmp_path: Path, zone: str, with_meta: bool) -> None:
    rows = [candle._replace(volume_e8=50 * 10**8) for candle in candles()]
    path = written(tmp_path, FileFormat.XLSX, FileLayout(zone=zone), rows)
    if not with_meta:
        path.with_name(path.name + ".meta.json").unlink()
    reading = read(path)
    assert reading.refused == []
    assert [candle[:6] for _, _, candle in reading.candles] == [candle[:6] for candle in rows]
    assert [candle[10:] for _, _, candle in reading.candles] == [candle[10:] for candle in rows]


@pytest.mark.parametrize("preset", [one for one in Preset if one is not Preset.DEFAULT])
@pytest.mark.parametrize("file_format", FileFormat)
def test_every_preset_comes_back(tmp_path: Path, file_format: FileFormat, preset: Preset) -> None:
    rows = [
        candle._replace(volume_e8=50 * 10**8 + number, high_e8=6_183_763_001_000)
        for number, candle in enumerate(candles())
    ]
    reading = read(written(tmp_path, file_format, FileLayout(preset=preset), rows))
    assert reading.refused == []
    assert reading.kind is (RowKind.KLINES if preset is Preset.BINANCE else RowKind.CANDLES)
    assert [candle[:6] for _, _, candle in reading.candles] == [candle[:6] for candle in rows]
    if preset is Preset.BINANCE and file_format is not FileFormat.XLSX:
        assert [candle[6:10] for _, _, candle in reading.candles] == [candle[6:10] for candle in rows]


@pytest.mark.parametrize("file_format", FileFormat)
def test_trades_come_back(tmp_path: Path, file_format: FileFormat) -> None:
    step_us = 1_000 if file_format is FileFormat.XLSX else 1
    rows = [
        (
            "BTCUSDT",
            3_735_683_259 + number,
            START_US + step_us * number,
            6_183_763_000_000 + number,
            number + 1,
            number % 3 == 0,
        )
        for number in range(500)
    ]
    symbol, ids, times, prices, quantities, makers = map(list, zip(*rows, strict=True))
    schema = trade_schema()
    decimals = [pa.array(column, pa.decimal128(38, 0)) for column in (prices, quantities)]
    amounts = [pa.Array.from_buffers(schema.field(3).type, 500, column.buffers()) for column in decimals]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(symbol), pa.array(ids), pa.array(times, schema.field(2).type), *amounts, pa.array(makers)],
        schema=schema,
    )
    name = f"export.{file_format}"
    file = trade_file(NewFile(tmp_path, name), file_format, FileLayout())
    file.write(batch)
    file.finish(name, {"symbol": "BTCUSDT", "interval": "trades"})
    reading = read(tmp_path / name, ReadingOptions())
    assert (reading.kind, reading.refused) == (RowKind.TRADES, [])
    assert reading.trades == rows
