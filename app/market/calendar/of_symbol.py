"""Which calendar holds for a symbol, as far as its name, its description and the user's choice say."""

from __future__ import annotations

from functools import cache

from app.market.calendar.always_open import AlwaysOpen
from app.market.calendar.calendar import Calendar
from app.market.symbol import BROKER, bare_name, broker_of

_COINS = ("BTC", "ETH", "LTC", "XRP", "BCH", "ADA", "SOL", "DOGE")


def usual_calendar(symbol: str) -> Calendar:
    """
    Return the calendar to assume for a symbol: the forex week for what a broker of quotes has, but for coins.

    Those, and all symbols of Binance, are always open. Holidays are in neither: an instrument's description has them.
    """
    if broker_of(symbol) == BROKER or bare_name(symbol).startswith(_COINS):
        return _always()
    return _forex()


def own_calendar(name: str) -> Calendar | None:
    """Return the calendar ``CRYPTO`` or ``FOREX`` by its name, the same object each time; None for another name."""
    return {"CRYPTO": _always, "FOREX": _forex}.get(name.upper(), lambda: None)()


@cache
def _always() -> Calendar:
    return AlwaysOpen()


@cache
def _forex() -> Calendar:
    from app.market.calendar.weekly import forex  # here: symbols of Binance need none

    return forex()
