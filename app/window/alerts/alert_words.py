"""Alerts in the words and numbers of the window."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from app.market.alerts.alert import (
    Direction,
    DrawingCrosses,
    Firing,
    Incident,
    IndicatorCrosses,
    PriceCrosses,
    PriceInRange,
    PriceMoves,
    Repeat,
    Rule,
    Trouble,
    TroubleKind,
    VolumeExceeds,
)
from app.market.alerts.language import text_of_rule
from app.market.alerts.reasons import plain
from app.market.alerts.stored_alert import StoredAlert
from app.market.drawings.drawing import Drawing
from app.market.indicators.chosen import ChosenIndicator
from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.units import E8
from app.window.alerts import drawing_words
from widgets.controls.number_format import SPACE, UNKNOWN, count, price

_THOUSANDS = re.compile(r"(?<![\w.,])\d{4,}")  # whole parts of figures; no decimals, no part of a name
_WAYS = {None: "", Direction.UP: " upwards", Direction.DOWN: " downwards"}
_LINE_WAYS = {None: "Crosses", Direction.UP: "Crosses up", Direction.DOWN: "Crosses down"}
_TROUBLES = {
    TroubleKind.GAP: "Trades missing",
    TroubleKind.FEED: "Feed lost",
    TroubleKind.RECORDER: "Recorder in trouble",
}


def price_text(price_e8: int, symbol: Symbol | None) -> str:
    """Return a price with the symbol's decimals, and with more where it has more."""
    if symbol is None or price_e8 % symbol.tick_size_e8:
        return plain(price_e8)
    return price(price_e8 / E8, symbol)


def condition_text(rule: Rule, symbol: Symbol | None, drawing: Drawing | None = None) -> str:
    """Say what an alert waits for: “Price crosses 0.6180 upwards”. ``drawing``: the one that it is on, if known."""
    condition: object = rule.condition  # there may be kinds without words of their own
    match condition:
        case PriceCrosses(price_e8, direction):
            return f"Price crosses {price_text(price_e8, symbol)}{_WAYS[direction]}"
        case PriceInRange(low_e8, high_e8, enters):
            verb = "enters" if enters else "leaves"
            return f"Price {verb} {price_text(low_e8, symbol)} to {price_text(high_e8, symbol)}"
        case PriceMoves(percent_e8, window_us, direction):
            within = Interval(window_us // 1_000_000).name
            return f"Price moves by {plain(percent_e8)} % within {within}{_WAYS[direction]}"
        case VolumeExceeds(multiple_e8, candles):
            return f"Volume of {rule.interval} above {plain(multiple_e8)} times the average of {candles}"
        case IndicatorCrosses(indicator, target, direction):
            other = f"{target:g}" if isinstance(target, float) else _title_of(target)
            return f"{_title_of(indicator)} of {rule.interval} crosses {other}{_WAYS[direction]}"
        case DrawingCrosses(_, direction):
            return f"{_drawing_text(condition, symbol, drawing)}{_WAYS[direction]}"
        case Trouble(kind, for_us):
            return f"{_TROUBLES[kind]} for {Interval(for_us // 1_000_000).name}"
        case _:
            return text_of_rule(rule).capitalize()


def repeat_text(rule: Rule, repeat: Repeat) -> str:
    """Say how often an alert fires: “once per candle of 5m”."""
    if repeat is Repeat.CANDLE:
        return f"once per candle of {rule.interval}" if rule.is_of_trades else "once a minute"
    return "once" if repeat is Repeat.ONCE else "every time"


def line_text(rule: Rule, edge: str) -> str:
    """Say what is to happen at a line: “Crosses up”."""
    match rule.condition:
        case PriceCrosses(_, direction):
            return _LINE_WAYS[direction]
        case PriceInRange(enters=enters):
            return f"{'Enters' if enters else 'Leaves'} {'from' if edge == 'low' else 'to'}"
        case _:
            return condition_text(rule, None)


def title_of(alert: StoredAlert, symbol: Symbol | None, drawing: Drawing | None = None) -> str:
    """Return an alert's name, without one the drawing that it is on, else what it waits for."""
    title = "" if drawing is None else drawing_words.title_of(drawing, symbol)
    return alert.name or title or condition_text(alert.rule, symbol)


def words_of(alert: StoredAlert, symbol: Symbol | None, drawing: Drawing | None = None) -> str:
    """Return what the title does not say: how often an alert fires and, if called otherwise, what it waits for."""
    repeat, condition = repeat_text(alert.rule, alert.repeat), condition_text(alert.rule, symbol, drawing)
    if alert.name:
        return f"{condition}, {repeat}"
    if drawing is None:
        return repeat
    if not drawing_words.has_sides(drawing):
        return f"First trade from then on, {repeat}"
    assert isinstance(alert.rule.condition, DrawingCrosses)
    return f"Price crosses it{_WAYS[alert.rule.condition.direction]}, {repeat}"


def happened_text(
    alert: StoredAlert, firing: Firing | Incident, symbol: Symbol | None, drawing: Drawing | None = None
) -> str:
    """Say what has happened: “XRP/USDT above 0.6180”."""
    if isinstance(firing, Incident):
        assert isinstance(alert.rule.condition, Trouble)
        where = symbol.display_name if symbol is not None else ""
        return (
            f"{where}: {_TROUBLES[alert.rule.condition.kind].lower()}"
            if where
            else _TROUBLES[alert.rule.condition.kind]
        )
    name = symbol.display_name if symbol is not None else alert.symbol
    match alert.rule.condition:
        case PriceCrosses(price_e8):
            return f"{name} {'above' if firing.direction is Direction.UP else 'below'} {price_text(price_e8, symbol)}"
        case PriceInRange(low_e8, high_e8, enters):
            verb = "entered" if enters else "left"
            return f"{name} {verb} {price_text(low_e8, symbol)} to {price_text(high_e8, symbol)}"
        case PriceMoves():
            return f"{name} {(firing.reason or 'moved').replace(' ', SPACE)}"  # the figure stays in one line
        case DrawingCrosses() if drawing is not None:
            title = drawing_words.title_of(drawing, symbol)
            if not drawing_words.has_sides(drawing):
                return f"{name} has reached the {_lower(title)}"
            way = "above" if firing.direction is Direction.UP else "below"
            return f"{name} {way} the {_lower(title)}"
        case _:
            return f"{name}: {condition_text(alert.rule, symbol, drawing)}"


def time_text(time_us: int) -> str:
    """Return a time of day as “06:12:41.207 UTC”."""
    moment = datetime.fromtimestamp(time_us / 1e6, UTC)
    return f"{moment:%H:%M:%S}.{time_us // 1000 % 1000:03} UTC"


def end_text(expires_us: int | None) -> str:
    """Return when an alert ends, as “5 Dec 2026”."""
    if expires_us is None:
        return "never"
    return f"{datetime.fromtimestamp(expires_us / 1e6, UTC):%d %b %Y}".lstrip("0")


def trade_text(trade_id: int | None) -> str:
    """Return a trade's number: “trade 612,904,118”."""
    return UNKNOWN if trade_id is None else f"trade {count(trade_id)}"


def _drawing_text(condition: DrawingCrosses, symbol: Symbol | None, drawing: Drawing | None) -> str:
    if drawing is None:
        return "Price crosses a drawing" if condition.lines else "Price crosses a drawing that was removed"
    title = _lower(drawing_words.title_of(drawing, symbol))
    return f"Price crosses the {title}" if drawing_words.has_sides(drawing) else f"First trade from the {title}"


def _lower(title: str) -> str:
    """Return a drawing's title inside a sentence; Fibonacci keeps its letter."""
    return title if title.startswith("Fibonacci") else title[:1].lower() + title[1:]


def _title_of(chosen: ChosenIndicator) -> str:
    return chosen.name.replace("_", " ").upper()


def with_separators(reason: str) -> str:
    """Return a kept reason with thousands separators in its figures: “62,161.16, then 62,170”."""
    return _THOUSANDS.sub(lambda found: f"{int(found[0]):,}", reason)
