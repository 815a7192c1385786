"""How the user chose to draw prices, volume and times; to and from the values that a file remembers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import Enum
from typing import Any

from app.market.quotes.tick import PriceSide
from widgets.chart.scales.value_scale import ScaleMode
from widgets.chart.scales.zones import UTC_ZONE, Zone, zone_named


@dataclass(frozen=True, slots=True)
class TimeStyle:
    """
    The zone of the labels, and what else the chart says of times.

    ``shaded``: every other day of that zone has a slightly lighter or darker background. ``shows_sessions``: so has
    every other session of a market that closes, with its date at its open. ``shows_closed``: closed time has its room.
    """

    zone: Zone = UTC_ZONE
    shaded: bool = False
    shows_sessions: bool = True
    shows_closed: bool = False

    def to_values(self) -> dict[str, Any]:
        """Return plain values for a file."""
        return {
            "zone": self.zone.name,
            "days shaded": self.shaded,
            "sessions": self.shows_sessions,
            "closed time": self.shows_closed,
        }

    @classmethod
    def from_values(cls, values: object, local: tzinfo = UTC) -> TimeStyle:
        """
        Restore the values of `to_values`; invalid ones, or a zone unknown here, fall back to the default.

        ``local``: this computer's rules, for a stored zone ``"local"``.
        """
        known: Mapping[Any, Any] = values if isinstance(values, Mapping) else {}
        return cls(
            zone_named(known.get("zone"), local),
            shaded=known.get("days shaded") is True,
            shows_sessions=known.get("sessions") is not False,
            shows_closed=known.get("closed time") is True,
        )


class PriceStyle(Enum):
    """How prices are drawn; the values are stored on disk."""

    CANDLES = "candles"
    HOLLOW = "hollow candles"
    BARS = "bars"
    HEIKIN_ASHI = "heikin-ashi"
    LINE = "line"
    AREA = "area"

    @property
    def title(self) -> str:
        """The name in menus."""
        return {PriceStyle.BARS: "OHLC bars", PriceStyle.HEIKIN_ASHI: "Heikin-Ashi"}.get(self, self.value.capitalize())


def next_side(side: PriceSide) -> PriceSide:
    """Return the price of ticks that the key shows after ``side``."""
    sides = list(PriceSide)
    return sides[(sides.index(side) + 1) % len(sides)]


@dataclass(frozen=True, slots=True)
class ChartStyle:
    """
    How prices, volume and the price axis are drawn.

    ``scale_mode`` and ``inverted`` belong to the price axis. ``underlaid``: volume stands behind the prices instead of
    in a pane of its own. ``takers``: volume columns are split into taker buys and sells instead of coloured by the
    candle's direction. ``axis_labels``: the indicators' last values are labelled on the axes. ``fits_prices_only``: the
    automatic price axis follows the prices, and of the indicators over them only those that the user had it follow.

    ``price_side`` and ``spread_band`` count for symbols without trades: which price of ticks is drawn, and whether
    the spread lies behind it as a band.
    """

    price_style: PriceStyle = PriceStyle.CANDLES
    scale_mode: ScaleMode = ScaleMode.LINEAR
    inverted: bool = False
    underlaid: bool = False
    takers: bool = False
    axis_labels: bool = True
    fits_prices_only: bool = True
    price_side: PriceSide = PriceSide.MID
    spread_band: bool = False

    def to_values(self) -> dict[str, Any]:
        """Return plain values for a file."""
        return {
            "kind": self.price_style.value,
            "scale": self.scale_mode.value,
            "inverted": self.inverted,
            "volume underlaid": self.underlaid,
            "volume by takers": self.takers,
            "labels": self.axis_labels,
            "fit prices only": self.fits_prices_only,
            "price": self.price_side.value,
            "spread": self.spread_band,
        }

    @classmethod
    def from_values(cls, values: object) -> ChartStyle:
        """Restore the values of `to_values`; invalid ones fall back to the default."""
        known: Mapping[Any, Any] = values if isinstance(values, Mapping) else {}
        sides = {side.value: side for side in PriceSide}
        styles, modes = {style.value: style for style in PriceStyle}, {mode.value: mode for mode in ScaleMode}
        return cls(
            price_style=styles.get(_text(known.get("kind")), PriceStyle.CANDLES),
            scale_mode=modes.get(_text(known.get("scale")), ScaleMode.LINEAR),
            inverted=known.get("inverted") is True,
            underlaid=known.get("volume underlaid") is True,
            takers=known.get("volume by takers") is True,
            axis_labels=known.get("labels") is not False,
            fits_prices_only=known.get("fit prices only") is not False,
            price_side=sides.get(_text(known.get("price")), PriceSide.MID),
            spread_band=known.get("spread") is True,
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
