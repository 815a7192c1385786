"""How long the exchange keeps us out, and how that is said."""

from __future__ import annotations

import pytest

from app.market.durations import in_words, length, with_retry
from app.market.exchange_ban import ExchangeBan


@pytest.mark.parametrize(
    ("left_s", "words"),
    [
        (-5, "at once"),
        (0.9, "at once"),
        (1, "in 1 s"),
        (19.99, "in 19 s"),
        (59.9, "in 59 s"),
        (60, "in 1 min 0 s"),
        (3599, "in 59 min 59 s"),
        (7200, "in 2 h 0 min"),
        (259_200, "in 3 d 0 h"),
    ],
)
def test_a_wait_in_words(left_s: float, words: str) -> None:
    assert in_words(left_s) == words
    assert with_retry("X broke.", left_s) == f"X broke; trying again {words}."


def test_a_ban_counts_down_and_ends() -> None:
    ban = ExchangeBan()
    assert ban.sentence(50) == ""
    ban.note("Banned.", 20, 100)
    assert [ban.sentence(now_s) for now_s in (100, 101, 119.5, 120)] == [
        "Banned; trying again in 20 s.",
        "Banned; trying again in 19 s.",
        "Banned; trying again at once.",
        "",
    ]


def test_a_shorter_wait_does_not_end_a_longer_one() -> None:
    ban = ExchangeBan()
    ban.note("Banned.", 7200, 0)
    ban.note("Too fast.", 5, 10)
    assert ban.left_s(10) == 7190
    assert ban.reason == "Banned."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (-3.24, "3.2 s"),
        (9.96, "10 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (7_199.99, "2 h"),
        (-47.4 * 3600, "47 h"),
        (47.9 * 3600, "2 days"),
        (60 * 1_201_897, "835 days"),
    ],
)
def test_a_length_has_the_unit_that_suits_it(seconds: float, words: str) -> None:
    assert length(seconds) == words
