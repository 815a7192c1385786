"""
What a database URL says, read without connecting: its parts, whether it leads off this machine, and its secrets.

A URL may be a ``postgresql://`` URL or a conninfo of libpq; what it leaves out comes from libpq's own environment
(PGHOST, PGSERVICE, PGSSLMODE …). Nothing here is written with a password in it but by `with_password`.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.market.errors import StoreError, StoreUnavailable

_SECRETS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
_SYSTEM = "system"  # libpq's word for the authorities that this system trusts
_AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_LIBPQ_SSLMODE = "prefer"  # what libpq does where nobody says anything: plain text if the server has no TLS


def parts_of(url: str) -> dict[str, str]:
    """
    Return what the URL names, by libpq's keywords.

    Raises:
        StoreUnavailable: If it cannot be read. The sentence repeats nothing of it.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        # Not chained: the driver's message repeats parts of the URL, which may be the password.
        raise StoreUnavailable(
            "The database URL cannot be read: write it as postgresql://user@host:5432/database, special characters "
            "percent-encoded."
        ) from None
    return {name: str(value) for name, value in parts.items() if value is not None}


def tls_mode(parts: Mapping[str, str]) -> str | None:
    """
    Return the ``sslmode`` to add to these parts; None where theirs, or libpq's environment, decides.

    Off this machine TLS is required, unless the URL or PGSSLMODE says otherwise.

    Raises:
        StoreError: If nobody can tell where a service leads.
    """
    if "sslmode" in parts:
        return None
    if parts.get("sslrootcert") == _SYSTEM:
        return "verify-full"  # libpq takes no other with it
    inherited = _inherited()
    if inherited["sslmode"] != _LIBPQ_SSLMODE:
        return None
    if "service" in parts:
        # Its file may name a host and an sslmode, and only libpq reads that.
        raise StoreError(
            "The database URL names a service: add sslmode to it as well (require or verify-full, or disable on this "
            "machine)."
        )
    return None if is_local({**inherited, **parts}) else "require"


def authorities(parts: Mapping[str, str]) -> str | None:
    """
    Return the file to use for ``sslrootcert=system``; None where libpq finds it, or something else is named.

    The driver's own OpenSSL looks for it where no system has it.
    """
    if parts.get("sslrootcert") != _SYSTEM or os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return None
    known = (ssl.get_default_verify_paths().cafile, *_AUTHORITIES)
    return next((path for path in known if path and Path(path).is_file()), None)


def is_local(parts: Mapping[str, str]) -> bool:
    """Whether every host named is this machine: a socket, localhost, or a loopback address."""
    hosts, addresses = (parts.get(name, "").split(",") for name in ("host", "hostaddr"))
    several = max(len(hosts), len(addresses))
    # An address says where a host is; one that has none is looked up.
    hosts, addresses = (names + [""] * (several - len(names)) for names in (hosts, addresses))
    return all(_is_loopback(address or host) for host, address in zip(hosts, addresses, strict=True))


def name_of(url: str) -> str:
    """Return ``"user@host:5432/database"``, for people and as the name of its password. Raises StoreUnavailable."""
    parts = {**_inherited(), **parts_of(url)}
    user = parts.get("user", "")
    host, address = parts.get("host", ""), parts.get("hostaddr", "")
    # It is the address that libpq goes to, whatever the name says.
    host = f"{host}={address}" if host and address else host or address or "localhost"
    service = f"{parts['service']}:" if "service" in parts else ""
    return f"{user}@{service}{host}:{parts.get('port', '5432')}/{parts.get('dbname') or user}"


def without_secrets(url: str) -> str:
    """Return the URL as it may be written down. Raises StoreUnavailable."""
    return url_of({name: value for name, value in parts_of(url).items() if name not in _SECRETS})


def password_in(url: str) -> str:
    """Return the password the URL holds, or an empty text. Raises StoreUnavailable."""
    return parts_of(url).get("password", "")


def holds_secret(url: str) -> bool:
    """Whether the URL holds a password or the like. Raises StoreUnavailable."""
    return any(name in _SECRETS for name in parts_of(url))


def with_password(url: str, password: str) -> str:
    """Return a conninfo with that password: to connect with, never to show. Raises StoreUnavailable."""
    return make_conninfo(**{**parts_of(url), "password": password})


def url_of(parts: Mapping[str, str]) -> str:
    """Return ``postgresql://`` with these parts, each percent-encoded where it must be."""
    rest = {name: value for name, value in parts.items() if name not in ("user", "password", "host", "port", "dbname")}
    hosts, ports = parts.get("host", ""), parts.get("port", "")
    if hosts.startswith(("/", "@")) or "," in hosts + ports:
        # Sockets and lists are clearer by name.
        rest = {**({"host": hosts} if hosts else {}), **({"port": ports} if ports else {}), **rest}
        place = ""
    else:
        shown = f"[{hosts}]" if ":" in hosts else quote(hosts, safe="")
        place = shown + (f":{ports}" if ports else "")
    user = quote(parts.get("user", ""), safe="")
    if password := parts.get("password"):
        user += f":{quote(password, safe='')}"
    query = f"?{urlencode(rest, quote_via=quote, safe='/,')}" if rest else ""
    return f"postgresql://{user}{'@' if user else ''}{place}/{quote(parts.get('dbname', ''), safe='')}{query}"


def _inherited() -> dict[str, str]:
    """Return what libpq takes from its environment and its defaults."""
    options = pq.Conninfo.get_defaults()
    return {option.keyword.decode(): option.val.decode() for option in options if option.val}


def _is_loopback(host: str) -> bool:
    if host in {"", "localhost"} or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
