"""A window on a symbol of a broker of quotes: what it says, what it offers, and whose state it shows."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from app.market.ports.exchange import FeedState
from app.market.quotes.tick import PriceSide
from app.observability.metrics import Metrics
from app.observability.prometheus import registry_of
from app.sandbox.oanda.server import OandaSandbox
from tests.end_to_end.helpers import Running, until
from tests.window.playing import PlayQuotes, shown
from widgets.dialogs.export.column_chooser import ColumnChip
from widgets.dialogs.export.export_dialog import ExportDialog
from widgets.dialogs.export.rows_fields import RowKind

EUR, BTC = "oanda:EURUSD", "BTCUSDT"


def entries(running: Running) -> list[str]:
    """The entries of the menu of the chart's style, without their keys."""
    running.chart.open_style_menu(running.chart.mapToGlobal(QPoint(50, 50)))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    texts = [action.text().partition("\t")[0] for action in menu.actions() if action.text()]
    menu.close()
    return texts


async def joined(running: Running, symbol: str) -> None:
    def is_joined() -> bool:
        session = running.session
        is_there = session is not None and session.symbol == symbol and session.joined
        return is_there and shown(running) > 10 and bool(running.chart.legend_text)

    await until(is_joined)


def test_the_price_of_ticks_is_chosen_shown_and_remembered(play_quotes: PlayQuotes) -> None:
    async def scene(running: Running, oanda: OandaSandbox) -> None:
        await joined(running, EUR)
        chart, tracker = running.chart, running.engine.quotes.recorder.tracker(EUR)
        assert chart.legend_text.startswith("EUR/USD · mid · 1m · OANDA ")
        assert entries(running)[:4] == ["Mid prices", "Bid prices", "Ask prices", "Spread as a band"]
        assert "Split volume into taker buys and sells" not in entries(running)

        QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Q, Qt.KeyboardModifier.AltModifier)
        await joined(running, EUR)
        assert chart.legend_text.startswith("EUR/USD · bid · 1m · OANDA ")
        ticks = tracker.total
        await until(lambda: tracker.total > ticks)

        def shows_the_bid() -> bool:
            running.session.refresh()
            return abs(running.session.series.bar(-1).close - tracker.last.bid_e8 / 1e8) < 1e-9

        await until(shows_the_bid)
        assert chart.appearance_values()["style"]["price"] == "bid"
        chart.restore_appearance({})
        assert chart.chart_style.price_side is PriceSide.MID

        running.window.requests.symbol_requested.emit(BTC)
        await joined(running, BTC)
        assert chart.legend_text.startswith("BTC/USDT · 1m ")
        assert "Mid prices" not in entries(running)
        assert "Split volume into taker buys and sells" in entries(running)

    play_quotes(scene)


def test_each_symbol_shows_the_state_of_its_own_broker(play_quotes: PlayQuotes) -> None:
    async def scene(running: Running, oanda: OandaSandbox) -> None:
        await joined(running, EUR)
        window, engine = running.window, running.engine
        await until(lambda: window.status_bar.feed.text() == "OANDA · Live")
        assert window.status_bar.rate.text().endswith(" ticks/s")
        assert "EUR/USD · OANDA" in window.windowTitle()
        panel = window.side_panel.quote_panel
        assert "Ticks received" in panel.as_text()
        assert "Stored trades" not in panel.as_text()
        assert panel.bid.quantity.text().endswith(" EUR")
        registry = registry_of(Metrics(engine))
        assert registry.get_sample_value("cryptopipe_broker_live", {"broker": "oanda"}) == 1
        assert registry.get_sample_value("cryptopipe_ticks_received_total") > 0

        await oanda.stop()
        await until(lambda: window.status_bar.feed.text().startswith("OANDA · ") and not engine.is_receiving(EUR))
        await until(lambda: engine.status_of(EUR).attempt >= 2)

        def is_said() -> bool:
            reason, bar = engine.status_of(EUR).reason, window.notice_bar
            return bar.isVisible() and bool(reason) and reason.rstrip(".") in bar.text.text()

        await until(is_said)
        assert registry.get_sample_value("cryptopipe_broker_live", {"broker": "oanda"}) == 0
        window.requests.symbol_requested.emit(BTC)
        await joined(running, BTC)
        await until(lambda: window.status_bar.feed.text().startswith("Live"))
        await until(lambda: window.notice_bar.isHidden())
        assert registry.get_sample_value("cryptopipe_feed_live") == 1

    play_quotes(scene)


def test_refused_credentials_are_said_once_with_what_to_set(play_quotes: PlayQuotes) -> None:
    async def scene(running: Running, oanda: OandaSandbox) -> None:
        await until(lambda: running.engine.status_of(EUR).state is FeedState.REFUSED)
        reason = running.engine.status_of(EUR).reason
        assert "OANDA_API_KEY" in reason
        await until(lambda: reason in running.window.status_bar.feed.toolTip())
        await until(lambda: running.window.notice_bar.text.text() == reason)
        await until(lambda: running.engine.is_receiving(BTC))

    play_quotes(scene, token="wrong-token")


def test_candles_and_quotes_are_exported_with_the_columns_and_names_that_they_have(
    play_quotes: PlayQuotes, tmp_path: Path
) -> None:
    async def scene(running: Running, oanda: OandaSandbox) -> None:
        await joined(running, EUR)
        await until(lambda: running.engine.quotes.writer_status.stored > 10)
        running.window.requests.export_requested.emit()
        (dialog,) = running.window.findChildren(ExportDialog)
        form = dialog.form
        offered = [chip.text() for chip in form.layout_of_rows.columns.findChildren(ColumnChip)]
        assert {"first_trade_id", "last_trade_id", "bid_volume", "ask_volume"} < set(offered)
        assert Path(form.target.path.text()).name.startswith("oanda-EURUSD-1m-")
        assert not form.rows.fetch.isEnabled()
        form.rows.symbols.set_texts(["oanda:EUR/USD", "BTC/USDT"])
        assert form.rows.fetch.isEnabled()
        form.rows.symbols.set_texts(["oanda:EUR/USD"])
        form.rows.include_open.click()
        await until(dialog.preview.rowCount)
        assert [dialog.preview.horizontalHeaderItem(at).text() for at in range(len(offered))] == offered

        form.rows.price.setCurrentText("Bid")
        form.target.set_path(str(tmp_path / "bids.csv"))
        dialog.foot.start_button.click()
        await until(lambda: "written to" in dialog.foot.outcome.text())
        assert json.loads((tmp_path / "bids.csv.meta.json").read_text())["price"] == "bid"
        dialog.reject()
        running.window.requests.export_requested.emit()
        dialog = running.window.findChildren(ExportDialog)[-1]
        form = dialog.form
        form.rows.include_open.click()
        form.rows.kinds[RowKind.TRADES].click()
        assert "has quotes, and neither trades nor gaps" in dialog.foot.outcome.text()
        form.rows.kinds[RowKind.QUOTES].click()
        assert Path(form.target.path.text()).name.startswith("oanda-EURUSD-quotes-")
        form.target.set_path(str(tmp_path / "quotes.csv"))
        await until(dialog.preview.rowCount)
        shown_rows = [",".join(row) for row in dialog.preview.texts()]
        dialog.foot.start_button.click()
        await until(lambda: "quotes written to" in dialog.foot.outcome.text())
        names, *rows = (tmp_path / "quotes.csv").read_text().splitlines()
        assert names == "time,bid,ask,bid_size,ask_size"
        assert rows[: len(shown_rows)] == shown_rows
        dialog.reject()

    play_quotes(scene)
