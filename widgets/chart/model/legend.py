"""The legend's texts for one candle, and the choice of fields where room is short. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from app.market.candle import CandleSource
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.series.series import Bar
from app.market.symbol import Symbol, broker_of, broker_title
from widgets.chart.scales.value_marks import format_percent, format_price


class Tone(Enum):
    """The role of a text, which decides its colour and weight."""

    TITLE = "title"
    LABEL = "label"
    VALUE = "value"
    RISING = "rising"
    FALLING = "falling"
    WARNING = "warning"
    LINK = "link"
    FAINT = "faint"
    ACCENT = "accent"
    LINE_1 = "line 1"
    LINE_2 = "line 2"
    LINE_3 = "line 3"
    LINE_4 = "line 4"
    LINE_5 = "line 5"
    LINE_6 = "line 6"
    LINE_7 = "line 7"


class Piece(NamedTuple):
    """One run of text. Pieces of a ``field`` stay together; for lack of room the highest ``rank`` is dropped first."""

    text: str
    tone: Tone
    field: str
    rank: int


def legend_pieces(
    symbol: Symbol, interval: Interval, bar: Bar | None, missing: int = 0, side: PriceSide = PriceSide.MID
) -> list[Piece]:
    """
    Return the legend of a candle, left to right.

    ``missing``: the trades known to be missing from it. ``side``: the price shown of a symbol without trades.
    """
    pieces = [Piece(f"{symbol.display_name} · {interval.name}", Tone.TITLE, "title", 0)]
    if not symbol.has_trades:
        title = f"{symbol.display_name} · {side} · {interval.name} · {symbol.broker_note}"
        pieces = [Piece(title, Tone.TITLE, "title", 0)]
    if bar is None:
        return pieces
    decimals = symbol.price_decimals
    for label, price, rank in (("O", bar.open, 5), ("H", bar.high, 3), ("L", bar.low, 3)):
        pieces += _field(label, format_price(price, decimals), Tone.VALUE, rank)
    direction = Tone.RISING if bar.close >= bar.open else Tone.FALLING
    pieces += _field("C", format_price(bar.close, decimals), direction, 1)
    pieces.append(Piece(_change(bar, decimals), direction, "change", 2))
    if symbol.has_trades:
        pieces += _field("V", format_quantity(bar.volume, symbol.quantity_decimals), Tone.VALUE, 6)
        pieces += _field("Trades", f"{bar.trades:,}", Tone.VALUE, 8)
        if bar.volume > 0 and bar.taker_buy_volume > 0:
            pieces += _field("Taker buys", f"{bar.taker_buy_volume / bar.volume * 100:.0f} %", Tone.VALUE, 7)
    else:
        pieces += _field("Ticks", f"{bar.trades:,}", Tone.VALUE, 6)
    state = completeness_of(symbol, bar, missing)
    is_whole = bar.complete and not missing
    tone = Tone.FAINT if is_whole else Tone.LINK if missing else Tone.WARNING
    may_go = is_whole and bar.source is not CandleSource.AGGTRADES  # else figures could pass for those of trades
    pieces.append(Piece(state.text, tone, COMPLETENESS, 4 if may_go else 1))
    return pieces


class ComparedFigure(NamedTuple):
    """A compared symbol: its name, the tone of its line, and its percents; None: not known."""

    name: str
    tone: Tone
    percent: float | None


def compare_pieces(symbol: Symbol, interval: Interval, since: str, figures: Sequence[ComparedFigure]) -> list[Piece]:
    """Return the legend of compared symbols: since when percents count, and each symbol's, in its line's colour."""
    pieces = [Piece(f"{symbol.display_name} · {interval.name}", Tone.TITLE, "title", 0)]
    pieces.append(Piece(f"since {since}", Tone.LABEL, "since", len(figures) + 1))
    for rank, (name, tone, percent) in enumerate(figures, 1):
        text = "—" if percent is None else format_percent(percent, 2)
        pieces += [Piece(f"■ {name}", tone, name, rank), Piece(text, Tone.VALUE, name, rank)]
    return pieces


def without_name(pieces: Sequence[Piece], symbol: Symbol, side: PriceSide) -> list[Piece]:
    """Return a legend of these two for a chart whose symbol and interval stand above it already."""
    kept = [piece for piece in pieces if piece.field != "title"]
    if kept and kept[0].field == "since":
        return [kept[0]._replace(text=f"{kept[0].text[0].upper()}{kept[0].text[1:]}"), *kept[1:]]
    # Which price of ticks is shown, and how its broker sends them, stands nowhere else.
    return kept if symbol.has_trades else [Piece(f"{side} · {symbol.broker_note}", Tone.LABEL, "side", 4), *kept]


TICKS = "Ticks"
"""The name of the volume of a symbol without trades: it counts ticks."""
COMPLETENESS = "complete"
"""The field that says how much of a candle is known."""


_AGGREGATED = "from aggregated trades"
_ABOUT_AGGREGATED = "Added up from the exchange's aggregated trades, which an import brought."


class Completeness(NamedTuple):
    """How much of a candle is known, in as few words as the legend has room for, and in a sentence."""

    text: str
    explanation: str


def completeness_of(symbol: Symbol, bar: Bar, missing: int = 0) -> Completeness:
    """Return the completeness of a symbol's candle. ``missing``: the trades known to be missing from it."""
    return completeness(bar, missing) if symbol.has_trades else _tick_completeness(symbol, bar)


def _tick_completeness(symbol: Symbol, bar: Bar) -> Completeness:
    title, is_live = broker_title(symbol.name), not bar.closed
    if not bar.complete:
        return Completeness(
            "incomplete", "Ticks of this candle may be missing: it was neither watched nor fetched from end to end."
        )
    if bar.source is CandleSource.KLINE:
        return Completeness("broker's candle", f"The candle as {title} publishes it. Its ticks are not stored.")
    if bar.source is CandleSource.MIXED and is_live:
        return Completeness(
            "broker's candle, then ticks", f"The candle of {title} up to the start of recording, and its ticks since."
        )
    if bar.source is CandleSource.MIXED:
        return Completeness("from several sources", "Added up from parts: candles of the broker, and its ticks.")
    if broker_of(symbol.name) == "oanda":
        return Completeness(
            "sampled",
            "OANDA sends at most four prices a second, so quicker changes are not there. All that it sent is counted.",
        )
    return Completeness("as published", f"Every tick of this candle that {title} publishes is stored.")


def completeness(bar: Bar, missing: int = 0) -> Completeness:
    """Return the completeness of a candle. ``missing``: the trades known to be missing from it."""
    is_aggregated = bar.source is CandleSource.AGGTRADES
    if missing:
        trades = "1 trade" if missing == 1 else f"{missing:,} trades"
        lack = f"Not stored of this candle: {trades}. Click to see where, and why."
        if is_aggregated:
            return Completeness(f"{_AGGREGATED}, {trades} missing", f"{_ABOUT_AGGREGATED} {lack}")
        return Completeness(f"{trades} missing", lack)
    if not bar.complete:
        if is_aggregated:
            return Completeness(
                f"incomplete, {_AGGREGATED}",
                f"{_ABOUT_AGGREGATED} Some may be missing: the import ends in this candle.",
            )
        return Completeness("incomplete", "Trades of this candle may be missing: it was not recorded from end to end.")
    if bar.source is CandleSource.MIXED and bar.closed:
        return Completeness(
            "from several sources",
            "Added up from parts: the exchange's candles, its aggregated trades, or trades that were recorded.",
        )
    if bar.source is CandleSource.MIXED:
        return Completeness(
            "exchange's candle, then trades",
            "The exchange's candle up to the start of recording, and every trade since.",
        )
    if bar.source is CandleSource.KLINE:
        return Completeness("exchange's candle", "The candle as the exchange publishes it. Its trades are not stored.")
    if is_aggregated:
        return Completeness(_AGGREGATED, f"{_ABOUT_AGGREGATED} Its trades are not stored.")
    if not bar.closed:
        return Completeness("all trades so far", "Every trade of this candle so far is stored. It is still open.")
    return Completeness("✓ all trades", "Every trade of this candle is stored.")


def lacks_trades(bar: Bar) -> bool:
    """Whether trades of a candle are not stored, or may not be."""
    return not bar.complete or bar.source is not CandleSource.TRADES


def _field(label: str, value: str, tone: Tone, rank: int) -> list[Piece]:
    return [Piece(label, Tone.LABEL, label, rank), Piece(value, tone, label, rank)]


def _change(bar: Bar, decimals: int) -> str:
    change = bar.close - bar.open
    sign = "+" if change > 0 else "−" if change < 0 else ""
    percent = abs(change) / bar.open * 100 if bar.open else 0.0
    return f"{sign}{format_price(abs(change), decimals)} ({sign}{percent:.2f} %)"


def format_quantity(quantity: float, decimals: int) -> str:
    """Return a quantity with at most three decimals, from a million up in millions or billions."""
    if quantity < 0:
        return f"−{format_quantity(-quantity, decimals)}"
    for size, letter in ((1e9, "B"), (1e6, "M")):
        if quantity >= size:
            return f"{quantity / size:,.3f} {letter}"
    return f"{quantity:,.{min(decimals, 3)}f}"


def format_axis_quantity(quantity: float) -> str:
    """Return a round quantity for an axis: ``1.5 K``, ``20 M``, ``0.05``."""
    if quantity < 0:
        return f"−{format_axis_quantity(-quantity)}"
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if quantity >= size:
            return f"{quantity / size:,.6g} {letter}"
    return f"{quantity:,.6g}" if quantity >= 1e-4 or quantity == 0 else f"{quantity:.8f}".rstrip("0")


def volume_title(symbol: Symbol, bar: Bar | None) -> list[Piece]:
    """Return the volume pane's title row for a candle."""
    if bar is None:
        return []
    if not symbol.has_trades:
        return [Piece(TICKS, Tone.LABEL, "volume", 0), Piece(f"{bar.trades:,}", Tone.VALUE, "volume", 0)]
    quantity = format_quantity(bar.volume, symbol.quantity_decimals)
    return [
        Piece("Volume", Tone.LABEL, "volume", 0),
        Piece(f"{quantity} {symbol.base}".rstrip(), Tone.VALUE, "volume", 0),
    ]


def fitting(pieces: Sequence[Piece], width: float, measure: Callable[[Sequence[Piece]], float]) -> list[Piece]:
    """
    Return the pieces that fit in ``width``: whole fields are dropped, the highest rank first, among equals the last.

    ``measure`` returns the width of pieces in a row. A field of rank 0 always stays.
    """
    kept = list(pieces)
    while len(kept) > 1 and measure(kept) > width:
        worst = max(piece.rank for piece in kept)
        field = next(piece.field for piece in reversed(kept) if piece.rank == worst)
        if worst == 0:
            break
        kept = [piece for piece in kept if piece.field != field]
    return kept
