"""The sentences about files of a lake, and about their rows, that cannot be used; however many rows these are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_ROWS = 1_000
"""The most sentences about rows: a large file may have millions that are wrong."""


@dataclass(slots=True)
class ProblemList:
    """``sentences`` about every file, and about the first `MOST_ROWS` rows; ``unlisted`` counts the other rows."""

    sentences: list[str] = field(default_factory=list)
    unlisted: int = 0
    _rows: int = 0

    @property
    def count(self) -> int:
        """The number of problems, listed or not."""
        return len(self.sentences) + self.unlisted

    def add_file(self, *sentences: str) -> None:
        """Add sentences about whole files."""
        self.sentences += sentences

    def add(self, other: ProblemList) -> None:
        """Add the problems of another list."""
        self.sentences += other.sentences
        self.unlisted += other.unlisted

    def add_rows(self, sentences: Sequence[str]) -> None:
        """Add sentences about rows; count the ones that are too many."""
        listed = sentences[: MOST_ROWS - self._rows]
        self._rows += len(listed)
        self.sentences += listed
        self.unlisted += len(sentences) - len(listed)
