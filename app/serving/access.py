"""
Who may read: the address to listen at, the token, TLS, the origins of web pages, and requests per client. No sockets.

Loopback needs no token: whoever can connect there can read the database as well. Anything else needs a token and TLS.
A web page that a browser of this machine shows is not the user: it may read only what `origins` allows. A page whose
own name resolves to this machine (DNS rebinding) is recognised by its Host header and refused.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from app.market.errors import SettingsError

SOCKET_PROTOCOL = "cryptopipe"
_MOST_CLIENTS_COUNTED = 4_096
_BURST_S = 10.0  # how long a client may go on at the full rate after a pause, all at once
_TOKEN_PROTOCOL = f"{SOCKET_PROTOCOL}.token."
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Access:
    """
    The rules of one server; `check` them before it starts.

    ``origins``: the origins of web pages that may read, such as ``https://charts.example``; ``*`` stands for all.
    ``certificate`` and ``key`` are files in PEM form.
    """

    host: str = "127.0.0.1"
    token: str = ""
    origins: frozenset[str] = frozenset()
    certificate: Path | None = None
    key: Path | None = None
    requests_per_minute: int = 6_000

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine can connect."""
        return is_loopback(self.host)

    def check(self) -> ssl.SSLContext | None:
        """
        Return the TLS to serve with, None for none.

        Raises:
            SettingsError: If the address can be reached from other machines without a token and TLS, or the files
                cannot be used.
        """
        has_files = self.certificate is not None and self.key is not None
        if not self.is_local and not (self.token and has_files):
            raise SettingsError(
                f"The server at {self.host} could be read from other machines: set CRYPTOPIPE_SERVE_TOKEN, "
                "serve_certificate and serve_key, or serve_host to 127.0.0.1."
            )
        if self.certificate is None and self.key is None:
            return None
        if not has_files:
            raise SettingsError("TLS needs both files: set serve_certificate and serve_key.")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            # An empty password: without any OpenSSL asks at the terminal, where nobody may sit.
            context.load_cert_chain(str(self.certificate), str(self.key), password="")
        except (OSError, ssl.SSLError) as error:
            why = (
                error.strerror if isinstance(error, OSError) and error.strerror else "they are not PEM files of a pair"
            )
            raise SettingsError(f"serve_certificate and serve_key cannot be used ({why}).") from error
        return context

    def accepts_token(self, authorization: str, otherwise: str = "") -> bool:
        """Whether a request may read, by its header ``Authorization`` or the token given ``otherwise``."""
        if not self.token:
            return True
        kind, _, given = authorization.partition(" ")
        sent = given.strip() if kind.lower() == "bearer" else otherwise
        # A header may have bytes that are no UTF-8.
        return hmac.compare_digest(sent.encode(errors="backslashreplace"), self.token.encode())

    def accepts_host(self, host: str) -> bool:
        """Whether the name that a client asks for, its header ``Host``, is one of this server's."""
        name = _host_name(host)
        return is_loopback(name) or name == self.host

    def allows_origin(self, origin: str) -> bool:
        """Whether a web page of that origin may read the answers."""
        return "*" in self.origins or origin.lower() in self.origins

    def allows_page(self, origin: str, host: str) -> bool:
        """Whether a page of that origin may send requests to ``host``: our own page, and one that may read."""
        return self.allows_origin(origin) or _authority(origin) == host.lower()


def token_in(protocols: str) -> str:
    """
    Return the token in a header ``Sec-WebSocket-Protocol``, the one that a page can set; empty if there is none.

    It is written in URL-safe base 64 after ``cryptopipe.token.``, because a protocol's name has only such characters.
    """
    for name in protocols.split(","):
        before, found, written = name.strip().partition(_TOKEN_PROTOCOL)
        if found and not before:
            with contextlib.suppress(ValueError):
                padding = "=" * (-len(written) % 4)
                return base64.b64decode(written + padding, altchars=b"-_", validate=True).decode()
    return ""


def is_loopback(host: str) -> bool:
    """Whether that name or address is this machine's own loopback."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_origins(text: str) -> frozenset[str]:
    """
    Return the origins in a list separated by commas.

    Raises:
        SettingsError: If an entry is not an origin.
    """
    found = set()
    for origin in filter(None, (part.strip().lower().rstrip("/") for part in text.split(","))):
        scheme, separator, host = origin.partition("://")
        if origin != "*" and (scheme not in _DEFAULT_PORTS or not separator or not host or "/" in host):
            raise SettingsError(f"“{origin[:60]}” is not the origin of a web page: write https://charts.example, or *.")
        found.add(origin)
    return frozenset(found)


def _host_name(host: str) -> str:
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def _authority(origin: str) -> str:
    return origin.lower().partition("://")[2]


class RateLimit:
    """
    How many requests each client may make: ``per_minute``, and after a pause those of ten seconds at once; 0: any.

    A client is an address. The number remembered is bounded; the one silent for longest is forgotten first.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_s = per_minute / 60
        self._most = max(1.0, self._per_s * _BURST_S)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, and at what time

    def wait_s(self, client: str, now_s: float) -> float:
        """Count one request; return 0, or how many seconds too early it came."""
        if not self._per_s:
            return 0.0
        left, at_s = self._left.pop(client, (self._most, now_s))
        left = min(self._most, left + (now_s - at_s) * self._per_s)
        is_allowed = left >= 1.0
        self._left[client] = (left - 1.0 if is_allowed else left), now_s
        if len(self._left) > _MOST_CLIENTS_COUNTED:
            self._left.popitem(last=False)
        return 0.0 if is_allowed else (1.0 - left) / self._per_s


def cross_origin_headers(access: Access, origin: str) -> Mapping[str, str]:
    """Return the CORS headers for a page of that origin; ``Vary`` keeps caches from mixing origins."""
    if not access.origins:
        return {}
    if not origin or not access.allows_origin(origin):
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "ETag, X-Cryptopipe-Complete, Retry-After",
        "Vary": "Origin",
    }
