"""
Whether a file of the archive reaches to the end of its day or month.

Some were published cut off, with a checksum that matches. Ids between the rows are counted by whoever stores them; what
is missing at the end shows only in the times: a day of minutes has 1,440 candles, and trades do not stop for hours.
"""

from __future__ import annotations

from datetime import UTC, datetime

from app.market.interval import SECOND_US, Interval
from app.market.ports.row_files import CandleBatch, RowBatch, SideCandleBatch
from storage.files.readers.names import NameFacts

_SHORTEST_SILENCE_US = 600 * SECOND_US
_USUAL_PAUSES = 300  # so many times the usual pause between two trades is a silence that asks for a reason


class Shortfall:
    """Watches the rows of one reading of a file whose name says which day or month it holds."""

    def __init__(self, facts: NameFacts) -> None:
        self._begin_us = facts.begin_us
        self._end_us = facts.end_us
        self._interval = facts.interval
        self._rows = 0
        self._first_us: int | None = None
        self._last_us = 0

    def see(self, batch: RowBatch) -> None:
        """Take note of a batch."""
        if self._begin_us is None:
            return
        if isinstance(batch, CandleBatch | SideCandleBatch):
            times = [candle.open_time_us for candle in batch.candles]
            ends = (min(times), max(times)) if times else None
        else:
            ends = (int(batch.time_us.min()), int(batch.time_us.max())) if len(batch.time_us) else None
        if ends is not None:
            self._rows += batch.rows - len(batch.refused)
            self._first_us = ends[0] if self._first_us is None else min(self._first_us, ends[0])
            self._last_us = max(self._last_us, ends[1])

    def sentence(self) -> str | None:
        """Return what seems to be missing; None if nothing does."""
        if self._begin_us is None or self._end_us is None or self._first_us is None:
            return None
        if self._interval is not None:
            return self._missing_candles(self._interval, self._begin_us, self._end_us, self._first_us)
        usual_us = (self._last_us - self._first_us) // self._rows
        if self._end_us - self._last_us <= max(_SHORTEST_SILENCE_US, _USUAL_PAUSES * usual_us):
            return None
        last = datetime.fromtimestamp(self._last_us // SECOND_US, UTC)
        return f"Its last trade is of {last:%Y-%m-%d %H:%M:%S}, long before its time ends: it may be cut off."

    def _missing_candles(self, interval: Interval, begin_us: int, end_us: int, first_us: int) -> str | None:
        # One that begins later may be of a symbol that was listed then, and a hole inside of an exchange at rest.
        before, last = interval.slot(begin_us - 1), interval.slot(end_us - 1)
        if interval.slot(first_us) > before + 1 or interval.slot(self._last_us) >= last:
            return None
        return f"It ends early: it holds {self._rows:,} of the {last - before:,} candles that its name promises."
