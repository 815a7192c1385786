"""``cryptopipe export`` when it is refused or interrupted."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.main import main
from tests.program import (
    hanging_url,
    needs_signals,
    set_surroundings,
    silent_server,
    started,
    unchanged_process,
    wait_for,
)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path) -> Iterator[None]:
    set_surroundings(monkeypatch, tmp_path, data_dir)
    with unchanged_process():
        yield


def test_an_export_where_nothing_is_recorded_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "BTCUSDT", "1m", "--out", str(tmp_path / "a.csv")]) == 2
    assert "Nothing is recorded in" in capsys.readouterr().err


@needs_signals
def test_a_signal_interrupts_export_while_the_database_hangs(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with silent_server() as database:
        arguments = [
            "export",
            "BTCUSDT",
            "1m",
            "--out",
            str(path),
            "--database-url",
            hanging_url(database.address),
        ]
        with started(*arguments) as process:
            wait_for(lambda: database.connections, process)
            process.send_signal(signal.SIGINT)
            printed = process.communicate(timeout=20)
            assert process.returncode == 1
        assert printed == ("", "cryptopipe: the export was cancelled and left no file.\n")
        with started(*arguments) as process:
            wait_for(lambda: len(database.connections) == 2, process)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=3)
            assert process.returncode == 1
    assert list(tmp_path.iterdir()) == []
