"""The tabs of the workspaces say when all was saved, and give that up for the tabs where there is no room."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTabBar
from pytestqt.qtbot import QtBot

from tests.widgets.cleanup import close_and_delete
from widgets.theme.palettes import LIGHT
from widgets.workspace.workspace_tabs import WorkspaceTabs

AT_US = 1_795_846_351_000_000  # 28 Nov 2026 06:12:31 UTC


@pytest.fixture
def tabs(qtbot: QtBot):
    made = WorkspaceTabs()
    made.set_lists(["Morning", "Majors"], 0)
    made.resize(900, made.height())
    made.show()
    qtbot.waitExposed(made)
    yield made
    close_and_delete(made)


def test_the_time_of_the_last_save_stands_at_the_right(tabs: WorkspaceTabs) -> None:
    assert not tabs.saving.isVisible()
    tabs.set_saving(AT_US, "")
    assert tabs.saving.text() == "Saved 06:12:31"
    assert tabs.saving.toolTip() == "The charts and workspaces were saved on 28 Nov 2026 06:12:31 UTC."
    assert tabs.saving.isVisible()
    assert not tabs.saving.is_elided()
    assert tabs.saving.geometry().right() < tabs.menu_button.geometry().left()
    assert tabs.saving.geometry().left() > tabs.add_button.geometry().right() + 300


def test_a_reason_why_nothing_is_saved_stays_in_a_narrow_window_where_the_time_gives_way(tabs: WorkspaceTabs) -> None:
    tabs.set_saving(AT_US, "")
    names = ["Morning", "Majors", "Swing", "Night watch"]
    tabs.set_lists(names, 0)
    tabs.resize(300, tabs.height())
    assert not tabs.saving.isVisible()
    tabs.set_saving(AT_US, "No space left on device")
    assert tabs.saving.isVisible()
    assert tabs.saving.accessibleName() == "Not saved: no space left on device"
    assert tabs.saving.property("tone") == "warning"
    assert "since 28 Nov 2026 06:12:31 UTC" in tabs.saving.toolTip()
    tabs.set_saving(None, "Read-only file system")
    assert tabs.saving.toolTip().startswith("Nothing of this run is saved: Read-only file system.")
    tabs.resize(1200, tabs.height())
    tabs.set_saving(AT_US, "")
    assert tabs.saving.isVisible()
    assert tabs.saving.property("tone") == "faint"


def test_a_bell_counts_firings_at_the_tab_and_leaves_clicks_to_it(tabs: WorkspaceTabs, qtbot: QtBot) -> None:
    tabs.set_firings([0, 2])
    bell = tabs.bar.tabButton(1, QTabBar.ButtonPosition.RightSide)
    assert bell.text() == "2"
    assert tabs.bar.tabButton(0, QTabBar.ButtonPosition.RightSide) is None
    assert tabs.bar.accessibleTabName(1) == "Majors, 2 alerts fired"
    tabs.set_palette(LIGHT)
    bell = tabs.bar.tabButton(1, QTabBar.ButtonPosition.RightSide)
    with qtbot.waitSignal(tabs.shown_requested, timeout=1000) as caught:
        qtbot.mouseClick(tabs.bar, Qt.MouseButton.LeftButton, pos=bell.geometry().center())
    assert caught.args == [1]
    tabs.set_firings([0, 0])
    assert tabs.bar.tabButton(1, QTabBar.ButtonPosition.RightSide) is None
    assert tabs.bar.accessibleTabName(1) == "Majors"
