"""
Which commands are meant by a few letters: “exp”, “gtd” for “Go to a date”, “diagnstics”. Pure.

The letters must stand in the text in their order, in runs. A run begins with a word, or else has two letters at least:
so a letter may be left out of a word, but letters strewn over a sentence are no match. Fewer runs are better, and runs
that begin with words are better than those inside; then those near each other are. Forgiving a slip, a letter of each
word may be one too many, wrong, or swapped with its neighbour: “wrokspace”.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

_LEAST_INSIDE = 2
_SHORTEST_WITH_SLIP = 4
_NONE = (1 << 30, 0, 0, 0)

Cost = tuple[int, int, int, int]
"""Runs inside words, runs, letters passed over between them, the sum of the places they begin at. Less is better."""


@dataclass(frozen=True, slots=True)
class Match:
    """What was found: the places of its letters in the text, in order, and what they cost."""

    places: tuple[int, ...]
    cost: Cost


def match(wanted: str, text: str, *, forgiving: bool = False) -> Match | None:
    """
    Return the best place of ``wanted`` in ``text``; None if it is not there. Case does not matter.

    Spaces in ``wanted`` separate words that are looked for one by one, in any order. An empty one is found for nothing.
    ``forgiving``: a word of four letters or more that is not there may be there without one of its letters.
    """
    places: set[int] = set()
    inside = runs = passed = begins = 0
    for word in _lower(wanted).split():
        found = _best(word, text) or (_best_with_slip(word, text) if forgiving else None)
        if found is None:
            return None
        places.update(found.places)
        cost = found.cost
        inside, runs, passed, begins = inside + cost[0], runs + cost[1], passed + cost[2], begins + cost[3]
    return Match(tuple(sorted(places)), (inside, runs, passed, begins))


def begins_word(text: str, at: int) -> bool:
    """Return whether a word begins at a place of a text; a sign such as “%” is a word of its own."""
    return at == 0 or not text[at].isalnum() or not text[at - 1].isalnum()


def _best_with_slip(word: str, text: str) -> Match | None:
    """Return the best place of a word without one of its letters."""
    if len(word) < _SHORTEST_WITH_SLIP:
        return None
    shorter = {word[:at] + word[at + 1 :] for at in range(len(word))}
    found = [one for one in (_best(each, text) for each in sorted(shorter)) if one is not None]
    return min(found, key=lambda one: one.cost, default=None)


def _best(word: str, of: str) -> Match | None:
    text, begins = _prepared(of)
    if not _is_subsequence(word, text):
        return None  # most texts, at little cost
    # Where a run may begin: with a word, or where the next letter may be meant, too.
    pairs = {word[at : at + _LEAST_INSIDE] for at in range(len(word) - 1)}
    starts = [
        at
        for at, letter in enumerate(text)
        if (begins[at] and letter in word) or text[at : at + _LEAST_INSIDE] in pairs
    ]

    @cache
    def rest(done: int, place: int) -> tuple[Cost, tuple[int, ...]]:
        """Return the cheapest way to place the letters from ``done`` on at ``place`` or later, and its places."""
        if done == len(word):
            return (0, 0, 0, 0), ()
        best: tuple[Cost, tuple[int, ...]] = _NONE, ()
        for start in starts:
            if start < place or text[start] != word[done]:
                continue
            is_inside = not begins[start]
            length = 0
            while (
                done + length < len(word) and start + length < len(text) and word[done + length] == text[start + length]
            ):
                length += 1
                if is_inside and length < _LEAST_INSIDE:
                    continue
                cost, places = rest(done + length, start + length + 1)
                passed = start - place + 1 if done else 0
                total = (cost[0] + is_inside, cost[1] + 1, cost[2] + passed, cost[3] + start)
                if total < best[0]:
                    best = total, (*range(start, start + length), *places)
        return best

    cost, places = rest(0, 0)
    return Match(places, cost) if places else None


@lru_cache(maxsize=1024)
def _prepared(text: str) -> tuple[str, tuple[bool, ...]]:
    """Return a text in lower case, and for each of its letters whether it begins a word."""
    return _lower(text), tuple(begins_word(text, at) for at in range(len(text)))


def _is_subsequence(word: str, text: str) -> bool:
    at = 0
    for letter in word:
        at = text.find(letter, at) + 1
        if not at:
            return False
    return True


def _lower(text: str) -> str:
    """Return a text in lower case, letter by letter: the places stay."""
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)
