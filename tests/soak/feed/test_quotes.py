"""The soak of quotes in small, and that its report says what was lost."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.soak.feed.quotes import QuoteReport, options_of, soak


@pytest.mark.skipif(sys.platform == "win32", reason="its server is ended by signals of Unix")
async def test_a_short_soak_loses_and_doubles_nothing(reachable_folder: Path) -> None:
    folder = reachable_folder / "quote-soak"
    folder.mkdir(mode=0o711)
    report = QuoteReport("a test")
    await soak(options_of("--minutes 0.02 --symbols 2 --seed 5".split()), folder, report)
    assert report.differences == []
    assert report.kinds.total() >= 1
    assert min(report.held.values()) > 10
    assert "| nothing |" in report.markdown()


def test_the_report_says_what_is_wrong() -> None:
    report = QuoteReport("a test", differences=["a tick is missing"], stored_again_s=[1.0, 3.0])
    assert "| a tick is missing |" in report.markdown()
    assert "median 2.0 s, longest 3.0 s" in report.markdown()
