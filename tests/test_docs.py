"""Documents say what the code says."""

from __future__ import annotations

import re
import shlex

import pytest

from app.cli import parser
from tests.docs import PARTS, ROOT, renewed

DOCUMENTS = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize(("document", "name"), PARTS)
def test_derived_part_is_current(document, name):
    text = (ROOT / document).read_text(encoding="utf-8")
    assert renewed(text, name, PARTS[document, name]()) == text, "run python -m tests.docs"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_a_document_links_to_exists(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    for link in links:
        assert ((ROOT / document).parent / link).exists(), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_a_document_shows_can_be_typed(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    shown = re.findall(r"^    (?:[A-Z_]+=\S+ )*(cryptopipe .*)$", text, re.MULTILINE)
    shown += re.findall(r"^\| `(cryptopipe [^`]*)` \|", text, re.MULTILINE)
    for line in shown:
        arguments = shlex.split(re.sub(r" \[.*?…\]", "", line))[1:]
        parser().parse_args(arguments)
    assert shown or document != "README.md"


def test_every_module_named_in_the_architecture_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(app/[a-z_/]+\.py)`", text)) | {
        name.replace(".", "/") for name in re.findall(r"\b(app\.[a-z_]+)\b", text)
    }
    assert named
    for name in named:
        assert (ROOT / name).exists() or (ROOT / f"{name}.py").exists(), name
