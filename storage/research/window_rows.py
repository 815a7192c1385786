"""
Rolling windows as rows of the tables ``ohlcv_{N}m``.

A window covers N minutes of the clock, closed ones included. ``window_minutes`` counts its whole minutes: stored and
complete, or closed. One missing minute lowers it in all N rows that cover it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.calendar import Calendar
from app.market.calendar.window_sessions import closed_minutes, window_sessions
from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import PRICE_COLUMNS, flags, open_times
from app.market.columns.rolling import MINUTE_US, windows_between
from app.market.columns.wide_decimals import floats_of, mean_prices
from app.market.file_columns import MINUTE_INDEX
from storage.postgres.binary_rows import ColumnType, RowLayout

LAYOUT = RowLayout(
    [
        ColumnType.TIMESTAMP,
        ColumnType.SMALLINT,
        *[ColumnType.DOUBLE] * 5,
        ColumnType.INTEGER,
        ColumnType.DOUBLE,
        ColumnType.SMALLINT,
        ColumnType.SMALLINT,
        *[ColumnType.BOOLEAN] * 3,
    ]
)
"""The columns of `storage.research.tables.COLUMNS`; NaN and -1 stand for NULL."""


def windows_ending(minutes: Any, length: int, first_end_us: int, last_end_us: int) -> Any:
    """Return the windows that end in this range, both ends included, and have a minute in ``minutes``."""
    count = (last_end_us - first_end_us) // MINUTE_US + 1
    return windows_between(minutes, length, first_end_us - length * MINUTE_US, max(count, 0))


def columns_of_rows(windows: Any, minutes: Any, length: int, calendar: Calendar) -> list[NDArray[Any]]:
    """Return the columns of `LAYOUT` for windows; ``minutes`` holds all minutes that they cover."""
    starts_us = open_times(windows)
    ends_us = starts_us + length * MINUTE_US
    sessions = window_sessions(calendar, starts_us, ends_us)
    vwap = mean_prices(windows.column("quote_volume"), windows.column("volume"), arrow().decimal128(38, 16))
    return [
        ends_us,
        windows.column(MINUTE_INDEX).to_numpy(),
        *(floats_of(windows.column(name)) for name in (*PRICE_COLUMNS, "volume")),
        windows.column("trades").to_numpy(),
        floats_of(vwap),
        sessions.minutes_into_session,
        _whole_minutes(minutes, starts_us, length, calendar),
        sessions.spans_sessions,
        sessions.is_regular,
        sessions.has_gap,
    ]


def _whole_minutes(minutes: Any, starts_us: NDArray[np.int64], length: int, calendar: Calendar) -> NDArray[np.int64]:
    """Return the number of minutes of each window that are complete, or closed and without a candle."""
    if not len(starts_us):
        return np.empty(0, np.int64)
    first_us = int(starts_us[0])
    grid_us = np.arange(first_us, int(starts_us[-1]) + length * MINUTE_US, MINUTE_US)
    is_whole = closed_minutes(calendar, grid_us)
    places = (open_times(minutes) - first_us) // MINUTE_US
    inside = (places >= 0) & (places < len(grid_us))
    is_whole[places[inside]] = flags(minutes, "complete")[inside]
    total = np.concatenate(([0], np.cumsum(is_whole)))
    at = (starts_us - first_us) // MINUTE_US
    whole: NDArray[np.int64] = total[at + length] - total[at]
    return whole
