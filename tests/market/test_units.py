"""Amounts are exact both ways."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.units import E8, E16, format_e8, format_e16, parse_e8


@given(st.decimals(0, 10**18, places=8, allow_nan=False, allow_infinity=False))
def test_a_decimal_is_read_to_the_digit(amount: Decimal) -> None:
    assert parse_e8(f"{amount:f}") == int(amount * E8)


@given(st.integers(0, 10**30))
def test_an_amount_survives_being_written(amount: int) -> None:
    assert parse_e8(format_e8(amount)) == amount
    whole, _, fraction = format_e16(amount).partition(".")
    assert int(whole) * E16 + int(fraction.ljust(16, "0")) == amount


@given(st.integers(-(10**30), 10**30))
def test_a_written_amount_has_eight_places_and_more_only_where_needed(amount: int) -> None:
    assert len(format_e8(amount).partition(".")[2]) == 8
    fraction = format_e16(amount).partition(".")[2]
    assert 8 <= len(fraction) <= 16
    assert len(fraction) == 8 or fraction[-1] != "0"
    assert amount >= 0 or format_e8(amount).startswith("-")


def test_amounts_look_as_the_exchange_writes_them() -> None:
    assert format_e8(6183763000000) == "61837.63000000"
    assert format_e8(1) == "0.00000001"
    assert format_e8(-1) == "-0.00000001"
    assert format_e16(E16) == "1.00000000"
    assert format_e16(1) == "0.0000000000000001"
    assert format_e16(93_214_806_446_410 * 10**8) == "932148.06446410"


@pytest.mark.parametrize(
    ("text", "amount"), [("1", E8), ("1.5", 150_000_000), ("0.1000000000", 10_000_000), ("007", 7 * E8)]
)
def test_other_counts_of_places_are_read(text: str, amount: int) -> None:
    assert parse_e8(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ".5",
        "5.",
        "-1",
        "+1",
        "1e3",
        "1,0",
        " 1",
        "1 ",
        "1_000",
        "0x1",
        "nan",
        "1.2.3",
        "٣",
        "1²",
        "1.000000001",
    ],
)
def test_what_is_no_plain_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a decimal amount|more than eight decimal places"):
        parse_e8(text)
