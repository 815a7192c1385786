"""Ranges of time and templates in the window: the interval that fits, all its candles, and what a toast undoes."""

from __future__ import annotations

import asyncio

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from app.sandbox.server.server import SandboxServer
from tests.end_to_end.helpers import Running, until
from tests.window.playing import Play, shown
from widgets.chart.model.time_range import TimeRange, fitting_interval


def test_a_range_is_shown_in_the_interval_that_fits_with_all_its_candles(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        chart, window = running.chart, running.window
        window.resize(1300, 700)
        for time_range in TimeRange:
            chart.bar.ranges[time_range].click()
            await until(lambda wanted=time_range: chart.ranges.current is wanted)
            await until(lambda: shown(running) and running.session.joined)
            session, interval = running.session, running.session.interval
            left_us, right_us = chart.visible_range_us()
            now_us = running.engine.exchange_clock.now_us()
            # The simulated market is younger than a year, so that a year is all there is of it.
            listed_us = await running.engine.history.find_listing("BTCUSDT")
            # A range ends with its last candle: a month that ends at midnight may be a day shorter than one until now.
            end_us = interval.slot_open_us(int(session.series.slots[-1]) + 1)
            start_us = max(time_range.start_us(end_us) or 0, listed_us)
            assert abs(left_us - start_us) <= 2 * interval.length_us, time_range
            assert interval == fitting_interval(start_us, now_us, chart.candles_width_px)
            await until(
                lambda session=session, left_us=left_us, right_us=right_us: not session.lacks_candles(left_us, right_us)
            )
            assert session.series.slots[0] <= interval.slot(left_us) + 1
            assert chart.is_following
            await until(lambda wanted=time_range: chart.bar.ranges[wanted].isChecked())
            assert sum(button.isChecked() for button in chart.bar.ranges.values()) == 1
            assert window.top_bar.intervals._interval == interval
        chart.navigator.pan(300)
        await until(lambda: not any(button.isChecked() for button in chart.bar.ranges.values()))
        chart.bar.ranges[TimeRange.DAY].click()
        await until(lambda: chart.ranges.current is TimeRange.DAY and shown(running))
        assert chart.is_following

    play(scene)


def test_a_range_is_shown_while_the_exchange_is_away_and_all_there_is_can_be_given_up(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        chart = running.chart
        await until(lambda: running.engine.database is not None and running.session.joined)
        server.faults.rest.hang_next(3.0, times=None)
        chart.range_requested.emit(TimeRange.ALL)
        QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Escape)
        await asyncio.sleep(0)
        assert chart.ranges.current is None
        before = running.session
        chart.range_requested.emit(TimeRange.DAY)
        await until(lambda: chart.ranges.current is TimeRange.DAY)
        assert running.session is not before
        chart.range_requested.emit(TimeRange.ALL)
        running.window.requests.symbol_requested.emit("ETHUSDT")  # the range of the symbol before is given up
        await asyncio.sleep(0.1)
        assert chart.ranges.current is not TimeRange.ALL

    play(scene)


def test_what_a_template_did_is_undone_by_the_toast_s_key(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        chart, window = running.chart, running.window
        chart.indicators.add("ema")
        chart.templates.save("Mine")
        chart.indicators.remove("ema")
        chart.indicators.add("rsi")
        chart.templates.apply("mine")
        assert [study.key for study in chart.indicators.studies] == ["ema"]
        assert window.toasts.shown[-1].text.text() == "Template “Mine” applied."
        window.toasts.undo_latest()
        assert [study.key for study in chart.indicators.studies] == ["rsi"]
        with_menu = window.top_bar.menu.actions()
        next(action for action in with_menu if action.text().startswith("Indicator templates")).trigger()
        menus = [menu for menu in chart.findChildren(QMenu) if menu.isVisible()]
        assert "Mine" in [action.text() for action in menus[0].actions()]
        menus[0].close()

    play(scene)
