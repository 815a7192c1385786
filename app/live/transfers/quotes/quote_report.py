"""
What an export of quotes delivered and what it lacks. Pure.

Quotes have no ids, but the times for which a source was asked or watched are known. Other open time is missing; closed
time never is.
"""

from __future__ import annotations

from typing import NamedTuple

from app.live.transfers.report import minute, row_facts
from app.market.calendar.calendar import Calendar
from app.market.coverage import IdRanges
from app.market.export_plan import RowsRequest
from app.market.interval import Interval
from app.market.quote_candles.side_candles import known_times
from app.market.symbol import broker_of

_MINUTE_US = 60_000_000
_SAMPLED = {"oanda"}


class QuoteReport(NamedTuple):
    """
    The outcome of one export. ``given``: from the first quote's time to just after the last one's; None without rows.

    ``missing``: open times that were not fetched, disjoint and rising, ends exclusive; ``dropped``: how many quotes
    retention has dropped in the range.
    """

    request: RowsRequest
    rows: int
    given: tuple[int, int] | None
    missing: list[tuple[int, int]]
    dropped: int = 0

    @property
    def complete(self) -> bool:
        """Whether all of the range was fetched, and is in the file."""
        return not self.missing and not self.dropped

    @property
    def lack(self) -> str:
        """Return what is missing, from which minute on, and what brings it; empty where nothing is."""
        sentences = list[str]()
        if self.missing:
            minutes = sum(-(-(end_us - start_us) // _MINUTE_US) for start_us, end_us in self.missing)
            first = minute(self.missing[0][0])
            were = "1 minute of open time was" if minutes == 1 else f"{minutes:,} minutes of open time were"
            sentences.append(f"{were} not fetched; the first is {first}. {remedy(self.request.symbol)}")
        if self.dropped:
            sentences.append(f"{self.dropped:,} quotes were dropped, as was confirmed with db retention.")
        return " ".join(sentences)

    def facts(self, version: str) -> dict[str, object]:
        """Return what stands beside the file, for JSON."""
        facts = row_facts(
            self.request,
            version,
            source=broker_of(self.request.symbol),
            rows=self.rows,
            given=self.given,
            missing=self.missing,
            complete=self.complete,
        )
        return {**facts, "completeness": completeness(self.request.symbol)}


def completeness(symbol: str) -> str:
    """Return what the broker's quotes are: all that it published, or as many as it sends."""
    return "sampled" if broker_of(symbol) in _SAMPLED else "as published"


def remedy(symbol: str) -> str:
    """Return the sentence that says how to get missing quotes."""
    if broker_of(symbol) == "dukascopy":
        return f"Fetch them with cryptopipe history {symbol} quotes, or import them."
    return "Nobody recorded them."


def candle_remedy(symbol: str) -> str:
    """Return the sentence that says how to get missing candles of quotes."""
    if broker_of(symbol) in _SAMPLED:
        return f"Fetch the broker's own candles with cryptopipe history {symbol} 1m."
    return remedy(symbol)


def missing_times(calendar: Calendar, fetched: IdRanges, start_us: int, end_us: int) -> list[tuple[int, int]]:
    """Return the open times of ``[start_us, end_us)`` that were not fetched: disjoint and rising, ends exclusive."""
    if start_us >= end_us:
        return []
    known = known_times(calendar, fetched, start_us, end_us)
    return [(first_us, last_us + 1) for first_us, last_us in known.missing(start_us, end_us - 1)]


def missing_slots(
    interval: Interval, calendar: Calendar, fetched: IdRanges, first: int, last: int
) -> list[tuple[int, int]]:
    """Return the runs of slots from ``first`` to ``last`` in which open time was not fetched, both ends inclusive."""
    runs: list[tuple[int, int]] = []
    start_us, end_us = interval.slot_open_us(first), interval.slot_open_us(last + 1)
    for from_us, until_us in missing_times(calendar, fetched, start_us, end_us):
        begin, end = interval.slot(from_us), interval.slot(until_us - 1)
        if runs and begin <= runs[-1][1] + 1:
            begin = runs.pop()[0]
        runs.append((begin, end))
    return runs
