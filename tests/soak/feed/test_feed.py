"""The soak of the feed in small, its plan, and that its report says what was lost."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.soak.feed.feed import INJECTED_KINDS, OUTAGES, options_of, plan, soak
from tests.soak.feed.feed_report import FeedReport, Life


def test_a_plan_is_the_seeds_and_has_all_that_was_asked_for() -> None:
    injections = plan(5, 3600.0, 1000, 20, 20)
    assert injections == plan(5, 3600.0, 1000, 20, 20) != plan(6, 3600.0, 1000, 20, 20)
    assert [injection.at_s for injection in injections] == sorted(injection.at_s for injection in injections)
    assert len(injections) == 1000
    kills = [injection.at_s for injection in injections if injection.kind is None]
    assert (len(kills), max(kills) < 1200) == (20, True)
    assert len([injection for injection in injections if injection.kind in OUTAGES]) == 20
    assert {injection.kind for injection in injections} > set(INJECTED_KINDS)


@pytest.mark.skipif(sys.platform == "win32", reason="its server is ended by signals of Unix")
async def test_a_short_soak_loses_and_doubles_nothing(reachable_folder: Path) -> None:
    options = options_of(
        "--minutes 0.1 --faults 14 --kills 1 --outages 1 --longest-outage 4 --rate 300 --seed 2".split()
    )
    report = FeedReport(2, "a test")
    folder = reachable_folder / "soak"
    folder.mkdir(mode=0o711)
    await soak(options, folder, report)
    assert report.differences == []
    assert sum(report.kinds.values()) == 14
    assert len(report.lives) == 2
    assert sum(report.trades.values()) > 1000
    assert "| nothing |" in report.markdown()


def test_the_report_says_what_is_wrong_and_how_memory_grew() -> None:
    report = FeedReport(1, "a test", minutes=10.0)
    report.lives = [Life(0.0, [(float(at_s), 80_000_000 + at_s * 1_000) for at_s in range(0, 600, 5)])]
    assert report.lives[0].slope_mb_h() == pytest.approx(3.6)
    assert not report.has_lost
    report.differences = ["a trade is missing"]
    assert report.has_lost
    assert "| a trade is missing |" in report.markdown()
    assert "+3.6 MB/h over 10 min" in report.markdown()
