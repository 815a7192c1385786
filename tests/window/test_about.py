"""The About dialog in the window: it opens at once, and the packages follow while the loop goes on."""

from __future__ import annotations

from app.runtime.components import components
from app.window.about import AboutController
from tests.end_to_end.helpers import run_on_qt_loop, until
from tests.widgets.cleanup import close_and_delete
from widgets.chart.chart_widget import ChartWidget
from widgets.dialogs.about_dialog import AboutDialog
from widgets.window.main_window import MainWindow


def window_of() -> MainWindow:
    window = MainWindow(ChartWidget())
    window.allow_close()
    window.show()
    return window


def test_it_opens_with_the_program_and_adds_the_packages_once_they_are_read() -> None:
    async def scenario() -> None:
        window = window_of()
        controller = AboutController(window)
        controller.open()
        dialog = window.findChild(AboutDialog)
        assert dialog.isVisible()
        assert [dialog.list.item(row).text() for row in range(dialog.list.count())] == [
            f"cryptopipe {components()[0].version}".rstrip()
        ]
        controller.open()  # it is the same one
        assert window.findChildren(AboutDialog) == [dialog]
        await until(lambda: dialog.list.count() == len(components()))
        assert dialog.list.currentRow() == 0
        await controller.stop()
        close_and_delete(window)

    run_on_qt_loop(scenario)


def test_closed_while_it_reads_it_opens_again_with_each_package_once() -> None:
    async def scenario() -> None:
        window = window_of()
        controller = AboutController(window)
        controller.open()
        window.findChild(AboutDialog).close_button.click()
        await until(lambda: window.findChild(AboutDialog) is None)
        controller.open()
        dialog = window.findChild(AboutDialog)
        await until(lambda: dialog.list.count() >= len(components()))
        assert dialog.list.count() == len(components())
        await controller.stop()
        close_and_delete(window)

    run_on_qt_loop(scenario)
