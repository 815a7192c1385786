"""
Conditions as text.

    price crosses 100        price crosses up 100        price crosses down 100
    price enters 90 to 110   price leaves 90 to 110
    moves 2% in 5m           moves up 2% in 5m           moves down 0.5% in 90s
    volume > 3x average 20 of 5m
    rsi:14 of 5m crosses up 70                           ema:20 of 1h crosses ema:50
    price crosses up drawing 6f1c0c52-98a4-4a6e-9f0e-0b8a3f8f2a11
    trades missing for 30s   feed lost for 10s   recorder in trouble for 10s

``of 5m`` may end any condition on prices: it is the candle of ``--repeat candle``, one minute if left out.
``for 10s`` may be left out. The database keeps a condition on a drawing with the drawing's lines, after ``along``.
"""

from __future__ import annotations

import re

from app.market.alerts.alert import (
    MINUTE,
    Condition,
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
from app.market.alerts.drawn_parts import DrawnPart, read_part
from app.market.alerts.reasons import plain
from app.market.errors import UsageError
from app.market.indicators.chosen import ChosenIndicator, read_indicators, text_of_indicators
from app.market.interval import Interval
from app.market.units import parse_e8

_NUMBER = r"(\d[\d_]*(?:\.\d+)?)"
_WAY = r"(?:\s+(up|down))?"
_OF = r"(?:\s+of\s+(\S+))?"
_CROSSES = re.compile(rf"price\s+crosses{_WAY}\s+{_NUMBER}{_OF}", re.IGNORECASE)
_RANGE = re.compile(rf"price\s+(enters|leaves)\s+{_NUMBER}\s+to\s+{_NUMBER}{_OF}", re.IGNORECASE)
_MOVES = re.compile(rf"(?:price\s+)?moves{_WAY}\s+{_NUMBER}\s*%\s+in\s+(\S+?){_OF}", re.IGNORECASE)
_VOLUME = re.compile(rf"volume\s*>\s*{_NUMBER}\s*x\s+average\s+(\d+)\s+of\s+(\S+)", re.IGNORECASE)
_INDICATOR = re.compile(rf"([a-z]\S*)\s+of\s+(\S+)\s+crosses{_WAY}\s+(\S+)", re.IGNORECASE)
_DRAWING = re.compile(
    rf"price\s+crosses{_WAY}\s+drawing\s+([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})(?:\s+along\s+(\S+))?{_OF}",
    re.IGNORECASE,
)
_TROUBLE = re.compile(rf"({'|'.join(TroubleKind)})(?:\s+for\s+(\S+))?", re.IGNORECASE)
_USUAL_TROUBLE = "10s"
_VALUE = re.compile(r"[+-]?\d+(?:\.\d+)?")
_MOST_CANDLES = 1000
_EXAMPLES = (
    "write it like “price crosses up 65000”, “price enters 90 to 110”, “moves 2% in 5m”, "
    "“volume > 3x average 20 of 5m” or “rsi:14 of 5m crosses up 70”"
)


def read_rule(text: str) -> Rule:
    """
    Return the rule that ``text`` states.

    Raises:
        UsageError: If it states none, or one that can never be met.
    """
    said = " ".join(text.split())
    if match := _CROSSES.fullmatch(said):
        return Rule(PriceCrosses(_amount(match[2]), _direction(match[1])), _interval(match[3]))
    if match := _RANGE.fullmatch(said):
        low, high = _amount(match[2]), _amount(match[3])
        if low > high:
            raise UsageError(f"The range {match[2]} to {match[3]} ends before it begins: write the lower price first.")
        return Rule(PriceInRange(low, high, match[1].lower() == "enters"), _interval(match[4]))
    if match := _MOVES.fullmatch(said):
        moved = PriceMoves(_amount(match[2]), _length_us(match[3]), _direction(match[1]))
        return Rule(moved, _interval(match[4]))
    if match := _VOLUME.fullmatch(said):
        candles = int(match[2])
        if not 1 <= candles <= _MOST_CANDLES:
            raise UsageError(f"The average is over 1 to {_MOST_CANDLES} candles, not {candles}.")
        return Rule(VolumeExceeds(_amount(match[1]), candles), _interval(match[3]))
    if match := _INDICATOR.fullmatch(said):
        target = float(match[4]) if _VALUE.fullmatch(match[4]) else _indicator(match[4])
        left = _indicator(match[1])
        if target == left:
            raise UsageError(f"{match[1]} never crosses itself: name another indicator, or a value.")
        return Rule(IndicatorCrosses(left, target, _direction(match[3])), _interval(match[2]))
    if match := _DRAWING.fullmatch(said):
        crosses = DrawingCrosses(match[2].lower(), _direction(match[1]), _lines(match[3]))
        return Rule(crosses, _interval(match[4]))
    if match := _TROUBLE.fullmatch(said):
        return Rule(Trouble(TroubleKind(match[1].lower()), _length_us(match[2] or _USUAL_TROUBLE)))
    raise UsageError(f"“{text[:60]}” is not a condition: {_EXAMPLES}.")


def text_of_rule(rule: Rule, *, with_lines: bool = False) -> str:
    """
    Return the text of a rule as people write it.

    `read_rule` reads it back as the same, but for the lines of a drawing, which it has only ``with_lines``.
    """
    text = _text_of(rule.condition, rule.interval)
    if with_lines and isinstance(rule.condition, DrawingCrosses) and rule.condition.lines:
        text += f" along {';'.join(one.text for one in rule.condition.lines)}"
    says_interval = isinstance(rule.condition, VolumeExceeds | IndicatorCrosses)
    return text if says_interval or rule.interval == MINUTE else f"{text} of {rule.interval.name}"


def _text_of(condition: Condition, interval: Interval) -> str:
    match condition:
        case PriceCrosses(price, direction):
            return f"price crosses {_way(direction)}{plain(price)}"
        case PriceInRange(low, high, enters):
            return f"price {'enters' if enters else 'leaves'} {plain(low)} to {plain(high)}"
        case PriceMoves(percent, window_us, direction):
            return f"moves {_way(direction)}{plain(percent)}% in {Interval(window_us // 1_000_000).name}"
        case VolumeExceeds(multiple, candles):
            return f"volume > {plain(multiple)}x average {candles} of {interval.name}"
        case IndicatorCrosses(left, target, direction):
            right = f"{target:.10g}" if isinstance(target, float) else _named(target)
            return f"{_named(left)} of {interval.name} crosses {_way(direction)}{right}"
        case DrawingCrosses(drawing_id, direction):
            return f"price crosses {_way(direction)}drawing {drawing_id}"
        case Trouble(kind, for_us):
            return f"{kind} for {Interval(for_us // 1_000_000).name}"


def _named(chosen: ChosenIndicator) -> str:
    return text_of_indicators([(chosen.indicator, chosen.settings)])


def _way(direction: Direction | None) -> str:
    return "" if direction is None else f"{direction} "


def _direction(text: str | None) -> Direction | None:
    return None if text is None else Direction(text.lower())


def _lines(text: str | None) -> tuple[DrawnPart, ...]:
    try:
        return tuple(map(read_part, text.split(";"))) if text else ()
    except ValueError as error:
        raise UsageError("The lines of the drawing cannot be read: leave out “along” and what follows.") from error


def _interval(text: str | None) -> Interval:
    return MINUTE if text is None else Interval.parse(text)


def _length_us(text: str) -> int:
    length = Interval.parse(text)
    if length.months:
        raise UsageError("Months differ in length: give a time in s, m, h, d or w.")
    return length.length_us


def _indicator(text: str) -> ChosenIndicator:
    return read_indicators(text)[0]


def _amount(text: str) -> int:
    try:
        amount = parse_e8(text.replace("_", ""))
    except ValueError as error:
        raise UsageError(f"{text} has more than eight decimal places: round it.") from error
    if not amount:
        raise UsageError("0 is never reached: give an amount above it.")
    return amount
