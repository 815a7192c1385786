"""
What every test may use.

Qt draws off screen unless the environment says otherwise. Real recordings lie outside the project; a test that needs
one asks for ``shared_data`` and is skipped, saying so, where they are absent.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no reason to fail: pytest's own timeout tells what hangs.
settings.register_profile("cryptopipe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cryptopipe")

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

SHARED_DATA = Path(
    os.environ.get("CRYPTOPIPE_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
).absolute()


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return ``find(name)``: the path of a recording such as ``"klines/x.csv"``; skips the test where it is absent."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"the recording {name} is not at {SHARED_DATA} (set CRYPTOPIPE_SHARED_DATA)")
        return path

    return find
