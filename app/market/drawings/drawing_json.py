"""
Drawings as JSON, version 1; docs/drawings.md describes it.

    {"format": "cryptopipe-drawings", "version": 1, "drawings": [{"id": …, "symbol": …, "kind": …, "anchors": …}, …]}

Fields this program does not know are kept where they stand, in the file, a drawing or its style, and written again. So
a file of a newer program that adds some goes through this one without loss.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from app.market.drawings.drawing import Anchor, Dash, Drawing, DrawingKind, DrawingStyle, Extend, check
from app.market.errors import UsageError

FORMAT, VERSION = "cryptopipe-drawings", 1
_MOST_NESTED = 100  # levels of fields that this program does not know
_MOST_SHOWN = 60  # characters of a value in a sentence
_FILE_FIELDS = {"format", "version", "drawings"}
_FIELDS = {"id", "symbol", "kind", "anchors", "style", "text", "locked", "hidden", "order"}
_STYLE_FIELDS = {"colour", "width", "dash", "filled", "levels", "extend"}
_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class DrawingFile:
    """What a file says: its drawings, and fields beside them that this program does not know."""

    drawings: tuple[Drawing, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)


def file_text(drawings: Iterable[Drawing], extra: Mapping[str, Any] | None = None) -> str:
    """Return the JSON of a file, one drawing a line; `read_file` reads it back as the same, but for revisions."""
    head = {"format": FORMAT, "version": VERSION, **(extra or {})}
    lines = ",\n".join("  " + drawing_text(one) for one in drawings)
    return json.dumps(head)[:-1] + f', "drawings": [\n{lines}\n]}}\n'


def read_file(text: str, *, new_id: Callable[[], str] | None = None) -> DrawingFile:
    """
    Return what `file_text` wrote, or somebody else.

    ``new_id``: gives an id to a drawing that has none.

    Raises:
        UsageError: If it is no such JSON, of a later version, or a drawing is not possible; one sentence says which.
    """
    value = _parsed(text)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise UsageError(f"This is no file of drawings: it has to begin with “format”: “{FORMAT}”.")
    version = value.get("version")
    if version != VERSION or isinstance(version, bool):
        raise UsageError(f"This file of drawings has the version {_shown(version)}; this program reads {VERSION}.")
    rows = value.get("drawings")
    if not isinstance(rows, list):
        raise UsageError("This file of drawings has no list “drawings”.")
    found = dict[str, Drawing]()
    for number, row in enumerate(rows, 1):
        try:
            drawing = _drawing(row, new_id)
        except UsageError as error:
            raise UsageError(f"Drawing {number} of {len(rows)}: {error}") from error
        if drawing.id in found:
            raise UsageError(f"Drawing {number} of {len(rows)}: its id {drawing.id} is there twice.")
        found[drawing.id] = drawing
    return DrawingFile(tuple(found.values()), _others(value, _FILE_FIELDS))


def drawing_text(drawing: Drawing) -> str:
    """Return the JSON of one drawing, in ASCII, without its revision."""
    style = drawing.style
    return json.dumps(
        {
            "id": drawing.id,
            "symbol": drawing.symbol,
            "kind": drawing.kind,
            "anchors": drawing.anchors,
            "style": {
                "colour": style.colour,
                "width": style.width,
                "dash": style.dash,
                "filled": style.filled,
                "levels": style.levels,
                "extend": style.extend,
                **style.extra,
            },
            "text": drawing.text,
            "locked": drawing.locked,
            "hidden": drawing.hidden,
            "order": drawing.order,
            **drawing.extra,
        },
        allow_nan=False,
    )


def read_drawing(text: str, revision: int = 0) -> Drawing:
    """Return what `drawing_text` wrote. Raises UsageError if it is no drawing, or one that a newer program knows."""
    return _drawing(_parsed(text), None, revision)


def read_known(text: str, revision: int = 0) -> Drawing | None:
    """Return what `drawing_text` wrote; None if it is no drawing that this program knows."""
    try:
        return read_drawing(text, revision)
    except UsageError:
        return None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits are ValueError, too
        raise UsageError("This is not JSON: save the drawings again.") from error


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):  # would be written as no JSON
        raise ValueError(text)
    return number


def _drawing(row: Any, new_id: Callable[[], str] | None, revision: int = 0) -> Drawing:
    if not isinstance(row, dict):
        raise UsageError("It is not an object with the fields id, symbol, kind and anchors.")
    drawing_id = new_id() if new_id is not None and "id" not in row else _text(row, "id")
    drawing = Drawing(
        drawing_id,
        _text(row, "symbol"),
        _word(DrawingKind, row.get("kind"), "kind"),
        _anchors(row.get("anchors")),
        _style(row.get("style", {})),
        _text(row, "text", ""),
        _flag(row, "locked"),
        _flag(row, "hidden"),
        _number(row.get("order", 0.0), "order"),
        revision,
        _others(row, _FIELDS),
    )
    check(drawing)
    return drawing


def _style(row: Any) -> DrawingStyle:
    if not isinstance(row, dict):
        raise UsageError("Its style is not an object.")
    levels, width = row.get("levels", []), row.get("width", 1)
    if not isinstance(levels, list):
        raise UsageError("Its levels are not a list of numbers.")
    if not isinstance(width, int) or isinstance(width, bool):
        raise UsageError(f"Its width is {_shown(width)}, not a whole number.")
    return DrawingStyle(
        _text(row, "colour", ""),
        width,
        _word(Dash, row.get("dash", Dash.SOLID), "dash"),
        _flag(row, "filled"),
        tuple(_number(one, "levels") for one in levels),
        _word(Extend, row.get("extend", Extend.NONE), "extend"),
        _others(row, _STYLE_FIELDS),
    )


def _anchors(rows: Any) -> tuple[Anchor, ...]:
    if not isinstance(rows, list):
        raise UsageError("It has no list “anchors”.")
    found = list[Anchor]()
    for row in rows:
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[0], int) or isinstance(row[0], bool):
            raise UsageError(f"The anchor {_shown(row)} is not a whole number of microseconds and a price.")
        found.append(Anchor(row[0], _number(row[1], "anchors")))
    return tuple(found)


def _text(row: dict[str, Any], name: str, default: str | None = None) -> str:
    value = row.get(name, default)
    if not isinstance(value, str):
        raise UsageError(f"Its {name} is {_shown(value)}, not a text.")
    return value


def _flag(row: dict[str, Any], name: str) -> bool:
    value = row.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"Its {name} is {_shown(value)}, neither true nor false.")
    return value


def _number(value: Any, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise UsageError(f"Its {name} has {_shown(value)} where a number is needed.")
    try:
        return float(value)
    except OverflowError as error:
        raise UsageError(f"Its {name} has a number that is too large.") from error


def _word(words: type[_Word], value: Any, name: str) -> _Word:
    try:
        return words(value)
    except ValueError as error:
        raise UsageError(f"Its {name} is {_shown(value)}: choose one of {', '.join(words)}.") from error


def _others(row: dict[str, Any], known: set[str]) -> dict[str, Any]:
    others = {name: value for name, value in row.items() if name not in known}
    if not _is_flat(others.values()):
        raise UsageError(f"It has fields nested deeper than {_MOST_NESTED} levels, which this program cannot keep.")
    return others


def _is_flat(values: Iterable[Any]) -> bool:
    """Whether values are nested so little that they can be written and compared, however many calls are under way."""
    level = list(values)
    for _ in range(_MOST_NESTED + 1):
        nested = [one for one in level if isinstance(one, dict | list)]
        if not nested:
            return True
        level = [inner for one in nested for inner in (one.values() if isinstance(one, dict) else one)]
    return False


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    try:
        return json.dumps(value, ensure_ascii=False)[:_MOST_SHOWN]
    except RecursionError:  # it was read with fewer calls under way
        return "nested deep"
