"""The ids of one symbol, against a model of plain sets that computes everything from scratch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from app.live.recording.tracked_ids import TrackedIds
from app.market.coverage import IdRanges

LAST = 40

ids = st.integers(1, LAST)
id_sets = st.sets(ids, max_size=12)
steps = st.one_of(
    st.tuples(st.just("add"), ids),
    st.tuples(st.just("lose"), st.tuples(ids, st.integers(0, 3))),
    st.tuples(st.just("regain"), ids),
    st.tuples(st.just("note_stored"), st.tuples(id_sets, id_sets)),
    st.tuples(st.just("note_absent"), st.tuples(ids, st.integers(0, 3))),
    st.tuples(st.just("note_absent_saved"), st.tuples(ids, st.integers(0, 3))),
    st.tuples(st.just("change_database"), id_sets),
    st.tuples(st.just("ask"), st.none()),  # derived sets are computed now, and updated in place from then on
)


def ranges(numbers: set[int]) -> IdRanges:
    return IdRanges((number, number) for number in sorted(numbers))


def numbers(found: IdRanges) -> set[int]:
    return {number for first, last in found for number in range(first, last + 1)}


@dataclass
class Model:
    """The rules as plain sets."""

    received: set[int] = field(default_factory=set)
    stored: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    elsewhere: set[int] = field(default_factory=set)
    absent: set[int] = field(default_factory=set)
    unsaved: set[int] = field(default_factory=set)
    came: set[int] = field(default_factory=set)
    """Ids of trades that came; other received ids are absent."""

    def add(self, number: int) -> bool:
        self.absent.discard(number)
        self.unsaved.discard(number)
        if number in self.received:
            if number in self.came:
                return False
            self.elsewhere.discard(number)
        self.came.add(number)
        self.received.add(number)
        return True

    def regain(self, number: int) -> bool:
        for found in (self.lost, self.elsewhere):
            if number in found:
                found.discard(number)
                return True
        return False

    def note_stored(self, stored: set[int], absent: set[int]) -> bool:
        gaps = set(range(min(self.received), max(self.received))) - self.received if self.received else set()
        filled = bool((gaps & stored) - self.stored)
        self.lost -= stored
        self.stored, self.absent = set(stored), self.unsaved | absent
        return filled

    def note_absent(self, absent: set[int]) -> None:
        self.received |= absent
        self.absent |= absent
        self.unsaved |= absent
        self.lost -= absent
        self.elsewhere -= absent

    def change_database(self, kept: set[int]) -> None:
        self.elsewhere = self.received - kept - self.lost
        self.stored, self.unsaved = set(), set()

    @property
    def known(self) -> set[int]:
        return (self.received - self.elsewhere) | self.stored

    @property
    def held(self) -> set[int]:
        return self.known - self.lost

    @property
    def missing(self) -> set[int]:
        return set(range(min(self.known), max(self.known) + 1)) - self.held if self.known else set()


@given(st.lists(steps, max_size=40))
def test_whatever_happens_all_sets_are_those_of_the_model(played: list[tuple[str, object]]) -> None:
    tracked, model = TrackedIds(), Model()
    for act, value in played:
        before = model.missing, tracked.changes
        play(tracked, model, act, value)
        check_invariants(tracked, model)
        if model.missing != before[0]:
            assert tracked.changes > before[1]  # readers look again only when it grew
    check_derived(tracked, model)


def play(tracked: TrackedIds, model: Model, act: str, value: object) -> None:
    match act, value:
        case "add", int(number):
            assert tracked.add(number) == model.add(number)
        case "lose", (int(first), int(more)):
            tracked.lose(first, first + more)
            model.lost |= set(range(first, first + more + 1))
        case "regain", int(number):
            assert tracked.regain(number) == model.regain(number)
        case "note_stored", (set(stored), set(absent)):
            assert tracked.note_stored(ranges(stored), ranges(absent)) == model.note_stored(stored, absent)
        case "note_absent", (int(first), int(more)):
            tracked.note_absent(first, first + more)
            model.note_absent(set(range(first, first + more + 1)))
        case "note_absent_saved", (int(first), int(more)):
            tracked.note_absent_saved(first, first + more)
            model.unsaved -= set(range(first, first + more + 1))
        case "change_database", set(kept):
            tracked.change_database(ranges(kept))
            model.change_database(kept)
        case _:
            check_derived(tracked, model)


def check_invariants(tracked: TrackedIds, model: Model) -> None:
    for name, expected in (
        ("received", model.received),
        ("stored", model.stored),
        ("lost", model.lost),
        ("elsewhere", model.elsewhere),
        ("absent", model.absent),
        ("absent_unsaved", model.unsaved),
    ):
        assert numbers(getattr(tracked, name)) == expected, name
    assert model.unsaved <= model.absent
    assert model.elsewhere <= model.received
    assert numbers(tracked._assumed) == model.received - model.came
    assert tracked.newest == max(model.received | model.stored, default=None)


def check_derived(tracked: TrackedIds, model: Model) -> None:
    assert numbers(tracked.held()) == model.held
    assert numbers(tracked.missing()) == model.missing
    assert tracked.missing_count() == len(model.missing)


def test_trades_in_order_change_nothing_that_readers_must_look_at_again() -> None:
    tracked = TrackedIds()
    tracked.note_stored(ranges({1, 2}))
    tracked.add(5)
    assert numbers(tracked.missing()) == {3, 4}
    changes, filled = tracked.changes, tracked.filled
    for number in range(6, 50):
        assert tracked.add(number)
    assert (tracked.changes, tracked.filled) == (changes, filled)
    tracked.add(3)
    assert tracked.changes > changes
    assert tracked.filled == filled + 1


def test_every_change_raises_the_counter() -> None:
    changes: list[Callable[[TrackedIds], object]] = [
        lambda tracked: tracked.lose(2, 3),
        lambda tracked: tracked.regain(2),
        lambda tracked: tracked.note_absent(3, 3),
        lambda tracked: tracked.note_stored(ranges({1, 2})),
        lambda tracked: tracked.change_database(ranges(set())),
    ]
    tracked = TrackedIds()
    for number in (1, 2, 5):
        tracked.add(number)
    for change in changes:
        before = tracked.changes
        change(tracked)
        assert tracked.changes == before + 1
