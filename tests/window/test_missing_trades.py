"""Missing trades in the window on the simulated market: marked, offered, downloaded, and found by a click."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.market.candle import CandleSource
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US
from app.market.series.series import Bar
from app.sandbox.server.server import SandboxServer
from app.window.missing_trades import in_turn
from tests.end_to_end.helpers import Running, until
from tests.window.playing import Play, shown


def bar_at(session: ChartSession, open_us: int) -> Bar:
    """Return the chart's candle that opens then."""
    return session.series.bar(session.series.index_at_slot(session.interval.slot(open_us)))


def told(engine: Engine, symbol: str = "BTCUSDT") -> bool:
    """Give the recorder the stored coverage; call it again, because an older reading may still arrive."""
    assert engine.database is not None
    engine.recorder.note_stored(symbol, engine.database.store.coverage(symbol))
    return True


def time_of(server: SandboxServer, trade_id: int) -> int:
    return server.source.trades("BTCUSDT", trade_id, 1)[0].time_us


def test_a_long_gap_in_view_is_offered_for_download_and_downloaded(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        engine, row = running.engine, running.window.quote_panel.download
        await until(lambda: engine.database is not None and engine.recorder.tracker("BTCUSDT").last_trade)
        assert engine.database is not None
        tracker = engine.recorder.tracker("BTCUSDT")
        ids = server.source.trade_ids("BTCUSDT")
        assert tracker is not None
        assert ids is not None
        engine.recorder.repair_trades = 100
        stored_id = ids[1] - 3_000
        while time_of(server, stored_id) > time_of(server, ids[1] - 1) - 180 * SECOND_US:
            stored_id -= 500  # a busy market has 3,000 trades in less than whole candles of the gap need
        assert engine.database.writer.put(server.source.trades("BTCUSDT", stored_id, 10))
        assert await engine.database.writer.flush(20)
        await until(lambda: told(engine) and row.isVisible() and row.button.text() == "Download trades")
        missing = tracker.missing()
        assert missing > 2_000
        await until(lambda: engine.repairer.plan.in_view[1])
        assert tracker.missing() == missing
        session = running.session
        assert session is not None
        joined_us = session.interval.open_time_us(tracker.window_start_us or 0)
        # Those that lie in the gap as a whole.
        gap_us = time_of(server, stored_id + 10)
        before = [joined_us - number * session.interval.length_us for number in range(5, 0, -1)]
        before = [open_us for open_us in before if open_us > gap_us]
        assert before
        await until(lambda: session.joined)
        assert {bar_at(session, open_us).source for open_us in before} == {CandleSource.KLINE}
        await until(lambda: running.chart._scene.gaps)
        row.button.click()
        assert row.button.text() == "Stop"
        await until(lambda: not tracker.missing() and row.isHidden())
        # The chart has what the trades make of it, and marks nothing any more.
        await until(lambda: not running.chart._scene.gaps)
        await until(lambda: {bar_at(session, open_us).source for open_us in before} == {CandleSource.TRADES})
        oldest = session.series.bar(0)
        assert (oldest.source, oldest.complete) == (CandleSource.KLINE, True)
        stored = engine.database.store.candles("BTCUSDT", session.interval, start_us=before[0], end_us=joined_us)
        assert [(one.trades, one.complete, one.source) for one in stored] == [
            (one.trades, one.complete, one.source) for one in (bar_at(session, open_us) for open_us in before)
        ]

    play(scene)


async def store_old_trades(running: Running, server: SandboxServer, symbol: str) -> int:
    """Store ten trades from more than nine hours ago, so that those since then are missing; return the last's time."""
    engine = running.engine
    await until(lambda: engine.database is not None and engine.recorder.tracker(symbol).last_trade)
    ids = server.source.trade_ids(symbol)
    assert ids is not None
    assert engine.database is not None
    old = ids[1] - 5_000
    while server.source.trades(symbol, old, 1)[0].time_us > engine.exchange_clock.now_us() - 33_000 * SECOND_US:
        old -= 5_000
    trades = server.source.trades(symbol, old, 10)
    assert engine.database.writer.put(trades)
    assert await engine.database.writer.flush(20)
    return trades[-1].time_us


def test_a_click_on_trades_missing_shows_them_and_asks_where_several_symbols_lack_some(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        running.engine.recorder.repair_trades = 0
        window, chart, link = running.window, running.chart, running.window.status_bar.missing
        there_us = await store_old_trades(running, server, "BTCUSDT")
        await until(lambda: told(running.engine) and running.session.joined and link.isVisible())
        assert chart.center_time_us() > there_us + 1_000 * SECOND_US
        QTest.keyClick(link, Qt.Key.Key_Return)
        await until(lambda: not chart.is_following and abs(chart.center_time_us() - there_us) < 120 * SECOND_US)
        chart.navigator.follow_latest()
        await until(lambda: chart.is_following and window.quote_panel.missing.is_link)
        window.quote_panel.missing.clicked.emit()
        await until(lambda: not chart.is_following and abs(chart.center_time_us() - there_us) < 120 * SECOND_US)
        # Another symbol lacks some, too.
        there_us = await store_old_trades(running, server, "ETHUSDT")
        await until(lambda: told(running.engine, "ETHUSDT") and running.engine.recorder.tracker("ETHUSDT").missing())
        before = set(QApplication.topLevelWidgets())
        window.requests.missing_requested.emit()
        (menu,) = [one for one in set(QApplication.topLevelWidgets()) - before if isinstance(one, QMenu)]
        assert [action.text().partition("\t")[0] for action in menu.actions()] == ["BTC/USDT", "ETH/USDT"]
        menu.actions()[1].trigger()
        menu.close()
        await until(lambda: running.controller._state.symbol == "ETHUSDT" and shown(running))
        await until(lambda: not chart.is_following and abs(chart.center_time_us() - there_us) < 120 * SECOND_US)

    play(scene)


@given(st.sets(st.integers(0, 30)), st.none() | st.integers(0, 31))
def test_missing_ranges_take_turns_newest_first_from_the_one_before(ids: set[int], before: int | None) -> None:
    missing = IdRanges((one, one) for one in ids)
    turns = in_turn(missing, before)
    assert sorted(turns) == list(missing)
    older = [one for one in turns if before is not None and one[1] < before]
    assert turns[: len(older)] == sorted(older, reverse=True)
    assert turns[len(older) :] == sorted(set(turns) - set(older), reverse=True)


def test_every_gap_in_view_is_marked_until_its_trades_are_there(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        engine, chart = running.engine, running.chart
        engine.recorder.repair_trades = 0
        await until(lambda: engine.database is not None and engine.recorder.tracker("BTCUSDT").last_trade)
        tracker, ids = engine.recorder.tracker("BTCUSDT"), server.source.trade_ids("BTCUSDT")
        assert engine.database is not None
        assert tracker is not None
        assert ids is not None
        trades = server.source.trades("BTCUSDT", ids[1] - 1_500, 1_000)
        assert engine.database.writer.put([trade for trade in trades if trade.trade_id % 5])
        assert await engine.database.writer.flush(20)
        await until(lambda: told(engine) and sum(gap.missing for gap in chart._readout.gaps) == tracker.missing())
        assert tracker.missing_ids().range_count() > 150
        counts = [int(mark.text.split()[0].replace(",", "")) for mark in chart._scene.gaps]
        assert sum(counts) == tracker.missing()
        assert engine.repairer.plan.in_view[1]
        engine.recorder.repair_trades = 10_000
        await until(lambda: not chart._scene.gaps)
        assert not tracker.missing()

    play(scene)
