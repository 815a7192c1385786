"""
Exact decimal amounts as integers.

Binance sends prices and quantities as decimal strings of at most eight places, and the database keeps NUMERIC(20,8).
In between, an amount is an ``int`` that counts 1e-8 units (suffix ``_e8``). A price times a quantity, and every sum of
such products, counts 1e-16 units (suffix ``_e16``). Integer sums are exact in any order, so candles built live, by SQL
and from a file agree to the digit.
"""

from __future__ import annotations

E8 = 100_000_000
E16 = E8 * E8


def parse_e8(text: str) -> int:
    """
    Return a plain decimal string such as ``"61837.63000000"`` as a count of 1e-8 units.

    Raises:
        ValueError: If the text is no plain non-negative decimal, or needs more than eight places.
    """
    whole, dot, fraction = text.partition(".")
    digits = whole + fraction
    # isdigit() alone accepts superscripts and other scripts' digits.
    if not whole or (dot and not fraction) or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"not a decimal amount: {text[:40]!r}")
    if len(fraction) == 8:
        return int(digits)
    if len(fraction) > 8:
        if fraction[8:].strip("0"):
            raise ValueError(f"more than eight decimal places: {text[:40]!r}")
        return int(whole + fraction[:8])
    return int(digits + "0" * (8 - len(fraction)))


def format_e8(amount_e8: int) -> str:
    """Return a count of 1e-8 units as a decimal string with eight places, as Binance writes it."""
    return _format(amount_e8, 8)


def format_e16(amount_e16: int) -> str:
    """Return a count of 1e-16 units as a decimal string: at least eight places, more only where they are not zero."""
    text = _format(amount_e16, 16)
    return text[:-8] + text[-8:].rstrip("0")


def _format(amount: int, places: int) -> str:
    sign, amount = ("-", -amount) if amount < 0 else ("", amount)
    digits = str(amount).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"
