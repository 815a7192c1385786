"""Clusters that initdb makes: how the server makes them is what the tests here are about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clusters import own_clusters


@pytest.fixture(scope="module", autouse=True)
def _own_clusters() -> Iterator[None]:
    with own_clusters():
        yield
