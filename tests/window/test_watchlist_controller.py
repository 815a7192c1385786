"""The watchlist on the simulated market: what it records, its order, and what it says of symbols."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.sandbox.server.server import SandboxServer
from tests.end_to_end.helpers import Running, until
from tests.window.playing import Play
from widgets.symbols.symbols_dialog import SymbolsDialog
from widgets.symbols.watchlist_order import SortColumn


def test_watched_symbols_are_recorded_and_others_no_longer(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        running.window.requests.watch_add_requested.emit("XRPUSDT")
        running.window.requests.watch_remove_requested.emit("SOLUSDT")
        running.window.requests.watch_remove_requested.emit("BTCUSDT")  # on the chart: recorded all the same
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
        window.requests.watch_many_requested.emit(["XRPUSDT", "ETHUSDT"])
        assert watchlist.model.names() == ["XRPUSDT", "ETHUSDT"]
        assert set(engine.recorder.symbols) == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"}
        # Off one list, it is recorded for the other.
        window.requests.watch_remove_requested.emit("ETHUSDT")
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
        window.requests.watch_remove_requested.emit("BTCUSDT")
        assert lists.lists[1].symbols == ["ETHUSDT", "SOLUSDT"]

    play(scene)


def test_another_order_is_kept_and_rows_sorted_by_a_figure_follow_it(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        watchlist, state = running.window.watchlist, running.controller._state
        recorded, saved = running.engine.recorder.symbols, []
        running.controller.state_changed.connect(lambda: saved.append(list(state.watchlist)))
        running.window.requests.watch_names_requested.emit(["SOLUSDT", "BTCUSDT", "ETHUSDT"])
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
        window.requests.symbol_requested.emit("XRPUSDT")
        assert "XRPUSDT" in running.engine.recorder.symbols
        await until(lambda: panel.figures["Recording"].text() == "While shown")
        window.requests.symbol_requested.emit("DOGEUSDT")
        assert "XRPUSDT" not in running.engine.recorder.symbols
        panel.watch_button.click()
        window.requests.symbol_requested.emit("BTCUSDT")
        assert set(running.engine.recorder.symbols) == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"}

    play(scene)


def test_the_whole_watchlist_is_edited_at_once_and_unknown_symbols_are_refused(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.directory.is_current)
        reported: list[bool] = []
        running.controller.state_changed.connect(lambda: reported.append(True))
        running.window.requests.symbols_requested.emit()
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
        window.requests.watch_many_requested.emit(["LUNAUSDT"])
        window.requests.symbol_requested.emit("LUNAUSDT")
        await until(lambda: "LUNA/USDT: trading halted" in window.notice_bar.text.text())
        assert window.top_bar.symbol.market.text() == "Trading halted"
        model = window.watchlist.model
        spoken = model.index(model.row_of("LUNAUSDT")).data(Qt.ItemDataRole.AccessibleTextRole)
        assert spoken.startswith("LUNA/USDT · Trading halted")
        assert window.quote_panel.figures["Recording"].text() == "No · trading halted"

    play(scene)
