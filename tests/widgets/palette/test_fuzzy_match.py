"""The search of the palette, against every way there is to place the letters."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.keys import KEY_BINDINGS
from widgets.palette.fuzzy_match import Cost, begins_word, match

texts = st.text(alphabet="ab cA%", max_size=9)
words = st.text(alphabet="abcB%", min_size=1, max_size=4)


def runs_of(places: tuple[int, ...]) -> list[list[int]]:
    """Places, as the longest runs without a hole."""
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def cheapest(word: str, text: str) -> Cost | None:
    """The least cost of all ways to place a word's letters."""
    costs: list[Cost] = []
    for places in combinations(range(len(text)), len(word)):
        if all(text[place].lower() == letter for place, letter in zip(places, word.lower(), strict=True)):
            runs = runs_of(places)
            inside = [run for run in runs if not begins_word(text, run[0])]
            if all(len(run) > 1 for run in inside):
                passed = places[-1] - places[0] + 1 - len(places)
                costs.append((len(inside), len(runs), passed, sum(run[0] for run in runs)))
    return min(costs, default=None)


@given(words, texts)
def test_the_best_of_all_ways_to_place_a_word_is_found(word, text) -> None:
    found = match(word, text)
    assert (found.cost if found is not None else None) == cheapest(word, text)
    if found is not None:
        assert [text[place].lower() for place in found.places] == list(word.lower())


@given(st.lists(words, max_size=3), texts)
def test_all_words_must_be_there_in_any_order(several, text) -> None:
    found, alone = match(" ".join(several), text), [match(word, text) for word in several]
    assert (found is None) == (None in alone)
    if found is not None:
        assert set(found.places) == {place for one in alone for place in one.places}
        assert match("  ".join(reversed(several)), text) == found


@pytest.mark.parametrize(
    ("typed", "text", "marked"),
    [
        ("exp", "Export candles", "Exp"),
        ("EC", "Export candles", "Ec"),
        ("gtd", "Go to a date", "Gtd"),
        ("diagnstics", "Open or close the diagnostics", "diagnstics"),
        ("candles export", "Export candles", "Exportcandles"),
        ("%", "Show % or prices", "%"),
        ("ı", "Fit", None),
        ("xp", "Export candles", "xp"),
        ("expc", "Export candles", "Expc"),
        ("ee", "Export candles", None),  # one letter alone, inside a word
        ("", "Export candles", ""),
        ("  ", "Export candles", ""),
        ("İ", "İstanbul", "İ"),  # a letter whose lower case has two
    ],
)
def test_what_is_found(typed: str, text: str, marked: str | None) -> None:
    found = match(typed, text)
    assert (None if found is None else "".join(text[place] for place in found.places)) == marked


@given(st.text(max_size=20))
def test_no_text_breaks_the_search(typed) -> None:
    for binding in KEY_BINDINGS[::7]:
        found = match(typed, binding.text)
        assert found is None or all(0 <= place < len(binding.text) for place in found.places)


@pytest.mark.parametrize(
    ("typed", "text", "marked"),
    [
        ("wrokspace", "Open another workspace", "wrkspace"),  # swapped
        ("workspsace", "Open another workspace", "workspace"),  # one too many
        ("workzpace", "Open another workspace", "workpace"),  # wrong
        ("wrokspace openn", "Open another workspace", "Openwrkspace"),
        ("xgo", "Go to a date", None),  # too short to tell
        ("wrokspaec", "Open another workspace", None),  # two slips in a word
    ],
)
def test_a_slip_in_a_word_is_forgiven(typed: str, text: str, marked: str | None) -> None:
    assert match(typed, text) is None
    found = match(typed, text, forgiving=True)
    assert (None if found is None else "".join(text[place] for place in found.places)) == marked


def test_letters_near_each_other_come_before_letters_of_several_words() -> None:
    near, far = match("alrt", "Show the list of alerts"), match("alrt", "Hide all drawings of the chart")
    assert near is not None
    assert far is not None
    assert near.cost < far.cost
