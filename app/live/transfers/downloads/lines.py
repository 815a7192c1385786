"""
A download's progress and report as lines of JSON: what ``history --lines`` writes, and the window that runs it reads.

A line is an object with one key: ``progress`` or ``report``.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from app.live.transfers.downloads.download import DownloadProgress, SymbolProgress
from app.live.transfers.downloads.plan import Piece
from app.live.transfers.downloads.report import DownloadReport, SkippedPiece, StoredRows
from app.market.interval import Interval

_PROGRESS, _REPORT = "progress", "report"
_TRADES = "trades"


class DownloadOutcome(NamedTuple):
    """
    What a window needs of a `DownloadReport`: the sum of ``rows``, what was ``skipped``, when symbols were listed, and
    how many trade ids of each symbol are missing; ``files``: how many came from the archive. ``refusal``: of the first
    rows that were refused, why.
    """

    rows: StoredRows
    skipped: tuple[SkippedPiece, ...]
    listed_us: dict[str, int]
    missing: dict[str, int]
    files: int
    refusal: str

    @classmethod
    def of(cls, report: DownloadReport) -> DownloadOutcome:
        """Return the outcome of a report."""
        missing = {name: sum(last - first + 1 for first, last in gaps) for name, gaps in report.missing.items() if gaps}
        files = len({one.path for one in report.done if one.path is not None})
        refusal = next((one.rows.reason for one in report.done if one.rows.refused), "")
        return cls(report.rows, tuple(report.skipped), report.listed_us, missing, files, refusal)

    @property
    def is_whole(self) -> bool:
        """Whether all that was asked for and exists is stored."""
        return not (self.skipped or self.missing or self.rows.refused)


def progress_line(progress: DownloadProgress) -> bytes:
    """Return the line of this progress."""
    return _line(_PROGRESS, {**progress._asdict(), "symbols": dict(progress.symbols)})


def report_line(report: DownloadReport) -> bytes:
    """Return the line that ends a download."""
    outcome = DownloadOutcome.of(report)
    skipped = [
        [one.piece.symbol, one.piece.what, one.piece.start_us, one.piece.end_us, one.reason] for one in outcome.skipped
    ]
    return _line(_REPORT, {**outcome._asdict(), "rows": outcome.rows._asdict(), "skipped": skipped})


def message_of(line: bytes) -> DownloadProgress | DownloadOutcome:
    """
    Return the message of a line.

    Raises:
        ValueError: If it is none of these lines.
    """
    try:
        ((kind, values),) = json.loads(line).items()
        if kind == _PROGRESS:
            symbols = {name: SymbolProgress(*each) for name, each in values.pop("symbols").items()}
            return DownloadProgress(**values, symbols=symbols)
        if kind == _REPORT:
            rows = StoredRows(**values.pop("rows"))
            skipped = tuple(_skipped(*each) for each in values.pop("skipped"))
            return DownloadOutcome(**values, rows=rows, skipped=skipped)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("no line of a download") from error
    raise ValueError("no line of a download")


def _skipped(symbol: str, what: str, start_us: int, end_us: int, reason: str) -> SkippedPiece:
    interval = None if what == _TRADES else Interval.parse(what)
    return SkippedPiece(Piece(symbol, interval, start_us, end_us), reason)


def _line(kind: str, values: dict[str, Any]) -> bytes:
    return json.dumps({kind: values}).encode("ascii") + b"\n"
