"""A chart's candles while the market is closed: none opens, none is loaded, and the next one follows the last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.live.charts.chart_session import ChartSession
from app.live.charts.page_loader import missing_slots
from app.market.calendar.session_table import ListedSession, SessionTable
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from tests.live.helpers import START_US, FakeExchange, trade
from tests.live.market import Market, every_second


def closed_between(first: int, end: int) -> SessionTable:
    """A market that is closed between two seconds after the start."""
    day = datetime.fromtimestamp(START_US // SECOND_US, UTC).date()
    return SessionTable(
        "X",
        [
            ListedSession(day, START_US - 10_000 * SECOND_US, START_US + first * SECOND_US),
            ListedSession(day, START_US + end * SECOND_US, START_US + 10_000 * SECOND_US),
        ],
    )


def seconds_of(session: ChartSession, since: int) -> list[int]:
    """The open times of the candles from a second after the start on."""
    opens = (session.series.column("open_time_us") - START_US) // SECOND_US
    return [second for second in opens.tolist() if second >= since]


@pytest.mark.parametrize("is_set_later", [False, True])
async def test_no_candle_opens_while_the_market_is_closed(is_set_later: bool) -> None:
    market = Market([*every_second(10), trade(11, 62.5), trade(12, 63)], now=5)
    chart = market.chart("1s")
    session = chart.session
    if not is_set_later:
        session.set_calendar(closed_between(11, 60))
    market.hear(market.trades[5])
    await session.run()
    session.set_calendar(closed_between(11, 60))
    market.hear(*market.trades[6:10])
    session.refresh()
    market.clock.time_us = START_US + 30 * SECOND_US
    assert session.tick()  # the last candle has closed
    assert not session.tick()
    assert seconds_of(session, 8) == [8, 9, 10]
    assert session.series.bar(-1).closed
    market.clock.time_us = START_US + 61 * SECOND_US + SECOND_US // 2
    assert session.tick()
    assert seconds_of(session, 8) == [8, 9, 10, 60, 61]
    assert not session.series.bar(-1).closed
    market.hear(*market.trades[10:])
    session.refresh()
    assert seconds_of(session, 8) == [8, 9, 10, 60, 61, 62, 63]
    assert all(bar.complete for bar in chart.bars[-6:])
    market.close()


class ClosingExchange(FakeExchange):
    """Publishes no candle between the eleventh second and the sixtieth."""

    async def klines(self, *asked: Any, **named: Any) -> list[Candle]:
        found = await super().klines(*asked, **named)
        return [one for one in found if not 11 <= (one.open_time_us - START_US) // SECOND_US < 60]


async def test_closed_time_is_not_lacking() -> None:
    market = Market([*every_second(10), *(trade(number, number + 50) for number in range(11, 40))], now=38)
    market.exchange = ClosingExchange(market.trades, market.clock)
    session = market.chart("1s").session
    market.hear(market.trades[38])
    await session.run()
    assert seconds_of(session, 1)[:12] == [*range(1, 11), 60, 61]
    assert session.lacks_candles(START_US + 5 * SECOND_US, START_US + 80 * SECOND_US)
    session.set_calendar(closed_between(11, 60))
    assert not session.lacks_candles(START_US + 5 * SECOND_US, START_US + 80 * SECOND_US)
    session.set_calendar(closed_between(11, 40))
    assert session.lacks_candles(START_US + 5 * SECOND_US, START_US + 80 * SECOND_US)
    market.close()


def test_only_open_slots_are_asked_for() -> None:
    second, first = Interval.parse("1s"), Interval.parse("1s").slot(START_US)
    asked = missing_slots(second, first, first + 70, [], IdRanges(), closed_between(11, 60))
    assert [slot - first for slot in asked] == [*range(11), *range(60, 71)]
