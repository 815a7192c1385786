"""The export dialog as its tests show it: on the minutes of BTC/USDT, with a range in view."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.export_plan import RowsRequest
from app.market.interval import Interval
from tests.widgets.conftest import BTCUSDT, ETHUSDT, SATS
from widgets.dialogs.export.export_dialog import ExportDialog, ExportState
from widgets.dialogs.export.export_form import ExportRequest
from widgets.dialogs.export.rows_fields import FormStart

MINUTE_US = 60_000_000
START_US = 1_723_161_300_000_000  # 2024-08-08 23:55:00 UTC
END_US = 1_723_161_900_000_000  # 2024-08-09 00:05:00 UTC
NOW_US = END_US + 60 * MINUTE_US
M1, H1 = Interval.parse("1m"), Interval.parse("1h")


def shown_dialog(tmp_path: Path, visible_us: tuple[int, int] | None = (START_US, END_US)) -> ExportDialog:
    start = FormStart(BTCUSDT, M1, visible_us, NOW_US, tmp_path)
    made = ExportDialog([BTCUSDT, ETHUSDT, SATS], start)
    made.show()
    return made


@pytest.fixture
def dialog(qtbot: QtBot, prepared: QApplication, tmp_path: Path) -> Iterator[ExportDialog]:
    made = shown_dialog(tmp_path)
    yield made
    made.state = ExportState.DONE
    made.close()
    made.deleteLater()
    QApplication.processEvents()


def start(dialog: ExportDialog, qtbot: QtBot) -> ExportRequest:
    with qtbot.waitSignal(dialog.export_started, timeout=1000) as request:
        qtbot.mouseClick(dialog.foot.start_button, Qt.MouseButton.LeftButton)
    assert isinstance(request.args[0], ExportRequest)
    return request.args[0]


def of_minutes(start_us: int | None, end_us: int | None) -> tuple[RowsRequest, ...]:
    return (RowsRequest("BTCUSDT", M1, start_us, end_us),)
