"""Calendars by name, those of exchange_calendars among them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from app.market.calendar.session_table import SessionTable
from app.market.errors import UsageError
from app.runtime.calendars import load_calendar, named_calendar
from tests.market.calendar.helpers import listed_sessions, minutes, open_at, open_minutes_of, us

# The package reads times in a way that pandas 4 will answer differently.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning:DeprecationWarning")

FindData = Callable[[str], Path]


@pytest.mark.parametrize("code", ["XNYS", "CMES"])
def test_every_minute_of_twenty_years_of_an_exchange_is_as_its_asserted_table_says(
    shared_data: FindData, code: str
) -> None:
    pytest.importorskip("exchange_calendars", reason="the package exchange_calendars is not installed")
    times = minutes("2003-01-01", "2023-01-01")
    expected = open_minutes_of(listed_sessions(shared_data(f"sessions/{code.lower()}.csv.gz")), times)
    assert (open_at(named_calendar(code), times) == expected).all()


def test_an_exchange_has_its_holidays_and_half_days_by_name() -> None:
    pytest.importorskip("exchange_calendars", reason="the package exchange_calendars is not installed")
    calendar = named_calendar("xnys")
    found = {each.date: each for each in calendar.sessions(us("2024-12-23"), us("2024-12-28"))}
    assert found[date(2024, 12, 24)].is_half_day
    assert found[date(2024, 12, 24)].total_minutes == 210
    assert (found[date(2024, 12, 25)].is_holiday, found[date(2024, 12, 25)].notes) == (True, "Christmas")
    assert not found[date(2024, 12, 26)].is_half_day
    tokyo = named_calendar("XTKS")
    assert not tokyo.is_open(us("2024-05-01T03:00"))  # the break at noon
    assert tokyo.is_open(us("2024-05-01T03:30"))
    assert isinstance(named_calendar("XNYS"), SessionTable)


def test_an_unknown_name_is_refused_in_one_sentence() -> None:
    pytest.importorskip("exchange_calendars", reason="the package exchange_calendars is not installed")
    with pytest.raises(UsageError, match="“XXXX” is not a calendar: write crypto, forex, or an exchange's code"):
        named_calendar("XXXX")


async def test_own_calendars_need_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    assert (await load_calendar("Forex")).closes
    assert not (await load_calendar("crypto")).closes


async def test_a_missing_package_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(UsageError, match=r"The calendar XLON needs .* pip install \"cryptopipe\[calendars\]\""):
        await load_calendar("XLON")
