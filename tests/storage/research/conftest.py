"""A database for the tables of research, on every edition."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.storage.research.helpers import Place


@pytest.fixture
def place(url: str) -> Iterator[Place]:
    made = Place(url)
    yield made
    made.store.close()
