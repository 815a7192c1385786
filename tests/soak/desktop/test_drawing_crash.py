"""The kills of a desktop that draws, and two at once, in small; and that the comparison would see what is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.postgres.connection import connect
from storage.schema.migrate import migrate
from tests.servers import EMBEDDED, empty_schema, shared_server
from tests.soak.desktop.drawing_crash import Report, _compare_start, run_kills, run_two


@pytest.fixture
def url() -> Iterator[str]:
    with empty_schema(shared_server(EMBEDDED)) as made:
        with connect(made) as connection:
            migrate(connection)
        yield made


def test_kills_lose_no_drawing_and_no_step(url: str, tmp_path: Path) -> None:
    report = Report()
    run_kills(tmp_path, url, 4, 3, report)
    assert report.differences == []
    assert report.kills == 4
    assert report.changes > 10


def test_two_desktops_end_with_the_same_drawings_and_lose_none(url: str, tmp_path: Path) -> None:
    report = Report()
    for seed in (3, 30, 300, 3000):
        run_two(tmp_path / str(seed), url, 2.0, seed, report)
        assert report.differences == []
        if report.put_last > 3:  # drawings that are removed again prove little
            break
    assert report.put_last > 3


def test_the_comparison_sees_what_is_lost() -> None:
    before = [{"state": str(number), "time_s": float(number)} for number in range(5)]
    report = Report()
    _compare_start(before, 4.5, {"state": "3"}, 1, report)
    assert report.lost_s == [0.5]
    assert report.differences == []
    _compare_start(before, 4.5, {"state": "2"}, 2, report)
    _compare_start(before, 4.5, {"state": "x"}, 3, report)
    assert len(report.differences) == 2
