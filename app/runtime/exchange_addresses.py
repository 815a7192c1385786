"""
Checks the exchange's addresses of the settings before anything connects.

`wiring` needs them only later, and loads the whole engine. A start checks them first, so that a wrong address ends it
before a window or a database opens: nothing here may import more than the exchange's table of endpoints.
"""

from __future__ import annotations

from app.brokers.binance.endpoints import check_archive_base, check_rest_base, check_ws_base
from app.config.settings import Settings


def check_addresses(settings: Settings) -> None:
    """
    Check the form of the exchange's addresses without connecting.

    Raises:
        SettingsError: If one cannot be an address of the exchange.
    """
    check_ws_base(settings.binance_ws_url)
    check_rest_base(settings.binance_rest_url)
    check_archive_base(settings.archive_url)
