"""cryptopipe import-job, as the window starts it: it ends with its standard input, and is of no use by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from app.live.transfers.import_job import ImportJob, answer_of
from app.live.transfers.import_report import ImportReport
from app.live.transfers.imports import ImportSource
from app.live.transfers.process_lines import line_of
from app.market.errors import ImportFailed
from app.market.ports.row_files import ReadingOptions
from storage.postgres.connection import connect
from storage.schema.migrate import migrate
from tests.commands.play import TRADES, line
from tests.program import PROGRAM, hanging_url, set_surroundings, silent_server
from tests.servers import EMBEDDED, empty_schema, shared_server
from tests.storage.helpers import World, stored

PATIENCE_S = 60.0


def job(path: Path) -> bytes:
    return line_of(ImportJob((ImportSource(path, ReadingOptions()),)))


def started(**options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, "import-job"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


@pytest.fixture
def trades_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    path = tmp_path / "BTCUSDT-trades-2024-08-09.csv"
    path.write_text("".join(map(line, TRADES)))
    return path


def test_it_imports_what_standard_input_asks_for_and_reports_it(
    trades_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_schema(shared_server(EMBEDDED)) as url:
        monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", url)
        with connect(url) as connection:
            migrate(connection)
        with started() as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(job(trades_file))
            process.stdin.flush()
            *_, last = process.stdout  # it ends by itself, though its standard input is still open
            report = answer_of(last)
        assert process.returncode == 0
        assert isinstance(report, ImportReport)
        assert report.total("stored") == len(TRADES)
        world = World(url)
        try:
            assert stored(world.store) == TRADES
        finally:
            world.close()


def test_a_database_that_does_not_answer_is_the_sentence_it_ends_with(
    trades_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_server() as server:
        monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", hanging_url(server.address, connect_timeout_s=2))
        process = started()
        said, _ = process.communicate(job(trades_file), timeout=PATIENCE_S)
    assert process.returncode == 1
    with pytest.raises(ImportFailed, match="database"):
        answer_of(said)


@pytest.mark.parametrize("typed", [b"", b"[1]\n"])
def test_by_hand_it_says_which_command_to_take_and_makes_no_file(trades_file: Path, typed: bytes) -> None:
    process = started()
    said, complaint = process.communicate(typed, timeout=PATIENCE_S)
    assert (process.returncode, said) == (2, b"")
    assert complaint.decode() == "cryptopipe: import-job is for the window alone: write cryptopipe import FILE….\n"
    assert not (trades_file.parent / "data").exists()
