"""The journal of a desktop: what it writes is there again, several databases stay apart, damage costs only itself."""

from __future__ import annotations

import logging
import sqlite3
import uuid
from pathlib import Path

import pytest

from app.market.errors import FileError
from app.market.ports.drawings import DrawingChange, JournalEntry, KeptStep, StoredDrawing
from storage.drawings.drawing_journal import SqliteJournal

pytestmark = pytest.mark.embedded_only

ROW = StoredDrawing("id", "BTCUSDT", 3, 1, "somebody", "{}")
CHANGE = DrawingChange("change", "id", "BTCUSDT", None, 3)
STEP = KeptStep("BTCUSDT", 1, is_undone=True, edits="[]")
FULL = JournalEntry(7, rows=[ROW], changes=[CHANGE], steps=[STEP])


def test_what_is_written_is_there_after_a_new_start(tmp_path: Path) -> None:
    path = tmp_path / "drawings.sqlite"
    journal = SqliteJournal(path)
    first = journal.load("one")
    journal.write(FULL)
    journal.close()
    state = SqliteJournal(path).load()
    assert state == (first.desktop, "one", 7, [ROW], [CHANGE], [STEP])
    assert uuid.UUID(first.desktop)


def test_what_is_gone_is_gone(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "drawings.sqlite")
    journal.load("one")
    journal.write(FULL)
    journal.write(JournalEntry(8, gone_rows=["id"], gone_changes=["id"], gone_steps=[("BTCUSDT", 1)]))
    assert journal.load()[2:] == (8, [], [], [])


def test_databases_stay_apart(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "drawings.sqlite")
    journal.load("one")
    journal.write(FULL)
    assert journal.load("two")[1:] == ("two", 0, [], [], [])
    journal.write(JournalEntry(2, rows=[ROW._replace(revision=2)]))
    assert journal.load()[1:4] == ("two", 2, [ROW._replace(revision=2)])
    assert journal.load("one")[2:] == (7, [ROW], [CHANGE], [STEP])


def test_what_was_drawn_before_any_database_belongs_to_the_first_one(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "drawings.sqlite")
    assert journal.load()[1:3] == ("", 0)
    journal.write(JournalEntry(0, changes=[CHANGE], steps=[STEP]))
    assert journal.load("one")[1:] == ("one", 0, [], [CHANGE], [STEP])
    assert journal.load("two")[3:] == ([], [], [])


def test_a_damaged_file_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "drawings.sqlite"
    path.write_bytes(b"no database" * 1000)
    with caplog.at_level(logging.ERROR):
        assert SqliteJournal(path).load()[1:] == ("", 0, [], [], [])
    assert [one.levelname for one in caplog.records] == ["ERROR"]
    caplog.clear()
    (aside,) = tmp_path.glob("drawings-damaged-*.sqlite")
    assert aside.read_bytes().startswith(b"no database")


def test_a_file_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "drawings.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(FileError, match="newer"):
        SqliteJournal(path).load()


def test_where_nothing_can_be_written_one_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=r"make room there, or allow it .*\.$"):
        SqliteJournal(tmp_path / "file" / "drawings.sqlite").load()
