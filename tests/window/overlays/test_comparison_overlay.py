"""Comparing what is in view with the exchange's candles: marks and a sentence, until they are dismissed."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.live.transfers.comparison import ComparisonReport
from app.market.candle import Candle, CandleSource
from app.market.candle_request import CandleRequest
from app.market.comparison import FieldDifference
from app.market.interval import Interval
from app.sandbox.market.simulated import SimulatedMarket
from app.window.overlays.comparison_overlay import differing_candles, sentence_of
from tests.end_to_end.helpers import open_window, run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from widgets.view_values import DifferenceView

MINUTE = Interval.parse("1m")


def test_a_changed_candle_is_marked_and_escape_takes_the_mark_away(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    market = SimulatedMarket(seed=5)
    noon_us = MINUTE.open_time_us(market.now_us()) - 8 * MINUTE.length_us  # of what is stored beforehand
    first = market.first_id_from("BTCUSDT", noon_us - 3 * MINUTE.length_us)
    last = market.first_id_from("BTCUSDT", noon_us + 3 * MINUTE.length_us)
    wrong = Candle(noon_us, *[10**13] * 4, 10**8, 10**16, 1, 10**7, 10**15, source=CandleSource.KLINE)

    async def work() -> None:
        async with serving(market) as server:
            settings = settings_in(data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT", database_url=tables_url)
            async with open_window(settings) as running:
                engine, chart, controller = running.engine, running.chart, running.controller.chart_controller
                await until(lambda: engine.database is not None)
                await until(lambda: running.session is not None and len(running.session.series) > 20)
                database = engine.database
                assert database is not None
                assert database.writer.put(market.trades("BTCUSDT", first, last - first))
                assert await database.writer.flush(30.0)
                chart.setFocus()
                for _ in range(5):  # the chart may just be saving the exchange's own candle
                    database.store.save_klines("BTCUSDT", MINUTE, [wrong])
                    QTest.keyClick(chart.focusProxy(), Qt.Key.Key_C, Qt.KeyboardModifier.AltModifier)
                    await until(lambda: controller.comparison)
                    if "nothing differs" not in controller.comparison:
                        break
                assert "1 differs, marked on the chart." in controller.comparison
                (mark,) = chart._scene.differences
                assert mark.left + 0.5 == mark.right - 0.5 == MINUTE.slot(noon_us)
                assert mark.text == "differs: open, high, low and 6 more"
                assert not chart.grab().isNull()  # painted
                QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Escape)
                assert controller.comparison == ""
                assert chart._scene.differences == []
                QTest.keyClick(chart.focusProxy(), Qt.Key.Key_C, Qt.KeyboardModifier.AltModifier)
                await until(lambda: controller.comparison)
                running.window.requests.interval_requested.emit(Interval.parse("5m"))
                assert controller.comparison == ""
                assert chart._scene.differences == []

    run_on_qt_loop(work)


def test_the_fields_of_a_candle_are_named_together() -> None:
    found = [FieldDifference(60, "taker_buy_volume", "1", "2"), FieldDifference(0, "high", "1", "2")]
    found.append(FieldDifference(60, "trades", 1, 2))
    assert differing_candles(found) == [DifferenceView(0, "high"), DifferenceView(60, "taker buy volume, trades")]


def test_the_sentence_says_what_was_compared_and_what_not() -> None:
    request = CandleRequest("BTCUSDT", MINUTE, 0, 3 * MINUTE.length_us)
    nothing = ComparisonReport(request, 3, 0, [], 0, [])
    assert sentence_of(nothing) == (
        "3 candles in view compared with the exchange's: nothing differs. Esc takes this away."
    )
    lacking = ComparisonReport(request, 0, 0, [(0, 3 * MINUTE.length_us)], 3, ["Trades are missing there."])
    assert sentence_of(lacking).startswith("Nothing in view could be compared. 3 of 3 candles could not be compared;")
