"""Files dropped on the real window are imported while it records."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.ports.row_files import ReadingOptions, RowKind
from app.sandbox.market.simulated import SimulatedMarket
from app.window.imports.import_controller import recognised
from tests.end_to_end.helpers import open_window, run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from widgets.dialogs.import_dialog import ImportDialog, ImportState

HEADER = "id,price,qty,quoteQty,time,isBuyerMaker\n"


def trades_csv(folder: Path) -> Path:
    """A hundred trades of a symbol that nobody records; one row cannot be read."""
    path = folder / "ADABTC-trades-2024-08-08.csv"
    rows = [f"{number},0.00001{number},10,0.001,{1_723_075_200_000 + number},true\n" for number in range(100, 200)]
    rows[50] = "150,n/a,10,0.001,1723075200150,true\n"
    path.write_text(HEADER + "".join(rows))
    return path


def test_a_file_dropped_on_the_chart_is_imported_while_recording_goes_on(
    qtbot: QtBot, data_dir: Path, tables_url: str, tmp_path: Path
) -> None:
    path = trades_csv(tmp_path)

    async def work() -> None:
        async with serving(SimulatedMarket(seed=5)) as server:
            settings = settings_in(data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT", database_url=tables_url)
            async with open_window(settings, simulated=False) as running:
                engine = running.engine
                await until(lambda: engine.database is not None and engine.database.writer.status.stored)
                drop(running.chart.focusProxy().viewport(), path)
                (dialog,) = running.window.findChildren(ImportDialog)
                await until(lambda: dialog.chosen is not None and dialog.chosen.kind is RowKind.TRADES)
                before = engine.recorder.trades_received
                dialog.start_button.click()
                await until(lambda: dialog.state is ImportState.DONE)
                assert dialog.outcome.text().startswith("100 rows read: 99 stored, 0 held already, 1 refused.")
                assert "1 id is missing inside" in dialog.outcome.text()
                assert str(path) in dialog.refused_link.text()
                await until(lambda: engine.recorder.trades_received > before)
                assert engine.database is not None
                assert engine.database.store.coverage("ADABTC").count() == 99
                dialog.reject()
                assert not dialog.isVisible()

    run_on_qt_loop(work)


def drop(widget: object, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    actions, button, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(widget, QDragEnterEvent(QPointF(50, 50).toPoint(), actions, data, button, none))
    QApplication.sendEvent(widget, QDropEvent(QPointF(50, 50), actions, data, button, none))


def test_a_bad_file_is_told_of_in_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert recognised(empty, ReadingOptions()).problem == "empty.csv is empty."
    assert recognised(tmp_path / "none.csv", ReadingOptions()).problem.startswith("none.csv cannot be read")
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    found = recognised(table, ReadingOptions())
    assert found.header == ("a", "b")
    assert found.problem.endswith("Choose what the rows are, then what each column is.")
    assert "--map" not in found.problem
    folder = recognised(tmp_path, ReadingOptions())
    assert folder.about == "Folder · 2 files"
