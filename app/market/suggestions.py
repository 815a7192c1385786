"""What somebody who mistyped a name may have meant."""

from __future__ import annotations

from collections.abc import Iterable

_CURRENCIES = frozenset(
    "AUD CAD CHF CNH CZK DKK EUR GBP HKD HUF JPY MXN NOK NZD PLN SEK SGD TRY USD XAG XAU ZAR".split()
)
_LIKENESS = 0.6  # of the letters of both; below, a suggestion is mostly wrong


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of ``known`` that is most like ``word``, whatever their case; None if none is like it."""
    from difflib import get_close_matches  # a start need not wait for it

    by_key = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), by_key, n=1, cutoff=_LIKENESS)
    return by_key[found[0]] if found else None


def at_brokers(name: str) -> str:
    """
    Return the end of a sentence about a symbol that the exchange of trades does not have: which brokers have it.

    Empty if the name is no pair of currencies.
    """
    if len(name) == 6 and {name[:3], name[3:]} <= _CURRENCIES:
        return f": write oanda:{name} for its live quotes, or dukascopy:{name} for its past ones."
    return ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about ``word``: “: did you mean export?”, or its full stop if nothing is like it."""
    found = nearest(word, known)
    return f": did you mean {found}?" if found else "."
