"""Charts side by side on one engine and the sandbox's simulated market; and when a chart loads again what it lacks."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QWindow
from PySide6.QtWidgets import QHBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.live.charts.chart_session import ChartSession
from app.live.charts.shared_sessions import SharedSessions
from app.live.engine import Engine
from app.market.calendar.weekly import forex
from app.market.interval import Interval
from app.market.ports.exchange import FeedStatus
from app.runtime.wiring import engine_for
from app.sandbox.market.simulated import SimulatedMarket
from app.window.charts.chart_controller import ChartController
from tests.end_to_end.helpers import run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from widgets.chart.chart_widget import ChartWidget


class TwoCharts:
    """Two charts in one window that is no `MainWindow`: forwards the engine's changes to both, and lets time pass."""

    def __init__(self, engine: Engine) -> None:
        self.window = QWidget()
        self.window.resize(1200, 500)
        self.charts = [ChartWidget(), ChartWidget()]
        layout = QHBoxLayout(self.window)
        for chart in self.charts:
            layout.addWidget(chart)
        sessions = SharedSessions()
        self.controllers = [ChartController(engine, chart, simulated=True, sessions=sessions) for chart in self.charts]
        engine.feed.on_status(self._on_feed_status)
        engine.on_database = lambda: [one.on_database() for one in self.controllers]
        engine.on_symbols = lambda: [one.on_symbols() for one in self.controllers]
        self._timer = QTimer(self.window)
        self._timer.timeout.connect(self._pass_time)
        self._timer.start(100)
        self.window.show()

    async def stop(self) -> None:
        self._timer.stop()
        for one in self.controllers:
            await one.stop()
        self.window.close()
        self.window.deleteLater()

    def _on_feed_status(self, status: FeedStatus) -> None:
        for one in self.controllers:
            one.on_feed_status(status)

    def _pass_time(self) -> None:
        for one in self.controllers:
            one.renew()
            one.tick()


@contextlib.asynccontextmanager
async def two_charts(data_dir: Path, url: str) -> AsyncIterator[tuple[TwoCharts, Engine]]:
    async with serving(SimulatedMarket(seed=5, rate=200)) as server:
        settings = settings_in(data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT,ETHUSDT", database_url=url)
        async with engine_for(settings) as engine:
            both = TwoCharts(engine)
            engine.start(["BTCUSDT", "ETHUSDT"])
            try:
                yield both, engine
            finally:
                await both.stop()
                await engine.close()


def session_of(controller: ChartController) -> ChartSession:
    assert controller.session is not None
    return controller.session


def newest(controller: ChartController) -> tuple[int, int]:
    """The newest candle that the chart's frames brought into its series: when it opens, and its trades."""
    series = session_of(controller).series
    bar = series.bar(len(series) - 1)
    return bar.open_time_us, bar.trades


def is_followed(controller: ChartController, engine: Engine) -> bool:
    tracker = engine.recorder.tracker(session_of(controller).symbol)
    return tracker is not None and bool(tracker.listeners)


def test_two_charts_follow_the_market_live_side_by_side_and_one_goes_on_when_the_other_is_closed(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with two_charts(data_dir, tables_url) as (both, engine):
            (one, other), (chart, other_chart) = both.controllers, both.charts
            painted: list[ChartController] = []
            one.first_painted.connect(lambda: painted.append(one))
            other.first_painted.connect(lambda: painted.append(other))
            one.show("BTCUSDT", Interval.parse("1m"))
            other.show("ETHUSDT", Interval.parse("5s"))
            await until(lambda: session_of(one).joined and session_of(other).joined)
            await until(lambda: len(painted) == 2)
            assert set(painted) == {one, other}
            assert chart.accessibleDescription() == "BTC/USDT, 1m"
            assert other_chart.accessibleDescription() == "ETH/USDT, 5s"

            before, other_before = newest(one), newest(other)
            frames = chart.frame_count, other_chart.frame_count
            await until(lambda: newest(one) != before and newest(other) != other_before)
            assert chart.frame_count > frames[0]
            assert other_chart.frame_count > frames[1]
            assert session_of(one).series is not session_of(other).series
            spans = [np.diff(session_of(each).series.column("open_time_us")) for each in both.controllers]
            assert [int(span.min()) for span in spans] == [60_000_000, 5_000_000]

            await one.stop()
            assert not is_followed(one, engine)
            assert is_followed(other, engine)
            closed_at, painted_at = newest(one), other_chart.paint_count
            for _ in range(3):
                other_before = newest(other)
                await until(lambda before=other_before: newest(other) != before)
            assert newest(one) == closed_at
            assert other_chart.paint_count > painted_at

            week = forex()
            other.set_calendar(week)
            other.show("BTCUSDT", Interval.parse("1m"))  # what the closed one showed is free for the other
            await until(lambda: session_of(other).joined)
            assert other_chart._scene.calendar is week
            assert session_of(other).calendar is week
            other.set_calendar(None)
            assert (other_chart._scene.calendar, session_of(other).calendar) == (None, None)
            assert other_chart.accessibleDescription() == "BTC/USDT, 1m"
            await until(lambda: engine.database is not None)
            engine.database.store.learn_calendar("BTCUSDT", week)
            other.use_calendar_of("BTCUSDT")
            assert session_of(other).calendar is week
            other.set_calendar(None)
            other_before = newest(other)
            await until(lambda: newest(other) != other_before)

    run_on_qt_loop(work)


def test_two_charts_of_the_same_candles_share_one_series_and_look_at_different_times(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with two_charts(data_dir, tables_url) as (both, engine):
            one, other = both.controllers
            one.show("BTCUSDT", Interval.parse("1m"))
            await until(lambda: session_of(one).joined and both.charts[0].accessibleDescription())
            other.show("BTCUSDT", Interval.parse("1m"))
            assert session_of(other) is session_of(one)
            assert both.charts[1].series is both.charts[0].series  # at once, without a load
            tracker = engine.recorder.tracker("BTCUSDT")
            assert tracker is not None
            assert len(tracker.listeners) == 1
            frames = [chart.frame_count for chart in both.charts]
            before = newest(one)
            await until(lambda: newest(one) != before)
            await until(lambda: all(chart.frame_count > at for chart, at in zip(both.charts, frames, strict=True)))
            both.charts[1].show_time(engine.exchange_clock.now_us() - 3 * 86_400_000_000)
            await until(lambda: len(session_of(other).series) > 3000 or session_of(other).series.slots[0] > 0)
            assert both.charts[0].is_following
            assert not both.charts[1].is_following
            one.show("BTCUSDT", Interval.parse("5m"))
            assert session_of(other) is not session_of(one)
            assert session_of(other).joined
            await until(lambda: session_of(one).joined)

    run_on_qt_loop(work)


@pytest.mark.parametrize("way", ["hidden", "minimised", "not exposed"])
def test_a_chart_out_of_view_follows_no_trade_and_is_right_in_the_frame_that_shows_it(
    qtbot: QtBot, data_dir: Path, tables_url: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with two_charts(data_dir, tables_url) as (both, engine):
            (one, other), (chart, other_chart) = both.controllers, both.charts
            one.show("BTCUSDT", Interval.parse("1m"))
            other.show("ETHUSDT", Interval.parse("1m"))
            await until(lambda: session_of(one).joined and session_of(other).joined)
            tracker = engine.recorder.tracker("BTCUSDT")
            assert tracker is not None
            hidden = [one] if way == "hidden" else [one, other]
            if way == "hidden":
                chart.hide()
            elif way == "minimised":
                both.window.showMinimized()
            else:  # as a system says that has other virtual desktops; this one has none
                monkeypatch.setattr(QWindow, "isExposed", lambda _: False)
            await until(lambda: all(each.is_asleep for each in hidden), seconds=1)
            await until(lambda: not any(is_followed(each, engine) for each in hidden), seconds=5)
            revision, frames, heard = session_of(one).series.revision, chart.frame_count, tracker.total
            await until(lambda: tracker.total > heard + 20)
            assert (session_of(one).series.revision, chart.frame_count) == (revision, frames)
            if way == "hidden":
                assert is_followed(other, engine)
                assert other_chart.isVisible()
                chart.show()  # paints before anything else can happen
            else:
                monkeypatch.undo()
                both.window.showNormal()
                await until(lambda: not one.is_asleep, seconds=1)
            newest_trade = tracker.last_trade
            assert newest_trade is not None
            assert not one.is_asleep
            assert is_followed(one, engine)
            series = session_of(one).series
            if way == "hidden":
                assert series.bar(len(series) - 1).close == newest_trade.price_e8 / 1e8
            at = newest(one)
            await until(lambda: newest(one) != at)

    run_on_qt_loop(work)
