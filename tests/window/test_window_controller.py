"""The window on the sandbox's simulated market: what its requests do, and what it shows meanwhile."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import weakref
from collections.abc import Awaitable, Callable
from math import isfinite
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.market.candle import CandleSource
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.ports.exchange import FeedState, FeedStatus
from app.market.series.series import Bar
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.server.server import SandboxServer
from app.window.appearance import show_state
from app.window.missing_trades import in_turn
from app.window.symbol_lists import SymbolLists
from app.window.window_state import WindowState
from storage.files.export_file import RowsFile
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from widgets.dialogs.export_dialog import ExportDialog, ExportState
from widgets.dialogs.export_form import Range
from widgets.symbols.symbols_dialog import SymbolsDialog
from widgets.symbols.watchlist_order import SortColumn
from widgets.window.notice_bar import NoticeAction

Scene = Callable[[Running, SandboxServer], Awaitable[None]]
Play = Callable[[Scene], None]


def shown(running: Running) -> int:
    """How many candles the chart shows."""
    session = running.session
    return len(session.series) if session is not None and running.chart.accessibleDescription() else 0


@pytest.fixture
def play(qtbot: QtBot, data_dir: Path) -> Play:
    """Run a scene in a window on the simulated market, both on the loop of the program."""

    def run(scene: Scene) -> None:
        async def work() -> None:
            async with serving(SimulatedMarket(seed=5)) as server:
                settings = settings_in(data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT,ETHUSDT,SOLUSDT")
                async with open_window(settings, simulated=False) as running:
                    await until(lambda: shown(running))
                    await scene(running, server)

        run_on_qt_loop(work)

    return run


def dialog_of(running: Running) -> ExportDialog:
    running.window.export_requested.emit()
    (dialog,) = running.window.findChildren(ExportDialog)
    return dialog


def test_fast_switching_never_shows_one_symbol_under_the_name_of_another(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        names = ["ETHUSDT", "BTCUSDT", "SOLUSDT"]
        for at in range(52):
            running.window.symbol_requested.emit(names[at % 3])
            assert running.chart.accessibleDescription() == ""  # nothing yet, rather than the one before
            for _ in range(at % 5):
                await asyncio.sleep(0.005)
                session = running.session
                assert session is not None
                assert session.symbol == names[at % 3]
                assert running.chart.accessibleDescription() in ("", f"{names[at % 3][:3]}/USDT, 1m")
        await until(lambda: shown(running) and running.session.joined)
        assert running.chart.accessibleDescription() == "ETH/USDT, 1m"
        assert running.chart.is_following

    play(scene)


def test_known_figures_of_a_symbol_show_as_soon_as_it_is_chosen(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        board = running.engine.market_snapshot
        await until(lambda: board.latest("ETHUSDT").quote and board.latest("ETHUSDT").day)
        running.window.symbol_requested.emit("ETHUSDT")
        assert running.window.top_bar.price.text().startswith("2,")
        assert "ETH/USDT" in running.window.windowTitle()

    play(scene)


def test_the_bar_says_that_one_may_just_type_until_one_did(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        window, chart = running.window, running.chart
        state = WindowState("BTCUSDT", Interval.parse("1m"), SymbolLists.of([]), "dark")
        window.resize(1500, 800)
        show_state(window, chart, state)
        assert chart.bar.hint.isVisible()
        QTest.keyClick(chart, Qt.Key.Key_5)
        window.interval_entry.dismiss()
        assert not chart.bar.hint.isVisible()
        state.bars = window.layout_values()
        chart.bar.show_hint(True)
        show_state(window, chart, state)
        assert not chart.bar.hint.isVisible()

    play(scene)


def test_the_visible_range_to_export_ends_with_the_candle_of_now(play: Play, tmp_path: Path) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.chart.visible_range_us() is not None)
        now_us = running.engine.exchange_clock.now_us()
        assert running.chart.visible_range_us()[1] > now_us + 120_000_000  # the chart leaves room to come
        running.chart.pictures.folder.note(tmp_path / "chart.png")
        form = dialog_of(running).form
        assert str(tmp_path) in form.path.text()  # exports go where the last picture went
        start_us, end_us = form.chosen_range()
        assert start_us < end_us <= now_us
        form.include_open.click()
        assert form.chosen_range()[0] == start_us
        assert now_us < form.chosen_range()[1] <= now_us + 120_000_000

    play(scene)


def test_a_jump_to_a_date_loads_nothing_in_between_and_the_date_stays_in_view_over_a_switch(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        chart, session = running.chart, running.session
        there_us = running.engine.exchange_clock.now_us() - 20 * 86_400_000_000
        chart.date_requested.emit(there_us, "three weeks ago")
        await until(lambda: not chart.is_following and is_filled(running))
        assert abs(chart.center_time_us() - there_us) < 60_000_000
        assert len(session.series) < 10_000  # of 28,800
        running.window.interval_requested.emit(Interval.parse("15m"))
        await until(lambda: shown(running) and is_filled(running))
        assert abs(chart.center_time_us() - there_us) < 60_000_000
        chart.navigator.follow_latest()
        await until(lambda: is_filled(running, room=0.3))
        assert chart.is_following

    play(scene)


def is_filled(running: Running, *, room: float = 0.0) -> bool:
    """Whether candles fill the view, but for that share left for candles to come and one cut off at each edge."""
    slots = running.chart.slots_in_view
    return slots > 10 and in_view(running) >= slots * (1 - room) - 2


def in_view(running: Running) -> int:
    """How many candles the chart has between its edges."""
    session, visible = running.session, running.chart.visible_range_us()
    if session is None or visible is None or not len(session.series):
        return 0
    opens = session.series.column("open_time_us")
    return int(((opens >= visible[0]) & (opens < visible[1])).sum())


def test_an_indicator_loads_the_candles_it_needs_before_the_view_and_is_remembered(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        chart, session = running.chart, running.session
        await until(lambda: session.joined and chart.accessibleDescription())
        study = chart.indicators.add("ema", {"period": 200})
        await until(lambda: "—" not in chart.indicators.entry_texts()[0])
        interval, (left_us, _) = session.interval, chart.visible_range_us()
        left = interval.slot(left_us)
        await until(lambda: session.series.slots[0] <= chart.first_needed_slot(left) < left - 2000)
        chart.frame_now()
        assert isfinite(study.values.column("ema")[session.series.index_at_slot(left)])
        assert running.controller._state.chart["indicators"][0]["settings"]["period"] == 200

    play(scene)


def test_a_range_that_is_not_stored_is_exported_and_then_stored(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_folders: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: shown_folders.append(url.toLocalFile()))

    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database)
        running.chart.pictures.folder.note(tmp_path / "chart.png")
        running.engine.history.store.save_listing("BTCUSDT", 1)  # so that the bar has an answer to wait for
        dialog = dialog_of(running)
        dialog.form.interval.setEditText("15m")
        dialog.form.ranges[Range.DAY].click()
        await until(lambda: dialog.card.figure.text() == "96 to fetch")
        dialog.start_button.click()
        await until(lambda: dialog.state is ExportState.DONE)
        assert dialog.outcome.text().startswith("96 candles written to ")
        assert "missing" not in dialog.outcome.text()
        # A candle that ended within the last minute may still change, so it is not stored yet.
        await until(lambda: dialog.card.figure.text() in ("100 %", "1 to fetch"))
        dialog.folder_button.click()
        dialog.cancel_button.click()

    play(scene)
    assert shown_folders == [str(tmp_path)]
    (path,) = tmp_path.glob("*.csv")
    assert path.name.startswith("BTCUSDT-15m-20")
    assert len(path.read_text().splitlines()) == 97
    assert json.loads((tmp_path / f"{path.name}.meta.json").read_text())["complete"] is True


def test_an_export_that_runs_when_the_window_closes_leaves_no_half_file(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, leave = threading.Event(), threading.Event()
    write = RowsFile.write

    def slow(file: RowsFile, rows: object) -> None:
        writing.set()
        assert leave.wait(30)
        write(file, rows)

    monkeypatch.setattr(RowsFile, "write", slow)

    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database)
        dialog = dialog_of(running)
        dialog.form.set_path(str(tmp_path / "candles.csv"))
        dialog.start_button.click()
        await until(writing.is_set)
        assert running.chart.pictures.folder.path == tmp_path
        asyncio.get_running_loop().call_later(0.2, leave.set)

    play(scene)
    assert list(tmp_path.iterdir()) == []


def test_watched_symbols_are_recorded_and_others_no_longer(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        running.window.watch_add_requested.emit("XRPUSDT")
        running.window.watch_remove_requested.emit("SOLUSDT")
        running.window.watch_remove_requested.emit("BTCUSDT")  # on the chart: recorded all the same
        assert set(running.engine.recorder.symbols) == {"ETHUSDT", "XRPUSDT", "BTCUSDT"}
        await until(lambda: running.engine.market_snapshot.latest("XRPUSDT").trade)
        # What was removed comes back where it was, beside what was added meanwhile.
        watchlist, toasts = running.window.watchlist.model, running.window.toasts
        said = [toast.text.text() for toast in toasts.shown]
        assert said == ["SOL/USDT removed. What is recorded stays.", "BTC/USDT removed. What is recorded stays."]
        assert toasts.undo_latest()
        assert watchlist.names() == ["BTCUSDT", "ETHUSDT", "XRPUSDT"]
        toasts.shown[0].button.click()
        assert watchlist.names() == ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"]
        assert set(running.engine.recorder.symbols) == set(watchlist.names())
        assert not toasts.undo_latest()

    play(scene)


def test_every_list_is_recorded_and_lists_come_back_whole(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        window, lists, engine = running.window, running.controller._state.lists, running.engine
        watchlist, tabs, toasts = window.watchlist, window.watchlist.tabs, window.toasts
        assert tabs.names() == ["Main"]
        tabs.add_button.click()
        assert tabs.edit.isVisible()
        QTest.keyClicks(tabs.edit, "Layer 1")
        QTest.keyClick(tabs.edit, Qt.Key.Key_Return)
        assert tabs.names() == ["Main", "Layer 1"]
        assert watchlist.model.names() == []
        window.watch_many_requested.emit(["XRPUSDT", "ETHUSDT"])
        assert watchlist.model.names() == ["XRPUSDT", "ETHUSDT"]
        assert set(engine.recorder.symbols) == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"}
        # Off one list, it is recorded for the other.
        window.watch_remove_requested.emit("ETHUSDT")
        assert "ETHUSDT" in engine.recorder.symbols
        tabs.bar.setCurrentIndex(0)
        assert watchlist.model.names() == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
        toasts.undo_latest()  # into the list it was removed from, not into the one shown
        assert [one.symbols for one in lists.lists] == [["BTCUSDT", "ETHUSDT", "SOLUSDT"], ["XRPUSDT", "ETHUSDT"]]
        watchlist.list_requested.emit("SOLUSDT", 1, True)
        assert [one.symbols for one in lists.lists] == [["BTCUSDT", "ETHUSDT"], ["XRPUSDT", "ETHUSDT", "SOLUSDT"]]
        toasts.undo_latest()
        assert lists.lists[0].symbols == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
        tabs.remove_requested.emit(1)
        assert tabs.names() == ["Main"]
        assert "XRPUSDT" not in engine.recorder.symbols
        toasts.undo_latest()
        assert (tabs.names(), tabs.shown) == (["Main", "Layer 1"], 1)
        assert watchlist.model.names() == ["XRPUSDT", "ETHUSDT", "SOLUSDT"]
        assert "XRPUSDT" in engine.recorder.symbols
        tabs.bar.moveTab(1, 0)
        assert (tabs.names(), tabs.shown, lists.names()) == (["Layer 1", "Main"], 0, ["Layer 1", "Main"])
        assert watchlist.model.names() == ["XRPUSDT", "ETHUSDT", "SOLUSDT"]
        # A symbol that only another list has is removed from there.
        window.watch_remove_requested.emit("BTCUSDT")
        assert lists.lists[1].symbols == ["ETHUSDT", "SOLUSDT"]

    play(scene)


def test_another_order_is_kept_and_rows_sorted_by_a_figure_follow_it(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        watchlist, state = running.window.watchlist, running.controller._state
        recorded, saved = running.engine.recorder.symbols, []
        running.controller.state_changed.connect(lambda: saved.append(list(state.watchlist)))
        running.window.watch_names_requested.emit(["SOLUSDT", "BTCUSDT", "ETHUSDT"])
        assert saved == [["SOLUSDT", "BTCUSDT", "ETHUSDT"]]
        assert watchlist.model.names() == state.watchlist
        assert running.engine.recorder.symbols == recorded
        watchlist.head.heads[SortColumn.LAST].click()
        await until(lambda: watchlist.model.names() == ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
        assert state.watchlist == ["SOLUSDT", "BTCUSDT", "ETHUSDT"]
        assert state.bars["watchlist"]["order"] == "last-"

    play(scene)


def test_a_symbol_outside_the_watchlist_is_recorded_while_it_is_shown_and_watched_on_request(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        window, panel = running.window, running.window.quote_panel
        await until(lambda: panel.figures["Recording"].text() == "Yes")
        assert panel.watch_button.isHidden()
        window.symbol_requested.emit("XRPUSDT")
        assert "XRPUSDT" in running.engine.recorder.symbols
        await until(lambda: panel.figures["Recording"].text() == "While shown")
        window.symbol_requested.emit("DOGEUSDT")
        assert "XRPUSDT" not in running.engine.recorder.symbols
        panel.watch_button.click()
        window.symbol_requested.emit("BTCUSDT")
        assert set(running.engine.recorder.symbols) == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"}

    play(scene)


def test_the_whole_watchlist_is_edited_at_once_and_unknown_symbols_are_refused(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.directory.is_current)
        reported: list[bool] = []
        running.controller.state_changed.connect(lambda: reported.append(True))
        running.window.symbols_requested.emit()
        (dialog,) = running.window.findChildren(SymbolsDialog)
        assert dialog.names() == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
        dialog.list_requested.emit(["BTCUSDT", "NOSUCHUSDT"])
        assert dialog.message.text().startswith("“NOSUCHUSDT” is not a symbol of the exchange")
        dialog.edit.setPlainText("LTC/USDT, btcusdt")
        dialog.save_button.click()
        assert dialog.isHidden()
        assert running.window.watchlist.model.names() == ["LTCUSDT", "BTCUSDT"]
        assert set(running.engine.recorder.symbols) == {"LTCUSDT", "BTCUSDT"}
        assert reported == [True]

    play(scene)


def test_watchlist_top_bar_and_notice_say_that_a_symbol_does_not_trade(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        window = running.window
        await until(lambda: running.engine.directory.is_current)
        window.watch_many_requested.emit(["LUNAUSDT"])
        window.symbol_requested.emit("LUNAUSDT")
        await until(lambda: "LUNA/USDT: trading halted" in window.notice_bar.text.text())
        assert window.top_bar.symbol.market.text() == "Trading halted"
        model = window.watchlist.model
        spoken = model.index(model.row_of("LUNAUSDT")).data(Qt.ItemDataRole.AccessibleTextRole)
        assert spoken.startswith("LUNA/USDT · Trading halted")
        assert window.quote_panel.figures["Recording"].text() == "No · trading halted"

    play(scene)


def test_the_notice_says_that_the_exchange_is_away_and_offers_actions_until_it_is_back(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        notice, port = running.window.notice_bar, server.port
        await until(lambda: running.engine.feed.status.state is FeedState.LIVE)
        assert notice.isHidden()
        feed = running.engine.feed
        feed._status = FeedStatus(FeedState.LIVE, "X is not received: no.", connections=2, down=1, refused=("X",))
        await until(notice.isVisible)
        assert notice.text.text() == "1 of 2 connections: X is not received: no."
        assert NoticeAction.RETRY_FEED in notice.buttons
        feed._update_status()
        await until(notice.isHidden)
        await server.stop()
        both = [NoticeAction.RETRY_FEED, NoticeAction.OPEN_SIMULATED_MARKET]
        await until(lambda: notice.isVisible() and list(notice.buttons) == both)  # a chart's failure is told first
        assert f"127.0.0.1:{port}" in notice.text.text()
        assert shown(running)  # what was shown stays
        again = SandboxServer(SimulatedMarket(seed=5), port=port)
        await again.start()
        try:
            notice.buttons[NoticeAction.RETRY_FEED].click()
            await until(lambda: running.engine.feed.status.state is FeedState.LIVE and notice.isHidden())
        finally:
            await again.stop()

    play(scene)


def bar_at(session: ChartSession, open_us: int) -> Bar:
    """Return the chart's candle that opens then."""
    return session.series.bar(session.series.index_at_slot(session.interval.slot(open_us)))


def told(engine: Engine, symbol: str = "BTCUSDT") -> bool:
    """Tell the recorder what the database holds: as long as it may itself be told what that held a moment ago."""
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
        window.missing_requested.emit()
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


def test_a_closed_window_leaves_no_object_for_another_thread_to_destroy(play: Play) -> None:
    left: list[weakref.ref[object]] = []

    async def scene(running: Running, server: SandboxServer) -> None:
        loop = asyncio.get_running_loop()
        left.extend(weakref.ref(one) for one in (running.window, running.chart, running.controller, loop))

    gc.disable()  # as if no thread had happened to collect
    try:
        play(scene)
        assert [one() is None for one in left] == [True] * 4
    finally:
        gc.enable()
