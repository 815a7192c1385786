"""Files of Binance's archive are read to the digit, and what is wrong with one is one sentence."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zipfile
from pathlib import Path

import pytest

from app.market.errors import FileError
from app.market.interval import Interval
from app.market.ports.row_files import CandleBatch, ReadingOptions, RefusedFile, RowKind
from storage.files.readers.open_rows import open_rows
from tests.storage.files.readers.helpers import TradeRow, archive_rows, opened, read, refusal, zipped

NAME = "BTCUSDT-trades-2025-01-01"
AGG_ROW = "3800397495,87648.21000000,0.08185000,5723703861,5723703863,1767225600039409,True,True"
KLINE_ROW = (
    "1577836800000,7195.24000000,7196.25000000,7183.14000000,7186.68000000,51.64281200,1577836859999,"
    "371233.51835535,493,19.59823000,140888.41428273,0"
)


def archive(folder: Path, rows: list[str]) -> Path:
    return zipped(folder / f"{NAME}.zip", {f"{NAME}.csv": rows})


def with_checksum(path: Path, checksum: str | None = None) -> Path:
    checksum = checksum or hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".CHECKSUM").write_text(f"{checksum}  {path.name}\n")
    return path


def test_a_zip_of_trades_gives_every_trade_to_the_digit(tmp_path: Path) -> None:
    reading = read(archive(tmp_path, archive_rows(50_000)))
    assert (reading.kind, reading.symbol, reading.rows) == (RowKind.TRADES, "BTCUSDT", 50_000)
    assert reading.trades[0] == TradeRow("BTCUSDT", 100, 1_735_689_600_000_000, 60_000 * 10**8, 1_000, False)
    assert reading.trades[-1].trade_id == 50_099
    assert sum(trade.quantity_e8 for trade in reading.trades) == 50 * sum(range(1, 1001)) * 1_000


def test_milliseconds_and_microseconds_are_told_by_their_value_even_in_one_file(tmp_path: Path) -> None:
    rows = [*archive_rows(3), *archive_rows(3, first_id=103, first_us=1_735_689_600_005)]
    times = [trade.time_us for trade in read(archive(tmp_path, rows)).trades]
    assert times[:3] == [1_735_689_600_000_000, 1_735_689_600_001_000, 1_735_689_600_002_000]
    assert times[3:] == [1_735_689_600_005_000, 1_735_689_601_005_000, 1_735_689_602_005_000]


@pytest.mark.parametrize(
    "header",
    ["id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch", "ID,Price,Qty,Quote_Qty,Time,Is_Buyer_Maker,Best"],
)
def test_a_header_is_accepted(tmp_path: Path, header: str) -> None:
    reading = read(archive(tmp_path, [header, *archive_rows(10)]))
    assert (reading.rows, len(reading.trades)) == (10, 10)


def test_agg_trades_and_klines_are_told_apart_by_their_columns(tmp_path: Path) -> None:
    agg = read(zipped(tmp_path / "a.zip", {"BTCUSDT-aggTrades-2026-01-01.csv": [AGG_ROW]}))
    assert agg.kind is RowKind.AGGTRADES
    assert agg.agg_trades == [
        ("BTCUSDT", 3800397495, 1767225600039409, 8764821000000, 8185000, 5723703861, 5723703863, True)
    ]
    path = tmp_path / "BTCUSDT-1m-2020-01-01.csv"
    path.write_text(KLINE_ROW + "\n")
    ((symbol, interval, candle),) = read(path).candles
    assert (symbol, interval, candle.open_time_us, candle.trades) == ("BTCUSDT", "1m", 1577836800000000, 493)
    assert candle.quote_volume_e16 == 37123351835535 * 10**8


def test_the_folders_of_the_archive_name_symbol_kind_and_interval(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "spot" / "daily" / "klines" / "ETHUSDT" / "1m"
    folder.mkdir(parents=True)
    (folder / "x.csv").write_text(
        "1577836800000,1,2,1,2,5,1577836859999,7,3,1,2,0\n1577836860000,2,2,1,2,5,1577836919999,7,3,1,2,0\n"
    )
    (file,) = opened(tmp_path)
    assert (file.kind, file.symbol) == (RowKind.KLINES, "ETHUSDT")
    (batch,) = file.batches()
    assert isinstance(batch, CandleBatch)
    assert batch.interval == Interval.parse("1m")


def test_a_matching_checksum_is_accepted_and_another_refuses_the_file(tmp_path: Path) -> None:
    path = with_checksum(archive(tmp_path, archive_rows(5)))
    assert read(path).rows == 5
    with_checksum(path, "0" * 64)
    assert "does not have the checksum in" in refusal(path)
    with_checksum(path, "none")
    assert "holds no SHA-256 checksum" in refusal(path)


def test_a_zip_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, archive_rows(5_000))
    path.write_bytes(path.read_bytes()[:-5_000])
    assert "damaged or was cut off" in refusal(path)


@pytest.mark.parametrize("rows", [100, 30_000])
def test_of_a_gzip_that_was_cut_off_nothing_is_used(tmp_path: Path, rows: int) -> None:
    path = tmp_path / f"{NAME}.csv.gz"
    path.write_bytes(gzip.compress("".join(f"{row}\n" for row in archive_rows(rows)).encode())[:-50])
    (file,) = open_rows(path, ReadingOptions())
    if isinstance(file, RefusedFile):
        assert "ends early" in file.reason
    else:
        with pytest.raises(FileError, match="ends early"):
            next(file.batches())


def test_a_damaged_member_is_found_by_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as stored:
        stored.writestr(f"{NAME}.csv", "".join(f"{row}\n" for row in archive_rows(100)))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"60001.01", b"60001.02", 1))
    assert "does not have the checksum that the zip states" in refusal(path)


def test_a_last_line_that_was_cut_off_is_a_refused_row(tmp_path: Path) -> None:
    text = "\n".join(archive_rows(100))
    path = tmp_path / f"{NAME}.csv"
    path.write_text(text)
    assert len(read(path).trades) == 100
    for cut in range(len(",True") + 1, 60):
        path.write_text(text[:-cut])
        reading = read(path)
        assert (len(reading.trades), len(reading.refused)) == (99, 1), cut
        assert reading.refused[0].number == 100


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"../evil.csv": ["1"]}, "would leave its folder"),
        ({"/etc/evil.csv": ["1"]}, "would leave its folder"),
        ({"a\\..\\..\\evil.csv": ["1"]}, "would leave its folder"),
        ({"C:/evil.csv": ["1"]}, "would leave its folder"),
        ({"inner.zip": b"PK"}, "holds another archive, inner.zip"),
        ({"readme.md": ["hello"]}, "holds no table"),
        ({"a.csv": b"0" * 50_000_000}, "which no table does"),
    ],
)
def test_what_no_honest_zip_holds_is_refused(tmp_path: Path, members: dict[str, bytes], sentence: str) -> None:
    assert sentence in refusal(zipped(tmp_path / "a.zip", members))


def test_a_sheet_too_large_for_memory_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.xlsx", {"xl/workbook.xml": ["<workbook/>"], "xl/worksheets/sheet1.xml": ["<row/>"]})
    data = bytearray(path.read_bytes())
    struct.pack_into("<II", data, data.rindex(b"PK\x01\x02") + 20, 100 << 20, 2 << 30)
    path.write_bytes(data)
    assert refusal(path) == f"{path} holds a sheet of 2,147,483,648 bytes, too many for memory: save it as CSV."


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, archive_rows(3))
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = data.index(signature) + offset
        struct.pack_into("<H", data, position, data[position] | 1)
    path.write_bytes(data)
    assert "is encrypted" in refusal(path)


def test_a_zip_that_lies_about_its_size_is_found_out(tmp_path: Path) -> None:
    path = archive(tmp_path, archive_rows(1_000))
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 1_000)
    path.write_bytes(data)
    assert "unpacks to more than it states" in refusal(path)


def test_a_folder_gives_its_files_by_name_and_names_those_it_cannot_use(tmp_path: Path) -> None:
    for day in ("02", "01"):
        name = f"BTCUSDT-trades-2025-01-{day}"
        with_checksum(zipped(tmp_path / f"{name}.zip", {f"{name}.csv": archive_rows(3)}))
    (tmp_path / "broken.csv").write_text("")
    (tmp_path / "README.md").write_text("hello")
    found = list(open_rows(tmp_path, ReadingOptions()))
    assert [file.path.name for file in found] == [
        "BTCUSDT-trades-2025-01-01.zip",
        "BTCUSDT-trades-2025-01-02.zip",
        "broken.csv",
    ]
    assert isinstance(found[2], RefusedFile)
    assert found[2].reason == f"{tmp_path / 'broken.csv'} is empty."


def test_what_is_not_there_and_what_holds_nothing_is_one_sentence(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.zip") == f"{tmp_path / 'none.zip'} cannot be read: No such file or directory."
    assert refusal(tmp_path) == f"{tmp_path} holds no file of trades, quotes or candles."


def test_a_file_named_for_one_symbol_is_not_read_as_another(tmp_path: Path) -> None:
    path = archive(tmp_path, archive_rows(3))
    assert "holds BTCUSDT by its name, not ETHUSDT" in refusal(path, ReadingOptions(symbol="ETHUSDT"))


def test_progress_rises_to_one(tmp_path: Path) -> None:
    (file,) = opened(archive(tmp_path, archive_rows(100_000)))
    seen = [file.progress() for _ in file.batches()]
    assert seen == sorted(seen)
    assert (seen[0] < 1.0, file.progress()) == (True, 1.0)


def test_a_day_of_klines_that_ends_early_says_how_many_it_has(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1h-2020-01-01.csv"
    cells = KLINE_ROW.split(",")
    rows = [",".join([str(1577836800000 + 3_600_000 * hour), *cells[1:]]) for hour in range(24)]
    path.write_text("\n".join(rows))
    assert read(path).shortfall is None
    path.write_text("\n".join(rows[:20]))
    assert read(path).shortfall == "It ends early: it holds 20 of the 24 candles that its name promises."
    path.write_text("\n".join([*rows[:10], *rows[12:]]))  # an exchange at rest publishes none
    assert read(path).shortfall is None
    path.write_text("\n".join(rows[5:]))  # listed at five
    assert read(path).shortfall is None


def test_a_day_of_trades_that_ends_early_is_doubted(tmp_path: Path) -> None:
    day_us = 86_400_000_000
    rows = archive_rows(1, first_us=1_735_689_600_000_000) * 2000
    for number in range(2000):
        cells = rows[number].split(",")
        cells[0], cells[4] = str(number), str(1_735_689_600_000_000 + number * (day_us // 2000))
        rows[number] = ",".join(cells)
    assert read(archive(tmp_path, rows)).shortfall is None
    shortfall = read(archive(tmp_path, rows[:1000])).shortfall
    assert shortfall == "Its last trade is of 2025-01-01 11:59:16, long before its time ends: it may be cut off."
