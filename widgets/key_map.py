"""
Which keys give which command now: the usual ones, and what the user changed. Pure.

Only the changes are kept. A key that the user gave to one command is taken from all others where both would count, for
as long as that change lasts: put back, it returns to where it was. So a command that a later version adds never takes
a key of the user's.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a command's keys count: in one ``place``, None being all that have no name; or ``everywhere``."""

    place: Hashable = None
    everywhere: bool = False

    def meets(self, other: Scope) -> bool:
        """Return whether one key cannot have a meaning in both."""
        return self.everywhere or other.everywhere or self.place == other.place


class KeyMap:
    """
    The keys of all commands: ``usual`` and where they count, by command. No two usual keys may clash.

    Keys are texts that are equal for equal keys.
    """

    def __init__(self, usual: Mapping[str, tuple[str, ...]], scopes: Mapping[str, Scope]) -> None:
        self._usual, self._scopes = dict(usual), scopes
        self._changes: dict[str, tuple[str, ...]] = {}
        self._keys: dict[str, tuple[str, ...]] = {}
        self._holders: dict[str, list[str]] = {}  # by key: its commands
        self._apply()

    @property
    def changes(self) -> dict[str, tuple[str, ...]]:
        """The keys that the user gave to commands, by command, for `restore`."""
        return dict(self._changes)

    @property
    def changed(self) -> list[str]:
        """The commands whose keys are not the usual ones: given others, or taken by another command."""
        return [command for command, usual in self._usual.items() if self._keys[command] != usual]

    def keys_of(self, command: str) -> tuple[str, ...]:
        """
        Return a command's keys.

        Raises:
            KeyError: If there is no such command.
        """
        return self._keys[command]

    def usual_of(self, command: str) -> tuple[str, ...]:
        """
        Return a command's usual keys.

        Raises:
            KeyError: If there is no such command.
        """
        return self._usual[command]

    def command_of(self, key: str, place: Hashable = None) -> str | None:
        """Return the command that a key gives in a place; None: none that counts there alone or with others."""
        return next((one for one in self._holders.get(key, ()) if self._scopes[one].place == place), None)

    def holders(self, command: str, keys: Iterable[str]) -> dict[str, list[str]]:
        """Return from which other commands ``command`` would take these keys, by key; without those that are free."""
        found = {key: [one for one in self._holders.get(key, ()) if self._clash(command, one)] for key in keys}
        return {key: holders for key, holders in found.items() if holders}

    def assign(self, command: str, keys: Iterable[str]) -> None:
        """
        Give a command these keys in place of its own, and take them from all others that `holders` names.

        Raises:
            KeyError: If there is no such command.
        """
        self._usual[command]  # raises before anything is changed
        wanted = tuple(dict.fromkeys(keys))
        for other, given in list(self._changes.items()):
            if self._clash(command, other):
                self._changes[other] = tuple(key for key in given if key not in wanted)
        self._changes[command] = wanted
        self._apply()

    def put_back(self, command: str) -> None:
        """
        Give a command its usual keys again, and take them from all others.

        Raises:
            KeyError: If there is no such command.
        """
        self.assign(command, self._usual[command])

    def put_back_all(self) -> None:
        """Give every command its usual keys again."""
        self.restore({})

    def restore(self, changes: Mapping[str, tuple[str, ...]]) -> None:
        """Replace all changes by those of `changes`. Of two commands with one key, the first of the table has it."""
        self._changes = {}
        for command in self._usual:
            if command in changes:
                taken = self._taken_from(command)
                self._changes[command] = tuple(dict.fromkeys(key for key in changes[command] if key not in taken))
        self._apply()

    def _apply(self) -> None:
        """Work out each command's keys, and each key's commands, from the changes."""
        self._changes = {one: keys for one, keys in self._changes.items() if keys != self._usual[one]}
        self._keys, self._holders = {}, {}
        for command, usual in self._usual.items():
            taken = self._taken_from(command)
            self._keys[command] = self._changes.get(command, tuple(key for key in usual if key not in taken))
            for key in self._keys[command]:
                self._holders.setdefault(key, []).append(command)

    def _taken_from(self, command: str) -> set[str]:
        """Return the keys that changes gave to commands with which ``command`` cannot share one."""
        return {key for other, keys in self._changes.items() if self._clash(command, other) for key in keys}

    def _clash(self, one: str, other: str) -> bool:
        return one != other and self._scopes[one].meets(self._scopes[other])
