"""What our export writes comes back, to the digit where the format is not rounded by its nature."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.candle import Candle, CandleSource
from app.market.columns.candle_columns import columns_of
from app.market.columns.gap_columns import gap_rows
from app.market.coverage import StoredGap
from app.market.file_columns import GAP_COLUMNS, RowsOf
from app.market.file_format import FileFormat, FileLayout, Preset
from app.market.interval import Interval
from app.market.ports.row_files import RowKind
from app.market.trade import Trade
from storage.files.export_file import rows_file
from storage.files.target import NewFile
from tests.depth import examples
from tests.storage.files.readers.helpers import read, refusal
from tests.trade_files import FIFTEEN_DIGITS, FIRST_US, LAST_US, MOST, ZONES, amounts, any_trades, write_trades

MINUTE = Interval.parse("1m")
INTERVALS = [Interval.parse(name) for name in ("1s", "1m", "13m", "1h", "1d", "1w", "1M")]
START_US = 1_723_161_240_000_000
DIGITS_KEPT = [one for one in FileFormat if one is not FileFormat.XLSX]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

any_examples = settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def candle_rows(draw: st.DrawFn, *, most: int = MOST, most_volume: int = 10**22) -> tuple[Interval, list[Candle]]:
    """Return candles of an interval: traded and empty, open, incomplete, of any source, with ids and without."""
    interval = draw(st.sampled_from(INTERVALS))
    slots = st.integers(interval.slot(FIRST_US) + 1, interval.slot(LAST_US))
    ids = st.one_of(st.none(), st.integers(0, MOST))
    candles = []
    for slot in sorted(draw(st.sets(slots, min_size=1, max_size=12))):
        low, one, other, high = sorted(draw(amounts(most)) for _ in range(4))
        volume = draw(st.one_of(st.just(0), st.integers(1, most_volume)))
        quote = draw(st.integers(0, 10**30)) if volume else 0
        ends = draw(st.sampled_from([(one, other), (other, one)])) if volume else (one, one)
        candles.append(
            Candle(
                interval.slot_open_us(slot),
                ends[0],
                high if volume else one,
                low if volume else one,
                ends[1],
                volume,
                quote,
                draw(st.integers(0, MOST)) if volume else 0,
                draw(st.integers(0, volume)),
                draw(st.integers(0, quote)),
                draw(ids) if volume else None,
                draw(ids) if volume else None,
                draw(st.booleans()),
                draw(st.booleans()),
                draw(st.sampled_from(CandleSource)),
            )
        )
    return interval, candles


def candles(count: int = 50) -> list[Candle]:
    return [
        Candle(
            START_US + 60_000_000 * number,
            6_183_763_000_000 + number,
            6_183_763_001_000,
            6_183_763_000_000 - number,
            6_183_763_000_003,
            50 * 10**8 + number,
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


def written(
    folder: Path, file_format: FileFormat, layout: FileLayout, rows: list[Candle], interval: Interval = MINUTE
) -> Path:
    facts = {"symbol": "BTCUSDT", "interval": interval.name, "zone": layout.zone}
    name = f"export.{file_format}"
    file = rows_file(NewFile(folder, name), file_format, layout, interval)
    for start in range(0, len(rows), 3):
        file.write(columns_of(rows[start : start + 3]))
    path = file.finish(name, facts)
    assert path is not None
    return path


@pytest.mark.parametrize("file_format", DIGITS_KEPT)
@given(trades=any_trades(), zone=st.sampled_from(ZONES))
@any_examples
def test_any_trades_come_back_to_the_digit(
    tmp_path: Path, file_format: FileFormat, trades: list[Trade], zone: str
) -> None:
    reading = read(write_trades(trades, tmp_path / f"a.{file_format}", file_format, FileLayout(zone=zone)))
    assert (reading.kind, reading.refused) == (RowKind.TRADES, [])
    assert reading.trades == trades


@given(trades=any_trades(most=FIFTEEN_DIGITS, step_us=1_000), zone=st.sampled_from(ZONES))
@any_examples
def test_a_sheet_keeps_fifteen_digits_of_trades_their_milliseconds_and_every_id(
    tmp_path: Path, trades: list[Trade], zone: str
) -> None:
    reading = read(write_trades(trades, tmp_path / "a.xlsx", FileFormat.XLSX, FileLayout(zone=zone)))
    assert (reading.kind, reading.refused) == (RowKind.TRADES, [])
    assert reading.trades == trades


@pytest.mark.parametrize("file_format", DIGITS_KEPT)
@given(drawn=candle_rows(), zone=st.sampled_from(ZONES))
@any_examples
def test_any_candles_come_back_to_the_digit(
    tmp_path: Path, file_format: FileFormat, drawn: tuple[Interval, list[Candle]], zone: str
) -> None:
    interval, rows = drawn
    reading = read(written(tmp_path, file_format, FileLayout(zone=zone), rows, interval))
    assert reading.refused == []
    assert {row[:2] for row in reading.candles} == {("BTCUSDT", interval.name)}
    assert [candle for _, _, candle in reading.candles] == rows


@given(drawn=candle_rows(most=FIFTEEN_DIGITS, most_volume=FIFTEEN_DIGITS))
@any_examples
def test_a_sheet_keeps_fifteen_digits_of_candles_their_times_and_every_count(
    tmp_path: Path, drawn: tuple[Interval, list[Candle]]
) -> None:
    interval, rows = drawn
    reading = read(written(tmp_path, FileFormat.XLSX, FileLayout(), rows, interval))
    assert reading.refused == []
    found = [candle for _, _, candle in reading.candles]
    for one, given_one in zip(found, rows, strict=True):
        # Products of prices and quantities have more digits.
        assert one.quote_volume_e16 == pytest.approx(given_one.quote_volume_e16, rel=1e-14)
        assert one.taker_buy_quote_volume_e16 == pytest.approx(given_one.taker_buy_quote_volume_e16, rel=1e-14)
        assert one._replace(quote_volume_e16=0, taker_buy_quote_volume_e16=0) == given_one._replace(
            quote_volume_e16=0, taker_buy_quote_volume_e16=0
        )


@pytest.mark.parametrize("file_format", FileFormat)
def test_a_price_that_no_trade_can_have_is_refused_and_never_changed(tmp_path: Path, file_format: FileFormat) -> None:
    """NUMERIC(20, 8) goes up to 1e12, a count of 1e-8 in 64 bits to 9.2e10."""
    rows = [candle._replace(high_e8=2**63 + 10**12) if at == 1 else candle for at, candle in enumerate(candles(3))]
    reading = read(written(tmp_path, file_format, FileLayout(), rows))
    assert [(row.number, row.reason.split(":")[0]) for row in reading.refused] == [(2, "high is too large")]
    assert [candle[:6] for _, _, candle in reading.candles] == [rows[0][:6], rows[2][:6]]


@pytest.mark.parametrize("with_meta", [True, False])
def test_a_sheet_keeps_its_times_when_the_clock_of_its_zone_is_put_back(tmp_path: Path, with_meta: bool) -> None:
    change_us = round(datetime(2024, 11, 3, 6, tzinfo=UTC).timestamp()) * 1_000_000
    first_us = change_us - 25 * MINUTE.length_us
    rows = [one._replace(open_time_us=first_us + at * MINUTE.length_us) for at, one in enumerate(candles())]
    path = written(tmp_path, FileFormat.XLSX, FileLayout(zone="America/New_York"), rows)
    if not with_meta:
        path.with_name(path.name + ".meta.json").unlink()
    reading = read(path)
    assert reading.refused == []
    assert [candle[:6] for _, _, candle in reading.candles] == [candle[:6] for candle in rows]
    assert [candle[10:] for _, _, candle in reading.candles] == [candle[10:] for candle in rows]


@pytest.mark.parametrize("preset", [one for one in Preset if one is not Preset.DEFAULT])
@pytest.mark.parametrize("file_format", FileFormat)
def test_every_preset_comes_back(tmp_path: Path, file_format: FileFormat, preset: Preset) -> None:
    rows = candles()
    reading = read(written(tmp_path, file_format, FileLayout(preset=preset), rows))
    assert reading.refused == []
    assert reading.kind is (RowKind.KLINES if preset is Preset.BINANCE else RowKind.CANDLES)
    assert [candle[:6] for _, _, candle in reading.candles] == [candle[:6] for candle in rows]
    if preset is Preset.BINANCE and file_format is not FileFormat.XLSX:
        assert [candle[6:10] for _, _, candle in reading.candles] == [candle[6:10] for candle in rows]


@given(
    drawn=candle_rows(),
    preset=st.sampled_from([one for one in Preset if one is not Preset.DEFAULT]),
    file_format=st.sampled_from([one for one in FileFormat if one.is_text]),
)
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_numbers_of_a_preset_have_all_digits_in_text(
    tmp_path: Path, drawn: tuple[Interval, list[Candle]], preset: Preset, file_format: FileFormat
) -> None:
    interval, rows = drawn
    reading = read(written(tmp_path, file_format, FileLayout(preset=preset), rows, interval))
    assert reading.refused == []
    assert [candle[:6] for _, _, candle in reading.candles] == [candle[:6] for candle in rows]


def plain_rows(path: Path, file_format: FileFormat) -> list[dict[str, object]]:
    """Return the rows of a file by the names of their columns, read without anything of ours."""
    if file_format in (FileFormat.CSV, FileFormat.TSV, FileFormat.CSV_GZ):
        data = path.read_bytes()
        text = (gzip.decompress(data) if file_format is FileFormat.CSV_GZ else data).decode()
        return list(csv.DictReader(io.StringIO(text), delimiter="\t" if file_format is FileFormat.TSV else ","))
    if file_format is FileFormat.JSON:
        return list(json.loads(path.read_text()))
    if file_format is FileFormat.JSONL:
        return [json.loads(line) for line in path.read_text().splitlines()]
    if file_format is FileFormat.XLSX:
        names, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
        return [dict(zip(names, row, strict=True)) for row in rows]
    return list((pq.read_table if file_format is FileFormat.PARQUET else pa.feather.read_table)(path).to_pylist())


def time_us_of(cell: object) -> int | None:
    """Return a time that a reader gave as text or as a datetime, as the clock of UTC; None for an empty cell."""
    if cell in (None, ""):
        return None
    moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))
    return round((moment.replace(tzinfo=UTC) - EPOCH) / timedelta(milliseconds=1)) * 1_000


@st.composite
def gaps(draw: st.DrawFn) -> StoredGap:
    first = draw(st.integers(0, 2**62))
    times = st.one_of(st.none(), st.integers(FIRST_US // 1_000, LAST_US // 1_000).map(lambda at_ms: at_ms * 1_000))
    last = first + draw(st.sampled_from([0, 1, 2**53, 2**62 - 1]))
    return StoredGap("BTCUSDT", first, last, draw(times), draw(times), draw(st.booleans()), draw(st.booleans()))


@pytest.mark.parametrize("file_format", FileFormat)
@given(given_gaps=st.lists(gaps(), min_size=1, max_size=8))
@any_examples
def test_any_gaps_are_read_by_others_and_are_no_rows_to_import(
    tmp_path: Path, file_format: FileFormat, given_gaps: list[StoredGap]
) -> None:
    name = f"BTCUSDT-gaps.{file_format}"
    file = rows_file(NewFile(tmp_path, name), file_format, FileLayout(), RowsOf.GAPS)
    file.write(gap_rows(given_gaps))
    file.finish(name, {"symbol": "BTCUSDT", "interval": "gaps"})
    rows = plain_rows(tmp_path / name, file_format)
    assert [tuple(row) for row in rows] == [GAP_COLUMNS] * len(given_gaps)
    assert [
        (
            row["symbol"],
            *(int(str(row[name])) for name in ("first_trade_id", "last_trade_id", "missing")),
            row["status"],
            *(time_us_of(row[name]) for name in ("after", "before")),
        )
        for row in rows
    ] == [
        (one.symbol, one.first_trade_id, one.last_trade_id, one.ids, status_of(one), one.start_us, one.end_us)
        for one in given_gaps
    ]
    assert "neither trades nor quotes nor candles" in refusal(tmp_path / name)


def status_of(gap: StoredGap) -> str:
    return "absent" if gap.absent else "repairing" if gap.repairing else "open"
