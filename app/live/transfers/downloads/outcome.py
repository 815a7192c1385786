"""The outcome of a download, as far as a window shows it: what `history --lines` writes at its end."""

from __future__ import annotations

from typing import NamedTuple

from app.live.transfers.downloads.report import DownloadReport, SkippedPiece, StoredRows


class DownloadOutcome(NamedTuple):
    """
    What a window needs of a `DownloadReport`: the sum of ``rows``, what was ``skipped``, when symbols were listed, and
    how many trade ids of each symbol are missing; ``files``: how many came from the archive. ``refusal``: why the first
    refused rows were refused.
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
