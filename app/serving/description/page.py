"""
The declared routes as one page of HTML for people, made from the OpenAPI description. No I/O.

It has no script, loads nothing, and follows the browser's dark or light scheme.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from app.serving.description.openapi import JSON, path_of
from app.serving.description.route import Route

SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --panel: #f6f8fa; --line: #e3e8ed; --text: #1b2530; --dim: #515e6b;
  --accent: #2468e0; }
@media (prefers-color-scheme: dark) { :root { --ground: #0e1217; --panel: #141a21; --line: #232c36; --text: #d9e0e8;
  --dim: #9aa7b4; --accent: #6ea2ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; padding-bottom: .4rem; border-bottom: 1px solid var(--line); }
h3 { font: 600 1rem ui-monospace, monospace; margin: 0; overflow-wrap: anywhere; }
p { margin: .35rem 0; }
a { color: var(--accent); overflow-wrap: anywhere; }
article { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1.1rem;
  margin: 0 0 .75rem; }
article:target { border-color: var(--accent); }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: .9rem; }
td { padding: .3rem 1rem .3rem 0; vertical-align: top; border-top: 1px solid var(--line); }
td:first-child { font-family: ui-monospace, monospace; white-space: nowrap; width: 1%; }
td:last-child { padding-right: 0; }
code, pre { font: .85rem/1.45 ui-monospace, monospace; }
pre { margin: .4rem 0 0; padding: .6rem .8rem; background: var(--ground); border: 1px solid var(--line);
  border-radius: 6px; overflow-x: auto; }
summary, .dim { color: var(--dim); font-size: .9rem; }
summary { cursor: pointer; margin-top: .4rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: 1rem 0 0; }
"""


_CODE = re.compile(r"`([^`]*)`")  # as OpenAPI's texts mark it


def page(routes: Sequence[Route], description: Mapping[str, Any]) -> str:
    """Return the page of these routes; ``description`` is their OpenAPI description."""
    groups = [(group, list(members)) for group, members in groupby(routes, key=lambda route: route.group)]
    links = "".join(f'<a href="#{_anchor(group)}">{escape(group)}</a>' for group, _ in groups)
    sections = "".join(
        f'<section id="{_anchor(group)}"><h2>{escape(group)}</h2>'
        + "".join(_article(route, description) for route in members)
        + "</section>"
        for group, members in groups
    )
    info = description["info"]
    about = _CODE.sub(r"<code>\1</code>", escape(info["description"]))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>cryptopipe: what is served</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>cryptopipe</h1><p>{about}</p>"
        f'<p class="dim">Version {escape(info["version"])}. For programs: <a href="/openapi.json">/openapi.json</a></p>'
        f"<nav>{links}</nav>{sections}</main></body></html>"
    )


def _article(route: Route, description: Mapping[str, Any]) -> str:
    path = path_of(route)
    operation = description["paths"][path]["get"]
    parts = [f'<article id="{escape(operation["operationId"])}"><h3>{escape(path)}</h3><p>{escape(route.sentence)}</p>']
    if route.parameters:
        parts.append("<table>")
        for one in route.parameters:
            needed = "" if one.is_needed else ' <span class="dim">optional</span>'
            parts.append(f"<tr><td>{escape(one.name)}</td><td>{escape(one.sentence)}{needed}</td></tr>")
        parts.append("</table>")
    if not route.is_socket:
        chosen = {one.name: one.example for one in route.parameters if one.is_needed or one.is_in_example}
        link = escape(f"{path}?{urlencode(chosen)}" if chosen else path)
        parts.append(f'<p><a href="{link}"><code>{link}</code></a></p>')
    content = next(iter(operation["responses"].values())).get("content", {})
    if JSON in content:
        shape = "\n".join(_shape(content[JSON]["schema"], description["components"]["schemas"]))
        parts.append(f"<details><summary>Answer</summary><pre>{escape(shape)}</pre></details>")
    if route.text_type:
        parts.append(f'<p class="dim">{escape(route.text_type)}</p>')
    parts.append("</article>")
    return "".join(parts)


def _anchor(group: str) -> str:
    return escape("-".join(group.lower().split()).replace("’", ""))


def _shape(schema: Mapping[str, Any], named: Mapping[str, Any], indent: str = "") -> list[str]:
    """Return the lines that show values of a schema, as JSON with types for values."""
    inside = indent + "  "
    if "$ref" in schema:
        return _shape(named[schema["$ref"].rpartition("/")[2]], named, indent)
    if "anyOf" in schema:
        options = [_shape(option, named, indent) for option in schema["anyOf"]]
        lines = options[0]
        for option in options[1:]:
            lines = [*lines[:-1], f"{lines[-1]} or {option[0].lstrip()}", *option[1:]]
        return lines
    if "enum" in schema:
        return [" or ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in schema["enum"])]
    if "properties" in schema:
        lines = ["{"]
        for name, of in schema["properties"].items():
            value = _shape(of, named, inside)
            optional = "" if name in schema.get("required", ()) else "  (not always)"
            lines += [f'{inside}"{name}": {value[0]}', *value[1:]]
            lines[-1] += optional
        return [*lines, f"{indent}}}"]
    if schema.get("minItems", 0) > 1:
        return [f"[{schema['minItems']} times {_shape(schema['items'], named, inside)[0]}]"]
    if schema.get("type") == "array":
        lines = _shape(schema.get("items", {}), named, indent)
        return [f"[{lines[0]}", *lines[1:-1], f"{lines[-1]}, …]"] if len(lines) > 1 else [f"[{lines[0]}, …]"]
    return [str(schema.get("type", "any"))]
