"""How a chart tells times, as the user chose: in which zone, and whether local days are told apart. A value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from widgets.chart.zones import UTC_ZONE, Zone, zone_named


@dataclass(frozen=True, slots=True)
class TimeStyle:
    """``shaded``: every other day of the zone stands on a slightly lighter, or darker, ground."""

    zone: Zone = UTC_ZONE
    shaded: bool = False

    def to_values(self) -> dict[str, Any]:
        """Return it as plain values, for a file."""
        return {"zone": self.zone.name, "days shaded": self.shaded}

    @classmethod
    def from_values(cls, values: object) -> TimeStyle:
        """Return what `to_values` gave; whatever makes no sense is as usual, and so is a zone unknown here."""
        known: Mapping[Any, Any] = values if isinstance(values, Mapping) else {}
        return cls(zone_named(known.get("zone")), known.get("days shaded") is True)
