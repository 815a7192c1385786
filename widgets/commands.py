"""
Runs the commands of `widgets.keys` by name, wherever the focus is: for keys, menus and the command palette.

Each part of the window keeps its own `CommandPart`; `Commands` asks them in turn. A part that changes, such as the
active chart, is added as a call that returns the present one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

_NOWHERE = "No part of this window does it now."


class CommandPart(Protocol):
    """
    A part of the window, and its commands by name.

    A call returns False if it had nothing to do. A reason is one sentence why the command cannot run now, empty where
    it can; a command without one always can.
    """

    @property
    def commands(self) -> Mapping[str, Callable[[], object]]: ...

    @property
    def reasons(self) -> Mapping[str, Callable[[], str]]: ...


@dataclass
class CommandSet:
    """The simplest `CommandPart`: two mappings."""

    commands: dict[str, Callable[[], object]] = field(default_factory=dict)
    reasons: dict[str, Callable[[], str]] = field(default_factory=dict)


class Commands:
    """All commands of one window. Where two parts have the same one, the part added first counts."""

    def __init__(self) -> None:
        self._parts: list[Callable[[], CommandPart | None]] = []

    def add(self, part: Callable[[], CommandPart | None]) -> None:
        """Add a part, as a call that returns it each time a command is to run; None: it is not there now."""
        self._parts.append(part)

    def remove(self, part: Callable[[], CommandPart | None]) -> None:
        """
        Take away what `add` was given.

        Raises:
            ValueError: If it was not added.
        """
        self._parts.remove(part)

    def has(self, command: str) -> bool:
        """Return whether some part that is there now has a command, whether or not it can run."""
        return self._part_of(command) is not None

    def run(self, command: str) -> bool:
        """Run a command; return False, and do nothing, if it cannot run now."""
        part = self._part_of(command)
        if part is None or self.reason_not(command):
            return False
        return part.commands[command]() is not False

    def reason_not(self, command: str) -> str:
        """Return in one sentence why a command cannot run now; empty if it can."""
        part = self._part_of(command)
        if part is None:
            return _NOWHERE
        reason = part.reasons.get(command)
        return reason() if reason is not None else ""

    def _part_of(self, command: str) -> CommandPart | None:
        for part_now in self._parts:
            part = part_now()
            if part is not None and command in part.commands:
                return part
        return None
