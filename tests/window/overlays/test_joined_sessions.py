"""When symbols beside a chart's own load again, with an exchange in memory."""

from __future__ import annotations

import asyncio

import pytest
from pytestqt.qtbot import QtBot

from app.concurrency.tasks import Tasks
from app.live.charts.candle_history import CandleHistory
from app.live.charts.chart_session import ChartSession, SessionState
from app.live.charts.shared_sessions import SharedSession, SharedSessions
from app.live.environment.clocks import ExchangeClock
from app.market.calendar.calendar import Calendar
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.trade import Trade
from app.window.overlays.joined_sessions import Candles, JoinedSessions
from tests.live.helpers import FakeExchange, HandClock, away, trade
from widgets.chart.chart_widget import ChartWidget

MINUTE = Interval.parse("1m")


def trades_of(name: str) -> list[Trade]:
    return [trade(second, symbol=name) for second in range(1, 300)]


class CountingExchange(FakeExchange):
    """Counts the requests."""

    requests = 0

    async def _answer(self) -> None:
        self.requests += 1
        await super()._answer()


class Beside:
    """Symbols beside a chart's own: each with an exchange of its own, and the seconds at which it was asked."""

    def __init__(self, chart: ChartWidget, *names: str) -> None:
        self.clock = HandClock()
        self.clock.time_us += 400_000_000
        self.exchanges = {
            name: CountingExchange([trade(second, symbol=name) for second in range(1, 300)], self.clock)
            for name in names
        }
        self.received = set(names)
        self.asked: dict[str, list[int]] = {name: [] for name in names}
        self._tasks = Tasks("a test")
        self._sessions = SharedSessions()
        self.joined = JoinedSessions(chart, self._share, self._tasks.begin, self._no_wait)
        self.joined.join([Candles(name, MINUTE, PriceSide.MID, None) for name in names])

    def _share(
        self, name: str, interval: Interval, side: PriceSide, calendar: Calendar | None
    ) -> tuple[SharedSession, bool]:
        history = CandleHistory(self.exchanges[name], None)
        clocks = {"exchange_clock": ExchangeClock(self.clock), "clock": self.clock}
        return self._sessions.take(
            name,
            lambda state, change: ChartSession(
                name, interval, history=history, tracker=None, on_state=state, on_change=change, **clocks
            ),
        )

    async def _no_wait(self) -> None:
        return

    async def pass_seconds(self, start: int, end: int) -> None:
        """Let these seconds pass, each with a tick, and note when which symbol was asked for."""
        for second in range(start, end):
            before = {name: exchange.requests for name, exchange in self.exchanges.items()}
            self.joined.tick(second, self.received.__contains__)
            for _ in range(20):
                await asyncio.sleep(0)
            for name, exchange in self.exchanges.items():
                if exchange.requests > before[name]:
                    self.asked[name].append(second)


@pytest.fixture
def chart(qtbot: QtBot) -> ChartWidget:
    made = ChartWidget()
    qtbot.addWidget(made)
    return made


async def test_a_compared_symbol_that_fails_is_asked_again_after_waits_that_double(chart: ChartWidget) -> None:
    beside = Beside(chart, "ETHUSDT", "BNBUSDT")
    beside.exchanges["ETHUSDT"].failure = away()
    await beside.pass_seconds(0, 130)
    assert beside.asked == {"ETHUSDT": [0, 1, 3, 7, 15, 31, 63, 123], "BNBUSDT": [0]}
    beside.exchanges["ETHUSDT"].failure = None
    await beside.pass_seconds(130, 300)
    assert beside.asked["ETHUSDT"][8:] == [183]
    assert [session.state for session in beside.joined.sessions] == [SessionState.READY] * 2
    await beside.joined.stop()


@pytest.mark.parametrize("sign", ["the exchange answers", "the stream is up"])
async def test_a_compared_symbol_loads_at_once_when_the_exchange_is_back(chart: ChartWidget, sign: str) -> None:
    beside = Beside(chart, "ETHUSDT")
    beside.exchanges["ETHUSDT"].failure = away()
    beside.received.clear()  # the stream is not up yet, either
    await beside.pass_seconds(0, 40)
    assert beside.asked["ETHUSDT"] == [0, 1, 3, 7, 15, 31]
    beside.exchanges["ETHUSDT"].failure = None
    if sign == "the exchange answers":
        beside.joined.reload_soon()
    else:
        beside.received.add("ETHUSDT")
    await beside.pass_seconds(40, 50)
    assert beside.asked["ETHUSDT"][6:] == [40]
    assert beside.joined.sessions[0].state is SessionState.READY
    await beside.joined.stop()


async def test_a_stream_that_comes_up_between_loads_begins_no_second_load(chart: ChartWidget) -> None:
    beside = Beside(chart, "ETHUSDT")
    beside.received.clear()
    await beside.pass_seconds(0, 3)
    beside.received.add("ETHUSDT")
    await beside.pass_seconds(3, 10)
    assert beside.asked["ETHUSDT"] == [0]
    await beside.joined.stop()


async def test_symbols_that_stay_keep_their_waits_when_another_one_joins(chart: ChartWidget) -> None:
    beside = Beside(chart, "ETHUSDT", "BNBUSDT")
    beside.exchanges["ETHUSDT"].failure = away()
    await beside.pass_seconds(0, 20)
    beside.joined.join([Candles("ETHUSDT", MINUTE, PriceSide.MID, None)])
    await beside.pass_seconds(20, 40)
    assert beside.asked["ETHUSDT"] == [0, 1, 3, 7, 15, 31]
    await beside.joined.stop()
