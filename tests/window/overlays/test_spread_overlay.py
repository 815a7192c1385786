"""The spread on a chart of ticks: candles of bid and ask, there only while the band is switched on."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.market.quotes.tick import PriceSide
from app.sandbox.oanda.server import OandaSandbox
from tests.end_to_end.helpers import Running, until
from tests.window.playing import PlayQuotes, shown
from widgets.chart.painting.layers import SpreadBand

EUR, BTC = "oanda:EURUSD", "BTCUSDT"


def bands(running: Running) -> list[SpreadBand]:
    return [layer for layer in running.chart._scene.price.layers if isinstance(layer, SpreadBand)]


def test_the_band_is_between_bid_and_ask_and_costs_nothing_while_off(play_quotes: PlayQuotes) -> None:
    async def scene(running: Running, oanda: OandaSandbox) -> None:
        await until(lambda: running.session.joined and shown(running) > 10)
        chart, controller = running.chart, running.controller.chart_controller
        assert bands(running) == controller.spread == []
        key = Qt.Key.Key_B, Qt.KeyboardModifier.AltModifier
        QTest.keyClick(chart.focusProxy(), *key)
        await until(lambda: len(controller.spread) == 2 and all(each.joined for each in controller.spread))
        bid, ask = controller.spread
        await until(lambda: len(bid.series) > 10 and len(ask.series) > 10)
        (band,) = bands(running)

        def is_drawn() -> bool:
            extent = band.extent()
            return extent is not None and extent[0] < extent[1]

        await until(is_drawn)
        slot = int(bid.series.slots[-3])
        below, above = (each.series.bar(each.series.index_at_slot(slot)).close for each in (bid, ask))
        middle = running.session.series.bar(running.session.series.index_at_slot(slot)).close
        assert below < above
        assert below <= middle <= above

        running.window.requests.symbol_requested.emit(BTC)
        await until(lambda: running.session.symbol == BTC and running.session.joined)
        assert bands(running) == controller.spread == []
        running.window.requests.symbol_requested.emit(EUR)
        await until(lambda: len(controller.spread) == 2)  # it is remembered
        QTest.keyClick(chart.focusProxy(), *key)
        assert bands(running) == controller.spread == []

    play_quotes(scene)


def test_charts_of_one_symbol_share_the_candles_of_their_bands(play_quotes: PlayQuotes) -> None:
    async def scene(running: Running, oanda: OandaSandbox) -> None:
        await until(lambda: running.session.joined and shown(running) > 10)
        QTest.keyClick(running.chart.focusProxy(), Qt.Key.Key_B, Qt.KeyboardModifier.AltModifier)
        first = running.controller.charts.active.controller
        await until(lambda: first.spread and all(each.joined for each in first.spread))
        running.controller.workspace.run("split_right")
        second = running.controller.charts.active.controller
        assert second is not first
        assert second.spread == first.spread
        bid = running.engine.chart_tracker(EUR, PriceSide.BID)
        assert len(bid.listeners) == 1
        second.show(EUR, running.session.interval.parse("5m"))
        assert not set(second.spread) & set(first.spread)
        await until(lambda: all(each.joined for each in second.spread))
        running.controller.workspace.run("close_chart")
        await until(lambda: len(bid.listeners) == 1)
        assert all(each.joined for each in first.spread)
        await until(lambda: len(running.controller.charts.sessions) == 3)

    play_quotes(scene)
