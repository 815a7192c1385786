"""How the chart draws prices and volume, as the user chose. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from widgets.chart.scales.value_scale import ScaleMode
from widgets.chart.scales.zones import UTC_ZONE, Zone, zone_named


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


class PriceStyle(Enum):
    """How prices are drawn; the value is what a file remembers."""

    CANDLES = "candles"
    HOLLOW = "hollow candles"
    BARS = "bars"
    HEIKIN_ASHI = "heikin-ashi"
    LINE = "line"
    AREA = "area"

    @property
    def title(self) -> str:
        """What the user reads."""
        return {PriceStyle.BARS: "OHLC bars", PriceStyle.HEIKIN_ASHI: "Heikin-Ashi"}.get(self, self.value.capitalize())


@dataclass(frozen=True, slots=True)
class ChartStyle:
    """
    ``scale`` and ``inverted`` are the price axis's. ``underlaid``: volume stands behind the prices instead of in a pane
    of its own. ``takers``: its columns are split into what takers bought and sold, instead of coloured by the candle's
    direction. ``labels``: what indicators say last stands on the axes.
    """

    kind: PriceStyle = PriceStyle.CANDLES
    scale: ScaleMode = ScaleMode.LINEAR
    inverted: bool = False
    underlaid: bool = False
    takers: bool = False
    labels: bool = True

    def to_values(self) -> dict[str, Any]:
        """Return it as plain values, for a file."""
        return {
            "kind": self.kind.value,
            "scale": self.scale.value,
            "inverted": self.inverted,
            "volume underlaid": self.underlaid,
            "volume by takers": self.takers,
            "labels": self.labels,
        }

    @classmethod
    def from_values(cls, values: object) -> ChartStyle:
        """Return what `to_values` gave; whatever makes no sense is as usual."""
        known: Mapping[Any, Any] = values if isinstance(values, Mapping) else {}
        kinds, scales = {kind.value: kind for kind in PriceStyle}, {scale.value: scale for scale in ScaleMode}
        return cls(
            kind=kinds.get(_text(known.get("kind")), PriceStyle.CANDLES),
            scale=scales.get(_text(known.get("scale")), ScaleMode.LINEAR),
            inverted=known.get("inverted") is True,
            underlaid=known.get("volume underlaid") is True,
            takers=known.get("volume by takers") is True,
            labels=known.get("labels") is not False,
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
