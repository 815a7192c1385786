"""The token and the account, kept out of every text."""

from __future__ import annotations

import re

from app.market.errors import FeedRejected

_ACCOUNT = re.compile(r"[A-Za-z0-9-]{1,40}")


class Credentials:
    """
    A token and the account that it is for.

    Neither ``str`` nor ``repr`` shows the token, and it leaves this object by `headers` alone.

    Raises:
        FeedRejected: If either is missing or cannot be one; its sentence says what to set, and shows neither.
    """

    __slots__ = ("_token", "account")

    def __init__(self, token: str, account: str) -> None:
        token, account = token.strip(), account.strip()
        if not token or not account:
            missing = " and ".join(
                name for name, value in (("OANDA_API_KEY", token), ("OANDA_ACCOUNT_ID", account)) if not value
            )
            raise FeedRejected(f"OANDA needs an account: set {missing} in the environment or the keyring.")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise FeedRejected("OANDA_API_KEY cannot be a token: copy it from OANDA's page once more.")
        if not _ACCOUNT.fullmatch(account):
            raise FeedRejected("OANDA_ACCOUNT_ID cannot be an account: it looks like 101-004-1234567-001.")
        self._token = token
        self.account = account

    def headers(self) -> dict[str, str]:
        """Return the headers of a request; never log them."""
        return {"Authorization": f"Bearer {self._token}", "Accept-Datetime-Format": "RFC3339"}

    def __repr__(self) -> str:
        return "Credentials(…)"
