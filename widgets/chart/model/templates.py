"""Templates of indicators: sets of indicators with all their settings, saved by name. Pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from app.market.errors import UsageError

logger = logging.getLogger(__name__)

LONGEST_NAME = 60


class Templates:
    """
    Templates by name. A name stands as it was typed, and is the same in capitals and in small letters.

    The indicators are the plain values of `StudySet.to_values`.
    """

    def __init__(self) -> None:
        self._saved: dict[str, tuple[str, list[Any]]] = {}  # by the folded name
        self._damaged: list[Any] = []  # as they stood in the file, and go back to it

    @property
    def names(self) -> list[str]:
        """All names, in alphabetical order."""
        return [self._saved[key][0] for key in sorted(self._saved)]

    @property
    def damaged(self) -> int:
        """How many templates of the file could not be read."""
        return len(self._damaged)

    def named(self, name: str) -> str | None:
        """Return the name, as it was typed, of the template of that name; None: there is none."""
        saved = self._saved.get(_folded(name))
        return None if saved is None else saved[0]

    def indicators(self, name: str) -> list[Any]:
        """
        Return a template's indicators.

        Raises:
            KeyError: If there is no template of that name.
        """
        return self._saved[_folded(name)][1]

    def save(self, name: str, indicators: Sequence[Any]) -> None:
        """Save a template, in place of one of that name."""
        self._saved[_folded(name)] = name, list(indicators)

    def rename(self, name: str, new_name: str) -> None:
        """
        Rename a template.

        Raises:
            UsageError: If another template has that name.
            KeyError: If there is no template to rename.
        """
        self.check_free(new_name, besides=name)
        _, indicators = self._saved.pop(_folded(name))
        self.save(new_name, indicators)

    def check_free(self, name: str, *, besides: str) -> None:
        """Raise a UsageError if a template but the one named ``besides`` has that name."""
        taken = self.named(name)
        if taken is not None and _folded(name) != _folded(besides):
            raise UsageError(f"There is a template “{taken}” already: type another name.")

    def remove(self, name: str) -> None:
        """Remove the template of that name, if there is one."""
        self._saved.pop(_folded(name), None)

    def to_values(self) -> list[Any]:
        """Return plain values for a file, those that could not be read included."""
        return [*({"name": name, "indicators": studies} for name, studies in self._saved.values()), *self._damaged]

    def restore(self, values: object) -> None:
        """Restore the values of `to_values`. What is damaged is skipped, counted, and kept for the file."""
        self._saved, self._damaged = {}, []
        listed = isinstance(values, Sequence) and not isinstance(values, str)
        for value in values if listed and isinstance(values, Sequence) else ():
            found = _read(value)
            if found is None or _folded(found[0]) in self._saved:
                self._damaged.append(value)
            else:
                self._saved[_folded(found[0])] = found
        if self._damaged:
            logger.warning("%d templates of indicators are damaged and were skipped", len(self._damaged))


def checked_name(text: str) -> str:
    """
    Return the name that was typed, without space around it.

    Raises:
        UsageError: If it is empty or too long.
    """
    name = " ".join(text.split())
    if not name:
        raise UsageError("Type a name for the template.")
    if len(name) > LONGEST_NAME:
        raise UsageError(f"The name is too long: {LONGEST_NAME} letters are the most.")
    return name


def _folded(name: str) -> str:
    return name.casefold()


def _read(value: object) -> tuple[str, list[Any]] | None:
    name, indicators = (value.get("name"), value.get("indicators")) if isinstance(value, Mapping) else (None, None)
    if not isinstance(name, str) or not isinstance(indicators, Sequence) or isinstance(indicators, str):
        return None
    try:
        is_name = checked_name(name) == name
    except UsageError:
        is_name = False
    return (name, list(indicators)) if is_name and all(isinstance(one, Mapping) for one in indicators) else None
