"""Paths of both layouts, and back from a path on the disk."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.brokers.dukascopy.instruments import GROUPS, code_of, known_point_e8, name_of
from app.brokers.dukascopy.locations import CandleBucket, TickBucket, bucket_of_path
from app.market.errors import FileError, UsageError
from app.market.interval import Interval
from app.market.ports.row_files import QuoteBatch, ReadingOptions, RefusedFile, RowFile
from app.market.quotes.tick import PriceSide
from app.runtime.file_readers import open_rows
from app.sandbox.dukascopy.layouts import TickRow, packed_ticks
from tests.brokers.dukascopy.conftest import us

EURUSD = "dukascopy:EURUSD"
_TIMES = st.datetimes(datetime(2003, 1, 1), datetime(2039, 12, 31)).map(
    lambda at: int(at.replace(tzinfo=UTC, microsecond=0, second=0, minute=0).timestamp()) * 1_000_000
)


def test_months_count_from_zero_in_the_tree_and_from_one_in_the_json_interface() -> None:
    hour = TickBucket(EURUSD, us(2019, 2, 4, 8))
    assert hour.file_path == "/datafeed/EURUSD/2019/01/04/08h_ticks.bi5"
    assert hour.json_path == "/v1/ticks/EUR-USD/2019/2/4/8"


@given(_TIMES, st.sampled_from(sorted(name for names in GROUPS.values() for name in names)))
def test_a_path_says_what_its_file_holds(time_us: int, name: str) -> None:
    hour = TickBucket(f"dukascopy:{name}", time_us)
    assert bucket_of_path(f"/somewhere{hour.file_path}") == hour
    assert bucket_of_path(f"/somewhere{hour.file_path}".upper()) == hour  # as older file systems give names
    assert bucket_of_path(hour.file_path.removeprefix("/datafeed/").replace("/", "\\")) == hour


@given(_TIMES, st.sampled_from(sorted(name for names in GROUPS.values() for name in names)))
def test_a_path_says_which_candles_its_file_holds(time_us: int, name: str) -> None:
    at = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    month, day = f"{at.month - 1:02d}", f"{at.day:02d}"
    for side in (PriceSide.BID, PriceSide.ASK):
        kind = f"{side.name}_candles"
        starts = {
            f"{month}/{day}/{kind}_min_1.bi5": ("1m", us(at.year, at.month, at.day)),
            f"{month}/{kind}_hour_1.bi5": ("1h", us(at.year, at.month, 1)),
            f"{kind}_day_1.bi5": ("1d", us(at.year, 1, 1)),
        }
        for end, (interval, start_us) in starts.items():
            found = bucket_of_path(f"/somewhere/datafeed/{name}/{at.year}/{end}")
            assert bucket_of_path(f"/datafeed/{name}/{at.year}/{end}".upper()) == found
            assert found == CandleBucket(f"dukascopy:{name}", side, Interval.parse(interval), start_us)


@pytest.mark.parametrize(
    "path",
    [
        "08h_ticks.bi5",
        "2019/01/04/08h_ticks.bi5",
        "EURUSD/2019/12/04/08h_ticks.bi5",  # there is no thirteenth month
        "EURUSD/2019/01/30/08h_ticks.bi5",  # nor a 30 February
        "EURUSD/2019/01/04/24h_ticks.bi5",
        "EURUSD/2019/BID_candles_min_1.bi5",
        "EURUSD/2019/01/04/BID_candles_day_1.bi5",
        "EURUSD/2019/01/04/MID_candles_min_1.bi5",
    ],
)
def test_a_path_that_says_nothing_is_refused_in_one_sentence(path: str) -> None:
    with pytest.raises(UsageError, match=r"EURUSD|does not exist") as refused:
        bucket_of_path(path)
    assert str(refused.value).startswith(path)


def test_names_become_codes_and_back() -> None:
    codes = {"EURUSD": "EUR-USD", "USA500IDXUSD": "USA500.IDX-USD", "LIGHTCMDUSD": "LIGHT.CMD-USD", "BTCUSD": "BTC-USD"}
    for name, code in codes.items():
        assert code_of(f"dukascopy:{name}") == code_of(name) == code
        assert name_of(code) == name
    for name in ("", "EUR", "EUR/USD", "../../x", "eurusd"):
        with pytest.raises(ValueError, match="no name"):
            code_of(name)


def test_points_that_are_common_knowledge() -> None:
    points = {"EURUSD": 1_000, "dukascopy:USDJPY": 100_000, "EURHUF": 100_000, "XAUUSD": 100_000, "BTCUSD": 10_000_000}
    assert {name: known_point_e8(name) for name in points} == points
    assert known_point_e8("AAPLUSUSD") is None
    assert all(known_point_e8(name) for names in GROUPS.values() for name in names)


def is_bi5(file: RowFile | RefusedFile) -> bool:
    return file.path.suffix == ".bi5"


def test_a_folder_is_searched_and_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    day = tmp_path / "mirror" / "datafeed" / "EURUSD" / "2019" / "01" / "04"
    day.mkdir(parents=True)
    (day / "08h_ticks.bi5").write_bytes(packed_ticks([TickRow(7, 113_000, 112_990, 1.0, 1.0)]))
    (day / "09h_ticks.bi5").write_bytes(b"")
    (day / "10h_ticks.bi5").write_bytes(b"nothing of the kind")
    (day / "readme.txt").write_text("x")
    (tmp_path / "08h_ticks.bi5").write_bytes(b"")
    stray, first, empty, broken = (file for file in open_rows(tmp_path, ReadingOptions()) if is_bi5(file))
    assert isinstance(stray, RefusedFile)
    assert stray.path == tmp_path / "08h_ticks.bi5"
    assert str(stray.path) in stray.reason
    assert not any(isinstance(file, RefusedFile) for file in (first, empty, broken))
    (ticks,) = first.batches()
    assert isinstance(ticks, QuoteBatch)
    assert list(ticks.time_us) == [us(2019, 2, 4, 8) + 7_000]
    assert ticks.whole == (us(2019, 2, 4, 8), us(2019, 2, 4, 9))
    assert [batch.rows for batch in empty.batches()] == [0]
    with pytest.raises(FileError, match=r"10h_ticks\.bi5 cannot be used"):
        list(broken.batches())
    # A part of a tree is enough, as long as the folders above it say what it is.
    found = [file for file in open_rows(day, ReadingOptions()) if is_bi5(file)]
    assert [file.path.name for file in found] == ["08h_ticks.bi5", "09h_ticks.bi5", "10h_ticks.bi5"]


def test_prices_of_an_unknown_instrument_are_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "AAPLUSUSD" / "2019" / "01" / "04" / "08h_ticks.bi5"
    path.parent.mkdir(parents=True)
    path.write_bytes(packed_ticks([TickRow(7, 113_000, 112_990, 1.0, 1.0)]))
    (file,) = open_rows(tmp_path, ReadingOptions())
    assert not isinstance(file, RefusedFile)
    with pytest.raises(FileError, match="decimal places"):
        list(file.batches())
