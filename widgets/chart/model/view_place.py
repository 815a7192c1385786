"""Where a view is, kept from one run of the program to the next. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from widgets.chart.scales.time_scale import WIDEST_BAR_PX

_NARROWEST_BAR_PX = 1e-4
_MOST_ROOM_PX = 10_000.0
_LATEST_US = 4_102_444_800_000_000  # 2100-01-01


@dataclass(frozen=True, slots=True)
class ViewPlace:
    """
    ``bar_px``: the width of a candle; ``centre_us``: the time under the centre, UTC microseconds, None while the view
    follows the latest candle; ``room_px``: then the room right of that. None: as at the first start.
    """

    bar_px: float | None = None
    centre_us: int | None = None
    room_px: float | None = None

    def to_values(self) -> dict[str, Any]:
        """Return the place as plain values, for a file and `from_values`."""
        values = {"candle px": self.bar_px, "centre us": self.centre_us, "room px": self.room_px}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> ViewPlace:
        """Return the place of `to_values`; an invalid value is None."""
        bar_px, centre_us, room_px = (values.get(name) for name in ("candle px", "centre us", "room px"))
        return cls(
            float(bar_px) if _is_within(bar_px, _NARROWEST_BAR_PX, WIDEST_BAR_PX) else None,
            int(centre_us) if _is_within(centre_us, 0, _LATEST_US) else None,
            float(room_px) if _is_within(room_px, -_MOST_ROOM_PX, _MOST_ROOM_PX) else None,
        )


def _is_within(value: object, low: float, high: float) -> TypeGuard[float]:
    """Whether a value of a file is a number in that range."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
