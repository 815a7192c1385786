"""The system's zone comes with the rules for every date where the tz database has them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from PySide6.QtCore import QByteArray, QTimeZone

from widgets.chart.popups.system_zone import system_rules
from widgets.chart.scales.local_time import moment
from widgets.chart.scales.zones import zone_named

WINTER_S, SUMMER_S = 1_705_276_800, 1_721_001_600  # 15 January and 15 July 2024


def test_a_named_zone_changes_its_offset_with_the_season(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QTimeZone, "systemTimeZoneId", lambda: QByteArray(b"Europe/Berlin"))
    rules = system_rules()
    assert [moment(at, rules).utcoffset() for at in (WINTER_S, SUMMER_S)] == [timedelta(hours=1), timedelta(hours=2)]
    assert zone_named("local", rules).title == "Local (Europe/Berlin)"


@pytest.mark.parametrize("name", [b"", b"Mars/Olympus", b"\xff"])
def test_an_unknown_zone_still_has_an_offset(monkeypatch: pytest.MonkeyPatch, name: bytes) -> None:
    monkeypatch.setattr(QTimeZone, "systemTimeZoneId", lambda: QByteArray(name))
    assert moment(WINTER_S, system_rules()).utcoffset() is not None
