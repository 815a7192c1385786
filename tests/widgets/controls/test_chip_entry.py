"""The field for several values, by keyboard and by mouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.market.errors import UsageError
from widgets.controls.chip_entry import ChipEntry


def upper_words(text: str) -> list[str]:
    if "?" in text:
        raise UsageError(f"“{text}” is no word.")
    return text.upper().replace(",", " ").split()


@pytest.fixture
def field(qtbot: QtBot, prepared: QApplication) -> Iterator[ChipEntry]:
    holder = QWidget()
    layout = QVBoxLayout(holder)
    made = ChipEntry("Words", upper_words, title=lambda text: f"<{text}>")
    layout.addWidget(made)
    layout.addWidget(QPushButton("after"))
    holder.resize(240, 200)
    holder.show()
    holder.activateWindow()
    yield made
    holder.close()
    holder.deleteLater()


def test_enter_and_comma_add_what_is_typed_each_once(field: ChipEntry, qtbot: QtBot) -> None:
    QTest.keyClicks(field.entry, "one,two")
    assert field.texts == ("ONE",)
    assert field.entry.text() == "two"
    QTest.keyClick(field.entry, Qt.Key.Key_Return)
    QTest.keyClicks(field.entry, "one")
    QTest.keyClick(field.entry, Qt.Key.Key_Return)
    assert field.texts == ("ONE", "TWO")
    assert field.entry.text() == ""
    assert field.chip("TWO").text() == "<TWO>"
    field.entry.setText("three, four five;")
    field.entry.editingFinished.emit()  # the field was left
    assert field.texts == ("ONE", "TWO", "THREE", "FOUR", "FIVE")
    # They go on in the next line: no chip is cut, none lies over another.
    places = [field.chip(text).geometry() for text in field.texts]
    assert all(field.rect().contains(place) for place in places)
    assert not any(one.intersects(other) for one in places for other in places if one is not other)


def test_chips_are_removed_by_keys_and_by_the_mouse(field: ChipEntry, qtbot: QtBot) -> None:
    field.add(["A", "B", "C", "D"])
    field.entry.setFocus()
    with qtbot.waitSignal(field.changed):
        QTest.keyClick(field.entry, Qt.Key.Key_Backspace)
    assert field.texts == ("A", "B", "C")
    QTest.mouseClick(field.chip("B"), Qt.MouseButton.LeftButton)
    assert field.texts == ("A", "C")
    field.chip("A").setFocus()
    QTest.keyClick(field.chip("A"), Qt.Key.Key_Delete)
    assert field.texts == ("C",)
    QTest.keyClicks(field.entry, "x")
    QTest.keyClick(field.entry, Qt.Key.Key_Backspace)
    assert field.texts == ("C",)  # that was the letter


def test_what_means_nothing_stays_typed_and_is_explained(field: ChipEntry, qtbot: QtBot) -> None:
    QTest.keyClicks(field.entry, "no?")
    with qtbot.waitSignal(field.refused) as said:
        QTest.keyClick(field.entry, Qt.Key.Key_Return)
    assert said.args == ["“no?” is no word."]
    assert (field.texts, field.entry.text()) == ((), "no?")
    assert not field.take_typed()


def test_what_is_being_typed_counts_and_texts_can_be_put_in_another_order(field: ChipEntry, qtbot: QtBot) -> None:
    field.add(["A", "B"])
    with qtbot.waitSignal(field.typed):
        QTest.keyClicks(field.entry, "c")
    assert field.meant() == ["A", "B", "C"]
    assert field.texts == ("A", "B")
    with qtbot.waitSignal(field.changed):
        field.set_texts(["B", "D", "A"])
    assert field.meant() == ["B", "D", "A"]
    QApplication.processEvents()
    places = [field.chip(text).geometry() for text in field.texts]
    assert places == sorted(places, key=lambda place: (place.y(), place.x()))
    with qtbot.assertNotEmitted(field.changed):
        field.set_texts(["B", "D", "A"])


def test_tab_goes_through_the_chips_to_the_line_and_on(field: ChipEntry) -> None:
    field.add(["A", "C"])
    field.set_texts(["A", "B", "C"])
    field.chip("A").setFocus()
    reached = []
    for _ in range(5):
        reached.append(QApplication.focusWidget())
        field.window().focusNextPrevChild(True)
    chips = [field.chip(text) for text in field.texts]
    assert reached[:4] == [*chips, field.entry]
    assert isinstance(reached[4], QPushButton)
