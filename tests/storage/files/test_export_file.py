"""A file of every format gives back the rows that went in, to the digit where the format is not rounded by nature."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.candle import Candle, CandleSource, empty_candle
from app.market.columns.candle_columns import candles_of, columns_of
from app.market.errors import FileError, UsageError
from app.market.file_columns import CANDLE_COLUMNS
from app.market.file_format import FileFormat, FileLayout, Preset
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from storage.files.export_file import rows_file
from storage.files.target import NewFile, OpenStream
from storage.files.times import format_time
from storage.files.writers.workbook import properties
from tests.candle_files import candle_row, write_candles
from tests.depth import examples
from tests.live.helpers import START_US, folded

MINUTE = Interval.parse("1m")
FACTS: dict[str, object] = {"symbol": "BTCUSDT", "interval": "1m", "zone": "UTC", "rows": 3, "complete": False}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def some_candles() -> list[Candle]:
    """A candle of trades, an empty one and a kline."""
    (one,) = folded(
        [
            Trade("X", 7, START_US + 500_000, 6_183_763_000_001, 2_000_001, False),
            Trade("X", 8, START_US + 900_000, 6_183_700_000_000, 1, True),
        ],
        MINUTE,
    )
    kline = one._replace(
        open_time_us=START_US + 120 * SECOND_US,
        first_trade_id=None,
        last_trade_id=None,
        closed=True,
        complete=True,
        source=CandleSource.KLINE,
    )
    return [one, empty_candle(START_US + 60 * SECOND_US, 6_183_700_000_000), kline]


PRICES = st.one_of(st.integers(1, 10**15), st.integers(1, 999), st.sampled_from([10**8, 10**16, 10**19]))
VOLUMES = st.one_of(st.integers(0, 10**13), st.integers(0, 10**22), st.just(0))
QUOTES = st.one_of(st.integers(0, 10**26), st.integers(0, 10**17), st.integers(0, 10**30), st.just(0))
IDS = st.one_of(st.none(), st.integers(0, 2**53))


@st.composite
def candles(draw: st.DrawFn) -> list[Candle]:
    times = draw(st.lists(st.integers(0, 4_000_000_000), unique=True, max_size=20).map(sorted))
    return [
        Candle(
            at * SECOND_US,
            *(draw(PRICES) for _ in range(4)),
            draw(VOLUMES),
            draw(QUOTES),
            draw(st.integers(0, 10**9)),
            draw(VOLUMES),
            draw(QUOTES),
            draw(IDS),
            draw(IDS),
            draw(st.booleans()),
            draw(st.booleans()),
            draw(st.sampled_from(CandleSource)),
        )
        for at in times
    ]


def text_rows(path: Path, file_format: FileFormat) -> list[list[str]]:
    """Return the rows of a text file as the text of their values, after one of names."""
    if file_format in (FileFormat.JSON, FileFormat.JSONL):
        text = path.read_text()
        found = json.loads(text) if file_format is FileFormat.JSON else [json.loads(one) for one in text.splitlines()]
        shown = {None: "", True: "true", False: "false"}
        return [list(CANDLE_COLUMNS)] + [
            [shown[value] if value is None or isinstance(value, bool) else str(value) for value in row.values()]
            for row in found
        ]
    data = gzip.decompress(path.read_bytes()) if file_format is FileFormat.CSV_GZ else path.read_bytes()
    delimiter = "\t" if file_format is FileFormat.TSV else ","
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


def test_the_file_holds_what_the_exchange_sent_to_the_digit(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    assert write_candles([some_candles()[:2], some_candles()[2:]], path, MINUTE) == 3
    figures = (
        "61837.63000001,61837.63000001,61837.00000000,61837.00000000,0.02000002,1236.7538367465000001,2,0.02000001,"
        "1236.7532183765000001"
    )
    assert path.read_bytes().decode() == (
        "open_time,open,high,low,close,volume,quote_volume,trades,taker_buy_volume,taker_buy_quote_volume,"
        "first_trade_id,last_trade_id,vwap,closed,complete,source\n"
        f"2024-08-09T00:00:00Z,{figures},7,8,61837.62999969500031,false,false,trades\n"
        "2024-08-09T00:01:00Z,61837.00000000,61837.00000000,61837.00000000,61837.00000000,0.00000000,"
        "0.00000000,0,0.00000000,0.00000000,,,,true,true,trades\n"
        f"2024-08-09T00:02:00Z,{figures},,,61837.62999969500031,true,true,kline\n"
    )


@given(candles())
def test_candles_survive_being_columns(given_candles: list[Candle]) -> None:
    assert candles_of(columns_of(given_candles)) == given_candles


@pytest.mark.parametrize("file_format", [one for one in FileFormat if one.is_text])
@given(batches=st.lists(candles(), max_size=3))
@settings(max_examples=examples(25))
def test_a_text_file_has_every_digit(
    tmp_path_factory: pytest.TempPathFactory, file_format: FileFormat, batches: list[list[Candle]]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{file_format}"
    write_candles(batches, path, MINUTE, file_format)
    names, *rows = text_rows(path, file_format)
    assert names == list(CANDLE_COLUMNS)
    assert rows == [list(candle_row(candle)) for batch in batches for candle in batch]


@pytest.mark.parametrize("file_format", [FileFormat.PARQUET, FileFormat.FEATHER])
@given(batches=st.lists(candles(), max_size=3))
@settings(max_examples=examples(25))
def test_a_binary_file_has_every_digit(
    tmp_path_factory: pytest.TempPathFactory, file_format: FileFormat, batches: list[list[Candle]]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{file_format}"
    write_candles(batches, path, MINUTE, file_format)
    table = pq.read_table(path) if file_format is FileFormat.PARQUET else pa.feather.read_table(path)
    assert table.schema.names == list(CANDLE_COLUMNS)
    assert table.schema.field("open").type == pa.decimal128(20, 8)
    assert table.schema.field("quote_volume").type == pa.decimal128(38, 16)
    assert table.schema.field("open_time").type == pa.timestamp("us", "UTC")
    shown = [[as_text(value) for value in row.values()] for row in table.to_pylist()]
    assert shown == [list(candle_row(candle)) for batch in batches for candle in batch]


def as_text(value: object) -> str:
    if isinstance(value, datetime):
        return format_time((value - EPOCH) // timedelta(microseconds=1))
    if isinstance(value, Decimal):
        whole, _, places = f"{value:f}".partition(".")
        return f"{whole}.{places[:8]}{places[8:].rstrip('0')}"
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@given(candles())
@settings(max_examples=examples(20))
def test_a_workbook_has_fifteen_digits_and_dates(
    tmp_path_factory: pytest.TempPathFactory, given_candles: list[Candle]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.xlsx"
    write_candles([given_candles], path, MINUTE, FileFormat.XLSX)
    names, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    assert names == CANDLE_COLUMNS
    assert len(rows) == len(given_candles)
    for row, candle in zip(rows, given_candles, strict=True):
        at, *figures = row
        assert at == (EPOCH + timedelta(microseconds=candle.open_time_us)).replace(tzinfo=None)
        for shown, exact in zip(figures[:9], candle_row(candle)[1:10], strict=True):
            assert float(shown) == pytest.approx(float(exact), rel=1e-14)
        assert figures[12:] == [candle.closed, candle.complete, candle.source.value]


def test_times_in_text_are_those_of_the_zone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    berlin = ZoneInfo("Europe/Berlin")
    change_us = round(datetime(2024, 10, 27, 1, tzinfo=UTC).timestamp()) * SECOND_US
    given_candles = [empty_candle(change_us + minutes * 60 * SECOND_US, 1) for minutes in range(-90, 90, 30)]
    layout = FileLayout(zone="Europe/Berlin", columns=("close", "open_time"))
    write_candles([given_candles], path, MINUTE, layout=layout)
    names, *rows = text_rows(path, FileFormat.CSV)
    assert names == ["close", "open_time"]
    moments = [EPOCH + timedelta(microseconds=one.open_time_us) for one in given_candles]
    assert [row[1] for row in rows] == [one.astimezone(berlin).isoformat() for one in moments]
    assert rows[3] == ["0.00000001", "2024-10-27T02:00:00+01:00"]


def test_a_column_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"“price” is not a column here: choose from open_time, open"):
        rows_file(OpenStream(io.BytesIO()), FileFormat.CSV, FileLayout(columns=("price",)), MINUTE)


@pytest.mark.parametrize("file_format", [FileFormat.PARQUET, FileFormat.FEATHER, FileFormat.XLSX])
def test_the_facts_stand_in_the_file(tmp_path: Path, file_format: FileFormat) -> None:
    path = tmp_path / f"a.{file_format}"
    facts = {**FACTS, "missing": [["2024-08-09T00:03:00Z", "2024-08-09T00:06:00Z"]]}
    write_candles([some_candles()], path, MINUTE, file_format, facts=facts)
    assert json.loads((tmp_path / f"{path.name}.meta.json").read_text()) == facts
    if file_format is FileFormat.XLSX:
        found = {one.name: one.value for one in openpyxl.load_workbook(path).custom_doc_props.props}
        assert (found["symbol"], found["complete"]) == ("BTCUSDT", "false")
    elif file_format is FileFormat.PARQUET:
        metadata = pq.read_metadata(path)
        assert json.loads(metadata.metadata[b"cryptopipe"]) == facts
        assert metadata.metadata[b"interval"] == b"1m"
        column = metadata.row_group(0).column(0)
        assert column.compression == "ZSTD"
        assert column.is_stats_set
        assert column.statistics.min == datetime(2024, 8, 9, tzinfo=UTC)
    else:
        with pa.memory_map(str(path)) as file:
            assert json.loads(pa.ipc.open_file(file).schema.metadata[b"cryptopipe"]) == facts
        # The copy of the schema at the beginning, which a reader of the stream sees.
        with path.open("rb") as stream:
            stream.seek(8)
            assert json.loads(pa.ipc.open_stream(stream).schema.metadata[b"cryptopipe"]) == facts


def test_more_missing_spans_than_a_feather_file_has_room_for_are_cut_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.feather"
    missing = [["2024-08-09T00:03:00Z", "2024-08-09T00:06:00Z"]] * 500
    ids = [[10**10 + number, 10**10 + number] for number in range(0, 1_000, 2)]
    facts = {**FACTS, "missing": missing, "missing_ids": ids}
    write_candles([some_candles()], path, MINUTE, FileFormat.FEATHER, facts=facts)
    with pa.memory_map(str(path)) as file:
        found = json.loads(pa.ipc.open_file(file).schema.metadata[b"cryptopipe"])
    assert found["missing"] == missing[: len(found["missing"])]
    assert found["missing_ids"] == ids[: len(found["missing_ids"])] != []
    assert (found["missing_spans"], found["missing_ids_spans"]) == (500, 500)
    assert json.loads((tmp_path / "a.feather.meta.json").read_text())["missing"] == missing


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=60) | st.dictionaries(st.text(max_size=9), inner, max_size=9),
    max_leaves=60,
)


@settings(max_examples=examples(40), deadline=None)
@given(
    st.dictionaries(st.sampled_from(["symbol", "missing", "missing_ids", "asked"]), _values),
    st.lists(st.tuples(st.integers(), st.integers()), max_size=200),
)
def test_a_property_of_a_workbook_is_a_text_or_whole_json(
    facts: dict[str, object], missing: list[tuple[int, int]]
) -> None:
    facts = {**facts, "missing": [list(span) for span in missing]}
    found = dict(properties(facts))
    assert found.keys() - {f"{name}_spans" for name in facts} <= facts.keys()
    for name, value in facts.items():
        text = found.get(name)
        assert text is None or len(text) <= 255
        if isinstance(value, str):
            assert text == value if len(value) <= 255 else text == f"{value[:254]}…"
        elif text is None:
            assert isinstance(value, dict)  # a number of 255 digits is none that an export has
            assert len(json.dumps(value)) > 255
        elif f"{name}_spans" in found:
            assert isinstance(value, list)
            assert json.loads(found[f"{name}_spans"]) == len(value) > len(json.loads(text))
            assert json.loads(text) == value[: len(json.loads(text))]
        else:
            assert json.loads(text) == value


def test_more_missing_spans_than_a_property_has_room_for_are_cut_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    missing = [["2024-08-09T00:03:00Z", "2024-08-09T00:06:00Z"]] * 500
    write_candles([some_candles()], path, MINUTE, FileFormat.XLSX, facts={**FACTS, "missing": missing})
    found = {one.name: one.value for one in openpyxl.load_workbook(path).custom_doc_props.props}
    assert json.loads(found["missing"]) == missing[:3]
    assert found["missing_spans"] == "500"
    assert json.loads((tmp_path / "a.xlsx.meta.json").read_text())["missing"] == missing


@pytest.mark.parametrize("file_format", [one for one in FileFormat if one is not FileFormat.XLSX])
def test_a_stream_takes_every_format_but_workbooks(tmp_path: Path, file_format: FileFormat) -> None:
    path, stream = tmp_path / f"a.{file_format}", io.BytesIO()
    write_candles([some_candles()], path, MINUTE, file_format)
    file = rows_file(OpenStream(stream), file_format, FileLayout(), MINUTE)
    file.write(columns_of(some_candles()))
    assert file.finish("", {}) is None
    file.discard()
    if file_format is FileFormat.FEATHER:
        assert pa.feather.read_table(io.BytesIO(stream.getvalue())).equals(pa.feather.read_table(path))
    else:
        assert stream.getvalue() == path.read_bytes()


def test_a_workbook_cannot_go_to_a_stream() -> None:
    with pytest.raises(UsageError, match="cannot go to standard output"):
        rows_file(OpenStream(io.BytesIO()), FileFormat.XLSX, FileLayout(), MINUTE)


@pytest.mark.parametrize("file_format", FileFormat)
def test_a_discarded_file_of_any_format_leaves_nothing(tmp_path: Path, file_format: FileFormat) -> None:
    file = rows_file(NewFile(tmp_path, "a"), file_format, FileLayout(), MINUTE)
    file.write(columns_of(some_candles()))
    file.discard()
    file.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("file_format", [one for one in FileFormat if one is not FileFormat.XLSX])
def test_a_full_disk_is_a_clear_sentence_in_every_format(file_format: FileFormat) -> None:
    def write(full: BinaryIO) -> None:
        file = rows_file(OpenStream(full), file_format, FileLayout(), MINUTE)
        file.write(columns_of(some_candles()))
        file.finish("", {})

    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(FileError, match="written: No space left"):
        write(full)


@pytest.mark.parametrize("preset", Preset)
@pytest.mark.parametrize("file_format", FileFormat)
def test_every_preset_goes_into_every_format(tmp_path: Path, preset: Preset, file_format: FileFormat) -> None:
    write_candles([some_candles()], tmp_path / f"a.{file_format}", MINUTE, file_format, FileLayout(preset))


def json_of(tmp_path: Path, preset: Preset, file_format: FileFormat = FileFormat.JSON) -> Sequence[object]:
    path = tmp_path / "a.json"
    write_candles([some_candles()[:1], some_candles()[1:]], path, MINUTE, file_format, FileLayout(preset))
    found: list[object] = json.loads(path.read_text())
    return found


MS = START_US // 1_000
FIRST = [61837.63000001, 61837.63000001, 61837.0, 61837.0, 0.02000002]


def test_ccxt_and_freqtrade_rows_are_arrays_of_numbers(tmp_path: Path) -> None:
    wanted = [[MS, *FIRST], [MS + 60_000, *[61837.0] * 4, 0.0], [MS + 120_000, *FIRST]]
    assert json_of(tmp_path, Preset.CCXT) == wanted
    assert json_of(tmp_path, Preset.FREQTRADE) == wanted


def test_binance_rows_are_the_exchange_s_klines(tmp_path: Path) -> None:
    rows = json_of(tmp_path, Preset.BINANCE)
    assert rows[0] == [
        MS,
        "61837.63000001",
        "61837.63000001",
        "61837.00000000",
        "61837.00000000",
        "0.02000002",
        MS + 59_999,
        "1236.7538367465000001",
        2,
        "0.02000001",
        "1236.7532183765000001",
        "0",
    ]
    path = tmp_path / "a.csv"
    month = Interval.parse("1M")
    write_candles([[empty_candle(month.open_time_us(START_US), 1)]], path, month, layout=FileLayout(Preset.BINANCE))
    names, row = text_rows(path, FileFormat.CSV)
    assert len(names) == len(row) == 12
    assert (row[0], row[6]) == ("1722470400000", "1725148799999")


def test_tradingview_has_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_candles([some_candles()], path, MINUTE, layout=FileLayout(Preset.TRADINGVIEW))
    assert text_rows(path, FileFormat.CSV)[:2] == [
        ["time", "open", "high", "low", "close", "Volume"],
        [str(MS // 1_000), "61837.63000001", "61837.63000001", "61837.0", "61837.0", "0.02000002"],
    ]
