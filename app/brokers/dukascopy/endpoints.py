"""Dukascopy's addresses."""

from __future__ import annotations

import re

from app.brokers.addresses import check_base

SERVICE = "Dukascopy"
JSON_BASE = "https://jetta.dukascopy.com"
FILES_BASE = "https://datafeed.dukascopy.com"


def check_json_base(url: str) -> str:
    """
    Return the base address of the JSON interface, without ``/v1`` and without a trailing slash.

    Raises:
        SettingsError: If it is not ``http://`` or ``https://``, a host, perhaps a port and a path.
    """
    return re.sub(r"/v1$", "", check_base(url, SERVICE, JSON_BASE))


def check_files_base(url: str) -> str:
    """
    Return the base address of the tree of files, without ``/datafeed`` and without a trailing slash.

    Raises:
        SettingsError: As `check_json_base`.
    """
    return re.sub(r"/datafeed$", "", check_base(url, SERVICE, FILES_BASE))
