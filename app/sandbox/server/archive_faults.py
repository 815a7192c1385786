"""
Faults of the archive's files, to order while the server runs.

What the real archive was seen to do: files that end early though the checksum fits, checksums that do not fit, days
uploaded again, errors and broken connections. A path is matched by any part of it, such as ``"trades-2026-08-12"``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Flaw(StrEnum):
    """What is wrong with a file whose checksum fits it."""

    ROWS_CUT = "rows cut"  # the zip is whole, its CSV lacks the last tenth of the rows
    ROWS_MISSING = "rows missing"  # as well, but its CSV lacks a tenth of the rows in the middle
    ZIP_CUT = "zip cut"  # the zip ends early
    CORRUPT = "corrupt"  # bytes within the zip are others


@dataclass(slots=True)
class ArchiveFault:
    """
    One faulty answer: wait for ``hang_s``, then fail with ``status``, unless that is 200.

    Else the file is sent within ``takes_s`` seconds, only its first half where ``is_cut``; of a checksum file another
    sum, where ``is_false``.
    """

    path: str
    times: int | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    takes_s: float = 0.0
    is_cut: bool = False
    is_false: bool = False

    def concerns(self, *, is_checksum: bool) -> bool:
        """Whether it can happen to a checksum file, or to a zip."""
        return not (self.takes_s or self.is_cut) if is_checksum else not self.is_false


@dataclass(slots=True)
class ArchiveFaults:
    """Faults of the next requests, the oldest one whose path matches is used; and flaws of the files themselves."""

    counts: Counter[str] = field(default_factory=Counter)
    _faults: list[ArchiveFault] = field(default_factory=list)
    _flaws: list[tuple[str, Flaw]] = field(default_factory=list)
    _uploads: list[str] = field(default_factory=list)

    def fail_next(
        self, status: int, *, times: int | None = 1, path: str = "", retry_after_s: int | None = None
    ) -> None:
        """Answer ``times`` requests with that HTTP status; None means until `clear`."""
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        self._faults.append(ArchiveFault(path, times, status, headers))

    def hang_next(self, seconds: float, *, times: int | None = 1, path: str = "") -> None:
        """Answer correctly, but only after that many seconds."""
        self._faults.append(ArchiveFault(path, times, hang_s=seconds))

    def slow_next(self, seconds: float, *, times: int | None = 1, path: str = "") -> None:
        """Answer correctly, but take that many seconds for the body."""
        self._faults.append(ArchiveFault(path, times, takes_s=seconds))

    def cut_next(self, *, times: int | None = 1, path: str = "") -> None:
        """End the connection in the middle of the body."""
        self._faults.append(ArchiveFault(path, times, is_cut=True))

    def misstate_checksum(self, *, times: int | None = 1, path: str = "") -> None:
        """Answer requests for a checksum with another one."""
        self._faults.append(ArchiveFault(path, times, is_false=True))

    def spoil(self, flaw: Flaw, *, path: str = "") -> None:
        """Serve files with that flaw and the checksum that fits, until `clear`."""
        self._flaws.append((path, flaw))

    def upload_again(self, *, path: str = "") -> None:
        """Replace files by others with the same rows: other bytes and another checksum from now on."""
        self._uploads.append(path)

    def clear(self) -> None:
        """Remove all faults and flaws; what was uploaded again stays so."""
        self._faults.clear()
        self._flaws.clear()

    def take(self, path: str, *, is_checksum: bool) -> ArchiveFault | None:
        """Return the fault for a request for that path, or None, and count its use."""
        for fault in self._faults:
            if fault.path in path and fault.concerns(is_checksum=is_checksum):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                self.counts["archive"] += 1
                return fault
        return None

    def flaw_of(self, path: str) -> Flaw | None:
        """Return what is wrong with the file of that path, or None."""
        return next((flaw for part, flaw in self._flaws if part in path), None)

    def upload_of(self, path: str) -> int:
        """Return how often the file of that path was uploaded again."""
        return sum(part in path for part in self._uploads)
