"""
Checks the brokers' addresses of the settings before anything connects.

`wiring` needs them only later, and loads the whole engine. A start checks them first, so that a wrong address ends it
before a window or a database opens: nothing here may import more than the brokers' tables of endpoints, and of brokers
of quotes only where an address of theirs was set.
"""

from __future__ import annotations

from app.brokers.binance.endpoints import check_archive_base, check_rest_base, check_ws_base
from app.config.settings import Settings


def check_addresses(settings: Settings) -> None:
    """
    Check the form of the brokers' addresses without connecting.

    Raises:
        SettingsError: If one cannot be an address of its broker.
    """
    check_ws_base(settings.binance_ws_url)
    check_rest_base(settings.binance_rest_url)
    check_archive_base(settings.archive_url)
    if settings.oanda_rest_url or settings.oanda_stream_url:
        from app.brokers.oanda import endpoints as oanda

        oanda.check_rest_base(settings.oanda_rest_url, settings.oanda_server)
        oanda.check_stream_base(settings.oanda_stream_url, settings.oanda_server)
    if settings.dukascopy_url or settings.dukascopy_files_url:
        from app.brokers.dukascopy.endpoints import check_files_base, check_json_base

        if settings.dukascopy_url:
            check_json_base(settings.dukascopy_url)
        if settings.dukascopy_files_url:
            check_files_base(settings.dukascopy_files_url)
