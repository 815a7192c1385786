"""The exchange's addresses as the settings have them."""

from __future__ import annotations

from app.binance.endpoints import check_rest_base, check_ws_base
from app.settings import Settings


def check_addresses(settings: Settings) -> None:
    """
    Look at the exchange's addresses without using them.

    Raises:
        SettingsError: If one cannot be an address of the exchange.
    """
    check_ws_base(settings.binance_ws_url)
    check_rest_base(settings.binance_rest_url)
