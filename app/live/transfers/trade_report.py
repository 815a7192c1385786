"""
What an export of trades delivered and what it lacks. Pure.

Trades have consecutive ids, so those missing between two stored ones are known. Before the first and after the last
stored trade nobody knows how many there were: that time is then missing, unless a download fetched all of it.
"""

from __future__ import annotations

from typing import NamedTuple

from app.live.transfers.report import minute, row_facts
from app.market.coverage import IdRanges
from app.market.export_plan import RowsRequest
from app.market.trade import Trade


class TradeReport(NamedTuple):
    """
    The outcome of one export. ``given``: from the first trade's time to just after the last one's; None without rows.

    ``missing_ids``: inclusive ranges of ids inside; ``missing``: the times in which they, or an unknown number of
    trades, are missing, ends exclusive; ``dropped``: how many trades retention has dropped there.
    """

    request: RowsRequest
    rows: int
    given: tuple[int, int] | None
    missing_ids: list[tuple[int, int]]
    missing: list[tuple[int, int]]
    dropped: int

    @property
    def missing_trades(self) -> int:
        """How many trades are known to be missing."""
        return IdRanges(self.missing_ids).count() + self.dropped

    @property
    def complete(self) -> bool:
        """Whether all trades asked for are in the file."""
        return not self.missing and not self.missing_ids and not self.dropped

    @property
    def lack(self) -> str:
        """Return what is missing, and from which id and minute on; empty where nothing is."""
        sentences = list[str]()
        if self.missing_ids:
            number = IdRanges(self.missing_ids).count()
            are = "1 trade is" if number == 1 else f"{number:,} trades are"
            at = f", at {minute(self.missing[0][0])}" if self.missing else ""
            sentences.append(f"{are} missing; the first is {self.missing_ids[0][0]}{at}.")
        elif self.missing:
            sentences.append(
                f"Not all of the range is stored; the first minute missing is {minute(self.missing[0][0])}."
            )
        if self.dropped:
            sentences.append(f"{self.dropped:,} trades were dropped, as was confirmed with db retention.")
        return " ".join(sentences)

    def facts(self, version: str) -> dict[str, object]:
        """Return what stands beside the file, for JSON."""
        facts = row_facts(
            self.request,
            version,
            source="trades",
            rows=self.rows,
            given=self.given,
            missing=self.missing,
            complete=self.complete,
        )
        return {**facts, "missing_ids": [list(one) for one in self.missing_ids]}


class Surroundings(NamedTuple):
    """The stored trades nearest to a range: before it, its first, its last, and after it; None where there is none."""

    before: Trade | None
    first: Trade | None
    last: Trade | None
    after: Trade | None


def missing_ids(request: RowsRequest, near: Surroundings, held: IdRanges, fetched: IdRanges) -> list[tuple[int, int]]:
    """
    Return the ids missing in the range; ``held``: those that are stored, or known to be absent or dropped.

    ``fetched``: the times, UTC microseconds, all of whose trades were fetched. Where they reach from an end of the
    range to the trade next to it inside, the ids missing beyond that trade are of trades outside.
    """
    low, high = near.before, near.after
    begins_whole = ends_whole = False
    if request.start_us is not None:
        until_us = near.first.time_us if near.first is not None else (request.end_us or request.start_us + 1) - 1
        begins_whole = not fetched.missing(request.start_us, until_us)
    if request.end_us is not None:
        from_us = near.last.time_us if near.last is not None else (request.start_us or 0)
        ends_whole = not fetched.missing(from_us, request.end_us - 1)
    first = near.first if request.start_us is None or low is None or begins_whole else low
    last = near.last if request.end_us is None or high is None or ends_whole else high
    if first is None or last is None or first.trade_id >= last.trade_id:
        return []
    begins = 1 if low is None and first.trade_id <= 1 else first.trade_id
    return held.missing(begins, last.trade_id)


def unknown_times(request: RowsRequest, near: Surroundings, fetched: IdRanges) -> list[tuple[int, int]]:
    """
    Return the ends of the range that no stored trade is near enough to, so that nobody knows what is missing there.

    ``fetched``: as for `missing_ids`; none of these times is among those returned.
    """
    return [
        (first_us, last_us + 1)
        for start_us, end_us in _unknown_ends(request, near)
        for first_us, last_us in fetched.missing(start_us, end_us - 1)
    ]


def _unknown_ends(request: RowsRequest, near: Surroundings) -> list[tuple[int, int]]:
    start_us, end_us = request.start_us, request.end_us
    known = [one for one in near if one is not None]
    if not known:
        return [(start_us or 0, end_us)] if end_us is not None else []
    unknown = list[tuple[int, int]]()
    if start_us is not None and near.before is None:
        first = known[0]
        until_us = first.time_us if end_us is None else min(first.time_us, end_us)
        if first.trade_id > 1 and until_us > start_us:
            unknown.append((start_us, until_us))
    if end_us is not None and near.after is None:
        from_us = known[-1].time_us + 1 if start_us is None else max(known[-1].time_us + 1, start_us)
        if from_us < end_us:
            unknown.append((from_us, end_us))
    return unknown
