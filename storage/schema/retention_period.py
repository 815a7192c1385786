"""How long trades are kept, as people write it: 90d, 26w, 18M, 2y."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.market.errors import UsageError

OFF = "off"
SHORTEST_DAYS = 30
_LONGEST_DAYS = 100 * 366
_DAYS = {"d": 1.0, "w": 7.0, "M": 365.2425 / 12, "y": 365.2425}
_WORDS = {"d": "day", "w": "week", "M": "month", "y": "year"}
_TEXT = re.compile(r"(\d{1,5})([dwMy])")


@dataclass(frozen=True, slots=True)
class RetentionPeriod:
    """So many days, weeks, months or years (``unit``: d, w, M, y)."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> RetentionPeriod:
        """
        Read such a text.

        Raises:
            UsageError: If it is none, or shorter than `SHORTEST_DAYS` days.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None or int(match[1]) == 0:
            raise UsageError(f"“{text}” is no time to keep trades for: write 90d, 26w, 18M, 2y, or off.")
        keep = cls(int(match[1]), match[2])
        if not SHORTEST_DAYS <= keep.days <= _LONGEST_DAYS:
            raise UsageError(f"Trades cannot be kept for {text}: give {SHORTEST_DAYS}d to 100y, or off.")
        return keep

    @property
    def days(self) -> float:
        """Its length in days, of months and years the mean: for comparing."""
        return self.count * _DAYS[self.unit]

    @property
    def interval(self) -> str:
        """The same as PostgreSQL writes it."""
        return f"{self.count} {_WORDS[self.unit]}s"

    @property
    def words(self) -> str:
        """The same for people: ``"2 years"``, ``"1 year"``."""
        return f"{self.count} {_WORDS[self.unit]}{'' if self.count == 1 else 's'}"

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def proposal(text: str) -> RetentionPeriod | str | None:
    """
    Read a setting: a length, ``"off"`` for keeping all trades, or None where it is empty: whatever is confirmed.

    Raises:
        UsageError: If it is neither.
    """
    text = text.strip()
    if not text:
        return None
    return OFF if text == OFF else RetentionPeriod.parse(text)
