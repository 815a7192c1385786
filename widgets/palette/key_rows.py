"""The rows of the dialog that changes keys: the table's commands by section, as far as they are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from widgets.keys import KeyBinding, bindings_by_group, current_keys, texts_of
from widgets.palette.command_rows import HeadRow, title_of
from widgets.palette.fuzzy_match import match


class KeyFilter(Enum):
    """Which commands are listed."""

    ALL = "All"
    CHANGED = "Changed"
    WITHOUT = "No keys"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A command and its keys, as shown; ``was``: its usual keys, where they are others."""

    command: str
    title: str
    keys: tuple[str, ...]
    was: tuple[str, ...] | None = None

    @property
    def change(self) -> str:
        """What was changed, in words; empty for nothing."""
        if self.was is None:
            return ""
        return f"changed, was {' or '.join(self.was)}" if self.was else "changed, had no keys"


Row = KeyRow | HeadRow


def rows_for(typed: str, wanted: KeyFilter) -> list[Row]:
    """Return the commands that match what was typed, which may be their keys, in the table's order, with heads."""
    rows: list[Row] = []
    for group, bindings in bindings_by_group().items():
        section = [_row(binding) for binding in bindings if binding.command]
        found = [row for row in section if _is_wanted(row, wanted) and _is_meant(row, typed, group.value)]
        if found:
            rows += [HeadRow(group.value), *found]
    return rows


def changed_count() -> int:
    """Return how many commands have other keys than usual."""
    return len(current_keys.changed)


def _row(binding: KeyBinding) -> KeyRow:
    keys, usual = current_keys.keys_of(binding.command), current_keys.usual_of(binding.command)
    was = None if keys == usual else tuple(texts_of(usual))
    return KeyRow(binding.command, title_of(binding), tuple(texts_of(keys)), was)


def _is_wanted(row: KeyRow, wanted: KeyFilter) -> bool:
    if wanted is KeyFilter.CHANGED:
        return row.was is not None
    return wanted is KeyFilter.ALL or not row.keys


def _is_meant(row: KeyRow, typed: str, section: str) -> bool:
    text = typed.strip().casefold()
    if any(text == key.casefold() for key in row.keys):
        return True
    if "+" in text and text != "+":  # keys, not words
        return any(key.casefold().startswith(text) for key in row.keys)
    return match(text, row.title) is not None or match(text, f"{row.title} {section}") is not None
