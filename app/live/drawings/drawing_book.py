"""
All drawings of one database as a desktop knows them: what is stored, what it has changed since, and its undo.

Nothing waits here and nothing is written: `DrawingBoard` carries changes to the database and to the journal. A change
is kept until the database has answered it, with the revision of the drawing that its maker had seen. By that the
database knows what the change replaces unseen, and what it answers is put on the stack of undo. See decision 102.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from app.market.drawings.drawing import Drawing
from app.market.drawings.drawing_json import drawing_text, read_known
from app.market.drawings.history import DrawingHistory, Edit, Step
from app.market.drawings.history_json import edits_text, read_edits
from app.market.ports.drawings import (
    AppliedChange,
    DrawingChange,
    DrawingNews,
    JournalEntry,
    JournalState,
    KeptStep,
    StoredDrawing,
)


class DrawingBook:
    """
    The drawings of one database, begun from what the journal has.

    ``changed``: symbols whose drawings changed since somebody cleared it, of those that were asked for.
    """

    def __init__(self, state: JournalState) -> None:
        self.desktop, self.database_id, self.seen = state.desktop, state.database_id, state.seen
        self.changed: set[str] = set()
        self._rows = {one.drawing_id: one for one in state.rows}
        self._changes = {one.drawing_id: one for one in state.changes}
        self._histories = _histories(state.steps)
        self._ids: dict[str, set[str]] = {}  # of each symbol, also those that only a newer program can show
        self._shown: dict[str, dict[str, Drawing]] = {}  # of the symbols somebody asked for
        for some in (state.rows, state.changes):
            for one in some:
                self._ids.setdefault(one.symbol, set()).add(one.drawing_id)
        self._dirty_rows, self._dirty_changes = set[str](), set[str]()
        self._kept_steps = {
            symbol: {one.number for one in (*each.done, *each.undone)} for symbol, each in self._histories.items()
        }
        self._kept_seen = self.seen

    # What is shown

    def drawings(self, symbol: str) -> tuple[Drawing, ...]:
        """Return the drawings of a symbol in the order of painting."""
        return tuple(sorted(self._of(symbol).values(), key=lambda one: one.place))

    def can_undo(self, symbol: str) -> bool:
        """Whether a step of that symbol can be undone."""
        return symbol in self._histories and bool(self._histories[symbol].done)

    def can_redo(self, symbol: str) -> bool:
        """Whether a step of that symbol can be done again."""
        return symbol in self._histories and bool(self._histories[symbol].undone)

    # The user's changes

    def change(self, symbol: str, put: Sequence[Drawing] = (), remove: Iterable[str] = ()) -> bool:
        """Add, replace and remove drawings of a symbol, as one step of undo; return whether that changes anything."""
        shown = self._of(symbol)
        edits = [Edit(shown.get(one.id), one) for one in {one.id: one for one in put}.values()]
        edits += [Edit(shown[one], None) for one in dict.fromkeys(remove) if one in shown]
        edits = [one for one in edits if one.before != one.after]
        if edits:
            self._history(symbol).record(edits)
            self._carry_out(symbol, edits)
        return bool(edits)

    def undo(self, symbol: str) -> bool:
        """Take back the last step of a symbol; return whether there was one."""
        edits = self._history(symbol).undo(self._of(symbol).get)
        self._carry_out(symbol, edits)
        return bool(edits)

    def redo(self, symbol: str) -> bool:
        """Do the step again that was undone last; return whether there was one."""
        edits = self._history(symbol).redo(self._of(symbol).get)
        self._carry_out(symbol, edits)
        return bool(edits)

    # The database

    @property
    def changes(self) -> list[DrawingChange]:
        """What the database has not answered yet, oldest first."""
        return list(self._changes.values())

    def take(self, sent: Sequence[DrawingChange], news: DrawingNews) -> None:
        """Take the database's answer to the changes ``sent``, and what else is new there."""
        answers = {one.change_id: one for one in news.applied}
        for change in sent:
            if (answer := answers.get(change.change_id)) is not None:
                self._take_answer(change, answer)
        if news.is_whole:
            stored = {one.drawing_id for one in news.rows}
            for drawing_id in [one for one in self._rows if one not in stored]:
                self._note(self._rows.pop(drawing_id).symbol, drawing_id)
                self._dirty_rows.add(drawing_id)
        for row in news.rows:
            known = self._rows.get(row.drawing_id)
            if known is None or known.revision < row.revision or news.is_whole:
                self._keep_lost(known, row)
                self._set_row(row)
        self.seen = news.revision

    # The journal

    @property
    def is_dirty(self) -> bool:
        """Whether the journal lacks anything."""
        return bool(self._dirty_rows or self._dirty_changes) or self.seen != self._kept_seen

    def entry(self) -> JournalEntry:
        """Return what the journal lacks, and regard it as written; see `write_again`."""
        rows, changes = self._dirty_rows, self._dirty_changes
        self._dirty_rows, self._dirty_changes = set(), set()
        self._kept_seen = self.seen
        steps, gone_steps = list[KeptStep](), list[tuple[str, int]]()
        for symbol, history in self._histories.items():
            kept = self._kept_steps.setdefault(symbol, set())
            now = {one.number: (one, is_undone) for is_undone, some in _stacks(history) for one in some}
            steps += [KeptStep(symbol, key, now[key][1], edits_text(now[key][0].edits)) for key in now.keys() - kept]
            gone_steps += [(symbol, key) for key in kept - now.keys()]
            self._kept_steps[symbol] = set(now)
        return JournalEntry(
            self.seen,
            [self._rows[one] for one in rows if one in self._rows],
            [one for one in rows if one not in self._rows],
            [self._changes[one] for one in changes if one in self._changes],
            [one for one in changes if one not in self._changes],
            steps,
            gone_steps,
        )

    def write_again(self, entry: JournalEntry) -> None:
        """Regard an entry as not written."""
        self._dirty_rows |= {one.drawing_id for one in entry.rows} | set(entry.gone_rows)
        self._dirty_changes |= {one.drawing_id for one in entry.changes} | set(entry.gone_changes)
        for step in entry.steps:
            self._kept_steps[step.symbol].discard(step.number)
        for symbol, number in entry.gone_steps:
            self._kept_steps[symbol].add(number)
        self._kept_seen = -1

    # Inside

    def _of(self, symbol: str) -> dict[str, Drawing]:
        found = self._shown.get(symbol)
        if found is None:
            found = self._shown[symbol] = {}
            for drawing_id in self._ids.get(symbol, ()):
                self._show(symbol, drawing_id)
        return found

    def _show(self, symbol: str, drawing_id: str) -> None:
        """Show a drawing as it is now, if its symbol is shown."""
        shown = self._shown.get(symbol)
        if shown is None:
            return
        before = shown.get(drawing_id)
        row, change = self._rows.get(drawing_id), self._changes.get(drawing_id)
        latest = change or row
        content = latest.content if latest is not None and latest.symbol == symbol else None
        drawing = None if content is None else read_known(content, 0 if row is None else row.revision)
        if drawing is None:
            shown.pop(drawing_id, None)
        else:
            shown[drawing_id] = drawing
        if before != drawing:  # a new revision alone is no change
            self.changed.add(symbol)

    def _carry_out(self, symbol: str, edits: Sequence[Edit]) -> None:
        for edit in edits:
            drawing_id, after = edit.drawing_id, edit.after
            row, waiting = self._rows.get(drawing_id), self._changes.pop(drawing_id, None)
            base = 0 if row is None else row.revision
            self._changes[drawing_id] = DrawingChange(
                str(uuid.uuid4()),
                drawing_id,
                symbol,
                None if after is None else drawing_text(after),
                base if waiting is None else waiting.base_revision,
            )
            self._dirty_changes.add(drawing_id)
            self._note(symbol, drawing_id)

    def _take_answer(self, sent: DrawingChange, answer: AppliedChange) -> None:
        drawing_id, symbol = sent.drawing_id, sent.symbol
        waiting = self._changes.get(drawing_id)
        if answer.revision is not None:
            known = self._rows.get(drawing_id)
            if known is None or known.revision < answer.revision:
                self._set_row(
                    StoredDrawing(drawing_id, symbol, answer.revision, sent.base_revision, self.desktop, sent.content)
                )
        if waiting is not None and waiting.change_id == sent.change_id:
            del self._changes[drawing_id]
            self._dirty_changes.add(drawing_id)
        elif waiting is not None and answer.revision is not None:
            self._changes[drawing_id] = waiting._replace(base_revision=answer.revision)
            self._dirty_changes.add(drawing_id)
        for content in answer.overwritten:
            if (lost := read_known(content)) is not None:
                self._history(symbol).keep_lost(lost, self._of(symbol).get(drawing_id))
        self._note(symbol, drawing_id)

    def _keep_lost(self, known: StoredDrawing | None, row: StoredDrawing) -> None:
        """Let undo bring back this desktop's change, if another one replaced it without having seen it."""
        if known is None or known.desktop != self.desktop or row.desktop == self.desktop:
            return
        if row.base_revision < known.revision and known.content is not None and known.content != row.content:
            lost, now = read_known(known.content), None if row.content is None else read_known(row.content)
            if lost is not None:
                self._history(known.symbol).keep_lost(lost, now)

    def _set_row(self, row: StoredDrawing) -> None:
        # A removed one stays, too: what undo brings back names the revision that this desktop has seen.
        known, self._rows[row.drawing_id] = self._rows.get(row.drawing_id), row
        self._dirty_rows.add(row.drawing_id)
        self._note(row.symbol, row.drawing_id)
        if known is not None and known.symbol != row.symbol:
            self._note(known.symbol, row.drawing_id)

    def _note(self, symbol: str, drawing_id: str) -> None:
        self._ids.setdefault(symbol, set()).add(drawing_id)
        self._show(symbol, drawing_id)

    def _history(self, symbol: str) -> DrawingHistory:
        return self._histories.setdefault(symbol, DrawingHistory())


def _stacks(history: DrawingHistory) -> tuple[tuple[bool, Sequence[Step]], ...]:
    return (False, history.done), (True, history.undone)


def _histories(steps: Iterable[KeptStep]) -> dict[str, DrawingHistory]:
    stacks: dict[str, tuple[list[Step], list[Step]]] = {}
    for one in steps:
        if edits := read_edits(one.edits):
            stacks.setdefault(one.symbol, ([], []))[one.is_undone].append(Step(one.number, edits))
    return {symbol: DrawingHistory(*each) for symbol, each in stacks.items()}
