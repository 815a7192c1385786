"""Drawings in the database of every edition: revisions, conflicts, changes that come twice."""

from __future__ import annotations

import threading
import uuid

import psycopg
import pytest

from app.market.drawings.drawing import Anchor, Drawing, DrawingKind
from app.market.drawings.drawing_json import drawing_text
from app.market.ports.drawings import DrawingChange
from storage.drawings.drawing_store import PostgresDrawings
from tests.storage.helpers import World

pytestmark = pytest.mark.mostly_embedded

A, B = str(uuid.uuid4()), str(uuid.uuid4())
IDS = [str(uuid.uuid4()) for _ in range(3)]


@pytest.fixture
def store(world: World) -> PostgresDrawings:
    return PostgresDrawings(world.store.pool)


def text(drawing_id: str, price: float, **fields: object) -> str:
    one = Drawing(drawing_id, "BTCUSDT", DrawingKind.HORIZONTAL_LINE, (Anchor(0, price),), extra=fields)
    return drawing_text(one)


def change(number: int, price: float | None, base: int = 0, *, symbol: str = "BTCUSDT") -> DrawingChange:
    content = None if price is None else text(IDS[number], price)
    return DrawingChange(str(uuid.uuid4()), IDS[number], symbol, content, base)


def test_what_one_desktop_stores_another_reads_once(store: PostgresDrawings) -> None:
    news = store.exchange(A, 0, [change(0, 1), change(1, 2)])
    assert [one.revision for one in news.applied] == [1, 2]
    seen = store.exchange(B, 0, [])
    assert [(one.drawing_id, one.revision, one.desktop, one.content) for one in seen.rows] == [
        (IDS[0], 1, A, text(IDS[0], 1)),
        (IDS[1], 2, A, text(IDS[1], 2)),
    ]
    assert seen.revision == 2
    assert store.exchange(B, 2, []).rows == ()
    assert [one.drawing_id for one in store.exchange(B, 1, []).rows] == [IDS[1]]


def test_json_is_kept_to_the_character(store: PostgresDrawings) -> None:
    odd = text(IDS[0], 1e-7, new={"b": 1, "a": [0.1, -0.0, "\x00", "\ud800", "ä"]})
    store.exchange(A, 0, [change(0, 1)._replace(content=odd)])
    assert store.exchange(B, 0, []).rows[0].content == odd
    assert drawing_text(store.read().drawings[0]) == odd


def test_a_removed_drawing_stays_as_news(store: PostgresDrawings) -> None:
    store.exchange(A, 0, [change(0, 1)])
    store.exchange(A, 1, [change(0, None, 1)])
    assert [(one.revision, one.content) for one in store.exchange(B, 1, []).rows] == [(2, None)]
    assert store.read().drawings == []


def test_a_change_that_comes_again_is_answered_as_before_and_changes_nothing(store: PostgresDrawings) -> None:
    first = change(0, 1)
    store.exchange(B, 0, [first])
    over = change(0, 2)
    answer = store.exchange(A, 0, [over]).applied
    assert [(one.revision, one.overwritten) for one in answer] == [(2, [first.content])]
    store.exchange(B, 2, [change(0, 3, 2)])
    again = store.exchange(A, 2, [over])
    assert again.applied == answer
    assert [one.content for one in again.rows] == [text(IDS[0], 3)]


def test_the_later_change_wins_and_learns_what_it_replaced_unseen(store: PostgresDrawings) -> None:
    store.exchange(A, 0, [change(0, 1)])
    store.exchange(B, 1, [change(0, 2, 1)])
    store.exchange(B, 2, [change(0, 3, 2)])
    (answer,) = store.exchange(A, 1, [change(0, 4, 1)]).applied
    assert answer.overwritten == [text(IDS[0], 2), text(IDS[0], 3)]
    assert [one.anchors[0].price for one in store.read().drawings] == [4]


def test_own_changes_are_no_conflict(store: PostgresDrawings) -> None:
    store.exchange(A, 0, [change(0, 1)])
    (answer,) = store.exchange(A, 0, [change(0, 2)]).applied  # a kill came before the first answer was noted
    assert answer.overwritten == []


def test_a_removal_yields_to_what_its_maker_had_not_seen(store: PostgresDrawings) -> None:
    store.exchange(A, 0, [change(0, 1), change(1, 1)])
    store.exchange(B, 2, [change(0, 2, 1)])
    refused, removed = store.exchange(A, 2, [change(0, None, 1), change(1, None, 2)]).applied
    assert refused.revision is None
    assert removed.revision is not None
    assert [(one.id, one.anchors[0].price) for one in store.read().drawings] == [(IDS[0], 2)]


def test_a_change_wins_over_a_removal_it_had_not_seen(store: PostgresDrawings) -> None:
    store.exchange(A, 0, [change(0, 1)])
    store.exchange(B, 1, [change(0, None, 1)])
    (answer,) = store.exchange(A, 1, [change(0, 2, 1)]).applied
    assert answer.overwritten == []
    assert [one.anchors[0].price for one in store.read().drawings] == [2]


def test_a_database_of_an_earlier_time_sends_all(store: PostgresDrawings) -> None:
    store.exchange(A, 0, [change(0, 1)])
    news = store.exchange(B, 40, [])
    assert news.is_whole
    assert news.revision == 1
    assert [one.drawing_id for one in news.rows] == [IDS[0]]


def test_only_the_last_changes_of_a_drawing_are_kept(world: World, store: PostgresDrawings) -> None:
    store.exchange(A, 0, [change(1, 1)])
    for number in range(30):
        store.exchange(A, 0, [change(0, number, number)])
    rows = world.rows("SELECT drawing_id::text, count(*) FROM drawing_changes GROUP BY 1")
    assert dict(rows) == {IDS[0]: 20, IDS[1]: 1}


def test_desktops_that_write_at_once_miss_nothing_of_each_other(store: PostgresDrawings) -> None:
    """A reader who follows while eight write sees every revision, though they are taken before they are committed."""
    written, failures = list[str](), list[BaseException]()

    def write() -> None:
        try:
            for _ in range(15):
                one = DrawingChange(str(uuid.uuid4()), str(uuid.uuid4()), "BTCUSDT", text(IDS[0], 1), 0)
                store.exchange(str(uuid.uuid4()), 1 << 40, [one])
                written.append(one.drawing_id)
        except BaseException as error:  # noqa: BLE001  # because it is checked below
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    seen, found = 0, set[str]()
    while any(thread.is_alive() for thread in threads) or seen < 90:
        news = store.exchange(A, seen, [])
        seen = news.revision
        found |= {one.drawing_id for one in news.rows}
        assert not failures
    for thread in threads:
        thread.join()
    assert found == set(written)
    assert len(found) == 90


def test_drawings_are_read_by_symbol_and_in_their_order(store: PostgresDrawings) -> None:
    other = Drawing(IDS[2], "ETHUSDT", DrawingKind.NOTE, (Anchor(0, 1.0),), text="x")
    below = Drawing(IDS[1], "BTCUSDT", DrawingKind.NOTE, (Anchor(0, 1.0),), order=-1.0)
    store.exchange(
        A,
        0,
        [
            change(0, 1),
            DrawingChange(str(uuid.uuid4()), IDS[2], "ETHUSDT", drawing_text(other), 0),
            DrawingChange(str(uuid.uuid4()), IDS[1], "BTCUSDT", drawing_text(below), 0),
        ],
    )
    unknown = text(IDS[0], 1).replace("horizontal_line", "pitchfork")
    store.exchange(A, 3, [change(0, 1, 1)._replace(content=unknown)])
    assert store.read(["BTCUSDT"]) == ([below], 1)
    assert store.read() == ([below, other], 1)
    assert store.revisions([IDS[0], IDS[2], str(uuid.uuid4())]) == {IDS[0]: 4, IDS[2]: 2}


def test_a_reading_role_sees_drawings_and_a_recording_one_changes_them(world: World, store: PostgresDrawings) -> None:
    rows = world.rows(
        "SELECT has_table_privilege(current_user, 'drawings', 'UPDATE'), database_id IS NOT NULL FROM drawing_revision"
    )
    assert rows == [(True, True)]
    with world.connect() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("INSERT INTO drawing_revision (id) VALUES (2)")
