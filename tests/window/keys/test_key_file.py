"""Changed keys in a file: what is read, what is kept, and what a bad file costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.window.keys.key_file import KeyFile, read_keys, write_keys
from widgets.keys import KEY_BINDINGS

COMMANDS = [binding.command for binding in KEY_BINDINGS if binding.command]
KEYS = ["Ctrl+Shift+M", "Alt+.", "F7", "+", "Ctrl+Left", "Meta+K", "Ctrl+Shift+?", "Ctrl+K, S", "F2, Ctrl+,"]

# A JSON number may come back as another one: only what is not our own could be any JSON, and it is kept as it is.
json_values = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.text(max_size=2))
names = st.text(alphabet="xyz_", min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(COMMANDS), st.lists(st.sampled_from(KEYS), max_size=3).map(tuple)),
    st.dictionaries(names, json_values),
    st.dictionaries(names, json_values),
)
def test_keys_come_back_from_a_file_with_all_that_this_version_does_not_know(
    tmp_path: Path, changes, others, fields
) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, KeyFile(changes, others, fields))
    read = read_keys(path)
    assert read is not None
    assert (read.changes, read.others, read.trouble) == (changes, others, "")
    assert read.fields == {"version": 1, **fields}
    write_keys(path, read)
    assert read_keys(path) == read


def test_a_file_of_a_later_version_keeps_its_number(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"version": 3, "keys": {"measure": ["Ctrl+M"], "fly": ["F12"]}, "chords": {"fly": "A B"}}')
    read = read_keys(path)
    assert read is not None
    assert read.changes == {"measure": ("Ctrl+M",)}
    read.changes = {"measure": ("F12",)}
    write_keys(path, read)
    assert json.loads(path.read_text()) == {
        "version": 3,
        "keys": {"fly": ["F12"], "measure": ["F12"]},
        "chords": {"fly": "A B"},
    }


def test_there_may_be_no_file(tmp_path: Path) -> None:
    assert read_keys(tmp_path / "keys.json") is None


@pytest.mark.parametrize(
    ("text", "said", "read"),
    [
        ("", "could not be read, so the usual keys are in force", {}),
        ("{", "could not be read, so the usual keys are in force", {}),
        ("[]", "could not be read, so the usual keys are in force", {}),
        ('{"keys": 7}', "holds no keys", {}),
        ('{"keys": {"measure": "Ctrl+M"}}', "The keys of one command in keys.json could not be read", {}),
        ('{"keys": {"measure": [1], "log": ["no key"]}}', "The keys of 2 commands in", {}),
        ('{"keys": {"measure": ["Ctrl+K, Ctrl+M, B"], "log": ["F8"]}}', "The keys of one command", {"log": ("F8",)}),
        ('{"keys": {"measure": ["S, B"], "log": ["F8, B"]}}', "The keys of one command", {"log": ("F8, B",)}),
        ('{"keys": {"measure": []}}', "", {"measure": ()}),
        ("{}", "", {}),
    ],
)
def test_what_cannot_be_read_costs_one_sentence_and_no_more(tmp_path: Path, text: str, said: str, read) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    found = read_keys(path)
    assert found is not None
    assert said in found.trouble
    assert bool(found.trouble) is bool(said)
    assert found.changes == read


def test_other_ways_to_write_a_key_are_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"keys": {"measure": ["ctrl+m", "Shift+Ctrl+pgup"]}}')
    read = read_keys(path)
    assert read is not None
    assert read.changes == {"measure": ("Ctrl+M", "Ctrl+Shift+PgUp")}
