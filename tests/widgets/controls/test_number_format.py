"""Numbers and times as text for the panels."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.interval import MENU_INTERVALS, Interval
from app.market.symbol import Symbol
from tests.widgets.conftest import BTCUSDT, SATS
from widgets.controls import number_format


def test_a_price_has_thousands_separators_and_the_symbols_decimals() -> None:
    assert number_format.price(61693.9, BTCUSDT) == "61,693.90"
    assert number_format.price(0.00000012, SATS) == "0.00000012"
    assert number_format.price(1234567.89, BTCUSDT) == "1,234,567.89"


def test_an_unknown_value_is_a_dash() -> None:
    unknown = [
        number_format.price(None, BTCUSDT),
        number_format.quantity(None, BTCUSDT),
        number_format.count(None),
        number_format.compact(None),
        number_format.rate(None),
        number_format.percent(None),
        number_format.utc_time(None),
        number_format.fixed(math.nan, 2),
    ]
    assert unknown == ["–"] * len(unknown)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.53, "−0.53\u202f%"),
        (14.06, "+14.1\u202f%"),
        (9.996, "+10.0\u202f%"),
        (99.96, "+100\u202f%"),
        (-1234.5, "−1,234\u202f%"),
        (0.0, "0.00\u202f%"),
        (0.001, "0.00\u202f%"),
        (-0.001, "0.00\u202f%"),
    ],
)
def test_a_change_has_its_sign_and_about_three_digits(value: float, text: str) -> None:
    assert number_format.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.78826, "3.788"),
        (45298.1, "45,298"),
        (0.00012345, "0.00012"),
        (0.0, "0"),
        (5.2e12, "5.20\u00a0tn"),
        (1.5e9, "1.50\u00a0bn"),
    ],
)
def test_a_quantity_has_four_digits_but_none_finer_than_the_step(value: float, text: str) -> None:
    assert number_format.quantity(value, BTCUSDT) == text


@pytest.mark.parametrize(
    ("value", "text"), [(340, "340"), (1190, "1.19\u00a0k"), (2_500_000, "2.50\u00a0M"), (0.4, "0.4")]
)
def test_a_large_amount_is_abbreviated(value: float, text: str) -> None:
    assert number_format.compact(value) == text


def test_a_time_is_written_in_utc_whatever_the_locale() -> None:
    assert number_format.utc_time(1_723_162_523_999_999) == "09 Aug 2024 00:15:23 UTC"


def test_an_interval_in_words_has_its_largest_whole_unit() -> None:
    texts = [number_format.interval_in_words(Interval.parse(text)) for text in ("90s", "60m", "181m", "7d", "1M", "1s")]
    assert texts == ["90 seconds", "1 hour", "181 minutes", "1 week", "1 month", "1 second"]
    assert len({number_format.interval_in_words(interval) for interval in MENU_INTERVALS}) == len(MENU_INTERVALS)


@given(st.floats(-1e12, 1e12), st.integers(0, 8))
def test_a_fixed_number_reads_back_as_itself(value: float, decimals: int) -> None:
    text = number_format.fixed(value, decimals)
    assert "-" not in text
    assert float(text.replace(",", "").replace("−", "-")) == round(value, decimals)


@given(st.floats(0, 1e15), st.integers(1, 10**9))
def test_any_quantity_has_a_short_text(value: float, step_e8: int) -> None:
    assert 0 < len(number_format.quantity(value, Symbol("AB", "A", "B", step_size_e8=step_e8))) <= 13
