"""What setting up says and does, with programs in place of those that would change the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.build_spec.scripts import ROOT, load_script, write_program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the set-up is make's and the shell's")
bootstrap = load_script("bootstrap")


def run_script(name: str, *arguments: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of build_spec with only the programs in ``path`` to be found, besides the shell's basic ones."""
    for program in ("dirname", "mktemp", "rm", "tail", "env"):
        where = shutil.which(program)
        assert where is not None
        (path / program).symlink_to(where)
    command = ["/bin/sh", str(ROOT / "build_spec" / name), *arguments]
    return subprocess.run(command, env={"PATH": str(path)} | environment, capture_output=True, text=True)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """An empty folder for programs."""
    folder = tmp_path / "programs"
    folder.mkdir()
    return folder


def test_missing_libraries_are_read_from_ldd():
    output = "\tlinux-vdso.so.1 (0x1)\n\tlibEGL.so.1 => not found\n\tlibz.so.1 => /lib/libz.so.1 (0x2)\n"
    assert bootstrap.missing_libraries(output) == {"libEGL.so.1"}


def test_unknown_missing_libraries_are_told_apart_from_those_with_a_package(monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap, "_run", lambda command: "libGL.so.1 => not found\nlibodd.so.9 => not found\n")
    monkeypatch.setattr(bootstrap, "_has_fonts", lambda: True)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name)
    assert bootstrap.missing_packages(tmp_path) == (["libgl1"], ["libodd.so.9"])


def test_a_machine_without_fonts_gets_one(monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap, "_run", lambda command: "")
    monkeypatch.setattr(bootstrap, "FONT_FOLDERS", (str(tmp_path),))
    assert bootstrap.missing_packages(tmp_path) == (["fonts-dejavu-core"], [])


def test_a_broken_environment_is_made_anew(tmp_path):
    broken = tmp_path / "bin" / "python"
    write_program(broken, "exit 1")
    assert not bootstrap._is_usable(broken)
    assert bootstrap._is_usable(Path(sys.executable))


def test_wrong_usage_is_one_sentence(capsys):
    assert bootstrap.main(["everything"]) == 1
    assert capsys.readouterr().err == "cryptopipe: usage: bootstrap.py run | dev\n"


def test_without_a_right_to_install_the_line_to_run_is_printed(programs):
    write_program(programs / "apt-get", "exit 99")
    write_program(programs / "id", "echo 1000")
    write_program(programs / "sudo", "exit 1")
    ended = run_script("apt.sh", "libegl1", "libgl1", path=programs)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends libegl1 libgl1" in ended.stderr


def test_without_apt_the_packages_are_named(programs):
    ended = run_script("apt.sh", "libegl1", path=programs)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "libegl1" in ended.stderr


def test_packages_are_installed_without_asking_where_that_is_allowed(programs, tmp_path):
    write_program(programs / "apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {tmp_path}/calls')
    write_program(programs / "id", "echo 0")
    ended = run_script("apt.sh", "libegl1", path=programs)
    assert ended.returncode == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == [
        "noninteractive update -q",
        "noninteractive install -q -y --no-install-recommends libegl1",
    ]


def test_a_failing_installation_shows_why(programs):
    write_program(programs / "apt-get", 'echo "E: no such package"; exit 100')
    write_program(programs / "id", "echo 0")
    ended = run_script("apt.sh", "libegl1", path=programs)
    assert ended.returncode == 1
    assert "E: no such package" in ended.stderr


@pytest.mark.parametrize("named", [False, True], ids=["found", "named"])
def test_an_unsupported_python_is_refused_in_one_sentence(programs, named):
    write_program(programs / "python3", "exit 1")  # what a Python 3.10 answers to the question for its version
    ended = run_script("setup.sh", "run", path=programs, **({"PYTHON": "python3"} if named else {}))
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "needs Python 3.11, 3.12 or 3.13" in ended.stderr


class Clone:
    """A copy of the Makefile in which setting up only writes down that it was asked to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "build_spec", folder / "build_spec", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Makefile", "pyproject.toml", "requirements.txt", "requirements-dev.txt"):
            shutil.copy(ROOT / name, folder / name)
        write_program(folder / "build_spec" / "setup.sh", 'mkdir -p .venv && echo "$1" >> calls')

    def make(self, target: str) -> list[str]:
        """Run make; return the kinds of set-up it asked for."""
        calls = self.folder / "calls"
        calls.unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        subprocess.run(["make", target], cwd=self.folder, env=environment, check=True, capture_output=True)
        return calls.read_text().split() if calls.exists() else []


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    return Clone(tmp_path)


def test_setting_up_a_second_time_does_nothing(clone):
    assert clone.make("setup") == ["run"]
    assert clone.make("setup") == []


def test_the_tools_bring_all_that_the_program_needs(clone):
    assert clone.make("setup-dev") == ["dev"]
    assert clone.make("setup") == []


def test_changed_pins_are_installed(clone):
    clone.make("setup")
    stamp = (clone.folder / ".venv" / "ready-run").stat().st_mtime
    os.utime(clone.folder / "requirements.txt", (stamp + 1, stamp + 1))
    assert clone.make("setup") == ["run"]


def test_a_clone_that_was_moved_is_set_up_again(clone, tmp_path):
    clone.make("setup")
    (clone.folder / ".venv" / "ready-run").write_text("/somewhere/else\n")
    assert clone.make("setup") == ["run"]
    assert clone.make("setup") == []


def test_a_failed_set_up_is_tried_again(clone):
    write_program(clone.folder / "build_spec" / "setup.sh", 'echo "$1" >> calls; exit 1')
    for _ in range(2):
        with pytest.raises(subprocess.CalledProcessError):
            clone.make("setup")
        assert (clone.folder / "calls").read_text() == "run\n"
