"""
What a request is refused with: UsageError and these, each with the status that HTTP has for it.

UsageError (400: the request is wrong), NotFound (404), StoreUnavailable (503: the database is away),
ServerBusy (503: too many clients at once).
"""

from __future__ import annotations

from app.market.errors import CryptopipeError


class NotFound(CryptopipeError):
    """There is no such symbol or page."""


class ServerBusy(CryptopipeError):
    """Too many clients are served already."""
