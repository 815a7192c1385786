"""A tradable pair, as exchangeInfo describes it."""

from __future__ import annotations

from dataclasses import dataclass

TRADING = "TRADING"


@dataclass(frozen=True, slots=True)
class Symbol:
    """
    One spot symbol.

    ``name`` is the exchange's upper-case name (``"BTCUSDT"``), ``base`` and ``quote`` its assets. ``tick_size_e8`` is
    the price step in the quote asset, ``step_size_e8`` the quantity step in the base asset (1e-8 units, never 0).
    ``status`` is the exchange's word: ``"TRADING"``, ``"BREAK"``, ``"HALT"`` …

    Source: GET /api/v3/exchangeInfo.
    """

    name: str
    base: str
    quote: str
    tick_size_e8: int = 1
    step_size_e8: int = 1
    status: str = TRADING

    @property
    def is_trading(self) -> bool:
        return self.status == TRADING

    @property
    def display_name(self) -> str:
        """``"BTC/USDT"``; the plain name where the assets are not known."""
        return f"{self.base}/{self.quote}" if self.base and self.quote else self.name

    @property
    def price_decimals(self) -> int:
        """Decimal places a price of this symbol is shown with."""
        return _decimals(self.tick_size_e8)

    @property
    def quantity_decimals(self) -> int:
        """Decimal places a quantity of this symbol is shown with."""
        return _decimals(self.step_size_e8)


def _decimals(step_e8: int) -> int:
    places = 8
    while places > 0 and step_e8 % 10 == 0:
        step_e8 //= 10
        places -= 1
    return places
