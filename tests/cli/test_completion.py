"""What the shells complete: each really sources its script and asks the program, which connects to nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.completion import SHELLS
from app.main import main
from tests.docs import ROOT
from tests.program import set_surroundings, unchanged_process

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for the shells of other systems")

# Each prints, line by line, what can follow the words it is given.
ASK = {
    "bash": """
        . "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _cryptopipe_completion cryptopipe; printf '%s\\n' "${COMPREPLY[@]}"
    """,
    # Without a terminal zsh has no completion system: its functions are replaced by ones that print.
    "zsh": """
        function compdef() {}
        function compadd() { while [[ $1 != -a ]]; do shift; done; print -l -- ${(P)2} }
        function _describe() { print -l -- ${${(P)3}%%:*} }
        . "$1"; shift
        words=("$@"); CURRENT=$#; _cryptopipe_completion
    """,
    "fish": """
        source $argv[1]; set -e argv[1]
        complete -C (string join " " -- $argv) | string split -f 1 \\t
    """,
}


@pytest.fixture(params=SHELLS)
def completed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return ``completed(*words)``: what the shell offers for the last of them."""
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    program = tmp_path / "bin" / "cryptopipe"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m app.main "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("HOME", str(tmp_path))
    script, ask = tmp_path / f"script.{shell}", tmp_path / f"ask.{shell}"
    script.write_text(subprocess.check_output([program, "completion", shell], text=True), encoding="utf-8")
    ask.write_text(ASK[shell], encoding="utf-8")

    def run(*words: str) -> list[str]:
        done = subprocess.run(
            [shell, *(["-f"] if shell == "zsh" else []), ask, script, "cryptopipe", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout.split()

    return run


def test_commands_options_symbols_intervals_and_settings_are_completed(completed, tmp_path: Path) -> None:
    assert completed("ex") == ["export"]
    assert completed("db", "re") == ["rebuild", "retention"]
    assert completed("gaps", "--to") == ["--to-now"]
    assert completed("export", "bt") == ["BTCUSDT"]
    assert sorted(completed("export", "BTCUSDT", "3")) == ["30m", "30s", "3d", "3m"]
    assert completed("settings", "get", "log_f") == ["log_format"]
    assert not (tmp_path / "data").exists()


def test_a_shell_without_a_script_is_refused_with_those_that_have_one(capsys: pytest.CaptureFixture[str]) -> None:
    with unchanged_process():
        assert main(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err
