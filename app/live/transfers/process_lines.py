"""
The messages between a window and a process that works for it: one line of JSON each.

A message is an object of a NamedTuple or a dataclass. Its line is a JSON object with one key, the name of the class,
and under it the fields. A field's annotation says how to read it; none of these classes knows of JSON.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from app.market.errors import UsageError
from app.market.interval import Interval

Message = TypeVar("Message")


def line_of(message: object) -> bytes:
    """Return the line of a message."""
    # In ASCII: a file's name may hold bytes that are no text, which JSON's escapes keep.
    return json.dumps({type(message).__name__: _plain(message)}).encode("ascii") + b"\n"


def message_of(line: bytes, *kinds: type[Message]) -> Message:
    """
    Return the message of a line, which is one of these classes.

    Raises:
        ValueError: If it is none of them.
    """
    try:
        ((name, values),) = json.loads(line).items()
        kind = next(one for one in kinds if one.__name__ == name)
        return cast(Message, _read(kind, values))
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration, RecursionError, UsageError) as error:
        raise ValueError("no message of these classes") from error


def _plain(value: Any) -> Any:
    """Return a value as JSON represents it."""
    match value:
        case Interval():
            return value.name
        case Path():
            return str(value)
        case Enum():
            return value.value
        case Mapping():
            return {name: _plain(one) for name, one in value.items()}
        case tuple() if hasattr(value, "_fields"):
            return {name: _plain(getattr(value, name)) for name in value._fields}
        case list() | tuple():
            return [_plain(one) for one in value]
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def _read(kind: Any, value: Any) -> Any:
    """Return the value of that annotation. Raises ValueError, TypeError and UsageError if it is none."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:  # of one class and None
        (kind,) = (one for one in inner if one is not NoneType)
        return None if value is None else _read(kind, value)
    if origin in (list, Sequence):
        return [_read(inner[0], one) for one in _checked(list, value)]
    if origin is tuple:  # of any length
        return tuple(_read(inner[0], one) for one in _checked(list, value))
    if origin in (dict, Mapping):
        return {name: _read(inner[1], one) for name, one in _checked(dict, value).items()}
    if kind is Interval:
        return Interval.parse(_checked(str, value))
    if kind is Path or issubclass(kind, Enum):
        return kind(_checked(str, value))
    if hasattr(kind, "_fields") or dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _read(hints[name], one) for name, one in _checked(dict, value).items()})
    return _checked(kind, value)


def _checked(kind: Any, value: Any) -> Any:
    """Return the value, of that class of JSON; a whole number may stand for a float."""
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    raise TypeError(f"{value!r} is no {kind.__name__}")


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)
