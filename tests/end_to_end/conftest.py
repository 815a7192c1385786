"""What tests of the whole program share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from tests.end_to_end.walking import walks


@pytest.fixture
def walk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path, qapp: QApplication
) -> Iterator[Callable[..., None]]:
    """A function that runs the program until it ends, with someone in front of its window: see `walks`."""
    with walks(monkeypatch, tmp_path, data_dir, qapp) as run:
        yield run
