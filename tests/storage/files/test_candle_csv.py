"""Candles to a file: to the digit, in one step, and never half."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.candle import Candle, empty_candle
from app.market.errors import StoreUnavailable, UsageError
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from storage.files.candle_csv import COLUMNS, ExportCancelled, check_target, format_time, parse_time, write_csv
from tests.live.helpers import START_US, folded, trade

MINUTE = Interval.parse("1m")


def candles(count: int = 3) -> list[Candle]:
    return folded([trade(number, number * 60) for number in range(1, count + 1)], MINUTE)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_holds_what_the_exchange_sent_to_the_digit(tmp_path: Path) -> None:
    one = folded(
        [
            Trade("X", 7, START_US + 500_000, 6_183_763_000_001, 2_000_001, False),
            Trade("X", 8, START_US + 900_000, 6_183_700_000_000, 1, True),
        ],
        MINUTE,
    )
    path = tmp_path / "candles.csv"
    assert write_csv([one, [empty_candle(START_US + 60 * SECOND_US, 6_183_700_000_000)]], path) == 2
    assert path.read_bytes().decode() == (
        "open_time,open,high,low,close,volume,quote_volume,trades,taker_buy_volume,taker_buy_quote_volume,"
        "first_trade_id,last_trade_id\n"
        "2024-08-09T00:00:00Z,61837.63000001,61837.63000001,61837.00000000,61837.00000000,0.02000002,"
        "1236.7538367465000001,2,0.02000001,1236.7532183765000001,7,8\n"
        "2024-08-09T00:01:00Z,61837.00000000,61837.00000000,61837.00000000,61837.00000000,0.00000000,"
        "0.00000000,0,0.00000000,0.00000000,,\n"
    )
    assert left_in(tmp_path) == ["candles.csv"]


def test_no_candles_make_a_file_of_the_header_alone(tmp_path: Path) -> None:
    assert write_csv([], tmp_path / "none.csv") == 0
    assert (tmp_path / "none.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_an_existing_file_is_replaced_only_by_a_finished_one(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_text("old")

    def batches() -> Iterator[list[Candle]]:
        yield candles()
        assert path.read_text() == "old"

    write_csv(batches(), path)
    assert path.read_text().startswith("open_time,")


def test_a_failing_database_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_text("old")

    def batches() -> Iterator[list[Candle]]:
        yield candles()
        raise StoreUnavailable("The database went away.")

    with pytest.raises(StoreUnavailable):
        write_csv(batches(), path)
    assert path.read_text() == "old"
    assert left_in(tmp_path) == ["candles.csv"]


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_cancelled_export_leaves_no_file_whenever_it_is_cancelled(tmp_path: Path, after: int) -> None:
    cancelled = threading.Event()
    seen: list[int] = []

    def batches() -> Iterator[list[Candle]]:
        for number in range(3):
            if number == after:
                cancelled.set()
            seen.append(number)
            yield candles()
        cancelled.set()

    with pytest.raises(ExportCancelled):
        write_csv(batches(), tmp_path / "candles.csv", cancelled=cancelled)
    assert left_in(tmp_path) == []
    assert len(seen) <= after + 1


def test_progress_reports_how_many_candles_and_up_to_when(tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    write_csv([candles(2), [], candles(1)], tmp_path / "a.csv", progress=lambda count, at: reported.append((count, at)))
    assert reported == [(2, START_US + 120 * SECOND_US), (3, START_US + 60 * SECOND_US)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_full_disk_is_a_clear_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(UsageError, match=r"cannot be written: .+\. Nothing was left behind\."):
            write_csv([candles(2000) for _ in range(10)], tmp_path / "candles.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("name", ["candles", "candles.txt", "candles.csv.gz", ".csv"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"let it end in \.csv"):
        write_csv([], tmp_path / name)
    assert left_in(tmp_path) == []


def test_a_missing_folder_or_a_folder_as_the_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist: make it first"):
        check_target(tmp_path / "no" / "candles.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        check_target(tmp_path / "folder.csv")
    check_target(tmp_path / "CANDLES.CSV")


def test_a_name_the_file_system_refuses_is_a_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: "):
        write_csv([], tmp_path / ("x" * 300 + ".csv"))


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("2024-08-09", START_US),
        (" 2024-08-09 ", START_US),
        ("2024-08-09T00:00Z", START_US),
        ("2024-08-09 00:01", START_US + 60 * SECOND_US),
        ("2024-08-09T02:00+02:00", START_US),
        ("2024-08-09T00:00:00.123456Z", START_US + 123_456),
        ("1970-01-01", 0),
    ],
)
def test_times_are_read_as_utc_unless_they_say_otherwise(text: str, time_us: int) -> None:
    assert parse_time(text) == time_us


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "2024-08-09T25:00", "1723161600", "09.08.2024"])
def test_a_text_that_is_no_time_is_a_clear_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="write it like 2024-08-08"):
        parse_time(text)


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_written_time_reads_back_as_itself(time_us: int) -> None:
    assert parse_time(format_time(time_us)) == time_us
