"""The parts of the documents that are derived from the code; ``python -m tests.docs`` writes them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

from app.brokers.connection_state import diagram
from app.config.settings import declarations
from app.observability.metrics import METRICS
from storage.files.readers.presets import COLUMN_NAMES, COLUMNS_OF_KIND, UNNAMED_PRESETS, UNNAMED_WIDTHS
from widgets.keys import bindings_by_group, key_texts

ROOT = Path(__file__).parent.parent


def settings_table() -> str:
    """Return README's table of the settings."""
    rows = ["| variable | default | what |", "|---|---|---|"]
    for declared in declarations():
        default = ",".join(declared.default) if isinstance(declared.default, tuple) else declared.default
        shown = "the user's data directory" if default is None else f"`{default}`" if str(default) else "none"
        rows.append(f"| `{declared.variable}` | {shown} | {declared.sentence} |")
    return "\n".join(rows)


def connection_diagram() -> str:
    """Return the diagram of a connection's states for docs/topics/connection.md."""
    return f"```mermaid\n{diagram().strip()}\n```"


def folder_map() -> str:
    """Return ARCHITECTURE's table of folders: the first line of each package's docstring."""
    rows = ["| folder | purpose |", "|---|---|"]
    for root in ("app", "storage", "widgets"):
        for init in sorted((ROOT / root).glob("*/**/__init__.py")):
            purpose = (ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or "").split("\n")[0]
            rows.append(f"| `{init.parent.relative_to(ROOT).as_posix()}` | {purpose} |")
    return "\n".join(rows)


def metrics_table() -> str:
    """Return the table of docs/metrics.md."""
    rows = ["| metric | type | what |", "|---|---|---|"]
    for declared in METRICS:
        name = f"{declared.name}{{{declared.label}}}" if declared.label else declared.name
        rows.append(f"| `{name}` | {declared.kind} | {declared.sentence} |")
    return "\n".join(rows)


def keys_table() -> str:
    """Return the tables of docs/keys.md."""
    lines: list[str] = []
    for group, bindings in bindings_by_group().items():
        lines += [f"## {group.value}", "", "| to | keys | or |", "|---|---|---|"]
        for binding in bindings:
            keys = " ".join(f"`{key}`" for key in key_texts(binding, native=False))
            lines.append(f"| {binding.text} | {keys} | {binding.mouse} |")
        lines.append("")
    return "\n".join(lines).strip()


def readable_columns_table() -> str:
    """Return docs/files.md's table of the columns that a file to import may have."""
    rows = ["| ours | in rows of | recognised names |", "|---|---|---|"]
    for ours, names in COLUMN_NAMES.items():
        kinds = [kind.value for kind, columns in COLUMNS_OF_KIND.items() if ours in columns]
        shown = ", ".join(f"`{name}`" for name in names.split())
        rows.append(f"| `{ours}` | {', '.join(kinds)} | {shown} |")
    return "\n".join(rows)


def unnamed_tables_table() -> str:
    """Return docs/files.md's table of tables without a header."""
    rows = ["| table | columns | which is which |", "|---|---|---|"]
    for preset in UNNAMED_PRESETS:
        places = sorted((int(place) + 1, ours) for ours, place in preset.columns.items())
        shown = ", ".join(f"{place} `{ours}`" for place, ours in places)
        rows.append(f"| {preset.name} | {' or '.join(map(str, UNNAMED_WIDTHS[preset.name]))} | {shown} |")
    return "\n".join(rows)


PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "settings"): settings_table,
    ("ARCHITECTURE.md", "map"): folder_map,
    ("docs/topics/connection.md", "connection"): connection_diagram,
    ("docs/metrics.md", "metrics"): metrics_table,
    ("docs/keys.md", "keys"): keys_table,
    ("docs/files.md", "columns"): readable_columns_table,
    ("docs/files.md", "unnamed"): unnamed_tables_table,
}


def renewed(text: str, name: str, part: str) -> str:
    """Return the document with what stands between the marks of ``name`` replaced by ``part``."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    made, found = pattern.subn(lambda _: f"{begin}\n\n{part}\n\n{end}", text)
    if found != 1:
        raise ValueError(f"the marks of {name} stand {found} times")
    return made


def main() -> None:
    for (document, name), make in PARTS.items():
        path = ROOT / document
        path.write_text(renewed(path.read_text(encoding="utf-8"), name, make()), encoding="utf-8")


if __name__ == "__main__":
    main()
