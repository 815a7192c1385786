"""
The time zones that a chart can label its times in. Pure.

A `Zone` has the name that is stored on disk: ``"UTC"``, ``"local"`` (the zone this computer is in, so that a laptop
that travels shows the time of the place), or a name of the tz database. Rules come from the system's tz database, on
Windows from the package tzdata; the caller hands in the rules of ``"local"``. A zone changes labels only: candles open
when the exchange opens them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

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
        """The name shown to the user: ``"UTC"``, ``"Local (Europe/Berlin)"``, ``"Asia/Kathmandu"``."""
        place = str(getattr(self.rules, "key", "") or self.rules).replace("_", " ")
        return f"Local ({place})" if self.name == LOCAL else self.name.replace("_", " ")

    def rules_for(self, interval: Interval) -> tzinfo:
        """Return the rules for this interval's labels; days and longer use UTC, as the exchange's days do."""
        return UTC if interval.months or interval.seconds % _DAY_S == 0 else self.rules


UTC_ZONE = Zone("UTC", UTC)


def zone_named(name: object, local: tzinfo = UTC) -> Zone:
    """Return the zone of that name, UTC for an unknown one. ``local``: this computer's rules, for ``"local"``."""
    if name == LOCAL:
        return Zone(LOCAL, local)
    rules = rules_named(name) if isinstance(name, str) and name != "UTC" else None
    return UTC_ZONE if rules is None or not isinstance(name, str) else Zone(name, rules)


def zone_names() -> list[str]:
    """Return the names of all zones to choose from: UTC, the local one, then places in alphabetical order."""
    return ["UTC", LOCAL, *_places()]


def offset_text(rules: tzinfo, time_us: int) -> str:
    """Return the offset from UTC at a time: ``"UTC"``, ``"UTC+2"``, ``"UTC−3:30"``."""
    offset = datetime.fromtimestamp(time_us // SECOND_US, rules).utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset is not None else 0
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")


def rules_named(name: str) -> tzinfo | None:
    """Return the tz database's rules of that name, None for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=1)
def _places() -> tuple[str, ...]:
    # The other names (EST5EDT, Etc/GMT+5, US/Pacific) are legacy aliases of zones listed here anyway.
    return tuple(sorted(name for name in available_timezones() if name.partition("/")[0] in _AREAS))
