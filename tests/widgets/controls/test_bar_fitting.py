"""When a bar fits its parts: on every change of its width, of its font, and never within its own fitting."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QFontInfo
from PySide6.QtWidgets import QFrame, QLabel
from pytestqt.qtbot import QtBot

from widgets.controls.bar_fitting import BarFitting


def shown_bar(qtbot: QtBot) -> QFrame:
    bar = QFrame()
    qtbot.addWidget(bar)
    bar.resize(300, 30)
    return bar


def test_it_fits_when_shown_and_after_each_change_of_the_width(qtbot: QtBot) -> None:
    bar = shown_bar(qtbot)
    widths: list[int] = []
    BarFitting(bar, lambda: widths.append(bar.width()))
    bar.show()
    assert widths[-1] == 300
    bar.resize(200, 30)
    assert widths[-1] == 200


def test_it_measures_when_shown_and_once_the_font_has_changed(qtbot: QtBot) -> None:
    bar = shown_bar(qtbot)
    calls: list[str] = []
    fitting: list[BarFitting] = []

    def measure() -> None:
        calls.append("measure")
        fitting[0].fit()

    fitting.append(BarFitting(bar, lambda: calls.append("place"), measure))
    bar.show()
    assert calls[-2:] == ["measure", "place"]
    calls.clear()
    font = bar.font()
    font.setPixelSize(2 * QFontInfo(font).pixelSize())
    bar.setFont(font)
    assert calls == []  # the parts do not have their new font yet
    qtbot.waitUntil(lambda: calls == ["measure", "place"])


def test_a_bar_resized_by_its_own_fitting_is_fitted_again_afterwards_not_within(qtbot: QtBot) -> None:
    bar = shown_bar(qtbot)
    part = QLabel("part", bar)
    depth: list[int] = []
    most_deep: list[int] = []

    def place() -> None:
        depth.append(bar.width())
        most_deep.append(len(depth))
        is_roomy = bar.width() >= 300
        if is_roomy:
            bar.resize(200, 30)  # as Qt's layout of the window may, before the part is shown
        part.setVisible(is_roomy)
        depth.pop()

    BarFitting(bar, place)
    bar.show()
    assert max(most_deep) == 1
    assert bar.width() == 200
    assert part.isHidden()


def test_a_fitting_that_never_settles_ends(qtbot: QtBot) -> None:
    bar = shown_bar(qtbot)
    count = 0

    def place() -> None:
        nonlocal count
        count += 1
        bar.resize(bar.width() + (1 if count % 2 else -1), 30)

    fitting = BarFitting(bar, place)
    bar.show()
    before = count
    fitting.fit()
    assert 1 <= count - before <= 3


def test_an_error_while_fitting_leaves_the_bar_able_to_fit(qtbot: QtBot) -> None:
    bar = shown_bar(qtbot)
    errors: list[Exception] = [ValueError("a part is gone")]
    widths: list[int] = []

    def place() -> None:
        if errors:
            raise errors.pop()
        widths.append(bar.width())

    fitting = BarFitting(bar, place)
    with pytest.raises(ValueError, match="a part is gone"):
        fitting.fit()
    fitting.fit()
    assert widths == [300]
