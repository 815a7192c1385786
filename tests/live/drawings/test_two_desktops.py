"""
Two desktops on one real database, with whatever happens between them: edits at once, lost answers, kills, undo.

In the end both show the same, and every drawing that was put last by a desktop is there, or undo brings it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from app.live.drawings.drawing_book import DrawingBook
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind
from app.market.ports.drawings import DrawingChange, DrawingNews
from storage.drawings.drawing_journal import SqliteJournal
from storage.drawings.drawing_store import PostgresDrawings
from tests.depth import examples
from tests.storage.helpers import World

SYMBOL = "BTCUSDT"
IDS = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(2)]
OPERATIONS = ("put", "put", "put", "remove", "undo", "redo", "ask", "answer", "sync", "kill")

operations = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 1), st.sampled_from(IDS)), min_size=3, max_size=25
)


class Desktop:
    """A book with its journal; `ask` and `answer` are the two halves of an exchange."""

    def __init__(self, path: Path, store: PostgresDrawings) -> None:
        self._store = store
        self._journal = SqliteJournal(path)
        self._answer: tuple[list[DrawingChange], DrawingNews] | None = None
        self.last_put: dict[str, Drawing] = {}
        self.kill()

    def kill(self) -> None:
        """Begin again with what the journal has; an answer on its way is lost."""
        self.book = DrawingBook(self._journal.load(self._store.database_id()))
        self._answer = None

    def save(self) -> None:
        if self.book.is_dirty:
            self._journal.write(self.book.entry())

    def ask(self) -> None:
        if self._answer is None:
            changes = self.book.changes
            self._answer = changes, self._store.exchange(self.book.desktop, self.book.seen, changes)

    def answer(self) -> None:
        if self._answer is not None:
            self.book.take(*self._answer)
            self._answer = None

    def sync(self) -> None:
        self.answer()
        self.ask()
        self.answer()
        self.save()

    def reachable(self) -> list[Drawing | None]:
        """What undo brings back, if it is pressed often enough."""
        history = self.book._histories.get(SYMBOL)
        return [] if history is None else [edit.before for step in history.done for edit in step.edits]

    def close(self) -> None:
        self._journal.close()


def drawing(drawing_id: str, price: int) -> Drawing:
    return Drawing(drawing_id, SYMBOL, DrawingKind.HORIZONTAL_LINE, (Anchor(0, price),))


def forget(desktops: list[Desktop], before: tuple[Drawing, ...], after: tuple[Drawing, ...]) -> None:
    """What somebody saw and undid need not be reachable by undo."""
    gone = set(before) - set(after)
    for one in desktops:
        one.last_put = {key: put for key, put in one.last_put.items() if put not in gone}


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=operations, number=st.uuids())
def test_nothing_is_lost_and_both_show_the_same(world: World, tmp_path: Path, steps: list, number: object) -> None:
    with world.connect() as connection:
        connection.execute("TRUNCATE drawings, drawing_changes")
        connection.execute("UPDATE drawing_revision SET revision = 0, database_id = gen_random_uuid()")
    store = PostgresDrawings(world.store.pool)
    desktops = [Desktop(tmp_path / f"{number}-{which}.sqlite", store) for which in range(2)]
    for price, (operation, which, drawing_id) in enumerate(steps, 1):
        one = desktops[which]
        before = one.book.drawings(SYMBOL)
        match operation:
            case "put":
                one.book.change(SYMBOL, [drawing(drawing_id, price)])
                one.last_put[drawing_id] = drawing(drawing_id, price)
            case "remove":
                one.book.change(SYMBOL, remove=[drawing_id])
                one.last_put.pop(drawing_id, None)
            case "undo" | "redo":
                getattr(one.book, operation)(SYMBOL)
                forget(desktops, before, one.book.drawings(SYMBOL))
            case _:
                getattr(one, operation)()
        one.save()
    for one in (*desktops, *desktops, *desktops):
        one.sync()
    left, right = desktops
    assert left.book.drawings(SYMBOL) == right.book.drawings(SYMBOL)
    assert list(left.book.drawings(SYMBOL)) == store.read([SYMBOL]).drawings
    assert not left.book.changes
    assert not right.book.changes
    there = [*left.book.drawings(SYMBOL), *left.reachable(), *right.reachable()]
    for one in desktops:
        for put in one.last_put.values():
            event("current" if put in left.book.drawings(SYMBOL) else "by undo")
            assert put in there
        shown = one.book.drawings(SYMBOL)
        one.kill()
        assert one.book.drawings(SYMBOL) == shown
        one.close()


@pytest.fixture
def desktops(world: World, tmp_path: Path) -> Iterator[tuple[Desktop, Desktop]]:
    """Two desktops on one database."""
    store = PostgresDrawings(world.store.pool)
    pair = Desktop(tmp_path / "a.sqlite", store), Desktop(tmp_path / "b.sqlite", store)
    yield pair
    for one in pair:
        one.close()


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_removal_that_is_undone_adds_no_step(desktops: tuple[Desktop, Desktop], is_killed: bool) -> None:
    one, other = desktops
    for price in (1, 2):
        other.book.change(SYMBOL, [drawing(IDS[0], price)])
        other.sync()
    one.sync()
    one.book.change(SYMBOL, [drawing(IDS[1], 7)])
    one.book.change(SYMBOL, remove=[IDS[0]])  # seen, with all that the other one had made of it
    one.sync()
    if is_killed:
        one.kill()
    assert one.book.undo(SYMBOL)
    one.sync()
    other.sync()
    assert other.book.drawings(SYMBOL) == (drawing(IDS[0], 2), drawing(IDS[1], 7))
    assert one.book.undo(SYMBOL)
    assert one.book.drawings(SYMBOL) == (drawing(IDS[0], 2),)
    assert not one.book.can_undo(SYMBOL)


def test_a_drawing_removed_on_another_desktop_is_brought_back_without_another_step(
    desktops: tuple[Desktop, Desktop],
) -> None:
    one, other = desktops
    one.book.change(SYMBOL, [drawing(IDS[0], 1)])
    one.sync()
    other.sync()
    other.book.change(SYMBOL, [drawing(IDS[0], 2)])
    other.sync()
    one.sync()
    one.book.change(SYMBOL, [drawing(IDS[0], 3)])
    one.sync()
    other.sync()
    other.book.change(SYMBOL, remove=[IDS[0]])
    other.sync()
    one.sync()
    assert one.book.drawings(SYMBOL) == ()
    assert one.book.undo(SYMBOL)
    one.sync()
    assert one.book.drawings(SYMBOL) == (drawing(IDS[0], 2),)
    assert one.book.undo(SYMBOL)
    assert one.book.drawings(SYMBOL) == ()
