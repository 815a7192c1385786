"""The same rows come out of every format that other programs write."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.candle import CandleSource
from app.market.errors import FileError, UsageError
from app.market.interval import Interval
from app.market.ports.row_files import ReadingOptions, RefusedFile, RowKind
from storage.files.readers.open_rows import open_rows
from tests.depth import examples
from tests.storage.files.readers.helpers import Reading, drained, opened, read, refusal

FIRST_US = 1_723_161_255_342_000
COUNT = 300
PRICES = [Decimal(f"61{number:03d}.{number % 100:02d}") for number in range(COUNT)]
QUANTITIES = [Decimal(number + 1).scaleb(-8) for number in range(COUNT)]
DECIMAL, MICROS = pa.decimal128(20, 8), pa.timestamp("us", "UTC")
BTC = ReadingOptions(symbol="BTCUSDT")


def expected() -> list[tuple[object, ...]]:
    return [
        (
            "BTCUSDT",
            1000 + number,
            FIRST_US + number * 1000,
            int(PRICES[number] * 10**8),
            int(QUANTITIES[number] * 10**8),
            number % 2 == 0,
        )
        for number in range(COUNT)
    ]


def rows() -> list[dict[str, object]]:
    return [
        {
            "symbol": "BTCUSDT",
            "trade_id": trade_id,
            "time": time_us,
            "price": PRICES[number],
            "quantity": QUANTITIES[number],
            "is_buyer_maker": maker,
        }
        for number, (_, trade_id, time_us, _, _, maker) in enumerate(expected())
    ]


def text(delimiter: str, *, decimal: str = ".", end: str = "\n", quoted: bool = False) -> str:
    lines = [list(rows()[0]), *([str(cell) for cell in row.values()] for row in rows())]
    shown = [[cell.replace(".", decimal) if decimal != "." else cell for cell in line] for line in lines]
    if quoted:
        shown = [[f'"{cell}"' for cell in line] for line in shown]
    return "".join(delimiter.join(line) + end for line in shown)


def table(amount: pa.DataType, time: pa.DataType) -> pa.Table:
    columns = {name: [row[name] for row in rows()] for name in rows()[0]}
    types = {"price": amount, "quantity": amount, "time": time}
    arrays = {
        name: pa.array([float(str(cell)) for cell in cells], amount)
        if types.get(name) == pa.float64()
        else pa.array(cells, MICROS).cast(time)
        if name == "time" and pa.types.is_timestamp(time)
        else pa.array(cells, types.get(name))
        for name, cells in columns.items()
    }
    return pa.table(arrays)


def as_sheet(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        about = book.add_worksheet("About")
        about.write_row(0, 0, ["made", "by", "hand"])
        sheet = book.add_worksheet("Trades")
        sheet.write_row(0, 0, list(rows()[0]))
        for number, row in enumerate(rows(), 1):
            sheet.write_row(number, 0, [float(cell) if isinstance(cell, Decimal) else cell for cell in row.values()])


def as_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row, default=float) + "\n" for row in rows()))


def as_json(path: Path) -> None:
    path.write_text(json.dumps([{key: str(cell) for key, cell in row.items()} for row in rows()], indent=1))


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.csv": lambda path: path.write_text(text(",")),
    "bom.csv": lambda path: path.write_text(text(","), encoding="utf-8-sig"),
    "crlf.csv": lambda path: path.write_bytes(text(",", end="\r\n").encode()),
    "cr.csv": lambda path: path.write_bytes(text(",", end="\r").encode()),
    "quotes.csv": lambda path: path.write_text(text(",", quoted=True)),
    "utf16.csv": lambda path: path.write_text(text(","), encoding="utf-16"),
    "a.tsv": lambda path: path.write_text(text("\t")),
    "pipe.txt": lambda path: path.write_text(text("|")),
    "comma.csv": lambda path: path.write_text(text(";", decimal=",")),
    "sep.csv": lambda path: path.write_text("sep=;\n" + text(";", decimal=",")),
    "excel16.csv": lambda path: path.write_text(text("\t", decimal=","), encoding="utf-16"),
    "a.csv.gz": lambda path: path.write_bytes(gzip.compress(text(",").encode())),
    "a.csv.zst": lambda path: path.write_bytes(pa.compress(text(",").encode(), "zstd", asbytes=True)),
    "decimal.parquet": lambda path: pyarrow.parquet.write_table(table(DECIMAL, MICROS), path),
    "float.parquet": lambda path: pyarrow.parquet.write_table(table(pa.float64(), pa.int64()), path, row_group_size=7),
    "a.feather": lambda path: pyarrow.feather.write_feather(table(DECIMAL, MICROS), str(path)),
    "ns.feather": lambda path: pyarrow.feather.write_feather(table(pa.float64(), pa.timestamp("ns", "UTC")), str(path)),
    "text.parquet": lambda path: pyarrow.parquet.write_table(
        pa.table({name: [str(row[name]) for row in rows()] for name in rows()[0]}), path
    ),
    "a.xlsx": as_sheet,
    "a.jsonl": as_jsonl,
    "a.json": as_json,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_trades(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    reading = read(tmp_path / name)
    assert reading.kind is RowKind.TRADES
    assert (reading.trades, reading.refused, reading.rows) == (expected(), [], COUNT)


@pytest.mark.parametrize("name", ["decimal.parquet", "a.feather", "a.xlsx"])
def test_a_typed_file_that_was_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-200])
    assert "Get it again" in refusal(tmp_path / name)


def test_an_array_that_was_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    as_json(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (file,) = opened(path)
    batches = file.batches()
    assert 100 < next(batches).rows < COUNT
    with pytest.raises(FileError, match="ends early"):
        next(batches)


def candles_of(reading: Reading) -> list[tuple[int, ...]]:
    return [tuple(candle[:6]) for _, _, candle in reading.candles]


HEADS = {
    "freqtrade": "date,open,high,low,close,volume",
    "ccxt": "timestamp,open,high,low,close,volume",
    "TradingView": "time,open,high,low,close,Volume",
    "vectorbt": "Open time,Open,High,Low,Close,Volume",
    "a pandas index": ",Open,High,Low,Close,Volume",
    "no header": None,
}
TIMES = {
    "s": ["1723161240", "1723161300"],
    "ms": ["1723161240000", "1723161300000"],
    "us": ["1723161240000000", "1723161300000000"],
    "ns": ["1723161240000000000", "1723161300000000000"],
    "float": ["1723161240.0", "1723161300.0"],
    "iso": ["2024-08-08T23:54:00Z", "2024-08-08T23:55:00Z"],
    "spaced": ["2024-08-08 23:54:00+00:00", "2024-08-08 23:55:00+00:00"],
    "other zone": ["2024-08-09T01:54:00+02:00", "2024-08-09T01:55:00+02:00"],
    "naive": ["2024-08-08 23:54", "2024-08-08 23:55"],
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("unit", TIMES)
def test_candles_of_other_programs(tmp_path: Path, head: str, unit: str) -> None:
    path = tmp_path / "BTC_USDT-1m.csv"
    lines = [f"{time},1.5,2,1,1.25,6.1e-06" for time in TIMES[unit]]
    path.write_text("\n".join(filter(None, [HEADS[head], *lines])))
    reading = read(path)
    assert (reading.kind, reading.symbol) == (RowKind.CANDLES, "BTCUSDT")
    assert candles_of(reading) == [
        (open_us, 150_000_000, 200_000_000, 100_000_000, 125_000_000, 610)
        for open_us in (1_723_161_240_000_000, 1_723_161_300_000_000)
    ]
    assert {candle.trades for _, _, candle in reading.candles} == {1}  # at least one, where there is volume


def test_our_own_candles_come_back_with_all_they_are(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text(
        "open_time,open,high,low,close,volume,quote_volume,trades,taker_buy_volume,taker_buy_quote_volume,"
        "first_trade_id,last_trade_id,vwap,closed,complete,source\n"
        "2024-08-08T23:54:00Z,1,3,1,2,4.00000000,9999999999.0000000000000001,7,1,2,100,106,2.0,true,false,trades\n"
        "2024-08-08T23:55:00Z,2,2,2,2,0,0,0,0,0,,,,true,true,kline\n"
    )
    (_, interval, first), (_, _, second) = read(path).candles
    assert interval == "1m"
    assert (first.quote_volume_e16, first.first_trade_id, first.last_trade_id) == (9999999999 * 10**16 + 1, 100, 106)
    assert (first.complete, first.source, second.complete) == (False, CandleSource.TRADES, True)
    assert (second.first_trade_id, second.source, second.trades) == (None, CandleSource.KLINE, 0)


def test_freqtrades_json_is_an_array_of_arrays(tmp_path: Path) -> None:
    path = tmp_path / "ETH_BTC-5m.json"
    path.write_text(json.dumps([[1723161300000 + 300000 * n, 0.05, 0.06, 0.04, 0.05, 10.5] for n in range(1000)]))
    reading = read(path)
    assert (reading.symbol, len(reading.candles), reading.candles[0][1]) == ("ETHBTC", 1000, "5m")


@pytest.mark.parametrize(
    ("times", "interval"),
    [(("2024-08-08", "2024-08-09"), "1d"), (("2024-08-01", "2024-09-01"), "1M"), (("2024-08-05", "2024-08-12"), "1w")],
)
def test_the_interval_is_told_by_the_distance_of_the_rows(
    tmp_path: Path, times: tuple[str, str], interval: str
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("Date,Open,High,Low,Close,Volume\n" + "".join(f"{time},1,2,1,2,5\n" for time in times))
    assert {name for _, name, _ in read(path, BTC).candles} == {interval}


def test_one_candle_alone_needs_its_interval(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("Date,Open,High,Low,Close,Volume\n2024-08-08,1,2,1,2,5\n")
    assert "does not say how long its candles are" in refusal(path, BTC)
    assert len(read(path, BTC._replace(interval=Interval.parse("1d"))).candles) == 1


def test_columns_are_mapped_by_name_and_without_a_header_by_number(tmp_path: Path) -> None:
    path = tmp_path / "strange.csv"
    path.write_text("nr,when,kurs,menge,seite\n1,2024-08-08T00:00:00Z,5.5,2,sell\n")
    assert "say which is what with --map" in refusal(path, BTC)
    names = {"trade_id": "nr", "time": "when", "price": "kurs", "quantity": "menge", "side": "seite"}
    assert read(path, BTC._replace(columns=names)).trades == [
        ("BTCUSDT", 1, 1_723_075_200_000_000, 550_000_000, 200_000_000, True)
    ]
    path.write_text("buy,7,5.5,2,1723075200\n")
    numbers = {"side": "1", "trade_id": "2", "price": "3", "quantity": "4", "time": "5"}
    assert read(path, BTC._replace(columns=numbers)).trades[0][1:] == (
        7,
        1_723_075_200_000_000,
        550_000_000,
        200_000_000,
        False,
    )
    assert "has no column “wann”" in refusal(path, BTC._replace(columns={"time": "wann"}))
    with pytest.raises(UsageError, match="did you mean price"):
        refusal(path, BTC._replace(columns={"prise": "1"}))


def test_trades_without_ids_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("timestamp,price,amount,side\n1723161255342,5,1,buy\n")
    assert refusal(path).endswith(
        "it has trades without ids, which cannot be stored exactly once: name the column of ids with --map "
        "trade_id=COLUMN."
    )


def test_a_recorders_time_is_no_trades_time(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("local_timestamp,id,price,amount,side\n1723161255342,1,5,1,buy\n")
    assert "it has no column for time" in refusal(path)
    path.write_text("receipt_timestamp,timestamp,id,price,amount,side\n1723161255999,1723161255342,1,5,1,buy\n")
    assert read(path).trades[0].time_us == 1_723_161_255_342_000


def test_what_is_no_table_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for content, sentence in [
        (b"", "is empty"),
        (b"\n\n", "is empty: it has no rows"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not a table"),
        (b"hello world\n", "neither trades nor quotes nor candles"),
        (b"a" * 3_000_000, "neither trades nor quotes nor candles"),
        (b"{}", "neither trades nor quotes nor candles"),
        (b"[]", "is empty"),
        (b"SQLite format 3\0" + b"\0" * 100, "is damaged"),
    ]:
        path.write_bytes(content)
        assert re.search(sentence, refusal(path)), (content[:20], refusal(path))


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "a.db")
    with database:
        database.execute("CREATE TABLE t(x)")
    database.close()
    assert "of another program than OctoBot" in refusal(tmp_path / "a.db")


def test_noise_of_a_floats_arithmetic_is_no_digit(tmp_path: Path) -> None:
    columns = {
        "trade_id": [1, 2],
        "time": [1723161255342] * 2,
        "price": [0.00031099999999999997, 0.123456789],
        "quantity": [61837.630000000005, 1.0],
        "is_buyer_maker": [True, False],
    }
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "BTCUSDT.parquet")
    reading = read(tmp_path / "BTCUSDT.parquet")
    assert [trade[3:5] for trade in reading.trades] == [(31_100, 6_183_763_000_000)]
    assert reading.refused[0][:2] == (2, "price has more than 8 decimal places: 0.123456789")


def test_a_comma_between_thousands_is_no_decimal_mark(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m.tsv"
    rows = ["time\topen\thigh\tlow\tclose\tvolume", "1723161240\t1.5\t2.5\t1.5\t2.5\t1,234"]
    path.write_text("\n".join([*rows, "1723161300\t1.5\t2.5\t1.5\t2.5\t5.25"]))
    reading = read(path)
    assert [candle.volume_e8 for _, _, candle in reading.candles] == [525_000_000]
    assert [row[:2] for row in reading.refused] == [(1, "volume is not a number: '1,234'")]


def test_candles_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text(
        "time,open,high,low,close,volume\n1723161240,1,2,1,3,5\n1723161241,1,2,1,2,5\n1723161300,1,2,1,2,-5\n"
        "1723161360,0,2,0,2,5\n1723161420,1,2,1,2,5\n"
    )
    reading = read(path)
    assert len(reading.candles) == 1
    assert [(row.number, row.reason) for row in reading.refused] == [
        (1, "open or close is outside of low to high"),
        (2, "open_time is not when a candle of 1m opens"),
        (3, "volume is not a number: '-5'"),
        (4, "open is 0"),
    ]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_rows_of_several_symbols_are_told_apart(tmp_path: Path, suffix: str) -> None:
    several = [{**row, "symbol": ("BTCUSDT", "eth_usdt")[number // 3 % 2]} for number, row in enumerate(rows())]
    path = tmp_path / f"several.{suffix}"
    if suffix == "csv":
        lines = [",".join(several[0]), *(",".join(map(str, row.values())) for row in several)]
        path.write_text("\n".join(lines))
    elif suffix == "parquet":
        pyarrow.parquet.write_table(pa.table({name: [row[name] for row in several] for name in several[0]}), path)
    else:
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in several))
    reading = read(path)
    assert sorted(trade[1:] for trade in reading.trades) == [row[1:] for row in expected()]
    assert all((trade.symbol == "BTCUSDT") == ((trade.trade_id - 1000) % 6 < 3) for trade in reading.trades)
    only = read(path, ReadingOptions(symbol="ETHUSDT"))
    assert (only.symbol, only.rows, {trade.symbol for trade in only.trades}) == ("ETHUSDT", COUNT // 2, {"ETHUSDT"})
    (file,) = opened(path, ReadingOptions(symbol="XRPUSDT"))
    with pytest.raises(FileError, match="holds nothing of XRPUSDT"):
        list(file.batches())
    numbers: list[int] = []
    for batch in opened(path)[0].batches():
        assert batch.numbers is not None
        numbers += batch.numbers.tolist()
    assert sorted(numbers) == list(range(1, COUNT + 1))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="only a person without the rights is refused")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text(","))
    path.chmod(0)
    assert refusal(path) == f"{path} cannot be read: Permission denied."


def test_a_title_above_the_table_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "Binance_BTCUSDT_1h.csv"
    path.write_text(
        "https://www.CryptoDataDownload.com\n"
        "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT,tradecount\n"
        "1723161600000,2024-08-09 00:00:00,BTCUSDT,1,2,1,2,5,7.5,3\n"
        "1723158000000,2024-08-08 23:00:00,BTCUSDT,1,2,1,2,5,7.5,3\n"
    )
    reading = read(path)
    assert [(interval, candle.open_time_us) for _, interval, candle in reading.candles] == [
        ("1h", 1_723_161_600_000_000),
        ("1h", 1_723_158_000_000_000),
    ]
    assert reading.candles[0][2][5:8] == (500_000_000, 75 * 10**15, 3)


@pytest.mark.parametrize("unit", ["us", "ms", "s"])
@pytest.mark.parametrize("count", [2**60, -(2**60)])
def test_a_time_that_no_calendar_has_refuses_its_row_alone(tmp_path: Path, unit: str, count: int) -> None:
    whole = table(DECIMAL, pa.timestamp("us", "UTC"))
    place = whole.schema.get_field_index("time")
    times = whole.column("time").cast(pa.timestamp(unit, "UTC"), safe=False).cast(pa.int64()).to_pylist()
    times[1] = count
    column = pa.array(times, pa.int64()).cast(pa.timestamp(unit, "UTC"))
    pyarrow.feather.write_feather(whole.set_column(place, "time", column), str(tmp_path / "a.feather"))
    reading = read(tmp_path / "a.feather")
    assert [row.number for row in reading.refused] == [2]
    assert len(reading.trades) == len(times) - 1


@pytest.mark.parametrize("name", ["decimal.parquet", "ns.feather", "a.xlsx", "a.jsonl", "a.csv.gz", "utf16.csv"])
@given(st.randoms(use_true_random=False))
@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_named_and_nothing_else_happens(tmp_path: Path, name: str, random: Random) -> None:
    if not (tmp_path / name).exists():
        WRITERS[name](tmp_path / name)
    data = bytearray((tmp_path / name).read_bytes())
    for _ in range(random.choice([1, 3, 30])):
        data[random.randrange(len(data))] = random.randrange(256)
    damaged = tmp_path / f"damaged-{name}"
    damaged.write_bytes(data)
    for file in open_rows(damaged):
        if isinstance(file, RefusedFile):
            assert str(damaged) in file.reason
            continue
        with contextlib.suppress(FileError):
            for batch in file.batches():
                assert batch.rows <= COUNT + 30


def test_recorded_answers_are_tables_by_kind_and_refused_requests_are_passed_over(tmp_path: Path) -> None:
    trade = {"id": 7, "price": "1.5", "qty": "2", "time": 1_735_689_600_000, "isBuyerMaker": True}
    kline = [1_735_689_600_000, *"1211", "5", 1_735_689_659_999, "7", 3, "1", "2", "0"]
    ended = {"queryString": "symbol=ADAUSDT&interval=1m&endTime=1735689660000", "data": [kline, [*kline[:4]]]}
    recorded = {
        "/api/v3/exchangeInfo": [{"queryString": "", "data": {"symbols": []}}],
        "/api/v3/trades": [
            {"queryString": "symbol=ADAUSDT", "data": [trade, {**trade, "id": 8, "price": 0.1}]},
            {"queryString": "symbol=ADAUSDT", "data": {"code": -1121, "msg": "Invalid symbol."}},
            None,
        ],
        "/api/v3/klines": [ended],
        "/api/v3/aggTrades": None,
    }
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(recorded), encoding="utf-8-sig")
    trades, klines = opened(path)
    assert [(file.kind, file.table) for file in (trades, klines)] == [
        (RowKind.TRADES, "trades"),
        (RowKind.KLINES, "klines"),
    ]
    assert [(row.symbol, row.trade_id, row.price_e8) for row in drained(trades).trades] == [
        ("ADAUSDT", 7, 150_000_000),
        ("ADAUSDT", 8, 10_000_000),
    ]
    assert [candle.volume_e8 for _, _, candle in drained(klines).candles] == [500_000_000]
    path.write_text(json.dumps(recorded)[:-20])
    assert refusal(path) == f"{path} is damaged or was cut off: it is no JSON. Get it again."
