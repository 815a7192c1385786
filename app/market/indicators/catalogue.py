"""The registered indicators, by key, in the order of their registration, which is that of the list."""

from __future__ import annotations

from app.market.errors import UsageError
from app.market.indicators.definition import Indicator

_known: dict[str, Indicator] = {}


def register(indicator: Indicator) -> Indicator:
    """
    Register an indicator, so that charts can show it, and return it.

    Raises:
        UsageError: If the key is taken, or one of its defaults is not allowed.
    """
    if indicator.key in _known:
        raise UsageError(f"there is an indicator “{indicator.key}” already; choose another key")
    indicator.checked(indicator.defaults)
    _known[indicator.key] = indicator
    return indicator


def unregister(key: str) -> None:
    """
    Remove an indicator; charts that show it keep it until they are closed.

    Raises:
        KeyError: If no indicator has that key.
    """
    del _known[key]


def indicators() -> list[Indicator]:
    """Return all registered indicators."""
    return list(_known.values())


def find(key: str) -> Indicator | None:
    """Return the indicator with that key, or None."""
    return _known.get(key)


def matching(text: str) -> list[Indicator]:
    """Return the indicators that have every word of ``text`` in their texts; names that begin with it come first."""
    words = text.casefold().split()
    found = [
        one
        for one in _known.values()
        if all(word in f"{one.name} {one.title} {one.about}".casefold() for word in words)
    ]
    begin = text.casefold().strip()
    return sorted(found, key=lambda one: not one.name.casefold().startswith(begin))
