"""
Calendars by name: those of our own, and those of the package exchange_calendars, which is optional.

The package takes pandas along and a second and a half to import, so it is imported only for an exchange that somebody
names, and by `load_calendar` off the loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from app.market.calendar.always_open import AlwaysOpen
from app.market.calendar.calendar import Calendar
from app.market.calendar.session_table import ListedSession, SessionTable
from app.market.calendar.weekly import forex
from app.market.errors import UsageError
from app.market.symbol import read_calendars

_EARLIEST = "1990-01-01"
_NS_PER_US = 1_000


async def load_calendar(name: str) -> Calendar:
    """Return the calendar of `named_calendar` without keeping the loop waiting. Raises UsageError as that does."""
    if name.upper() in _OWN:
        return named_calendar(name)
    return await asyncio.to_thread(named_calendar, name)


async def check_calendars(setting: str, symbols: Collection[str]) -> None:
    """
    Check that the calendars that the setting ``calendars`` chooses for these symbols can be loaded.

    Raises:
        UsageError: If one cannot be loaded; otherwise its symbol would silently get the usual calendar.
    """
    chosen = read_calendars(setting)
    for name in sorted({chosen[symbol] for symbol in symbols if symbol in chosen}):
        await load_calendar(name)


def named_calendar(name: str) -> Calendar:
    """
    Return the calendar ``crypto``, ``forex``, or that of an exchange by its code: ``XNYS``, ``CMES``.

    An exchange's sessions are known from 1990, or later where the package says so, to a year from now.

    Raises:
        UsageError: If the name is neither, or the package is missing.
    """
    own = _OWN.get(name.upper())
    return own() if own is not None else _exchange(name)


_OWN: dict[str, Callable[[], Calendar]] = {"CRYPTO": AlwaysOpen, "FOREX": forex}


@lru_cache(maxsize=16)
def _exchange(code: str) -> SessionTable:
    try:
        import exchange_calendars
    except ImportError:
        raise UsageError(
            f"The calendar {code} needs the package exchange_calendars: install it with "
            'pip install "cryptopipe[calendars]", or choose crypto or forex.'
        ) from None
    try:
        latest = exchange_calendars.get_calendar(code.upper())
    except exchange_calendars.errors.InvalidCalendarName:
        raise UsageError(
            f"“{code[:20]}” is not a calendar: write crypto, forex, or an exchange's code such as XNYS or CMES."
        ) from None
    bound = latest.bound_min()
    start = _EARLIEST if bound is None or str(bound.date()) < _EARLIEST else str(bound.date())
    return _table(exchange_calendars.get_calendar(code.upper(), start=start))


def _table(source: Any) -> SessionTable:
    """Return a calendar of exchange_calendars as a table."""
    days = [moment.date() for moment in source.sessions]
    short = {moment.date() for moment in (*source.early_closes, *source.late_opens)}
    opens, closes, pauses, resumes = (
        (nanos // _NS_PER_US).tolist()
        for nanos in (source.opens_nanos, source.closes_nanos, source.break_starts_nanos, source.break_ends_nanos)
    )
    listed = [
        ListedSession(day, opened, closed, (pause, resume) if opened < pause else None, is_half_day=day in short)
        for day, opened, closed, pause, resume in zip(days, opens, closes, pauses, resumes, strict=True)
    ]
    sessions = [_amended(each) for each in listed] if source.name == "CMES" else listed
    return SessionTable(source.name, sessions, _holidays(source, days[0], days[-1], set(days)))


def _amended(session: ListedSession) -> ListedSession:
    """
    Return a session of CMES with its early close on Juneteenth, at 12:00 Chicago since 2022, which 4.13 does not know.

    Source: https://github.com/gerrymanoim/exchange_calendars/pull/585
    """
    day = session.date
    # On a weekend the holiday moves to the Friday before or the Monday after.
    is_observed = day.month == 6 and (day.day == 19 or (day.day, day.weekday()) in ((18, 4), (20, 0)))
    if day.year < 2022 or not is_observed or session.is_half_day:
        return session
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo("America/Chicago"))
    return session._replace(close_us=int(noon.timestamp()) * 1_000_000, is_half_day=True, notes="Juneteenth")


def _holidays(source: Any, first: date, last: date, trading: set[date]) -> dict[date, str]:
    """Return the days without a session on which the exchange trades in other weeks, with their names if it has any."""
    names = {moment.date(): "" for moment in source.adhoc_holidays}
    if source.regular_holidays is not None:
        regular = source.regular_holidays.holidays(str(first), str(last), return_name=True)
        names |= {moment.date(): str(name) for moment, name in regular.items()}
    return {
        day: name
        for day, name in names.items()
        if first <= day <= last and day not in trading and source.weekmask[day.weekday()] == "1"
    }
