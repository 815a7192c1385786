"""The board of drawings on real disks and a real database: shown at once, kept through whatever is away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from app.concurrency.system_clock import SystemClock
from app.live.drawings.drawing_board import DrawingBoard
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind
from app.market.errors import StoreUnavailable, UsageError
from app.market.ports.database import OpenedDatabase
from storage.drawings.drawing_journal import SqliteJournal
from storage.drawings.drawing_store import PostgresDrawings
from tests.live.helpers import SYMBOL, until
from tests.storage.helpers import World

IDS = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(3)]


def line(number: int, price: float, symbol: str = SYMBOL) -> Drawing:
    return Drawing(IDS[number], symbol, DrawingKind.HORIZONTAL_LINE, (Anchor(0, price),))


def opened(world: World, reason: str = "") -> OpenedDatabase:
    drawings = PostgresDrawings(world.store.pool)
    return cast(OpenedDatabase, SimpleNamespace(drawings=drawings, read_only_reason=reason))


def stored(world: World) -> list[Drawing]:
    return PostgresDrawings(world.store.pool).read().drawings


@contextlib.asynccontextmanager
async def running(
    path: Path | None, database: Callable[[], OpenedDatabase | None], *, killed: bool = False
) -> AsyncIterator[DrawingBoard]:
    """Yield a board at work; ``killed``: what a kill leaves out at the end is left out."""
    journal = None if path is None else SqliteJournal(path)
    board = DrawingBoard(journal, database, SystemClock())
    task = asyncio.create_task(board.run())
    try:
        yield board
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        if not killed:
            await board.finish()
        elif journal is not None:
            journal.close()


async def known(board: DrawingBoard, symbol: str = SYMBOL) -> None:
    """Wait until the board knows the drawings of a symbol."""
    is_known = asyncio.Event()
    board.on_change.append(lambda changed: is_known.set() if changed == symbol else None)
    board.drawings(symbol)
    await asyncio.wait_for(is_known.wait(), 20)


async def test_nothing_is_opened_until_somebody_asks(world: World, tmp_path: Path) -> None:
    def asked() -> OpenedDatabase | None:
        raise AssertionError("nobody has asked for drawings")

    async with running(tmp_path / "drawings.sqlite", asked):
        await asyncio.sleep(0.01)
    assert not (tmp_path / "drawings.sqlite").exists()


async def test_a_drawing_is_shown_at_once_and_another_desktop_sees_it(world: World, tmp_path: Path) -> None:
    database = opened(world)
    async with (
        running(tmp_path / "a.sqlite", lambda: database) as one,
        running(tmp_path / "b.sqlite", lambda: database) as other,
    ):
        await known(one)
        await known(other)
        one.put(line(0, 1), line(1, 2))
        assert one.drawings(SYMBOL) == (line(0, 1), line(1, 2))
        await until(lambda: other.drawings(SYMBOL) == (line(0, 1), line(1, 2)), "the other desktop")
        other.remove(SYMBOL, IDS[0])
        other.put(line(1, 3))
        await until(lambda: one.drawings(SYMBOL) == (line(1, 3),), "the first desktop")
        assert not one.can_redo(SYMBOL)
        assert one.undo(SYMBOL)  # its own step: both drawings were not there
        await until(lambda: other.drawings(SYMBOL) == (), "the undo")
        assert one.redo(SYMBOL)
        assert one.drawings(SYMBOL) == (line(1, 3),)


async def test_without_a_database_drawings_outlive_a_kill_and_come_to_the_database_later(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "drawings.sqlite"
    async with running(path, lambda: None, killed=True) as board:
        board.put(line(0, 1))  # before anything is known
        await known(board)
        board.put(line(1, 2))
        assert board.undo(SYMBOL)
        await until(lambda: board._book is not None and not board._book.is_dirty, "the journal")
        await asyncio.sleep(0)
    assert stored(world) == []
    database = opened(world)
    async with running(path, lambda: database) as board:
        await known(board)
        await until(lambda: board.drawings(SYMBOL) == (line(0, 1),), "the drawing of the earlier run")
        await until(lambda: stored(world) == [line(0, 1)], "the database")
        assert board.redo(SYMBOL)
        assert board.undo(SYMBOL)
        assert board.undo(SYMBOL)
        assert board.drawings(SYMBOL) == ()
    assert stored(world) == []  # finish brought it there


async def test_a_database_that_fails_for_a_while_loses_nothing(world: World, tmp_path: Path) -> None:
    class Failing:
        fails = True

        def database_id(self) -> str:
            return PostgresDrawings(world.store.pool).database_id()

        def exchange(self, *args: object) -> object:
            if self.fails:
                raise StoreUnavailable("The database is away.")
            return PostgresDrawings(world.store.pool).exchange(*args)

    failing = Failing()
    database = cast(OpenedDatabase, SimpleNamespace(drawings=failing, read_only_reason=""))
    async with running(tmp_path / "drawings.sqlite", lambda: database) as board:
        await known(board)
        for price in range(1, 20):
            board.put(line(0, price))
            await asyncio.sleep(0.002)
        failing.fails = False
        await until(lambda: stored(world) == [line(0, 19)], "the database")
        assert board.undo(SYMBOL)
        await until(lambda: stored(world) == [line(0, 18)], "the undo")


async def test_each_database_has_its_own_drawings(world: World, tmp_path: Path) -> None:
    from tests.servers import EMBEDDED, empty_schema, shared_server

    with empty_schema(shared_server(EMBEDDED)) as url:
        from storage.postgres.connection import connect
        from storage.schema.migrate import migrate

        with connect(url) as connection:
            migrate(connection)
        second = World(url)
        here = [opened(world)]
        async with running(tmp_path / "drawings.sqlite", lambda: here[0]) as board:
            await known(board)
            board.put(line(0, 1))
            await until(lambda: stored(world), "the first database")
            here[0] = opened(second)
            await until(lambda: board.drawings(SYMBOL) == (), "the second database")
            board.put(line(1, 2))
            await until(lambda: stored(second) == [line(1, 2)], "the second database")
            here[0] = opened(world)
            await until(lambda: board.drawings(SYMBOL) == (line(0, 1),), "the first database again")
            assert board.undo(SYMBOL)
        assert (stored(world), stored(second)) == ([], [line(1, 2)])
        second.close()


async def test_a_reading_role_keeps_its_changes_to_itself(world: World, tmp_path: Path) -> None:
    database, path = opened(world, "Reading only."), tmp_path / "drawings.sqlite"
    async with running(path, lambda: database) as board:
        await known(board)
        board.put(line(0, 1))
        await until(lambda: board._book is not None and bool(board._book.database_id), "the database")
    assert stored(world) == []
    async with running(path, lambda: database) as board:
        await until(lambda: board.drawings(SYMBOL) == (line(0, 1),), "the journal")


async def test_without_a_disk_drawings_still_come_to_the_database(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    database = opened(world)
    with caplog.at_level(logging.ERROR):
        async with running(tmp_path / "file" / "drawings.sqlite", lambda: database) as board:
            board.put(line(0, 1))
            await until(lambda: stored(world) == [line(0, 1)], "the database")
            assert board.can_undo(SYMBOL)
    assert ["kept in memory" in one.message for one in caplog.records] == [True]
    caplog.clear()


async def test_what_is_not_possible_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "drawings.sqlite", lambda: None) as board:
        await known(board)
        with pytest.raises(UsageError, match="1 anchors, not 0"):
            board.put(line(0, 1), Drawing(IDS[1], SYMBOL, DrawingKind.NOTE, ()))
        with pytest.raises(UsageError, match="copy it with a new id"):
            board.change(SYMBOL, put=[line(0, 1, "ETHUSDT")])
        board.remove(SYMBOL, IDS[2])
        assert board.drawings(SYMBOL) == ()
        assert not board.can_undo(SYMBOL)


async def test_listeners_hear_only_of_symbols_somebody_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path / "drawings.sqlite", lambda: None) as board:
        await known(board)
        heard: list[str] = []
        board.on_change.append(heard.append)
        board.put(line(0, 1, "ETHUSDT"), line(1, 1))
        assert heard == [SYMBOL]
        assert board.drawings("ETHUSDT") == (line(0, 1, "ETHUSDT"),)


@pytest.mark.parametrize("is_read_only", [False, True])
async def test_many_drawings_that_no_database_takes_leave_the_loop_to_others(
    world: World, tmp_path: Path, is_read_only: bool
) -> None:
    asked = list[int]()

    def database() -> OpenedDatabase | None:
        asked.append(1)
        assert len(asked) < 100, "the board asks again and again without a pause"
        return opened_once if is_read_only else None

    opened_once = opened(world, "reads only")
    lines = [
        Drawing(str(uuid.UUID(int=number)), SYMBOL, DrawingKind.HORIZONTAL_LINE, (Anchor(0, float(number)),))
        for number in range(1, 1_202)
    ]
    async with running(tmp_path / "drawings.sqlite", database) as board:
        await known(board)
        board.change(SYMBOL, put=lines)
        await asyncio.sleep(1.0)
        assert len(board.drawings(SYMBOL)) == len(lines)
        assert not board.is_stored
    writable = opened(world)
    async with running(tmp_path / "drawings.sqlite", lambda: writable) as board:
        await known(board)
        await until(lambda: board.is_stored)
    assert len(stored(world)) == len(lines)
