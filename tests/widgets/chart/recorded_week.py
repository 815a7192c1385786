"""OANDA's recorded prices of EUR/USD before and after a weekend as candles: the Thursday, the Friday, the Sunday."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from app.market.builder import CandleBuilder, finish
from app.market.calendar.weekly import forex
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from app.market.trade import Trade
from app.market.units import E8, parse_e8
from tests.market.calendar.helpers import us

EURUSD = Symbol("oanda:EURUSD", "EUR", "USD", tick_size_e8=1_000, step_size_e8=E8)
DAYS = ("20140501", "20140502", "20140504")


def recorded_week(find: Callable[[str], Path], interval: Interval) -> CandleSeries:
    """Return the candles of the mid; one tick counts as one unit of volume."""
    builder, number = CandleBuilder(interval), 0
    for day in DAYS:
        midnight_us = us(f"{day[:4]}-{day[4:6]}-{day[6:]}")
        with zipfile.ZipFile(find(f"oanda/eurusd_tick_{day}.zip")) as archive:
            lines = archive.read(archive.namelist()[0]).decode().split()
        for line in lines:
            ms, bid, ask = line.split(",")[:3]
            number += 1
            mid_e8 = (parse_e8(bid) + parse_e8(ask)) // 2
            time_us = midnight_us + int(ms) * 1_000
            builder.add(Trade(EURUSD.name, number, time_us, mid_e8, E8, is_buyer_maker=False))
    series = CandleSeries(EURUSD.name, interval)
    series.replace(finish(builder.candles(), interval, IdRanges([(0, number + 1)]), calendar=forex()))
    series.set_begins(begins=True)
    return series
