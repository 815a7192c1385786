"""
What an import read, stored and refused, file by file.

Of every file: read = stored + held + refused. A row is held if the database had it before, or if it is a repeat of one
that came earlier in the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.market.ports.row_files import RowKind

_FIGURES = ("read", "stored", "held", "refused", "missing")


@dataclass(slots=True)
class FileReport:
    """
    One file, or one ``table`` of a file that has several. ``symbols`` are those of its rows. ``missing``: ids between
    its lowest and highest that nothing has. ``reason``: sentences about what was not used of it, empty where all was.
    ``is_answer``: its source has nothing else for its time, so it is of use even without rows.
    ``differing``: minutes of its trades that differ from the stored klines.
    """

    path: Path
    kind: RowKind | None = None
    table: str = ""
    symbols: list[str] = field(default_factory=list)
    read: int = 0
    stored: int = 0
    held: int = 0
    refused: int = 0
    missing: int = 0
    differing: int = 0
    is_short: bool = False  # it ends before the day or month in its name
    is_broken: bool = False  # it could not be read to its end
    is_answer: bool = False
    reasons: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        return " ".join(self.reasons)

    @property
    def is_unusable(self) -> bool:
        """Whether nothing of it could be used."""
        return not self.stored + self.held and not (self.is_answer and not self.refused)

    @property
    def is_whole(self) -> bool:
        """Whether all of it could be used, no id inside is missing, and no kline contradicts it."""
        return not (
            self.is_unusable or self.is_broken or self.is_short or self.refused or self.missing or self.differing
        )

    def facts(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "path": str(self.path),
            "table": self.table or None,
            "symbol": ",".join(self.symbols) or None,
            "kind": None if self.kind is None else self.kind.value,
            **{name: getattr(self, name) for name in _FIGURES},
            "reason": self.reason or None,
        }


@dataclass(slots=True)
class ImportReport:
    """
    The outcome of an import; ``files`` in the order they were read.

    ``stopped_because``: one sentence if it ended early, else empty; what is counted as stored is stored all the same.
    """

    files: Sequence[FileReport]
    dry_run: bool = False
    stopped_because: str = ""

    def total(self, figure: str) -> int:
        """Return the sum over the files of ``read``, ``stored``, ``held``, ``refused`` or ``missing``."""
        return sum(getattr(file, figure) for file in self.files)

    @property
    def unusable(self) -> list[FileReport]:
        """The files of which nothing could be used."""
        return [file for file in self.files if file.is_unusable]

    @property
    def is_whole(self) -> bool:
        """Whether everything was read and used, and no id is missing."""
        return not self.stopped_because and all(file.is_whole for file in self.files)

    def facts(self) -> dict[str, object]:
        """Return it for JSON."""
        about: dict[str, object] = {name: self.total(name) for name in _FIGURES}
        if self.dry_run:
            about["dry_run"] = True
        if self.stopped_because:
            about["stopped_because"] = self.stopped_because
        return {**about, "files": [file.facts() for file in self.files]}
