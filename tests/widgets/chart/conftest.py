"""A shown chart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from widgets.chart.chart_widget import ChartWidget


@pytest.fixture
def chart(qtbot: QtBot) -> Iterator[ChartWidget]:
    """A chart of 800 x 500, shown, without a series."""
    made = ChartWidget()
    made.resize(800, 500)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()
    made.deleteLater()
    QApplication.processEvents()
