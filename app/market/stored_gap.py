"""A gap between the stored trades of a symbol. Pure."""

from __future__ import annotations

from typing import NamedTuple


class StoredGap(NamedTuple):
    """
    A range of ids, inclusive, that are not stored.

    ``absent``: the exchange has no trades with these ids. Otherwise they are missing, and ``repairing`` says that a
    program has announced to fetch them. ``start_us`` and ``end_us`` are the times of the stored trades just before and
    after (UTC microseconds; None if not requested, if retention has dropped that trade, or if there is none).
    """

    symbol: str
    first_trade_id: int
    last_trade_id: int
    start_us: int | None
    end_us: int | None
    absent: bool
    repairing: bool = False

    @property
    def ids(self) -> int:
        """The number of ids."""
        return self.last_trade_id - self.first_trade_id + 1
