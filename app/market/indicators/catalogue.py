"""All indicators there are, by key, in the order in which they are listed."""

from __future__ import annotations

from app.market.errors import UsageError
from app.market.indicators.definition import Indicator

_known: dict[str, Indicator] = {}


def register(indicator: Indicator) -> Indicator:
    """
    Make an indicator known, so that charts can be given it; return it.

    Raises:
        UsageError: If the key is taken, or its own defaults are not allowed.
    """
    if indicator.key in _known:
        raise UsageError(f"there is an indicator “{indicator.key}” already; choose another key")
    indicator.checked(indicator.defaults)
    _known[indicator.key] = indicator
    return indicator


def unregister(key: str) -> None:
    """Forget an indicator; charts that have it keep it until they are closed. Raises KeyError."""
    del _known[key]


def indicators() -> list[Indicator]:
    """Return all that are known."""
    return list(_known.values())


def find(key: str) -> Indicator | None:
    """Return the indicator of that key, or None."""
    return _known.get(key)


def matching(text: str) -> list[Indicator]:
    """Return those whose name, title or description has every word of ``text`` in it; names that begin so first."""
    words = text.casefold().split()
    found = [
        one
        for one in _known.values()
        if all(word in f"{one.name} {one.title} {one.about}".casefold() for word in words)
    ]
    begin = text.casefold().strip()
    return sorted(found, key=lambda one: not one.name.casefold().startswith(begin))
