"""Columns that grow at both ends: the rows are those of a list, and long columns never move all at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.series import columns as module
from app.market.series.columns import SeriesColumns

KINDS = {"number": np.int64, "half": np.float64, "flag": np.uint8}

EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), st.integers(0, 9)), max_size=60)


@pytest.fixture(scope="module", autouse=True)
def short_is_long() -> None:
    """Let a dozen rows count as many: what is done for a million is then done for these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LONG", 12)
        patch.setattr(module, "_FIRST_CAPACITY", 4)
        yield


def write(columns: SeriesColumns, at: int, numbers: list[int]) -> None:
    rows = slice(at, at + len(numbers))
    columns["number"][rows] = numbers
    columns["half"][rows] = np.array(numbers) / 2
    columns["flag"][rows] = np.array(numbers) % 251


def assert_holds(columns: SeriesColumns, numbers: list[int]) -> None:
    assert len(columns) == len(numbers)
    assert columns["number"].tolist() == numbers
    assert columns["half"].tolist() == [number / 2 for number in numbers]
    assert columns["flag"].tolist() == [number % 251 for number in numbers]
    assert len({len(array) for array in columns.arrays.values()}) == 1
    assert list(columns.arrays) == list(KINDS)


@given(edits=EDITS, at_ends=st.booleans())
def test_rows_put_anywhere_are_those_of_a_list(edits: list[tuple[float, int, int]], at_ends: bool) -> None:
    columns, numbers, next_number = SeriesColumns(KINDS), list[int](), 0
    for place, removed, inserted in edits:
        at = round(place) * len(numbers) if at_ends else int(place * len(numbers))
        removed = min(removed, len(numbers) - at)
        new = list(range(next_number, next_number + inserted))
        next_number += inserted
        columns.splice(at, removed, inserted)
        write(columns, at, new)
        numbers[at : at + removed] = new
        assert_holds(columns, numbers)
    columns.clear()
    assert_holds(columns, [])


@pytest.mark.parametrize("in_front", [True, False])
def test_long_columns_move_one_at_a_time_and_what_is_written_meanwhile_stays(in_front: bool) -> None:
    columns, numbers = SeriesColumns(KINDS), list(range(64))
    columns.splice(0, 0, 64)
    write(columns, 0, numbers)
    moves = []
    for number in range(64, 1064):
        before = owners(columns)
        at = 0 if in_front else len(columns)
        columns.splice(at, 0, 1)
        moves.append(sum(owner is not before[name] for name, owner in owners(columns).items()))
        write(columns, at, [number])
        numbers.insert(at, number)
        assert_holds(columns, numbers)
    assert set(moves[1:]) == {0, 1}  # there may be no room at all before the first
    assert sum(moves) >= 2 * len(KINDS)


def test_room_that_runs_out_while_columns_move_is_made_at_once() -> None:
    columns, numbers = SeriesColumns(KINDS), list(range(64))
    columns.splice(0, 0, 64)
    write(columns, 0, numbers)
    while not columns._larger:
        columns.splice(0, 0, 1)
        write(columns, 0, [len(numbers)])
        numbers.insert(0, len(numbers))
    for at, new in ((len(numbers), list(range(500))), (0, list(range(3000)))):
        columns.splice(at, 0, len(new))
        write(columns, at, new)
        numbers[at:at] = new
        assert_holds(columns, numbers)


def owners(columns: SeriesColumns) -> dict[str, object]:
    """Return the memory that each column lies in."""
    return {name: array if array.base is None else array.base for name, array in columns.arrays.items()}
