"""The JSON of drawings: nothing is lost on the way, and what is wrong is said in one sentence."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, check
from app.market.drawings.drawing_json import DrawingFile, drawing_text, file_text, read_drawing, read_file
from app.market.errors import UsageError
from tests.market.drawings.strategies import drawings, extras, json_values

ID = "01234567-89ab-4cde-8f01-23456789abcd"
LINE = Drawing(ID, "BTCUSDT", DrawingKind.TREND_LINE, (Anchor(1, 2.5), Anchor(3, 4.0)))


def file_of(*rows: Any, **fields: Any) -> str:
    return json.dumps({"format": "cryptopipe-drawings", "version": 1, "drawings": list(rows), **fields})


def row(**fields: Any) -> dict[str, Any]:
    return {"id": ID, "symbol": "BTCUSDT", "kind": "trend_line", "anchors": [[1, 2.5], [3, 4]], **fields}


def is_sentence(text: str) -> bool:
    return text.endswith(".") and "\n" not in text and len(text) < 400


def fault_of(text: str) -> str:
    try:
        read_file(text)
    except UsageError as error:
        return str(error)
    return ""


@given(drawings())
def test_a_drawing_comes_back_as_it_was(drawing: Drawing) -> None:
    check(drawing)
    back = read_drawing(drawing_text(drawing), 7)
    assert back == drawing
    assert repr(back.anchors) == repr(drawing.anchors)  # also the sign of zero
    assert back.revision == 7
    assert drawing_text(back) == drawing_text(drawing)


@given(st.lists(drawings(), max_size=4, unique_by=lambda one: one.id), extras)
def test_a_file_comes_back_as_it_was(some: list[Drawing], extra: dict[str, Any]) -> None:
    text = file_text(some, extra)
    assert read_file(text) == DrawingFile(tuple(some), extra)
    assert text.isascii()
    assert len(text.splitlines()) == len(some) + 2 + (not some)


@given(extras, extras, extras)
def test_fields_of_a_newer_program_stay_where_they_stood(
    outer: dict[str, Any], inner: dict[str, Any], style: dict[str, Any]
) -> None:
    text = file_of(row(style={"width": 2, **style}, **inner), **outer)
    read = read_file(text)
    written = json.loads(file_text(read.drawings, read.extra))
    assert {name: written[name] for name in outer} == outer
    assert {name: written["drawings"][0][name] for name in inner} == inner
    assert {name: written["drawings"][0]["style"][name] for name in style} == style


@given(json_values | st.text())
def test_any_json_is_read_or_refused_in_one_sentence(value: Any) -> None:
    for text in (value if isinstance(value, str) else json.dumps(value), file_of(value), file_of(row(style=value))):
        assert is_sentence(fault_of(text) or "None.")


FIELDS = ["id", "symbol", "kind", "anchors", "style", "text", "locked", "hidden", "order"]


@given(st.sampled_from([*FIELDS, "colour", "width", "dash", "filled", "levels", "extend"]), json_values)
def test_any_value_of_a_field_is_read_as_it_is_or_refused(name: str, value: Any) -> None:
    given_row = row(**{name: value}) if name in FIELDS else row(style={name: value})
    if fault := fault_of(file_of(given_row)):
        assert is_sentence(fault)
        return
    written = json.loads(drawing_text(read_file(file_of(given_row)).drawings[0]))
    assert (written if name in FIELDS else written["style"])[name] == value or name == "style"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ('{"format": "cryptopipe-drawings", "version": NaN}', "not JSON"),
        (file_of(row(order=1)).replace('"order": 1', '"order": 1e999'), "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no file of drawings"),
        (file_of(version=2), "version 2"),
        (file_of(version=True), "version true"),
        (file_of(drawings={}), "no list"),
        (file_of(row(), row()), "Drawing 2 of 2: its id"),
        (file_of(row(id="A")), "not the id"),
        (file_of(row(kind="pitchfork")), "choose one of horizontal_line"),
        (file_of(row(anchors=[[1, 2]])), "has 2 anchors, not 1"),
        (file_of(row(kind="freehand", anchors=[[1, 2]])), "has 2 to 10000 anchors, not 1"),
        (file_of(row(anchors=[[1, 2], [3]])), "The anchor [3]"),
        (file_of(row(anchors=[[1, 2], [10**18, 3]])), "out of range"),
        (file_of(row(anchors=[[1, 2], [10**4000, 3]])), "out of range"),
        (file_of(row(anchors=[[1, 2], [3, 10**400]])), "too large"),
        (file_of(row(anchors=[[1, 2], [3, 1e300]])), "not a number up to 1e+15"),
        (file_of(row(order=-1e300)), "not a number up to 1e+15"),
        (file_of(row(symbol="")), "symbol"),
        (file_of(row(text="\ud800")), "half a character"),
        (file_of(row(text="x" * 10_001)), "too long"),
        (file_of(row(style={"colour": "red"})), "not a colour"),
        (file_of(row(style={"width": 5})), "1 to 4, not 5"),
        (file_of(row(style={"width": 10**4000})), "1 to 4, not 1000"),
        (file_of(row(style={"width": 1.5})), "not a whole number"),
        (file_of(row(style={"levels": [0.5, 1e300]})), "50 numbers up to 1e+06"),
        (file_of(row(locked=1)), "neither true nor false"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        read_file(text)
    assert is_sentence(str(caught.value))


def test_a_drawing_without_an_id_is_given_one() -> None:
    text = file_of({name: value for name, value in row().items() if name != "id"})
    assert read_file(text, new_id=lambda: ID).drawings == (LINE,)
    with pytest.raises(UsageError, match="Its id is missing"):
        read_file(text)


@pytest.mark.parametrize("price", [math.nan, math.inf])
def test_a_price_that_is_no_number_is_refused(price: float) -> None:
    with pytest.raises(UsageError, match="not a number"):
        check(Drawing(ID, "BTCUSDT", DrawingKind.HORIZONTAL_LINE, (Anchor(1, price),)))


def test_revisions_are_no_difference() -> None:
    assert read_drawing(drawing_text(LINE), 3) == LINE


@pytest.mark.parametrize("where", ["drawing", "style", "file"])
def test_fields_nested_too_deep_to_be_written_again_are_refused(where: str) -> None:
    """A nest that is read with few calls on the stack cannot be written, or compared, with more of them."""
    deep: Any = []
    for _ in range(800):
        deep = [deep]
    text = {
        "drawing": file_of(row(new=deep)),
        "style": file_of(row(style={"new": {"a": deep}})),
        "file": file_of(row(), new=deep),
    }[where]
    assert "nested deeper than 100" in fault_of(text)
    assert not fault_of(file_of(row(new=json.loads("[" * 100 + "]" * 100))))
    assert "nested deeper than 100" in fault_of(file_of(row(new=json.loads("[" * 101 + "]" * 101))))


def test_a_value_nested_deep_is_shown_cut() -> None:
    deep = "[" * 900 + "]" * 900
    for name in ("kind", "text", "locked", "order", "anchors"):
        text = file_of(row(**{name: "HERE"})).replace('"HERE"', deep)
        assert is_sentence(fault_of(text))
