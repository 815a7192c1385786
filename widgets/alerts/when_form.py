"""
A condition as the fields of a form, and as the text that `app.market.alerts.language` reads.

What is no condition is edited as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from app.market.alerts.alert import (
    Direction,
    DrawingCrosses,
    IndicatorCrosses,
    PriceCrosses,
    PriceInRange,
    PriceMoves,
    Rule,
    Trouble,
    TroubleKind,
    VolumeExceeds,
)
from app.market.alerts.language import text_of_rule
from app.market.alerts.reasons import plain
from app.market.indicators.chosen import text_of_indicators
from app.market.interval import Interval

Fields = Mapping[str, str]


class WhenKind(Enum):
    """What an alert may wait for; the value is its title."""

    CROSSES = "Price crosses"
    ENTERS = "Price enters"
    LEAVES = "Price leaves"
    DRAWING = "Crosses drawing"
    MOVES = "Price moves by"
    VOLUME = "Volume exceeds"
    INDICATOR = "Indicator crosses"
    GAP = "Trades missing"
    FEED = "Feed lost"
    RECORDER = "Recorder in trouble"
    TEXT = "As text"

    @property
    def is_trouble(self) -> bool:
        """Whether no trade meets it."""
        return self in _TROUBLES


_TROUBLES = {
    WhenKind.GAP: TroubleKind.GAP,
    WhenKind.FEED: TroubleKind.FEED,
    WhenKind.RECORDER: TroubleKind.RECORDER,
}

FIELDS: dict[WhenKind, tuple[str, ...]] = {
    WhenKind.CROSSES: ("way", "price"),
    WhenKind.ENTERS: ("low", "high"),
    WhenKind.LEAVES: ("low", "high"),
    WhenKind.DRAWING: ("drawing", "way"),
    WhenKind.MOVES: ("way", "percent", "within"),
    WhenKind.VOLUME: ("multiple", "candles"),
    WhenKind.INDICATOR: ("indicator", "way", "target"),
    WhenKind.GAP: ("lasting",),
    WhenKind.FEED: ("lasting",),
    WhenKind.RECORDER: ("lasting",),
    WhenKind.TEXT: ("text",),
}
"""The fields of each kind, in the order that they are shown."""

USUAL: Fields = {
    "way": "",
    "percent": "2",
    "within": "15m",
    "multiple": "3",
    "candles": "20",
    "indicator": "rsi:14",
    "target": "70",
    "lasting": "10s",
    "of": "1m",
}
"""What fields of a new alert begin with."""


def text_of_form(kind: WhenKind, fields: Fields) -> str:
    """Return the condition as text; it may not be one yet, while fields are empty. ``of``: the candle's interval."""
    way = f"{fields['way']} " if fields.get("way") else ""
    value = {name: _number(fields.get(name, "")) for name in ("price", "low", "high", "percent", "multiple", "candles")}
    of = f" of {fields.get('of') or '1m'}"
    match kind:
        case WhenKind.CROSSES:
            return f"price crosses {way}{value['price']}{of}"
        case WhenKind.ENTERS | WhenKind.LEAVES:
            verb = "enters" if kind is WhenKind.ENTERS else "leaves"
            return f"price {verb} {value['low']} to {value['high']}{of}"
        case WhenKind.DRAWING:
            return f"price crosses {way}drawing {fields.get('drawing', '')}{of}"
        case WhenKind.MOVES:
            return f"moves {way}{value['percent']}% in {fields.get('within', '')}{of}"
        case WhenKind.VOLUME:
            return f"volume > {value['multiple']}x average {value['candles']}{of}"
        case WhenKind.INDICATOR:
            indicator, target = fields.get("indicator", ""), fields.get("target", "").replace("−", "-")
            return f"{indicator.strip()}{of} crosses {way}{target.strip()}"
        case WhenKind.TEXT:
            return fields.get("text", "")
        case _:
            return f"{_TROUBLES[kind]} for {fields.get('lasting', '')}"


def form_of_rule(rule: Rule) -> tuple[WhenKind, dict[str, str]]:
    """Return the kind and the fields of a condition."""
    fields = {**USUAL, "of": rule.interval.name}
    condition: object = rule.condition  # there may be kinds that have no fields here
    match condition:
        case PriceCrosses(price_e8, direction):
            return WhenKind.CROSSES, {**fields, "price": plain(price_e8), "way": _way(direction)}
        case PriceInRange(low_e8, high_e8, enters):
            kind = WhenKind.ENTERS if enters else WhenKind.LEAVES
            return kind, {**fields, "low": plain(low_e8), "high": plain(high_e8)}
        case DrawingCrosses(drawing_id, direction):
            return WhenKind.DRAWING, {**fields, "drawing": drawing_id, "way": _way(direction)}
        case PriceMoves(percent_e8, window_us, direction):
            within = Interval(window_us // 1_000_000).name
            return WhenKind.MOVES, {**fields, "percent": plain(percent_e8), "within": within, "way": _way(direction)}
        case VolumeExceeds(multiple_e8, candles):
            return WhenKind.VOLUME, {**fields, "multiple": plain(multiple_e8), "candles": str(candles)}
        case IndicatorCrosses(indicator, target, direction):
            named = text_of_indicators([(indicator.indicator, indicator.settings)])
            if isinstance(target, float):
                crossed = f"{target:.10g}"
            else:
                crossed = text_of_indicators([(target.indicator, target.settings)])
            return WhenKind.INDICATOR, {**fields, "indicator": named, "target": crossed, "way": _way(direction)}
        case Trouble(trouble, for_us):
            kind = next(kind for kind, each in _TROUBLES.items() if each is trouble)
            return kind, {**fields, "lasting": Interval(for_us // 1_000_000).name}
        case _:
            return WhenKind.TEXT, {**fields, "text": text_of_rule(rule)}


def _way(direction: Direction | None) -> str:
    return "" if direction is None else direction.value


def _number(text: str) -> str:
    """Return a number without what people write between its digits."""
    return "".join(text.split()).replace(",", "").replace("\u202f", "").rstrip("%x×")
