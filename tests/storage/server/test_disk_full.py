"""The embedded database on a disk that fills up: a real file system, in memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app.market.errors import StoreUnavailable
from storage.database import Database
from storage.postgres.connection import connect
from storage.server.embedded_server import EmbeddedServer
from storage.server.postmaster import find_server
from tests.soak.recorder.checks import differences, missing_of_rounds
from tests.soak.recorder.tape import trades_of_round
from tests.storage.small_disk import MB, SmallDisk, mounted

PATIENCE_S = 40.0
SEED = 9


@pytest.fixture
def disk(reachable_folder: Path) -> Iterator[SmallDisk]:
    with mounted(reachable_folder / "small-disk", "size=128m,mode=0711") as made:
        yield made


class Recorder:
    """Records the tape, and counts the trades it has put and the acknowledged ones."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.put = 0
        self.acknowledged = 0

    def put_rounds(self, count: int) -> None:
        for _ in range(count):
            assert self.database.writer.put(trades_of_round(SEED, self.put))
            self.put += 1

    def record(self, count: int) -> None:
        self.put_rounds(count)
        assert self.database.writer.drain(PATIENCE_S)
        self.acknowledged = self.put

    def wait_for_reason(self, wanted: Callable[[str], bool]) -> str:
        """Put trades until the writer gives a matching reason; return it."""
        deadline = time.monotonic() + PATIENCE_S
        while not wanted(reason := self.database.writer.status.reason):
            assert time.monotonic() < deadline, reason
            self.put_rounds(1)
            time.sleep(0.02)
        return reason

    def check(self) -> None:
        with connect(self.database.url) as connection:
            assert missing_of_rounds(connection, SEED, range(self.acknowledged)) == []

    def check_all(self) -> None:
        assert self.database.writer.drain(PATIENCE_S)
        assert self.database.writer.status.reason == ""
        with connect(self.database.url) as connection:
            assert differences(connection, SEED, self.put) == []


@pytest.fixture
def recorder(disk: SmallDisk) -> Iterator[Recorder]:
    database = Database.open(None, disk.path / "data")
    yield Recorder(database)
    database.close()


def test_a_full_disk_is_reported_and_recording_resumes_when_there_is_space(disk: SmallDisk, recorder: Recorder) -> None:
    recorder.record(5)
    disk.fill(leave=256 * 1024)
    reason = recorder.wait_for_reason(bool)
    assert reason == "Could not store trades: the disk is full; free some space."
    recorder.check()
    disk.make_room()
    recorder.check_all()


def test_a_server_that_a_full_disk_has_brought_down_restarts_when_there_is_space(
    disk: SmallDisk, recorder: Recorder
) -> None:
    recorder.record(5)
    disk.fill()
    bring_down(recorder.database)
    reason = recorder.wait_for_reason(lambda text: text.startswith("The disk is full"))
    home = disk.path / "data" / "database"
    assert reason == f"The disk is full: free some space where the embedded database lies, in {home}."
    # A little space is not enough: it stays down and says why.
    disk.make_room()
    disk.fill(leave=2 * MB)
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        assert "disk is full" in recorder.database.writer.status.reason
        time.sleep(0.05)
    disk.make_room()
    recorder.check_all()


def test_a_database_that_does_not_fit_on_the_disk_says_so_and_is_created_when_there_is_space(disk: SmallDisk) -> None:
    for leave in (0, 10 * MB):
        disk.fill(leave)
        with pytest.raises(StoreUnavailable, match=r"^The disk is full: free some space where .*small-disk"):
            EmbeddedServer(disk.path / "data").start()
        disk.make_room()
    server = EmbeddedServer(disk.path / "data")
    connect(server.start()).close()
    assert server.stop()


def bring_down(database: Database) -> None:
    """Write WAL, which brings the server down if the disk is full."""
    assert database._server is not None
    home = database._server._home
    assert home is not None
    server = find_server(home)
    assert server is not None
    with contextlib.suppress(psycopg.OperationalError), connect(database.url) as connection:
        for _ in range(200):
            connection.execute("SELECT pg_logical_emit_message(true, 'filler', repeat('x', 1000000))")
    server.wait(PATIENCE_S)
