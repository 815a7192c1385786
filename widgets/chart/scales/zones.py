"""
The time zones that a chart can read its times in.

A `Zone` is named as it is remembered: ``"UTC"``, ``"local"`` (whatever zone this computer is in, so that a laptop that
travels reads rightly), or a place of the tz database. Its rules come from the system, on Windows from the package
tzdata. Candles stay where the exchange has them: a zone changes what times are called, never when candles open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from PySide6.QtCore import QTimeZone

from app.market.interval import SECOND_US, Interval

LOCAL = "local"
_AREAS = frozenset("Africa America Antarctica Arctic Asia Atlantic Australia Europe Indian Pacific".split())
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone by its name; make one with `zone_named`."""

    name: str
    rules: tzinfo = field(compare=False)

    @property
    def title(self) -> str:
        """What the user reads: ``"UTC"``, ``"Local (Europe/Berlin)"``, ``"Asia/Kathmandu"``."""
        place = str(getattr(self.rules, "key", "") or self.rules).replace("_", " ")
        return f"Local ({place})" if self.name == LOCAL else self.name.replace("_", " ")

    def rules_for(self, interval: Interval) -> tzinfo:
        """Return by what times of such candles are told: days and longer are the exchange's own, which are UTC's."""
        return UTC if interval.months or interval.seconds % _DAY_S == 0 else self.rules


UTC_ZONE = Zone("UTC", UTC)


def zone_named(name: object) -> Zone:
    """Return the zone of that name; whatever names none is UTC."""
    if name == LOCAL:
        return Zone(LOCAL, _local_rules())
    rules = _rules(name) if isinstance(name, str) and name != "UTC" else None
    return UTC_ZONE if rules is None or not isinstance(name, str) else Zone(name, rules)


def zone_names() -> list[str]:
    """Return every zone there is to choose, UTC and the local one first, then places by name."""
    return ["UTC", LOCAL, *_places()]


def offset_text(rules: tzinfo, time_us: int) -> str:
    """Return how far a zone is from UTC at a time: ``"UTC"``, ``"UTC+2"``, ``"UTC−3:30"``."""
    offset = datetime.fromtimestamp(time_us // SECOND_US, rules).utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset is not None else 0
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")


def _local_rules() -> tzinfo:
    name = bytes(QTimeZone.systemTimeZoneId().data()).decode("ascii", "replace")
    # A system whose zone has no name, or none that is known here, still has an offset.
    return _rules(name) or datetime.now().astimezone().tzinfo or UTC


def _rules(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=1)
def _places() -> tuple[str, ...]:
    # Names such as EST5EDT, Etc/GMT+5 or US/Pacific are old ones for places that are there by their own.
    return tuple(sorted(name for name in available_timezones() if name.partition("/")[0] in _AREAS))
