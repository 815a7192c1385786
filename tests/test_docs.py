"""Documents say what the code says."""

from __future__ import annotations

import re
import shlex

import pytest

from app.cli.program import parse
from tests.docs import PARTS, ROOT, renewed

DOCUMENTS = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md")),
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
        parse(arguments)
    assert shown or document != "README.md"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_named_in_a_document_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for name in re.findall(r"`((?:app|storage|widgets|tests)/[a-z_0-9/]+\.py)`", text):
        assert (ROOT / name).is_file(), name


def test_every_module_named_in_the_architecture_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(app/[a-z_/]+\.py)`", text)) | {
        name.replace(".", "/") for name in re.findall(r"\b(app\.[a-z_]+)\b", text)
    }
    assert named
    for name in named:
        assert (ROOT / name).exists() or (ROOT / f"{name}.py").exists(), name


def test_the_architecture_is_one_page_of_at_most_150_lines_and_every_folder_says_what_it_is_for() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    rows = re.findall(r"^\| `([a-z/_]+)` \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) > 40
    assert all(purpose for _, purpose in rows)


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    listed = re.findall(
        r"^\| (\d{3}) \| \[.+\]\((.+)\) \|", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [page for _, page in listed] == sorted(page.name for page in folder.glob("[0-9]*.md"))
    assert all(page.startswith(f"{number}-") for number, page in listed)
