"""The smoke test of the package must fail where the package does; a shell script plays the package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.build_spec.scripts import load_script, write_program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script plays the package")
smoke = load_script("smoke")

SANDBOX = 'sandbox) echo $$ > {folder}/pid; echo "listening on http://127.0.0.1:9"; exec /bin/sleep 30;;'
EXPORT = 'export) printf "open_time,trades\\n1,{trades}\\n" > "$5";;'


def write_package(folder: Path, *, trades: int = 3, collect: int = 0, window: int = 0) -> None:
    cases = [
        SANDBOX.format(folder=folder),
        f'collect) [ "$CRYPTOPIPE_BINANCE_WS_URL" = ws://127.0.0.1:9 ] || exit 7; exit {collect};;',
        EXPORT.format(trades=trades),
        "doctor) exit 0;;",
        f'--demo) echo "first candles after 900 ms"; exit {window};;',
    ]
    write_program(folder / "cryptopipe", "\n".join(['case "$1" in', *cases, "esac"]))


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_working_package_passes_and_its_sandbox_is_ended(tmp_path, capsys):
    write_package(tmp_path)
    assert smoke.main([str(tmp_path)]) == 0
    assert "3 trades recorded" in capsys.readouterr().out
    assert not is_running(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("faults", "sentence"),
    [
        ({"collect": 1}, "collect --symbols BTCUSDT --for 5s” ended with exit code 1"),
        ({"trades": 0}, "nothing was recorded"),
        ({"window": 1}, "cryptopipe --demo --quit-after-first-paint” ended with exit code 1"),
    ],
    ids=["recording fails", "nothing recorded", "window fails"],
)
def test_a_part_that_does_not_work_fails_the_test_and_is_named(tmp_path, capsys, faults, sentence):
    write_package(tmp_path, **faults)
    assert smoke.main([str(tmp_path)]) == 1
    assert sentence in capsys.readouterr().err


def test_a_sandbox_that_does_not_start_fails_the_test(tmp_path, capsys):
    write_program(tmp_path / "cryptopipe", "exit 3")
    assert smoke.main([str(tmp_path)]) == 1
    assert "exit code 3" in capsys.readouterr().err


def test_a_folder_without_the_program_fails_the_test(tmp_path, capsys):
    assert smoke.main([str(tmp_path)]) == 1
    assert "cannot be started" in capsys.readouterr().err
