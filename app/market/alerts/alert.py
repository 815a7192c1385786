"""An alert, what it waits for, and a firing: the trade at which the condition was met."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.market.alerts.drawn_parts import DrawnPart
from app.market.indicators.chosen import ChosenIndicator
from app.market.interval import Interval

MINUTE = Interval(60)


class Direction(StrEnum):
    """Which way a price, a volume or a value went."""

    UP = "up"
    DOWN = "down"


class Repeat(StrEnum):
    """How often an alert may fire."""

    ONCE = "once"
    CANDLE = "candle"  # once in each candle of the alert's interval
    EVERY = "every"


@dataclass(frozen=True, slots=True)
class PriceCrosses:
    """
    A trade reaches or passes ``price_e8`` (quote asset, 1e-8 units).

    Crossing up: the trade before was below, this one is at or above; down alike. ``direction`` None: either.
    """

    price_e8: int
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class PriceInRange:
    """
    The price enters or leaves the range from ``low_e8`` to ``high_e8``, both of which belong to it.

    A trade that jumps from one side to the other neither enters nor leaves.
    """

    low_e8: int
    high_e8: int
    enters: bool


@dataclass(frozen=True, slots=True)
class PriceMoves:
    """
    The price has moved by ``percent_e8`` (1e-8 of a percent) within ``window_us``.

    Up: it is that much above the lowest price of the trades of the window, which ends with this trade and includes the
    trade exactly ``window_us`` before; down: below the highest. It is met when the trade before was not yet that far.
    """

    percent_e8: int
    window_us: int
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class VolumeExceeds:
    """The open candle's volume is above ``multiple_e8`` times the mean of the ``candles`` before it, empty ones too."""

    multiple_e8: int
    candles: int


@dataclass(frozen=True, slots=True)
class IndicatorCrosses:
    """
    An indicator crosses ``target``, a value or another indicator, at the end of a candle.

    Up: at the end of the candle before it was below, now it is at or above. The first trade after the candle shows its
    end, and is the one that fires. An indicator of several lines is represented by its first one.
    """

    indicator: ChosenIndicator
    target: float | ChosenIndicator
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class DrawingCrosses:
    """
    The price crosses a line or a path of a drawing, or time its moment.

    Up: the trade before was below the line at its own time, this one is at or above it at its; down alike. Where one
    of both times does not belong to the line, nothing is crossed. ``lines``: as the drawing was when the alert began
    to wait; none where there is no such drawing any more.
    """

    drawing_id: str
    direction: Direction | None = None
    lines: tuple[DrawnPart, ...] = ()


class TroubleKind(StrEnum):
    """What may go wrong with the data themselves."""

    GAP = "trades missing"
    FEED = "feed lost"
    RECORDER = "recorder in trouble"


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    Something is wrong with the data for ``for_us``. No trade meets it: a program that records sees it, by its clock.

    A gap is missing trades that are not fetched by then. A feed is lost while its connection is down. The recorder is
    in trouble while it has no database, or cannot keep what it receives.
    """

    kind: TroubleKind
    for_us: int


TradeCondition = PriceCrosses | PriceInRange | PriceMoves | VolumeExceeds | IndicatorCrosses | DrawingCrosses
Condition = TradeCondition | Trouble


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition, and the interval of the candles it speaks of; `Repeat.CANDLE` counts by these, too."""

    condition: Condition
    interval: Interval = MINUTE

    @property
    def is_of_trades(self) -> bool:
        """Whether trades meet it, and prove it; not so where it is about trouble."""
        return not isinstance(self.condition, Trouble)


class Pause(NamedTuple):
    """
    Trades that do not meet an alert: those after ``after_id``, up to ``until_id`` and before ``until_us``.

    None: without an end. ``until_us``: UTC microseconds, by the time of the trade.
    """

    after_id: int
    until_id: int | None = None
    until_us: int | None = None

    def covers(self, trade_id: int, time_us: int) -> bool:
        """Whether a trade falls into it."""
        if trade_id <= self.after_id or (self.until_id is not None and trade_id > self.until_id):
            return False
        return self.until_us is None or time_us < self.until_us


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that is watched on one symbol, but for ``pauses``. ``alert_id`` is its number in the database."""

    alert_id: int
    rule: Rule
    repeat: Repeat = Repeat.ONCE
    pauses: tuple[Pause, ...] = ()

    def is_paused_at(self, trade_id: int, time_us: int) -> bool:
        """Whether a trade falls into a pause, and so does not meet it."""
        return any(pause.covers(trade_id, time_us) for pause in self.pauses)


@dataclass(frozen=True, slots=True, order=True)
class Firing:
    """
    The trade that met an alert's condition, and the way it went. ``time_us`` in UTC microseconds, price in 1e-8.

    ``reason``: in words, with the figures before and at the trade. It is a comment, so it makes no two firings differ.
    """

    alert_id: int
    trade_id: int
    time_us: int
    price_e8: int
    direction: Direction
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Incident:
    """
    A trouble that an alert was about, from ``time_us`` on (UTC microseconds, by the recording computer's clock).

    ``symbol``: empty where it is the program's as a whole. ``first_id`` and ``last_id``: the missing trades of a gap.
    """

    alert_id: int
    symbol: str
    time_us: int
    reason: str
    first_id: int | None = None
    last_id: int | None = None
