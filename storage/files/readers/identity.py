"""Whose rows they are, and how long their candles last: by the user's word, by the rows, or by the name of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

from app.market.errors import FileError
from app.market.interval import EXCHANGE_INTERVALS, SECOND_US, Interval
from app.market.ports.row_files import ReadingOptions, RowKind
from app.market.symbol import QUOTE_BROKERS, broker_of
from storage.files.readers.cells import Cell, to_time_us
from storage.files.readers.layout import Layout
from storage.files.readers.names import NameFacts

_MONTH_DAYS = range(28, 32)


class Identity(NamedTuple):
    """
    What rows are of where they do not say it themselves.

    ``symbol_asked``: the user named the symbol, so rows of another are left out.
    """

    symbol: str | None
    interval: Interval | None
    symbol_asked: bool = False


def identify(layout: Layout, facts: NameFacts, options: ReadingOptions, rows: Sequence[Sequence[Cell]]) -> Identity:
    """
    Return whose rows a table holds, from its first ones.

    Raises:
        FileError: If nothing says the symbol, or the length of its candles.
    """
    symbol = options.symbol or facts.symbol
    if symbol is None and "symbol" not in layout.columns:
        raise FileError("it does not say which symbol it is of: name it with --symbol.")
    if layout.kind is RowKind.QUOTES and symbol is not None and ":" not in symbol:
        raise FileError(
            f"it holds quotes of {symbol}, and Binance has trades: name the symbol with its broker, such as "
            "--symbol oanda:EURUSD."
        )
    if symbol is not None and layout.kind is not RowKind.QUOTES and broker_of(symbol) in QUOTE_BROKERS:
        raise FileError(
            f"it holds {layout.kind} of {symbol}, which has quotes: import those, and candles are made of them."
        )
    interval = None
    if layout.kind in (RowKind.KLINES, RowKind.CANDLES):
        interval = options.interval or facts.interval
        if interval is None and "interval" not in layout.columns:
            interval = _interval_of(layout, rows)
            if interval is None:
                raise FileError(
                    "it does not say how long its candles are: put the interval into its name, such as BTCUSDT-1m.csv."
                )
    return Identity(symbol, interval, options.symbol is not None)


def owner(named: str, kind: RowKind, identity: Identity) -> str | None:
    """
    Return the symbol of a row that names it; None if the user asked for another.

    Quotes are of the broker that the user named where the row names none.

    Raises:
        ValueError: If nothing says the broker of a quote.
    """
    if kind is RowKind.QUOTES and ":" not in named:
        if not identity.symbol_asked or identity.symbol is None:
            raise ValueError(f"symbol names no broker: give --symbol oanda:{named[:20]}")
        named = f"{broker_of(identity.symbol)}:{named}"
    return None if identity.symbol_asked and named != identity.symbol else named


def _interval_of(layout: Layout, rows: Sequence[Sequence[Cell]]) -> Interval | None:
    """Return the interval by which most neighbouring rows are apart, or None where no usual one is."""
    name = "open_time" if "open_time" in layout.columns else "close_time"
    times = []
    for row in rows:
        with suppress(ValueError, IndexError):
            times.append(to_time_us(row[layout.columns[name]]))
    steps = Counter(abs(second - first) for first, second in pairwise(times) if second != first)
    if not steps:
        return None
    step_us = steps.most_common(1)[0][0]
    day_us = 86_400 * SECOND_US
    if step_us % day_us == 0 and step_us // day_us in _MONTH_DAYS:
        return Interval(0, 1)
    fixed = Interval(step_us // SECOND_US)
    return fixed if step_us % SECOND_US == 0 and fixed in _USUAL else None


_USUAL = {*EXCHANGE_INTERVALS, *map(Interval.parse, ("5s", "15s", "30s", "10m", "20m", "45m", "90m", "3h"))}
