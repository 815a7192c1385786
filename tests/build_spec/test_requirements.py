"""The pins: complete, hashed, within what pyproject.toml allows, and free of any address."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.build_spec.scripts import ROOT

RUN, DEV = ROOT / "requirements.txt", ROOT / "requirements-dev.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Put together from halves, so that this file does not name what it looks for.
INDEX_HOSTS = [first + second for first, second in [("pypi", ".org"), ("python", "hosted."), ("ana", "conda.org")]]


def entries(file_name: str) -> Iterator[str]:
    """Yield each requirement of the file as one line, its hashes included."""
    text = (ROOT / file_name).read_text(encoding="utf-8").replace("\\\n", " ")
    yield from (line for line in text.splitlines() if line.strip() and not line.startswith("#"))


def pins(file_name: str) -> dict[str, set[str]]:
    """Return the pinned versions of each package by canonical name: more than one where they differ by Python."""
    found: dict[str, set[str]] = {}
    for entry in entries(file_name):
        requirement = Requirement(entry.split(" --hash=")[0])
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", entry
        found.setdefault(canonicalize_name(requirement.name), set()).add(specifier.version)
    return found


def wanted(*groups: str) -> list[Requirement]:
    listed = [
        *PROJECT["project"]["dependencies"],
        *(entry for group in groups for entry in PROJECT["dependency-groups"][group]),
    ]
    return [Requirement(entry) for entry in listed]


@pytest.mark.parametrize("file", [RUN, DEV], ids=lambda file: file.name)
def test_every_pin_has_a_hash(file):
    for entry in entries(file.name):
        hashes = re.findall(r"--hash=(\S+)", entry)
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), entry


@pytest.mark.parametrize("file", [RUN, DEV], ids=lambda file: file.name)
def test_pins_name_no_address_and_no_path(file):
    for entry in entries(file.name):
        assert not entry.startswith("-"), entry
        assert "/" not in entry, entry
        assert " @ " not in entry, entry


@pytest.mark.parametrize(
    ("file", "groups"), [(RUN, ["build"]), (DEV, ["build", "dev"])], ids=["requirements.txt", "requirements-dev.txt"]
)
def test_pins_satisfy_what_the_project_declares(file, groups):
    pinned = pins(file.name)
    for requirement in wanted(*groups):
        versions = pinned.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement.name} is not pinned: make requirements"
        for version in versions:
            assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}: make requirements"


def test_the_tools_are_pinned_on_top_of_the_same_program():
    program, everything = pins(RUN.name), pins(DEV.name)
    assert {name: everything.get(name) for name in program} == program


def test_qt_stays_below_the_release_that_drops_references():
    (qt,) = [requirement for requirement in wanted() if requirement.name == "PySide6-Essentials"]
    assert not qt.specifier.contains("6.12.0")
    for file in (RUN, DEV):
        assert all(version.startswith("6.11.") for version in pins(file.name)["pyside6-essentials"])


def test_no_tracked_file_names_a_package_index():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listing.returncode:
        pytest.skip(f"git cannot list the tracked files: {listing.stderr.decode().strip()}")
    for name in filter(None, listing.stdout.decode().split("\0")):
        path = ROOT / name
        content = path.read_bytes().lower() if path.is_file() else b""
        for host in INDEX_HOSTS:
            assert host.encode() not in content, f"{name} names {host}"
