"""
What an export delivered, what it lacks, and why. Pure.

A candle is missing unless the file has it complete (`app.market.builder.is_complete`): also one that is there without
some of its trades. Only the open candle is not, where it was asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, NamedTuple

from app.market.candle import CandleSource
from app.market.candle_request import CandleRequest
from app.market.columns.candle_columns import open_times
from app.market.export_plan import RowsRequest
from app.market.symbol import BROKER, broker_of


class Lack(Enum):
    """Why a candle is missing."""

    NOT_STORED = auto()  # and nobody asked the exchange
    NOT_FETCHED = auto()  # the exchange did not answer
    NOT_LISTED = auto()  # the symbol was not traded yet
    ABSENT = auto()  # the exchange has none
    NOT_OVER = auto()  # it has not ended yet, or not begun


class TransferReport(NamedTuple):
    """
    The outcome of one export. ``given``: what the rows cover, from the first one's open to the last one's end; None
    without rows. ``missing``: the times of the missing candles, disjoint and rising, ends exclusive; ``reasons``: how
    many of them for which reason, in whole sentences. All times are UTC microseconds.
    """

    request: CandleRequest
    rows: int
    given: tuple[int, int] | None
    source: CandleSource | None
    missing: list[tuple[int, int]]
    missing_candles: int
    reasons: list[str]

    @property
    def complete(self) -> bool:
        """Whether all candles asked for are in the file, with all their trades."""
        return not self.missing

    @property
    def lack(self) -> str:
        """Return what is missing, from which minute on, and why; empty where nothing is."""
        return self.lack_of("candle")

    def lack_of(self, unit: str) -> str:
        """Return the same of candles that have another name."""
        if self.complete:
            return ""
        total = len(self.request.slots)
        number = f"{self.missing_candles:,} of {total:,} {unit}s" if total > 1 else f"The {unit}"
        are = "is" if self.missing_candles == 1 else "are"
        first = f"the first is {minute(self.missing[0][0])}" if self.missing_candles > 1 else ""
        first = first or f"it is {minute(self.missing[0][0])}"
        return " ".join([f"{number} {are} missing; {first}.", *self.reasons])

    def facts(self, version: str) -> dict[str, object]:
        """Return what stands beside the file, for JSON."""
        return {
            "symbol": self.request.symbol,
            "interval": self.request.interval.name,
            "zone": "UTC",
            "source": None if self.source is None else self.source.value,
            "version": version,
            "rows": self.rows,
            "asked": span((self.request.start_us, self.request.end_us)),
            "given": span(self.given),
            "complete": self.complete,
            "missing": [[iso(start_us), iso(end_us)] for start_us, end_us in self.missing],
        }


class Delivery:
    """Counts what goes into a file, in rising order of the slots, and what does not."""

    def __init__(self, request: CandleRequest) -> None:
        self._request = request
        self._rows = 0
        self._given: tuple[int, int] | None = None
        self._sources: set[CandleSource] = set()
        self._missing: list[tuple[int, int]] = []
        self._lacks: Counter[Lack] = Counter()

    def note(self, candles: Any) -> None:
        """Count candles that are in the file; they are columns."""
        if not candles.num_rows:
            return
        opens_us = open_times(candles)
        self._rows += candles.num_rows
        start_us = int(opens_us[0]) if self._given is None else self._given[0]
        self._given = start_us, self._request.interval.next_open_us(int(opens_us[-1]))
        self._sources.update(CandleSource(one) for one in candles.column("source").unique().to_pylist())

    def note_missing(self, first_slot: int, last_slot: int, lack: Lack) -> None:
        """Count the candles of these slots, inclusive, as missing."""
        open_us = self._request.interval.slot_open_us
        start_us, end_us = open_us(first_slot), open_us(last_slot + 1)
        if self._missing and self._missing[-1][1] == start_us:
            start_us, _ = self._missing.pop()
        self._missing.append((start_us, end_us))
        self._lacks[lack] += last_slot - first_slot + 1

    def report(self, why_not_fetched: str, listed_us: int | None) -> TransferReport:
        """
        Return the outcome.

        ``why_not_fetched``: the sentence for candles that are NOT_FETCHED; ``listed_us``: when trading began, if known.
        """
        source = None
        if self._sources:
            source = next(iter(self._sources)) if len(self._sources) == 1 else CandleSource.MIXED
        return TransferReport(
            self._request,
            self._rows,
            self._given,
            source,
            self._missing,
            self._lacks.total(),
            self._reasons(why_not_fetched, listed_us),
        )

    def _reasons(self, why_not_fetched: str, listed_us: int | None) -> list[str]:
        symbol = self._request.symbol
        traded = f"{symbol} is not traded yet" if listed_us is None else f"{symbol} is traded since {minute(listed_us)}"
        unstored = "Not stored with all their trades, and nothing was to be fetched"
        if broker_of(symbol) != BROKER:
            unstored = "Not all of their quotes were fetched"
        sentences = {
            Lack.NOT_LISTED: traded,
            Lack.NOT_STORED: unstored,
            Lack.NOT_FETCHED: f"Not stored, and not fetched: {why_not_fetched.rstrip('.')}",
            Lack.ABSENT: "The exchange has none there",
            Lack.NOT_OVER: "Not over yet",
        }
        found = [(sentence, self._lacks[lack]) for lack, sentence in sentences.items() if self._lacks[lack]]
        if len(found) == 1:
            return [f"{found[0][0]}."]
        return [f"{sentence} ({count:,})." for sentence, count in found]


def row_facts(
    request: RowsRequest,
    version: str,
    *,
    source: str,
    rows: int,
    given: tuple[int, int] | None = None,
    missing: Sequence[tuple[int, int]] = (),
    complete: bool = True,
) -> dict[str, object]:
    """Return what stands beside a file of other rows than candles, for JSON."""
    return {
        "symbol": request.symbol,
        "interval": str(request.rows),
        "zone": "UTC",
        "source": source,
        "version": version,
        "rows": rows,
        "asked": asked(request.start_us, request.end_us),
        "given": span(given),
        "complete": complete,
        "missing": [[iso(start_us), iso(end_us)] for start_us, end_us in missing],
    }


def minute(time_us: int) -> str:
    """Return ``2026-11-28T22:44``, with seconds where there are any; UTC."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S" if moment.second else "%Y-%m-%dT%H:%M")


def span(times_us: tuple[int, int] | None) -> dict[str, str | None]:
    """Return two times as JSON has them; None for each where there are none."""
    return {"from": None, "to": None} if times_us is None else {"from": iso(times_us[0]), "to": iso(times_us[1])}


def asked(start_us: int | None, end_us: int | None) -> dict[str, str | None]:
    """Return the ends of a range as JSON has them; None for one that was not given."""
    return {"from": None if start_us is None else iso(start_us), "to": None if end_us is None else iso(end_us)}


def iso(time_us: int) -> str:
    """Return ``2026-11-28T22:44:00Z``, UTC."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
