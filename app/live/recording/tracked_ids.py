"""
The trade ids of one symbol, by what became of them: received, stored, lost, absent, elsewhere. No I/O.

Every set of ids that the program keeps about a symbol is here, and so are the rules that keep them consistent:

- known: received for the database in use, or stored in it;
- held: known and not lost;
- missing: from the first known id to the last, all that are not held.

Known, held and missing are derived, and computed only when asked for. A trade updates them in place, because with a
hundred thousand gaps computing them takes milliseconds.
"""

from __future__ import annotations

from app.market.coverage import IdRanges


class TrackedIds:
    """
    The ids of one symbol. Sets that are returned are not to be changed, and change with this object.

    ``received``: ids of trades that came in this run, and of absent ones. ``stored``: ids that the database in use has
    reported. ``lost``: ids of received trades that could not be stored. ``elsewhere``: received ids that another
    database was given, before the one in use; a subset of ``received``. ``absent``: ids for which the exchange itself
    has no trades; ``absent_unsaved``: those of them that the database does not know yet.

    ``changes`` grows with everything that may change the missing ids. ``filled`` grows with every id that came out of
    order or turned out not to exist: candles that were incomplete may be complete now.
    """

    def __init__(self) -> None:
        self.received = IdRanges()
        self.stored = IdRanges()
        self.lost = IdRanges()
        self.elsewhere = IdRanges()
        self.absent = IdRanges()
        self.absent_unsaved = IdRanges()
        self.changes = 0
        self.filled = 0
        self._assumed = IdRanges()  # ids in ``received`` that no trade came for, because they are absent
        # Derived; None until asked for.
        self._known: IdRanges | None = None
        self._held: IdRanges | None = None
        self._missing: IdRanges | None = None
        self._missing_count = 0

    # Reading

    def held(self) -> IdRanges:
        """Return the ids that are stored, about to be, or known to be absent."""
        return self._known_and_held()[1]

    def missing(self) -> IdRanges:
        """Return every gap from the first known id to the last."""
        if self._missing is None:
            known, held = self._known_and_held()
            # To the last known id, not the last held: the trade received last may be lost.
            first, last = known.first, known.last
            self._missing = IdRanges() if first is None or last is None else held.complement(first, last)
            self._missing_count = self._missing.count()
        return self._missing

    def missing_count(self) -> int:
        """Return how many ids are missing."""
        self.missing()
        return self._missing_count

    @property
    def newest(self) -> int | None:
        """The highest id received or stored, whether held or not; None before the first."""
        return max((last for last in (self.received.last, self.stored.last) if last is not None), default=None)

    # What becomes of trades

    def add(self, trade_id: int) -> bool:
        """Note that a trade of this id came; return False for a repeat. Constant time for the id after the last."""
        received = self.received
        last = received.last
        if received.add(trade_id):
            if self.absent:
                self._forget_absent(trade_id)
        elif not self._exists_after_all(trade_id):
            return False
        if last is None or trade_id != last + 1:
            self.filled += 1
        known, held = self._known, self._held
        if known is None or held is None:
            self._touch()
            return True
        is_lost = bool(self.lost) and trade_id in self.lost
        if is_lost or known.last is None or trade_id != known.last + 1:
            self._touch()  # else the missing ids stay the same
        known.add(trade_id)
        if not is_lost:
            held.add(trade_id)
        return True

    def lose(self, first: int, last: int) -> None:
        """Note that received trades, of all these ids, could not be stored."""
        self.lost.add_range(first, last)
        if self._held is not None:
            self._held.remove_range(first, last)
        self._touch()

    def regain(self, trade_id: int) -> bool:
        """Note that a trade is about to be stored after all; return False if it was neither lost nor elsewhere."""
        if trade_id in self.lost:
            self.lost.remove_range(trade_id, trade_id)
        elif trade_id in self.elsewhere:
            self.elsewhere.remove_range(trade_id, trade_id)
            if self._known is not None:
                self._known.add(trade_id)
        else:
            return False
        if self._held is not None and self._known is not None and trade_id in self._known:
            self._held.add(trade_id)
        self._touch()
        return True

    # What the database and the exchange say

    def note_stored(self, stored: IdRanges, absent: IdRanges | None = None) -> bool:
        """
        Take in all ids that the database holds, and which of them it knows to be absent.

        Returns whether another program has filled a gap between received trades since the last call.
        """
        self.lost -= stored
        self.absent = self.absent_unsaved | (absent or IdRanges())
        is_filled = False
        if self.received.first is not None and self.received.last is not None:
            gaps = self.received.complement(self.received.first, self.received.last)
            is_filled = bool((gaps & stored) - self.stored)
        self.stored = stored
        self._forget_derived()
        return is_filled

    def note_absent(self, first: int, last: int) -> None:
        """Note that the exchange has no trades of these ids; what was received of them counts no more as lost."""
        for gap in self.received.missing(first, last):
            self._assumed.add_range(*gap)
        for ids in (self.received, self.absent, self.absent_unsaved, self._known, self._held):
            if ids is not None:
                ids.add_range(first, last)
        for ids in (self.lost, self.elsewhere):
            ids.remove_range(first, last)
        self.filled += 1
        self._touch()

    def note_absent_saved(self, first: int, last: int) -> None:
        """Note that the database knows these ids to be absent."""
        self.absent_unsaved.remove_range(first, last)

    def change_database(self, kept: IdRanges) -> None:
        """
        Start with another database, of which only one thing is known: it is about to be given ``kept``.

        Received ids stay received; other than ``kept`` they are elsewhere. Lost trades are in no database: they stay
        lost.
        """
        self.elsewhere = self.received - kept - self.lost
        self.stored = IdRanges()
        self.absent_unsaved = IdRanges()
        self._forget_derived()

    # Keeping the sets consistent

    def _exists_after_all(self, trade_id: int) -> bool:
        """Note that a trade of this id exists; return whether it was only assumed to be received, being absent."""
        self._forget_absent(trade_id)
        if trade_id not in self._assumed:
            return False
        self._assumed.remove_range(trade_id, trade_id)
        self.elsewhere.remove_range(trade_id, trade_id)
        return True

    def _forget_absent(self, trade_id: int) -> None:
        if trade_id in self.absent:
            self.absent.remove_range(trade_id, trade_id)
            self.absent_unsaved.remove_range(trade_id, trade_id)

    def _known_and_held(self) -> tuple[IdRanges, IdRanges]:
        if self._known is None or self._held is None:
            self._known = (self.received - self.elsewhere) | self.stored
            self._held = self._known - self.lost
        return self._known, self._held

    def _forget_derived(self) -> None:
        self._known = self._held = None
        self._touch()

    def _touch(self) -> None:
        self._missing = None
        self.changes += 1
