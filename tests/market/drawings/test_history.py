"""Undo and redo: alone as in any editor, beside other desktops without losing what they did."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.market.drawings.drawing import Anchor, Drawing, DrawingKind
from app.market.drawings.history import MOST_STEPS, DrawingHistory, Edit
from app.market.drawings.history_json import edits_text, read_edits

IDS = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(3)]
ids = st.sampled_from(IDS)
prices = st.integers(1, 5)


def line(drawing_id: str, price: float) -> Drawing:
    return Drawing(drawing_id, "BTCUSDT", DrawingKind.HORIZONTAL_LINE, (Anchor(0, price),))


class Alone(RuleBasedStateMachine):
    """One desktop: undo and redo walk along the states there were."""

    def __init__(self) -> None:
        super().__init__()
        self.history = DrawingHistory()
        self.now: dict[str, Drawing] = {}
        self.before: list[dict[str, Drawing]] = []
        self.after: list[dict[str, Drawing]] = []

    def carry_out(self, edits: list[Edit]) -> None:
        for edit in edits:
            assert self.now.get(edit.drawing_id) == edit.before
            if edit.after is None:
                del self.now[edit.drawing_id]
            else:
                self.now[edit.drawing_id] = edit.after

    @rule(changed=st.dictionaries(ids, st.none() | prices, min_size=1))
    def change(self, changed: dict[str, int | None]) -> None:
        edits = [Edit(self.now.get(one), price and line(one, price)) for one, price in changed.items()]
        edits = [edit for edit in edits if edit.before != edit.after]
        if edits:
            self.before.append(dict(self.now))
            self.after.clear()
            self.history.record(edits)
            self.carry_out(edits)

    @rule()
    def undo(self) -> None:
        there = dict(self.now)
        edits = self.history.undo(self.now.get)
        self.carry_out(edits)
        assert bool(edits) == bool(self.before)
        if self.before:
            assert self.now == self.before.pop()
            self.after.append(there)

    @rule()
    def redo(self) -> None:
        there = dict(self.now)
        edits = self.history.redo(self.now.get)
        self.carry_out(edits)
        assert bool(edits) == bool(self.after)
        if self.after:
            assert self.now == self.after.pop()
            self.before.append(there)

    @rule()
    def write_and_read(self) -> None:
        done, undone = (
            [step._replace(edits=read_edits(edits_text(step.edits))) for step in steps]
            for steps in (self.history.done, self.history.undone)
        )
        assert (done, undone) == (list(self.history.done), list(self.history.undone))
        self.history = DrawingHistory(done, undone)

    @invariant()
    def numbers_rise(self) -> None:
        for steps in (self.history.done, self.history.undone):
            numbers = [one.number for one in steps]
            assert numbers == sorted(set(numbers))


TestAlone = Alone.TestCase


def test_redo_brings_back_what_another_desktop_had_made_of_it() -> None:
    mine, theirs = line(IDS[0], 1), line(IDS[0], 2)
    history = DrawingHistory()
    history.record([Edit(None, mine)])
    assert history.undo({IDS[0]: theirs}.get) == [Edit(theirs, None)]
    assert history.redo({}.get) == [Edit(None, theirs)]


def test_a_step_without_an_effect_is_passed_over() -> None:
    first, second = line(IDS[0], 1), line(IDS[1], 1)
    history = DrawingHistory()
    history.record([Edit(None, first)])
    history.record([Edit(None, second)])
    assert history.undo({IDS[0]: first}.get) == [Edit(first, None)]  # another desktop removed the second
    assert not history.done


def test_what_was_lost_to_another_desktop_is_what_undo_brings_back_first() -> None:
    mine, theirs = line(IDS[0], 1), line(IDS[0], 2)
    history = DrawingHistory()
    history.record([Edit(None, mine)])
    history.keep_lost(mine, theirs)
    assert history.undo({IDS[0]: theirs}.get) == [Edit(theirs, mine)]
    assert history.undo({IDS[0]: mine}.get) == [Edit(mine, None)]


def test_the_oldest_steps_are_forgotten() -> None:
    history = DrawingHistory()
    for number in range(MOST_STEPS + 10):
        history.record([Edit(None, line(IDS[0], number))])
    assert len(history.done) == MOST_STEPS
    assert history.done[0].number == 11


def test_steps_with_a_drawing_of_a_newer_program_are_left_out() -> None:
    text = edits_text([Edit(None, line(IDS[0], 1))])
    assert read_edits(text.replace("horizontal_line", "pitchfork")) == ()
    assert read_edits(text) == (Edit(None, replace(line(IDS[0], 1), revision=3)),)
