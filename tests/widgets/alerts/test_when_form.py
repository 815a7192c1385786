"""A condition as fields, and back as the same text."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from app.market.alerts.language import read_rule, text_of_rule
from tests.widgets.cleanup import close_and_delete
from widgets.alerts.alert_views import DrawingChoice
from widgets.alerts.when_fields import WhenFields
from widgets.alerts.when_form import FIELDS, USUAL, WhenKind, form_of_rule, text_of_form

RULES = (
    "price crosses 100",
    "price crosses up 0.00000001 of 5m",
    "price enters 90 to 110",
    "price leaves 90.5 to 110 of 1h",
    "price crosses down drawing 6f1c0c52-98a4-4a6e-9f0e-0b8a3f8f2a11 of 5m",
    "moves 2% in 5m",
    "moves down 0.5% in 90s of 15m",
    "volume > 3x average 20 of 5m",
    "rsi:14 of 5m crosses up 70",
    "cvd of 1m crosses -50",
    "ema:20 of 1h crosses ema:50",
    "trades missing for 30s",
    "feed lost for 10s",
    "recorder in trouble for 1m",
)


@pytest.mark.parametrize("text", RULES)
def test_the_fields_of_a_condition_say_the_same_condition(text: str, qtbot: QtBot) -> None:
    rule = read_rule(text)
    kind, fields = form_of_rule(rule)
    assert read_rule(text_of_form(kind, fields)) == rule
    edited = WhenFields()
    edited.set_text(text_of_rule(rule))
    assert edited.current_kind is kind
    assert edited.is_filled
    assert read_rule(edited.text) == rule
    shown = {name for name, field in edited.fields.items() if not field.isHidden()}
    assert shown == set(FIELDS[kind])
    close_and_delete(edited)


LINE, MOMENT = (f"6f1c0c52-98a4-4a6e-9f0e-0b8a3f8f2a1{at}" for at in (1, 2))
OFFERED = (
    DrawingChoice(LINE, "Trend line “Supply”", "draw-trend-line"),
    DrawingChoice(MOMENT, "Vertical line at 28 Nov 2026 06:00 UTC", "draw-vertical-line", has_sides=False),
)


def test_a_drawing_is_chosen_by_its_name_and_a_vertical_line_has_no_direction(qtbot: QtBot) -> None:
    edited = WhenFields()
    edited.set_text(f"price crosses up drawing {LINE}")
    edited.set_drawings(OFFERED)
    box = edited.fields["drawing"]
    assert isinstance(box, QComboBox)
    assert box.currentText() == "Trend line “Supply”"
    assert edited.text == f"price crosses up drawing {LINE} of 1m"
    box.setCurrentIndex(1)
    assert edited.fields["way"].isHidden()
    assert edited.text == f"price crosses drawing {MOMENT} of 1m"
    edited.set_drawings(OFFERED[:1])  # it was removed meanwhile: its alert is not about another drawing
    assert box.currentText() == "A drawing that was removed"
    assert edited.text.endswith(f"drawing {MOMENT} of 1m")
    close_and_delete(edited)


def test_without_a_drawing_there_is_none_to_choose(qtbot: QtBot) -> None:
    edited = WhenFields()
    edited.kind.setCurrentIndex(edited.kinds.index(WhenKind.DRAWING))
    assert edited.lacks_drawings
    assert not edited.is_filled
    edited.set_drawings(OFFERED)
    assert not edited.lacks_drawings
    assert read_rule(edited.text) == read_rule(f"price crosses drawing {LINE}")
    close_and_delete(edited)


def test_numbers_are_read_as_people_write_them() -> None:
    assert text_of_form(WhenKind.CROSSES, {**USUAL, "price": " 61,654.20 "}) == "price crosses 61654.20 of 1m"
    assert text_of_form(WhenKind.MOVES, {**USUAL, "percent": "2 %"}) == "moves 2% in 15m of 1m"


def test_what_is_no_condition_is_edited_as_text_and_a_new_one_is_empty(qtbot: QtBot) -> None:
    edited = WhenFields()
    edited.set_text("price crosses the river")
    assert (edited.current_kind, edited.text) == (WhenKind.TEXT, "price crosses the river")
    edited.set_text("")
    assert edited.current_kind is WhenKind.CROSSES
    assert not edited.is_filled
    edited.set_level(0, 61_654.2)
    assert edited.text == "price crosses 61654.2 of 1m"
    close_and_delete(edited)
