"""The period for which trades are kept, as a setting says it: 90d, 26w, 18M, 2y, or off."""

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
    """A number of days, weeks, months or years (``unit``: d, w, M, y)."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> RetentionPeriod:
        """
        Parse ``"90d"`` and the like.

        Raises:
            UsageError: If the text is no period, or one outside `SHORTEST_DAYS` days to 100 years.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None or int(match[1]) == 0:
            raise UsageError(f"“{text}” is no time to keep trades for: write 90d, 26w, 18M, 2y, or off.")
        period = cls(int(match[1]), match[2])
        if not SHORTEST_DAYS <= period.days <= _LONGEST_DAYS:
            raise UsageError(f"Trades cannot be kept for {text}: give {SHORTEST_DAYS}d to 100y, or off.")
        return period

    @property
    def days(self) -> float:
        """The length in days, to compare periods; a month or a year counts its mean length."""
        return self.count * _DAYS[self.unit]

    @property
    def interval(self) -> str:
        """The period as an interval of PostgreSQL: ``"2 years"``."""
        return f"{self.count} {_WORDS[self.unit]}s"

    @property
    def words(self) -> str:
        """The period in words: ``"2 years"``, ``"1 year"``."""
        return f"{self.count} {_WORDS[self.unit]}{'' if self.count == 1 else 's'}"

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def proposal(text: str) -> RetentionPeriod | str | None:
    """
    Parse the setting `keep_trades`, which proposes a period that the database then has to have confirmed.

    Returns the period, `OFF` for keeping all trades, or None if the setting is empty: the confirmed period stays.

    Raises:
        UsageError: If the text is none of these.
    """
    text = text.strip()
    if not text:
        return None
    return OFF if text == OFF else RetentionPeriod.parse(text)
