"""The texts and colours of the top bar."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from tests.widgets.conftest import BTCUSDT
from tests.widgets.window.tones import tone
from widgets.view_values import QuoteView
from widgets.window.main_window import MainWindow


@pytest.mark.parametrize(("change", "expected"), [(-0.53, "falling"), (0.53, "rising"), (0.0, ""), (None, "")])
def test_the_price_is_coloured_by_direction(window: MainWindow, change: float | None, expected: str) -> None:
    window.set_quote(QuoteView(BTCUSDT, 61693.94, change))
    assert window.top_bar.price.text() == "61,693.94"
    assert tone(window.top_bar.price) == expected


def test_a_shorter_price_does_not_move_the_interval_bar(window: MainWindow, qtbot: QtBot) -> None:
    window.set_quote(QuoteView(BTCUSDT, 100000.01, -10.5))
    qtbot.waitUntil(lambda: window.top_bar.price.width() >= window.top_bar.price.sizeHint().width())
    place = window.top_bar.intervals.x()
    window.set_quote(QuoteView(BTCUSDT, 99999.0, -9.1))
    window.top_bar.layout().activate()
    assert window.top_bar.intervals.x() == place
