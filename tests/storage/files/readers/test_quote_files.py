"""Tables of quotes: their columns by name, by word and by layout; the quick way and the one by rows read the same."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.ports.row_files import QuoteBatch, ReadingOptions, RefusedFile, RefusedRow, RowKind
from storage.files.readers.cells import to_size_e8
from storage.files.readers.formats.csv_file import CsvFile, csv_head
from storage.files.readers.head import understand
from storage.files.readers.names import NameFacts
from storage.files.readers.open_rows import open_rows
from storage.files.readers.sources.byte_source import PlainOrPacked
from tests.depth import examples
from tests.storage.files.readers.helpers import zipped

EURUSD = ReadingOptions("oanda:EURUSD", RowKind.QUOTES)
AT_US = 1_398_902_400_292_000  # 2014-05-01 00:00:00.292
QUOTE = (AT_US, 138_676_000, 138_686_000, 150_000_000, 75_000_000)


class Quotes(NamedTuple):
    symbols: list[str]
    rows: list[tuple[int, ...]]
    refused: list[RefusedRow]


def read(path: Path, options: ReadingOptions = EURUSD) -> Quotes:
    """Read the one file behind a path: its quotes as time, bid, ask and sizes."""
    (file,) = open_rows(path, options)
    assert not isinstance(file, RefusedFile), file
    assert file.kind is RowKind.QUOTES
    return drained(file.batches())


def drained(batches: object) -> Quotes:
    found = Quotes([], [], [])
    for batch in batches:  # type: ignore[attr-defined]  # because any iterable will do
        assert isinstance(batch, QuoteBatch)
        columns = (batch.time_us, batch.bid_e8, batch.ask_e8, batch.bid_size_e8, batch.ask_size_e8)
        found.rows.extend(zip(*(column.tolist() for column in columns), strict=True))
        found.symbols.extend([batch.symbol] * len(batch.time_us))
        found.refused.extend(batch.refused)
    return found


def refusal(path: Path, options: ReadingOptions) -> str:
    (found,) = open_rows(path, options)
    assert isinstance(found, RefusedFile)
    return found.reason


@pytest.mark.parametrize(
    "header",
    [
        "time,bid,ask,bid_size,ask_size",
        "Timestamp,Bid,Ask,BidVolume,AskVolume",
        "time_utc,best_bid_price,best_ask_price,bid_qty,ask_qty",
    ],
)
@pytest.mark.parametrize("time", ["1398902400292", "1398902400292000", "2014-05-01T00:00:00.292Z"])
def test_columns_are_known_by_their_names_and_times_by_their_value(tmp_path: Path, header: str, time: str) -> None:
    path = tmp_path / "ticks.csv"
    path.write_text(f"{header}\n{time},1.38676,1.38686,1.5,0.75\n")
    for options in (EURUSD, ReadingOptions("oanda:EURUSD")):
        assert read(path, options) == (["oanda:EURUSD"], [QUOTE], [])


def test_columns_in_another_order_and_sizes_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "ticks.csv"
    path.write_text("timestamp,askPrice,bidPrice,askVolume,bidVolume\n1398902400292,1.38686,1.38676,,1.5\n")
    assert read(path).rows == [(*QUOTE[:4], 0)]
    path.write_text("1398902400292,1.38676,1.38686\n")
    assert read(path).rows == [(*QUOTE[:3], 0, 0)]


def test_columns_by_the_users_word(tmp_path: Path) -> None:
    path = tmp_path / "ticks.csv"
    path.write_text("when,sold,bought\n1398902400292,1.38676,1.38686\n")
    columns = {"time": "when", "bid": "sold", "ask": "bought"}
    assert read(path, ReadingOptions("oanda:EURUSD", columns=columns)).rows == [(*QUOTE[:3], 0, 0)]
    assert "no column for ask" in refusal(path, ReadingOptions("oanda:EURUSD", columns={"time": "when", "bid": "sold"}))


def test_a_bad_row_is_refused_with_its_reason_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "ticks.csv"
    lines = ["1398902400292,1.38676,1.38686", "1398902400293,x,1.4", "1398902400294,1.4,0", "1398902400295,1.4,1.5"]
    path.write_text("time,bid,ask\n" + "\n".join(lines) + "\n")
    found = read(path)
    assert [row[0] - AT_US for row in found.rows] == [0, 3_000]
    reasons = [(row.number, row.reason) for row in found.refused]
    assert reasons == [(2, "bid is not a number: 'x'"), (3, "ask is 0")]


def test_a_symbol_of_its_own_needs_a_broker(tmp_path: Path) -> None:
    path = tmp_path / "ticks.csv"
    path.write_text("symbol,time,bid,ask\nEUR/USD,1398902400292,1.38676,1.38686\nEUR/CHF,1398902400292,1.2,1.3\n")
    assert read(path) == (["oanda:EURUSD"], [(*QUOTE[:3], 0, 0)], [])
    assert [row.reason for row in read(path, ReadingOptions()).refused] == [
        "symbol names no broker: give --symbol oanda:EURUSD",
        "symbol names no broker: give --symbol oanda:EURCHF",
    ]
    path.write_text("symbol,time,bid,ask\noanda:EUR_USD,1398902400292,1.38676,1.38686\n")
    assert read(path, ReadingOptions()).symbols == ["oanda:EURUSD"]


def test_quotes_of_binance_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "EURUSD-ticks.csv"
    path.write_text("time,bid,ask\n1398902400292,1.38676,1.38686\n")
    assert refusal(path, ReadingOptions()) == (
        f"{path}: it holds quotes of EURUSD, and Binance has trades: name the symbol with its broker, such as "
        "--symbol oanda:EURUSD."
    )


def test_times_of_lean_are_milliseconds_of_the_day_in_the_name(tmp_path: Path) -> None:
    lines = ["292,1.38676,1.38686", "86400000,1.4,1.5", "86399999,1.4,1.5"]
    path = zipped(tmp_path / "eurusd_tick_20140501.zip", {"20140501_eurusd_tick_quote.csv": lines})
    found = read(path, ReadingOptions("oanda:EURUSD"))
    assert [row[0] for row in found.rows] == [AT_US, 1_398_988_799_999_000]
    assert [(row.number, row.reason) for row in found.refused] == [(2, "time is no millisecond of a day: 86400000")]
    assert "name it with --symbol" in refusal(path, ReadingOptions())


def test_recorded_ticks_of_lean(shared_data) -> None:
    folder = shared_data("oanda")
    found = [read(path) for path in sorted(folder.glob("eurusd_tick_*.zip"))]
    assert sum(len(one.rows) for one in found) == 74_684
    assert found[0].rows[0] == (*QUOTE[:3], 0, 0)
    with zipfile.ZipFile(folder / "eurusd_tick_20140504.zip") as archive:
        text = archive.read(archive.namelist()[0]).decode().split()
    assert len(found[2].rows) == len(text)


@given(st.lists(st.tuples(*[st.integers(1, 10**12)] * 4), min_size=1, max_size=20), st.booleans())
@settings(max_examples=examples(30), deadline=None)
def test_quick_and_row_by_row_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, amounts: list[tuple[int, ...]], has_bad_row: bool
) -> None:
    path = tmp_path_factory.mktemp("quotes") / "ticks.csv"
    rows = [(AT_US + 1_000 * place, *row) for place, row in enumerate(amounts)]
    lines = [f"{row[0]}," + ",".join(f"{value // 10**8}.{value % 10**8:08d}" for value in row[1:]) for row in rows]
    path.write_text("\n".join(["time,bid,ask,bid_size,ask_size", *lines, *["x,1,1,1,1"] * has_bad_row]) + "\n")
    source = PlainOrPacked(path)
    head, dialect = csv_head(source)
    for smallest in (1, 1 << 20):
        file = CsvFile(source, dialect, understand(head, NameFacts(), EURUSD), smallest_piece=smallest)
        found = drained(file.batches())
        assert found.rows == rows
        assert len(found.refused) == has_bad_row


def test_frames_of_pandas(tmp_path: Path) -> None:
    times = pd.to_datetime([AT_US, AT_US], unit="us", utc=True)
    sizes = np.array([1.5, 0.9], dtype=np.float32)
    frame = pd.DataFrame({"time": times, "bid": [1.38676] * 2, "ask": [1.38686] * 2, "bid_size": sizes})
    frame.to_parquet(tmp_path / "ticks.parquet")
    frame.to_csv(tmp_path / "ticks.csv", index=False)
    expected = [(*QUOTE[:4], 0), (*QUOTE[:3], 90_000_000, 0)]
    assert read(tmp_path / "ticks.parquet").rows == expected
    assert read(tmp_path / "ticks.csv").rows == expected


@pytest.mark.parametrize(
    ("cell", "size"),
    [
        (0.8999999761581421, 90_000_000),
        ("1.1200000047683716", 112_000_000),
        (float("nan"), 0),
        ("", 0),
        ("2.5", 250_000_000),
    ],
)
def test_a_size_is_the_decimal_that_was_published(cell: object, size: int) -> None:
    assert to_size_e8(cell) == size


def test_a_size_that_is_none_is_refused() -> None:
    for cell in ("0.123456789012", "-1", "x"):
        with pytest.raises(ValueError, match=r"is not|has more"):
            to_size_e8(cell)
