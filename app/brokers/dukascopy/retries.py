"""
How often, and after which waits, Dukascopy is asked for a piece of its history. No I/O.

An hour that cannot be had is given up after ten tries, spread over a hundred seconds: Dukascopy's clients are known for
retrying for ever. Both interfaces together have these tries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TRIES = 10
FEWEST, MOST = 2, 15
"""What may be set: a second try nearly always helps, and more than fifteen never did."""
OVER_S = 100.0


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """
    ``tries`` at most, the waits between them growing evenly and adding up to ``over_s``.

    Raises:
        ValueError: If ``tries`` is not 2 to 15.
    """

    tries: int = TRIES
    over_s: float = OVER_S

    def __post_init__(self) -> None:
        if not FEWEST <= self.tries <= MOST:
            raise ValueError(f"an hour is tried {FEWEST} to {MOST} times, not {self.tries}")

    @property
    def waits_s(self) -> Sequence[float]:
        """The wait after each failure but the last."""
        steps = range(1, self.tries)
        return [self.over_s * step / sum(steps) for step in steps]

    def wait_s(self, failures: int, now_failed: int) -> float:
        """Return the wait after ``failures``, the last ``now_failed`` of which followed each other without one."""
        return sum(self.waits_s[failures - now_failed : failures])

    @property
    def short(self) -> RetryPlan:
        """The plan while the broker has been away for a while: a second try after a moment, and no more."""
        return RetryPlan(FEWEST, min(1.0, self.over_s))
