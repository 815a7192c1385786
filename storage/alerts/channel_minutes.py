"""
The lines of a regression channel, from the stored minutes that it goes over; see decision 110.

Only minutes that cannot change any more count: all their trades are stored, none is missing in between, and the market
has gone on since. So every program computes the same lines, whenever it does.
"""

from __future__ import annotations

from app.market.alerts.drawn_line import DrawnLine
from app.market.alerts.drawn_regression import regression_lines, span_of
from app.market.drawings.drawing import Drawing
from app.market.errors import UsageError
from app.market.interval import Interval
from storage.candles.candle_reader import SymbolCandleReader
from storage.postgres.connection import Connection

_MINUTE = Interval(60)
MOST_MINUTES = 100_000
"""More would take longer than alerts should wait for it."""


def channel_lines(connection: Connection, drawing: Drawing) -> tuple[DrawnLine, ...]:
    """
    Return the lines of a regression channel over the minutes from that of its first time to the last before its end.

    May raise psycopg.Error.

    Raises:
        UsageError: If some of these minutes may still change, are not stored, or are too many or too few.
    """
    first_us, last_us = span_of(drawing)
    start_us, end_us = _MINUTE.open_time_us(first_us), _MINUTE.open_time_us(last_us)
    if end_us - start_us > MOST_MINUTES * _MINUTE.length_us:
        raise UsageError(f"The regression channel is too long for an alert: {MOST_MINUTES:,} minutes at most.")
    reader = SymbolCandleReader.open(connection, drawing.symbol, _MINUTE)
    held = None if reader is None else reader.held  # before the candles: what is held then, they have
    if reader is None or held is None or held.first is None:
        raise UsageError(f"No trades of {drawing.symbol} are stored: its regression channel cannot be computed yet.")
    candles = reader.traded_candles(start_us, end_us) if start_us < end_us else []
    within = [one for one in candles if start_us <= one.open_time_us < end_us]
    if start_us < end_us and (not candles or candles[-1].open_time_us < end_us):
        raise UsageError(
            "The regression channel moves until the market has passed its end: put that on a past candle, "
            "and extend it to the right."
        )
    before = candles[0].last_trade_id if candles and candles[0].open_time_us < start_us else None
    stretch = None if before is None else held.range_of(before)
    after = candles[-1].first_trade_id if candles else None
    if candles and (stretch is None or after is None or not stretch[0] <= after <= stretch[1]):
        raise UsageError("Trades are missing under the regression channel, or just before it: download them first.")
    middles = [one.open_time_us + _MINUTE.length_us // 2 for one in within]
    return regression_lines(drawing, middles, [one.close_e8 for one in within])
