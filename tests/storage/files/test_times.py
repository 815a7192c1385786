"""Times as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.errors import UsageError
from app.market.interval import SECOND_US
from storage.files.times import format_time, parse_time
from tests.live.helpers import START_US


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
