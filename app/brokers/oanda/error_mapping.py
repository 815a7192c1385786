"""
Every failure between this program and OANDA, mapped to an error that says whether to try again. No I/O.

Refused credentials are final: the same token would be refused for ever, and asking on would look like an attack. No
sentence here contains the token.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.brokers.network_errors import (
    explain_network,
    not_the_service,
    proxy_failure,
    retry_after_of,
    server_fault,
)
from app.brokers.oanda.decode import decode_refusal
from app.brokers.oanda.endpoints import SERVICE
from app.market.errors import FeedDisconnected, FeedError, FeedRejected, MalformedMessage

_TOO_FAST_S = 5.0  # to leave it alone after a 429 that names no time


class BadRequest(FeedRejected):
    """OANDA cannot do what was asked (HTTP 400): most often an instrument that the account does not have."""


class TokenRefused(FeedRejected):
    """OANDA refuses the token, or the account to it (HTTP 401, 403)."""


def explain(error: BaseException, host: str, proxy: str = "") -> FeedError | None:
    """
    Return what ``error`` means for a request to ``host``; None for a bug, which the caller raises again.

    ``proxy``: the address of the proxy in use, without its password, or "".
    """
    if isinstance(error, MalformedMessage):
        return FeedDisconnected(f"{host} gave an answer that cannot be read; try again later.")
    if isinstance(error, FeedError):
        return error
    return explain_network(error, host, proxy, SERVICE)


def answer_error(status: int, headers: Mapping[str, str], body: bytes, host: str, *, proxy: str = "") -> FeedError:
    """Return the meaning of an answer other than 200."""
    if status == 407:
        return FeedDisconnected(proxy_failure(host, proxy, "HTTP 407", status))
    words = decode_refusal(body)
    if status in (401, 403):
        said = f"{words}; " if words else ""
        return TokenRefused(
            f"OANDA refuses the token (HTTP {status}): {said}check OANDA_API_KEY, OANDA_ACCOUNT_ID and oanda_server."
        )
    if status == 429:
        wait_s = retry_after_of(headers.get("Retry-After"), _TOO_FAST_S)
        return FeedDisconnected(f"{host} was asked too much too fast (HTTP 429).", retry_after_s=wait_s)
    if (fault := server_fault(status, headers.get("Retry-After"), host)) is not None:
        return fault
    if status < 400 or not words:
        return not_the_service(f"HTTP {status}", host, SERVICE)
    if status == 404:
        return FeedRejected(f"OANDA has nothing of that kind (HTTP 404): {words}; check OANDA_ACCOUNT_ID.")
    refusal = BadRequest if status == 400 else FeedRejected
    return refusal(f"OANDA refuses the request (HTTP {status}): {words}.")
