"""
Holds the minutes of trades just loaded against the exchange's klines that are stored.

Ids prove that no trade is missing; klines show that the trades are those that the exchange counted.
"""

from __future__ import annotations

from itertools import starmap

from app.market.candle import Candle, CandleSource
from app.market.comparison import FieldDifference, differences
from app.market.coverage import IdRanges
from app.market.interval import Interval
from storage.candles import klines
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import symbol_id_of
from storage.rollups import candle_sql
from storage.schema import id_ranges

_MINUTE = Interval.parse("1m")


def kline_differences(connection: Connection, symbol: str, start_us: int, end_us: int) -> list[FieldDifference]:
    """
    Return where the whole minutes that open in ``[start_us, end_us)`` differ from stored klines, oldest first.

    Minutes without a kline, or with a trade missing in them or beside them, are not compared. Raises psycopg.Error.
    """
    symbol_id = symbol_id_of(connection, symbol)
    if symbol_id is None:
        return []
    stored = klines.read_stored(connection, symbol_id, _MINUTE, start_us, end_us)
    published = {at: one for at, one in stored.items() if one.complete and one.source is CandleSource.KLINE}
    if not published:
        return []
    held = id_ranges.read(connection, id_ranges.COVERAGE, symbol_id)
    values = {
        "symbol_id": symbol_id,
        "start_us": _MINUTE.open_time_us(start_us),
        "end_us": _MINUTE.next_open_us(end_us - 1),
    }
    found: list[FieldDifference] = []
    for candle in starmap(Candle, connection.execute(candle_sql.fold(_MINUTE), values)):
        kline = published.get(candle.open_time_us)
        if kline is not None and _is_whole(candle, held):
            found += differences(candle, kline)
    return found


def _is_whole(candle: Candle, held: IdRanges) -> bool:
    """Whether the trades of a candle are held, and those before and after."""
    first, last = candle.first_trade_id, candle.last_trade_id
    assert first is not None
    assert last is not None
    run = held.range_of(first)
    return run is not None and (run[0] < first or first <= 1) and run[1] > last
