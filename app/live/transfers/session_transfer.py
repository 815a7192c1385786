"""
Brings the stored sessions of a symbol's market, or the gaps between them, into a file.

A session belongs to a range by its date, as a day in UTC. Which sessions should be there says the calendar; the tables
have those from the first stored price on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from app.concurrency.background import in_background
from app.live.transfers.file_work import Written, to_its_end
from app.live.transfers.report import minute, row_facts
from app.market.calendar.session_table import SessionTable
from app.market.candle_request import file_name
from app.market.columns.session_columns import session_columns, session_gap_columns
from app.market.errors import UsageError
from app.market.export_plan import RowsRequest, number_of
from app.market.file_columns import RowsOf
from app.market.file_format import FileFormat
from app.market.ports.files import ExportFile
from app.market.ports.sessions import SessionStore
from app.market.symbol import broker_of

_DAY_US = 86_400_000_000
_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)
_WHY_NONE = {
    RowsOf.SESSIONS: "They are kept from the first price to eight weeks ahead: cryptopipe db sessions makes them.",
    RowsOf.SESSION_GAPS: (
        "A gap needs a stored price of the session, and of the one directly before it: cryptopipe db sessions makes "
        "all that can be."
    ),
}


class SessionReport(NamedTuple):
    """
    The outcome of one export. ``days``: the dates of the rows; ``source``: the calendar's name, or the broker's.

    ``wanted``: how many rows there should be; ``missing``: the dates without one, as UTC times, disjoint and rising.
    ``none_stored``: the symbol has no such row at all. ``known``: the first and the last date that the calendar has
    sessions of, where the range reaches beyond; days beyond are among the missing ones, uncounted.
    """

    request: RowsRequest
    source: str
    days: list[date]
    wanted: int
    missing: list[tuple[int, int]]
    none_stored: bool = False
    known: tuple[date, date] | None = None

    @property
    def lack(self) -> str:
        """Return how many rows are missing, from which date on, and why; empty where none is."""
        why_none = _WHY_NONE[RowsOf(str(self.request.rows))]
        if self.none_stored:
            return f"None is stored. {why_none}"
        if self.known is not None:
            begin, last = self.known
            return f"The calendar is known from {begin} to {last}: whether other days had a session is not known here."
        if not self.missing:
            return ""
        count = sum(end_us - start_us for start_us, end_us in self.missing) // _DAY_US
        rows = number_of(self.wanted, self.request.unit)
        are = "is" if count == 1 else "are"
        first = minute(self.missing[0][0])
        return f"{count:,} of {rows} {are} missing; the first is {first}. {why_none}"

    def facts(self, version: str) -> dict[str, object]:
        """Return what stands beside the file, for JSON."""
        given = (_us(self.days[0]), _us(self.days[-1]) + _DAY_US) if self.days else None
        return row_facts(
            self.request,
            version,
            source=self.source,
            rows=len(self.days),
            given=given,
            missing=self.missing,
            complete=not self.missing and not self.none_stored,
        )


class SessionTransfer:
    """
    One export; call `read` and then `run`, each once, on the loop. ``rows`` has what was read, as a RecordBatch.

    ``may_be_empty``: of a market whose sessions are stored, no gap is an answer, too.
    """

    def __init__(self, request: RowsRequest, store: SessionStore, *, may_be_empty: bool = False) -> None:
        self._request = request
        self._store = store
        self._may_be_empty = may_be_empty
        self._report = SessionReport(request, "", [], 0, [])
        self._range = _EPOCH, _EPOCH
        self.rows: Any = None

    async def read(self) -> int:
        """
        Read the rows of the range; return how many there are.

        Raises:
            UsageError: If none is stored at all.
            StoreError: If the database cannot be read.
        """
        await in_background(self._read, "read-sessions")
        return len(self._report.days)

    async def run(self, file: ExportFile, version: str, suffix: FileFormat) -> Written[SessionReport]:
        """
        Write the rows into ``file``; unless it has a name, it gets that of its range. Failed, it leaves no file.

        Raises:
            FileError: If the file cannot be written.
        """
        days = self._report.days
        first, end = (days[0], days[-1] + _DAY) if days else self._range
        name = file_name(self._request.symbol, str(self._request.rows), _us(first), _us(end), suffix)

        def write() -> Path | None:
            try:
                file.write(self.rows)
                return file.finish(name, self._report.facts(version))
            finally:
                file.discard()

        return Written(self._report, await to_its_end(write))

    def _read(self) -> None:
        request, store = self._request, self._store
        calendar = store.calendar_of(request.symbol)
        are_gaps = request.rows is RowsOf.SESSION_GAPS
        table = (
            session_gap_columns(store.stored_session_gaps(request.symbol))
            if are_gaps
            else session_columns(store.stored_sessions(calendar.name))
        )
        stored: list[date] = table.column("session_date").to_pylist()
        dates = stored
        if not stored and are_gaps and self._may_be_empty:
            dates = [one.session_date for one in store.stored_sessions(calendar.name)]
        if not dates:
            raise UsageError(
                f"No {request.unit} of {request.symbol} is stored: cryptopipe db sessions makes those of symbols with "
                "quotes, and of symbols for which the setting calendars names a calendar."
            )
        first = dates[0] if request.start_us is None else _day(request.start_us)
        end = dates[-1] + _DAY if request.end_us is None else _day(request.end_us - 1) + _DAY
        begin, stop = bisect_left(stored, first), bisect_left(stored, end)
        days = stored[begin:stop]
        self._range = first, end
        self.rows = table.slice(begin, stop - begin)
        # A session may begin in the evening before its date.
        due = {
            one.date
            for one in calendar.sessions(_us(first) - _DAY_US, _us(end) + _DAY_US)
            if first <= one.date < end and not (are_gaps and one.start_us is None)
        }
        source = broker_of(request.symbol) if are_gaps else calendar.name
        missing = due.difference(days)
        wanted = len(due.union(days))
        # Only tables end; the other calendars are rules.
        known = calendar.known_days if isinstance(calendar, SessionTable) else None
        beyond = [] if known is None else [*_days(first, min(end, known[0])), *_days(max(first, known[1] + _DAY), end)]
        self._report = SessionReport(
            request,
            source,
            days,
            wanted,
            spans_of_days({*missing, *beyond}),
            none_stored=not stored,
            known=known if beyond else None,
        )


def spans_of_days(days: Collection[date]) -> list[tuple[int, int]]:
    """Return days as UTC times, disjoint and rising, ends exclusive: days that follow each other are one span."""
    spans: list[tuple[int, int]] = []
    for day in sorted(days):
        start_us = _us(day)
        if spans and spans[-1][1] == start_us:
            start_us = spans.pop()[0]
        spans.append((start_us, _us(day) + _DAY_US))
    return spans


def _days(first: date, end: date) -> list[date]:
    return [first + number * _DAY for number in range((end - first).days)]


def _us(day: date) -> int:
    return (day - _EPOCH).days * _DAY_US


def _day(time_us: int) -> date:
    return _EPOCH + timedelta(days=time_us // _DAY_US)
