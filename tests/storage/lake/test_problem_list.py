"""Problems with files are all listed; problems with rows take no more memory than a thousand sentences."""

from __future__ import annotations

from storage.lake.reading.problem_list import MOST_ROWS, ProblemList


def test_rows_beyond_the_most_are_counted_and_files_stay_listed() -> None:
    problems = ProblemList()
    for first in range(0, 3_000, 7):
        problems.add_rows([f"row {row} cannot be used." for row in range(first, min(first + 7, 3_000))])
    problems.add_file("a.json is cut off.")
    assert problems.sentences == [f"row {row} cannot be used." for row in range(MOST_ROWS)] + ["a.json is cut off."]
    assert (problems.unlisted, problems.count) == (2_000, 3_001)


def test_a_list_takes_the_problems_of_another() -> None:
    problems, other = ProblemList(), ProblemList()
    problems.add_file("a.json is cut off.")
    other.add_rows(["row"] * (MOST_ROWS + 5))
    problems.add(other)
    assert (len(problems.sentences), problems.unlisted) == (MOST_ROWS + 1, 5)
