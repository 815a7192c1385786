"""The declared routes as an OpenAPI description: the schemas are made from the types of the answers. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from app.config.version import VERSION
from app.serving.description.route import COMPLETE_HEADER, Parameter, Route

JSON = "application/json"
_REFERENCE = "#/components/schemas/{name}"
_PATTERN = re.compile(r"\{(\w+)(:[^}]*)?\}")  # of a part of a path, as aiohttp writes it
_ABOUT = (
    "Reads what cryptopipe has stored, and what it records. Prices and volumes are numbers, except in the exchange's "
    "own protocol, which has them as text. A server with a token wants it as `Authorization: Bearer TOKEN`."
)
_COMPLETE = {
    COMPLETE_HEADER: {
        "description": "false where something of the range is missing in the answer.",
        "required": True,
        "schema": {"type": "string", "enum": ["true", "false"]},
    }
}


def path_of(route: Route) -> str:
    """Return the path as OpenAPI writes it."""
    return _PATTERN.sub(r"{\1}", route.path)


def openapi(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the description of these routes (OpenAPI 3.1)."""
    answers = [route.answer for route in routes if route.answer is not None]
    failures = list(dict.fromkeys(failure for route in routes for failure in route.failures))
    schemas, components = msgspec.json.schema_components([*answers, *failures], ref_template=_REFERENCE)
    readable, components = [_readable(one) for one in schemas], _readable(components)
    of_answers, of_failures = iter(readable), dict(zip(failures, readable[len(answers) :], strict=True))
    paths = {}
    for route in routes:
        answer = None if route.answer is None else next(of_answers)
        paths[path_of(route)] = {"get": _operation(route, answer, [of_failures[one] for one in route.failures])}
    return {
        "openapi": "3.1.0",
        "info": {"title": "cryptopipe", "version": VERSION, "description": _ABOUT},
        "security": [{}, {"token": []}],
        "tags": [{"name": group} for group in dict.fromkeys(route.group for route in routes)],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": components,
        },
    }


def _readable(schema: Any) -> Any:
    """Return a schema whose arrays have one schema for all items: many readers know no others."""
    if isinstance(schema, list):
        return [_readable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _readable(value) for key, value in schema.items()}
    if "prefixItems" in found:
        items = found.pop("prefixItems")
        kinds = [one for at, one in enumerate(items) if one not in items[:at]]
        found["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return found


def _operation(route: Route, answer: dict[str, Any] | None, failures: list[dict[str, Any]]) -> dict[str, Any]:
    content = {}
    if route.text_type:
        content[route.text_type] = {"schema": {"type": "string"} if route.text_type.startswith("text/") else {}}
    if answer is not None:
        content[JSON] = {"schema": answer}
    found: dict[str, Any] = {"description": "Switching to a WebSocket." if route.is_socket else "The answer."}
    if content:
        found["content"] = content
    if route.tells_completeness:
        found["headers"] = _COMPLETE
    refused = failures[0] if len(failures) == 1 else {"anyOf": failures}
    in_path = [
        {"name": match[1], "in": "path", "required": True, "schema": {"type": "string"}}
        for match in _PATTERN.finditer(route.path)
    ]
    return {
        "operationId": "_".join(re.findall(r"\w+", path_of(route))) or "root",
        "summary": route.sentence,
        "tags": [route.group],
        "parameters": [*in_path, *map(_parameter, route.parameters)],
        "responses": {
            "101" if route.is_socket else "200": found,
            "default": {"description": "A refusal.", "content": {JSON: {"schema": refused}}},
        },
    }


def _parameter(declared: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer" if declared.kind is int else "string"}
    if declared.choices:
        schema["enum"] = list(declared.choices)
    elif declared.is_needed and declared.kind is str:
        schema["pattern"] = r"\S"
    if declared.between is not None:
        schema["minimum"], schema["maximum"] = declared.between
    return {
        "name": declared.name,
        "in": "query",
        "required": declared.is_needed,
        "description": declared.sentence,
        "schema": schema,
        "example": int(declared.example) if declared.kind is int else declared.example,
    }
