"""A candle, and how the candles of its parts add up to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple


class CandleSource(StrEnum):
    """The source of a candle's figures."""

    TRADES = "trades"  # every figure was folded from trades
    KLINE = "kline"  # published by the exchange
    AGGTRADES = "aggtrades"  # added up from the exchange's aggregated trades, which an import brought
    TICKS = "ticks"  # folded from published bids and asks; files name the broker instead
    MIXED = "mixed"  # klines for its first part, trades from there on: an open candle joined at start


TRADE_IDS = ("first_trade_id", "last_trade_id")
KLINE_FIGURES = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_buy_volume",
    "taker_buy_quote_volume",
)
CANDLE_FIGURES = (*KLINE_FIGURES, *TRADE_IDS)
"""The names of a candle's figures in tables, batches and files, in their order there; klines have no trade ids."""


class Candle(NamedTuple):
    """
    One candle, from ``open_time_us`` until the next one opens (UTC microseconds, by the exchange's trade time).

    Prices are in the quote asset (1e-8 units); ``volume_e8`` and ``taker_buy_volume_e8`` in the base asset (1e-8);
    ``quote_volume_e16`` and ``taker_buy_quote_volume_e16`` in the quote asset (1e-16). ``trades`` counts them.
    ``first_trade_id`` and ``last_trade_id`` are None in a candle not made from trades, and in an empty one. That has no
    ``trades``, and all four prices are the close before it.

    ``closed``: no further trade can fall into it. ``complete``: no trade is missing between the last of the candle
    before and the first of the candle after. A candle whose end nobody has seen, as an open one, is not complete.
    """

    open_time_us: int
    open_e8: int
    high_e8: int
    low_e8: int
    close_e8: int
    volume_e8: int
    quote_volume_e16: int
    trades: int
    taker_buy_volume_e8: int
    taker_buy_quote_volume_e16: int
    first_trade_id: int | None = None
    last_trade_id: int | None = None
    closed: bool = True
    complete: bool = True
    source: CandleSource = CandleSource.TRADES


def empty_candle(open_time_us: int, previous_close_e8: int, *, closed: bool = True, complete: bool = True) -> Candle:
    """Return the candle of an interval without a trade, as the exchange publishes it."""
    price = previous_close_e8
    return Candle(open_time_us, price, price, price, price, 0, 0, 0, 0, 0, None, None, closed, complete)


def has_prices_alone(candle: Candle) -> bool:
    """
    Whether only its prices and volume are known, as in many files.

    What was traded was paid for, so beside a volume a quote volume of zero means unknown. Candles of ticks, which
    nobody trades, have no more than that.
    """
    return bool(candle.volume_e8) and not candle.quote_volume_e16


def lacks_amounts(candle: Candle) -> bool:
    """Whether it knows prices and volume alone and might know more, which a candle of ticks never could."""
    return has_prices_alone(candle) and candle.source is not CandleSource.TICKS


def has_taker_sides(candle: Candle) -> bool:
    """
    Whether the takers' share of the volume is known; without a volume it is.

    Many files do not say it. An import counts one trade where a file counts none, and one trade has one price.
    """
    if candle.taker_buy_volume_e8 or not candle.volume_e8:
        return True
    return not has_prices_alone(candle) and (candle.trades > 1 or candle.high_e8 == candle.low_e8)


def as_ticks(candle: Candle) -> Candle:
    """Return a candle folded from ticks, whose volume counts them, without the sums that only trades have."""
    return candle._replace(
        quote_volume_e16=0,
        taker_buy_volume_e8=0,
        taker_buy_quote_volume_e16=0,
        first_trade_id=None,
        last_trade_id=None,
        source=CandleSource.TICKS if candle.source is CandleSource.TRADES else candle.source,
    )


def combine(open_time_us: int, parts: Iterable[Candle]) -> Candle:
    """
    Return the candle that ``parts`` add up to.

    ``parts``: candles of disjoint times inside it, oldest first, at least one. Empty parts count only if all are empty;
    a part is not empty if it has a volume, though nobody counted its trades. If a part knows prices and volume alone,
    so does the candle: a sum without that part's share would be false.
    ``closed`` is that of the last part; ``complete`` is set if it is set for all parts.

    Raises:
        ValueError: If there are no parts.
    """
    parts = list(parts)
    if not parts:
        raise ValueError("a candle is made of at least one part")
    traded = [part for part in parts if part.trades or part.volume_e8] or parts[:1]
    first, last = traded[0], traded[-1]
    sources = {part.source for part in traded}
    known = () if any(map(has_prices_alone, traded)) else traded
    return Candle(
        open_time_us=open_time_us,
        open_e8=first.open_e8,
        high_e8=max(part.high_e8 for part in traded),
        low_e8=min(part.low_e8 for part in traded),
        close_e8=last.close_e8,
        volume_e8=sum(part.volume_e8 for part in traded),
        quote_volume_e16=sum(part.quote_volume_e16 for part in known),
        trades=sum(part.trades for part in traded),
        taker_buy_volume_e8=sum(part.taker_buy_volume_e8 for part in known),
        taker_buy_quote_volume_e16=sum(part.taker_buy_quote_volume_e16 for part in known),
        first_trade_id=first.first_trade_id,
        last_trade_id=last.last_trade_id,
        closed=parts[-1].closed,
        complete=all(part.complete for part in parts),
        source=sources.pop() if len(sources) == 1 else CandleSource.MIXED,
    )


def is_whole_so_far(candles: Sequence[Candle]) -> bool:
    """
    Whether the last of the candles, oldest first, is complete, or is open and lacks none of its trades until now.

    An open candle of trades must follow a complete one, and hold every id from its first to its last.
    """
    last = candles[-1]
    if last.closed or last.source is CandleSource.KLINE:
        return last.complete or not last.closed
    if last.first_trade_id is None or last.last_trade_id is None:
        return last.complete
    begins = last.first_trade_id <= 1 or (len(candles) > 1 and candles[-2].complete)
    return begins and last.trades == last.last_trade_id - last.first_trade_id + 1


def joined(one: Candle, other: Candle) -> Candle:
    """Return the candle of two parts of one slot, which have no trade in common; open and close go by id."""
    first, last = sorted((one, other), key=lambda part: part.first_trade_id or 0)
    later = max(one, other, key=lambda part: part.last_trade_id or 0)
    return first._replace(
        high_e8=max(first.high_e8, last.high_e8),
        low_e8=min(first.low_e8, last.low_e8),
        close_e8=later.close_e8,
        volume_e8=first.volume_e8 + last.volume_e8,
        quote_volume_e16=first.quote_volume_e16 + last.quote_volume_e16,
        trades=first.trades + last.trades,
        taker_buy_volume_e8=first.taker_buy_volume_e8 + last.taker_buy_volume_e8,
        taker_buy_quote_volume_e16=first.taker_buy_quote_volume_e16 + last.taker_buy_quote_volume_e16,
        last_trade_id=later.last_trade_id,
    )
