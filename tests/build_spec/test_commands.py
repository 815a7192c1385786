"""What README tells a reader to type must exist: targets of the Makefile, and command lines of the program."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress

import pytest

from app.cli.program import parse
from tests.build_spec.scripts import ROOT

TARGETS = ["setup", "run", "demo", "test", "lint", "types", "bench", "screenshot", "package"]
README = ROOT / "README.md"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def code_in_readme() -> list[str]:
    """Return README's lines and words that are set as code."""
    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}(.+)$", text, re.MULTILINE)
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    return [line.strip() for block in blocks for line in block.splitlines()] + indented + spans


def described_targets() -> dict[str, str]:
    """Return the Makefile's targets with the comment that ``make help`` shows."""
    return dict(re.findall(r"^([a-z]+):[^#\n]*## (.+)$", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("target", TARGETS)
def test_each_intention_has_a_target_with_one_line_of_comment(target):
    assert described_targets()[target]


def test_every_make_command_in_readme_is_a_target():
    named = {name for line in code_in_readme() for name in re.findall(r"\bmake ([a-z-]+)", line)}
    assert named, "README names no make command"
    assert named <= described_targets().keys()


def test_every_command_line_in_readme_can_be_parsed():
    lines = [line for line in code_in_readme() if re.match(r"([A-Z_]+=\S+ )*(\S+/)?cryptopipe( |$)", line)]
    assert lines, "README shows no cryptopipe command"
    for line in lines:
        words = shlex.split(line.replace("[", "").replace("]", ""), comments=True)
        arguments = words[next(i for i, word in enumerate(words) if word.endswith("cryptopipe")) + 1 :]
        with suppress(SystemExit):  # --help and --version; wrong usage raises UsageError
            parse(arguments)
