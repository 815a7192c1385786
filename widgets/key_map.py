"""
Which keys give which command now: the usual ones, and what the user changed. Pure.

Only the changes are kept. A key that the user gave to one command is taken from all others where both would count, for
as long as that change lasts: put back, it returns to where it was. So a command that a later version adds never takes
a key of the user's.

A key may be two steps, pressed one after the other: ``"Ctrl+K, S"``. Its first step means nothing alone then, anywhere.
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


def steps_of(key: str) -> list[str]:
    """Return what is pressed one after the other: one step for most keys, or two."""
    return key.split(", ")


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
        """
        Return the keys that other commands would lose to ``command`` with these keys, and which commands, by key.

        Those are the same keys, the first steps of these, and the keys of two steps that begin with one of these.
        """
        wanted, found = list(keys), dict[str, list[str]]()
        for other, held in self._keys.items():
            for key in held:
                if any(self._clash(command, one, other, key) for one in wanted):
                    found.setdefault(key, []).append(other)
        return found

    def assign(self, command: str, keys: Iterable[str]) -> None:
        """
        Give a command these keys in place of its own, and take them from all others that `holders` names.

        Raises:
            KeyError: If there is no such command.
        """
        self._usual[command]  # raises before anything is changed
        wanted = tuple(dict.fromkeys(keys))
        for other, given in list(self._changes.items()):
            self._changes[other] = tuple(
                key for key in given if not any(self._clash(command, one, other, key) for one in wanted)
            )
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
                given = tuple(key for key in changes[command] if not self._is_taken(command, key))
                self._changes[command] = tuple(dict.fromkeys(given))
        self._apply()

    def _apply(self) -> None:
        """Work out each command's keys, and each key's commands, from the changes."""
        self._changes = {one: keys for one, keys in self._changes.items() if keys != self._usual[one]}
        self._keys, self._holders = {}, {}
        for command, usual in self._usual.items():
            left = self._changes.get(command)
            if left is None:
                left = tuple(key for key in usual if not self._is_taken(command, key))
            self._keys[command] = left
            for key in self._keys[command]:
                self._holders.setdefault(key, []).append(command)

    def _is_taken(self, command: str, key: str) -> bool:
        """Return whether changes gave another command a key beside which ``command`` cannot have this one."""
        return any(self._clash(command, key, other, each) for other, keys in self._changes.items() for each in keys)

    def _clash(self, one: str, key: str, other: str, other_key: str) -> bool:
        """Return whether two commands cannot have these keys both."""
        if one == other:
            return False
        steps, other_steps = steps_of(key), steps_of(other_key)
        if len(steps) == len(other_steps) == 1:
            return key == other_key and self._scopes[one].meets(self._scopes[other])
        # Whoever waits for a second step takes the first one wherever the focus is.
        return key == other_key if len(steps) == len(other_steps) else steps[0] == other_steps[0]
