"""The keys that the user changed, against a model that tries every pair."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.key_map import KeyMap, Scope

SCOPES = {
    "chart 1": Scope(),
    "chart 2": Scope(),
    "list 1": Scope("list"),
    "list 2": Scope("list"),
    "tabs": Scope("tabs"),
    "window 1": Scope(everywhere=True),
    "window 2": Scope(everywhere=True),
}
USUAL = {
    "chart 1": ("A", "B"),
    "chart 2": ("C",),
    "list 1": ("A",),
    "list 2": ("C", "D"),
    "tabs": ("A", "D"),
    "window 1": ("E", "F"),
    "window 2": (),
}
USUAL_KEYS = {key for keys in USUAL.values() for key in keys}
KEYS = [*"ABCDEFGH", "A, B", "A, C", "C, A", "H, H"]

commands = st.sampled_from(sorted(USUAL))
some_keys = st.lists(st.sampled_from(KEYS), max_size=3).map(tuple)
steps = st.lists(st.tuples(commands, st.none() | some_keys), max_size=8)


def changed_by(given: list[tuple[str, tuple[str, ...] | None]]) -> KeyMap:
    """A map after these steps: keys given, or, for None, the usual ones put back."""
    keys = KeyMap(USUAL, SCOPES)
    for command, wanted in given:
        if wanted is None:
            keys.put_back(command)
        else:
            keys.assign(command, wanted)
    return keys


def all_keys(keys: KeyMap) -> dict[str, tuple[str, ...]]:
    return {command: keys.keys_of(command) for command in USUAL}


def assert_no_key_has_two_meanings(keys: dict[str, tuple[str, ...]]) -> None:
    for one, other in combinations(USUAL, 2):
        both = set(keys[one]) & set(keys[other])
        assert not both or not SCOPES[one].meets(SCOPES[other])
        assert not any("," in key for key in both)
        for first, second in ((one, other), (other, one)):
            begun = {key.split(", ")[0] for key in keys[first] if "," in key}
            assert not begun & set(keys[second])


@given(steps, commands, some_keys)
def test_a_key_has_one_meaning_wherever_it_counts(given, command, wanted) -> None:
    keys = changed_by(given)
    before = all_keys(keys)
    holders = keys.holders(command, wanted)
    keys.assign(command, wanted)
    after = all_keys(keys)
    assert after[command] == tuple(dict.fromkeys(wanted))
    assert_no_key_has_two_meanings(after)
    # Exactly those that were named lose exactly the keys named. What returns is a usual key that another gave up.
    given_up = (set(before[command]) - set(wanted)) | set(holders)
    given_up |= {step for key in given_up for step in USUAL_KEYS if key.startswith(f"{step}, ")}
    for other in USUAL:
        lost = set(before[other]) - set(after[other]) if other != command else set()
        assert lost == {key for key, taken in holders.items() if other in taken}
        if other != command:
            assert set(after[other]) - set(before[other]) <= given_up & set(USUAL[other])
    for key in KEYS:
        for place in (None, "list", "tabs"):
            having = [one for one in USUAL if key in after[one] and SCOPES[one].place == place]
            assert [keys.command_of(key, place)] == (having or [None])


@given(steps)
def test_changes_are_restored_as_they_were_and_can_all_be_put_back(given) -> None:
    keys, again = changed_by(given), KeyMap(USUAL, SCOPES)
    again.restore(keys.changes)
    assert all_keys(again) == all_keys(keys)
    assert again.changes == keys.changes
    assert set(keys.changed) >= set(keys.changes)
    for command in USUAL:
        again.put_back(command)
        assert again.keys_of(command) == USUAL[command]
    assert again.changes == {}
    keys.put_back_all()
    assert all_keys(keys) == USUAL
    assert keys.changed == []


@given(st.dictionaries(st.sampled_from([*USUAL, "of a later version"]), some_keys))
def test_changes_from_anywhere_never_give_a_key_two_meanings(changes) -> None:
    keys = KeyMap(USUAL, SCOPES)
    keys.restore(changes)
    after = all_keys(keys)
    assert_no_key_has_two_meanings(after)
    first = next((command for command in USUAL if command in changes), None)
    if first is not None:
        assert after[first] == tuple(dict.fromkeys(changes[first]))


def test_a_key_taken_from_a_command_returns_to_it_with_its_taker() -> None:
    keys = KeyMap(USUAL, SCOPES)
    assert keys.holders("window 2", ["A", "H"]) == {"A": ["chart 1", "list 1", "tabs"]}
    keys.assign("window 2", ["A"])
    assert keys.keys_of("chart 1") == ("B",)
    assert keys.keys_of("tabs") == ("D",)
    assert keys.changed == ["chart 1", "list 1", "tabs", "window 2"]
    assert keys.changes == {"window 2": ("A",)}
    keys.put_back("window 2")
    assert all_keys(keys) == USUAL


def test_an_unknown_command_is_an_error() -> None:
    keys = KeyMap(USUAL, SCOPES)
    for call in (keys.keys_of, keys.usual_of, keys.put_back, lambda name: keys.assign(name, ["A"])):
        with pytest.raises(KeyError):
            call("no such command")
