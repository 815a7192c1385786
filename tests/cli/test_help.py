"""The help: each command's own options in groups, the settings in one line, and colours only on a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from app.config.settings import declarations
from app.main import main

COMMANDS = [
    [],
    *(["collect"], ["gaps"], ["export"], ["serve"], ["sandbox"], ["doctor"], ["completion"]),
    *(["db"], *(["db", name] for name in ("status", "verify", "rebuild", "retention", "convert", "url", "run"))),
    *(["lake"], *(["lake", name] for name in ("push", "pull", "list", "verify"))),
    *(["settings"], ["settings", "list"], ["settings", "get"], ["settings", "set"]),
]


def help_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ending:
        main([*arguments, "--help"])
    assert ending.value.code == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_settings_are_one_line_of_every_help_and_none_of_its_options(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = " ".join(help_of(arguments, capsys).split())
    assert "\x1b" not in text
    assert "Every setting is an option, too, such as --data-dir FOLDER; cryptopipe settings list shows them." in text
    listed = {declared.option for declared in declarations() if f" {declared.option} " in text.rpartition("Every")[0]}
    assert listed <= {"--symbols", "--lake"}


def test_a_command_shows_its_own_options_in_groups_with_their_metavars(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [" ".join(line.split()) for line in help_of(["sandbox"], capsys).splitlines()]
    groups = [line for line in lines if line in ("Simulated market:", "Recording:", "Options:")]
    assert groups == ["Simulated market:", "Recording:", "Options:"]
    assert "--replay <FILE…> Recordings to serve instead of the simulation." in lines
    assert "VALUE" not in "".join(lines)


def test_commands_are_listed_in_groups_in_a_readers_order(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of([], capsys)
    places = [text.index(f"  {name} ") for name in ("collect", "gaps", "export", "db", "sandbox", "doctor", "settings")]
    assert places == sorted(places)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize(
    ("arguments", "variables", "coloured"),
    [
        ([], {}, True),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"TERM": "dumb"}, False),
        (["--no-color"], {}, False),
    ],
)
def test_colours_are_for_terminals_that_show_them(
    arguments: list[str], variables: dict[str, str], coloured: bool
) -> None:
    import pty

    for typed in ([*arguments, "--help"], [*arguments, "collekt"]):
        ours, theirs = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        process = subprocess.Popen(
            [sys.executable, "-m", "app.main", *typed],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment | {"TERM": "xterm-256color"} | variables,
        )
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 4096):
                text += part
        except OSError:  # Linux's way to say that the other end is closed
            pass
        os.close(ours)
        process.wait(timeout=30)
        assert b"cryptopipe" in text
        assert bool(re.search(rb"\x1b\[(\d+;)*[39][0-7]", text)) is coloured, text  # bold is no colour
