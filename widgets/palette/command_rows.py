"""
The rows of the command palette: which commands, in which order, with which letters marked. Pure.

Commands used last come first, each section under a head; typed letters leave those that match, best first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from widgets.keys import KEY_BINDINGS, CommandGroup, KeyBinding
from widgets.palette.fuzzy_match import match

USED_LAST, COMMANDS = "Used last", "Commands"
MOST_USED = 5
"""How many commands are remembered as used last, and listed before the others."""
_MOST_USED_OF_TYPED = 3


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command to run; ``places``: those of its title's letters that were typed; ``reason``: why it cannot run now."""

    command: str
    title: str
    group: CommandGroup
    places: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HeadRow:
    """The head of a section."""

    text: str


Row = CommandRow | HeadRow


def title_of(binding: KeyBinding) -> str:
    """Return what a command does as a title: “Go to a date”."""
    return binding.text[:1].upper() + binding.text[1:]  # not capitalize(): that lowers PNG and Home


def all_commands() -> list[KeyBinding]:
    """Return all that has a command, in the table's order; the palette's own is left out."""
    return [binding for binding in KEY_BINDINGS if binding.command not in ("", "palette")]


def rows_for(typed: str, used: Sequence[str], reasons: Mapping[str, str]) -> list[Row]:
    """
    Return the rows for what was typed.

    ``used``: commands used last, the latest first; unknown ones are ignored. ``reasons``: why commands cannot run now.
    """
    found = _found(typed, reasons)
    most = _MOST_USED_OF_TYPED if typed.strip() else MOST_USED
    by_command = {row.command: row for row in found}
    first = [by_command[command] for command in dict.fromkeys(used) if command in by_command][:most]
    others = [row for row in found if row not in first]
    rows: list[Row] = []
    for head, section in ((USED_LAST, first), (COMMANDS, others)):
        if section:
            rows += [HeadRow(head), *section]
    return rows


def _found(typed: str, reasons: Mapping[str, str]) -> list[CommandRow]:
    """
    Return the commands that match, best first: those whose title has it all before those that need their group.

    Where none does, a slip in each word is forgiven.
    """
    return _ranked(typed, reasons, forgiving=False) or _ranked(typed, reasons, forgiving=True)


def _ranked(typed: str, reasons: Mapping[str, str], *, forgiving: bool) -> list[CommandRow]:
    ranked = []
    for at, binding in enumerate(all_commands()):
        title = title_of(binding)
        found, is_in_title = match(typed, title, forgiving=forgiving), True
        if found is None:
            found, is_in_title = match(typed, f"{title} {binding.group.value}", forgiving=forgiving), False
        if found is not None:
            places = tuple(place for place in found.places if place < len(title))
            row = CommandRow(binding.command, title, binding.group, places, reasons.get(binding.command, ""))
            ranked.append(((not is_in_title, found.cost, at), row))
    return [row for _, row in sorted(ranked, key=lambda each: each[0])]
