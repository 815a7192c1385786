"""
Reads and writes database URLs without connecting: their parts, their secrets, and the TLS that they need.

A URL is a ``postgresql://`` URL, also as Prisma writes it (``?schema=public``), or a conninfo string of libpq. Parts
that it leaves out come from libpq's environment (PGHOST, PGSERVICE, PGSSLMODE …). The results of `parts_of`,
`password_in`, `with_password` and `url_of` may hold a password: never show them.
`storage.postgres.connection` connects.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.market.errors import StoreError, StoreUnavailable

_SECRET_KEYWORDS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
_SYSTEM = "system"  # libpq's name for the certificate authorities that this system trusts
# The certificate bundles of Debian, of Red Hat, and of macOS and the BSDs.
_CERTIFICATE_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
# Prisma's own parameters, which libpq refuses. The schema becomes a search_path, the others are about its pool.
_PRISMA = {"schema", "connection_limit", "pool_timeout", "socket_timeout", "pgbouncer", "statement_cache_size"}
_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
_LIBPQ_SSLMODE = "prefer"  # libpq's default: plain text if the server has no TLS


def parts_of(url: str) -> dict[str, str]:
    """
    Return the parts of the URL by libpq's keywords, ``user``, ``host``, ``dbname`` and so on.

    Raises:
        StoreUnavailable: If the URL cannot be parsed. The message repeats no part of it.
    """
    url, schema = _without_prisma(url)
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        # Not chained: the driver's message repeats parts of the URL, which may be the password.
        raise StoreUnavailable(
            "The database URL cannot be read: write it as postgresql://user@host:5432/database, special characters "
            "percent-encoded."
        ) from None
    found = {name: str(value) for name, value in parts.items() if value is not None}
    if schema:
        found["options"] = f'{found.get("options", "")} -csearch_path="{schema}"'.strip()
    return found


def _without_prisma(url: str) -> tuple[str, str]:
    """
    Return a URL without the parameters that Prisma adds to it, and the schema that they name, if any.

    Raises:
        StoreUnavailable: If that is no name of a schema.
    """
    address, separator, query = url.strip().partition("?")
    if not separator or not address.startswith(("postgresql://", "postgres://")):
        return url, ""
    given = [(name, value) for name, _, value in (one.partition("=") for one in query.split("&"))]
    schema = next((unquote(value) for name, value in given if name == "schema"), "")
    if schema and not _SCHEMA.fullmatch(schema):
        raise StoreUnavailable(
            "The schema in the database URL is no name: write it as ?schema=public, of letters, digits and underscores."
        )
    kept = "&".join(f"{name}={value}" if value else name for name, value in given if name not in _PRISMA)
    return (f"{address}?{kept}" if kept else address), schema


def tls_mode(parts: Mapping[str, str]) -> str | None:
    """
    Return the ``sslmode`` to add to these parts, or None to leave it to them and to libpq's environment.

    Another machine requires TLS, unless the URL or PGSSLMODE says otherwise.

    Raises:
        StoreError: If the parts name a service and no sslmode: only libpq knows that service's host.
    """
    if "sslmode" in parts:
        return None
    if parts.get("sslrootcert") == _SYSTEM:
        return "verify-full"  # libpq accepts no other mode with the system's authorities
    inherited = _libpq_defaults()
    if inherited["sslmode"] != _LIBPQ_SSLMODE:
        return None
    if "service" in parts:
        # The service file may name a host and an sslmode, and only libpq reads it.
        raise StoreError(
            "The database URL names a service: add sslmode to it as well (require or verify-full, or disable on this "
            "machine)."
        )
    return None if is_local({**inherited, **parts}) else "require"


def system_certificates(parts: Mapping[str, str]) -> str | None:
    """
    Return the certificate file to use for ``sslrootcert=system``, or None to leave the choice to libpq.

    The psycopg wheel bundles its own OpenSSL, whose default certificate folder exists on no system.
    """
    if parts.get("sslrootcert") != _SYSTEM or os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return None
    known = (ssl.get_default_verify_paths().cafile, *_CERTIFICATE_FILES)
    return next((path for path in known if path and Path(path).is_file()), None)


def is_local(parts: Mapping[str, str]) -> bool:
    """Whether every host named is this machine: a socket, localhost, or a loopback address."""
    hosts, addresses = (parts.get(name, "").split(",") for name in ("host", "hostaddr"))
    count = max(len(hosts), len(addresses))
    # libpq connects to the address of a host; only a host without one is looked up by name.
    hosts, addresses = (names + [""] * (count - len(names)) for names in (hosts, addresses))
    return all(_is_loopback(address or host) for host, address in zip(hosts, addresses, strict=True))


def name_of(url: str) -> str:
    """
    Return ``"user@host:5432/database"``, without secrets: the name to show, and the password's key in the keyring.

    Raises:
        StoreUnavailable: If the URL cannot be parsed.
    """
    parts = {**_libpq_defaults(), **parts_of(url)}
    user = parts.get("user", "")
    host, address = parts.get("host", ""), parts.get("hostaddr", "")
    # libpq connects to the address and ignores the name, which may therefore mislead: show both.
    host = f"{host}={address}" if host and address else host or address or "localhost"
    service = f"{parts['service']}:" if "service" in parts else ""
    return f"{user}@{service}{host}:{parts.get('port', '5432')}/{parts.get('dbname') or user}"


def without_secrets(url: str) -> str:
    """Return the URL without its secrets, to show or to save. Raises StoreUnavailable."""
    return url_of({name: value for name, value in parts_of(url).items() if name not in _SECRET_KEYWORDS})


def password_in(url: str) -> str:
    """Return the URL's password, or an empty text. Raises StoreUnavailable."""
    return parts_of(url).get("password", "")


def holds_secret(url: str) -> bool:
    """Whether the URL holds a password or another secret. Raises StoreUnavailable."""
    return any(name in _SECRET_KEYWORDS for name in parts_of(url))


def with_password(url: str, password: str) -> str:
    """Return the URL as a conninfo string with that password. Raises StoreUnavailable."""
    return make_conninfo(**{**parts_of(url), "password": password})


def with_timeout(url: str, seconds: float) -> str:
    """Return the URL as a conninfo string that waits so long for a connection, unless it says how long itself."""
    # libpq takes whole seconds, and anything below 2 for 2.
    return make_conninfo(**{"connect_timeout": str(max(math.ceil(seconds), 2)), **parts_of(url)})


def url_of(parts: Mapping[str, str]) -> str:
    """Return these parts as a ``postgresql://`` URL, percent-encoded where necessary. Keeps their secrets."""
    options = {
        name: value for name, value in parts.items() if name not in ("user", "password", "host", "port", "dbname")
    }
    hosts, ports = parts.get("host", ""), parts.get("port", "")
    if hosts.startswith(("/", "@")) or "," in hosts + ports:
        # Folders of sockets and lists of hosts read better as named parameters.
        options = {**({"host": hosts} if hosts else {}), **({"port": ports} if ports else {}), **options}
        address = ""
    else:
        host = f"[{hosts}]" if ":" in hosts else quote(hosts, safe="")  # an IPv6 address stands in brackets
        address = host + (f":{ports}" if ports else "")
    user = quote(parts.get("user", ""), safe="")
    if password := parts.get("password"):
        user += f":{quote(password, safe='')}"
    query = f"?{urlencode(options, quote_via=quote, safe='/,')}" if options else ""
    return f"postgresql://{user}{'@' if user else ''}{address}/{quote(parts.get('dbname', ''), safe='')}{query}"


def _libpq_defaults() -> dict[str, str]:
    """Return the parts that libpq fills in, from its environment variables or its built-in defaults."""
    options = pq.Conninfo.get_defaults()
    return {option.keyword.decode(): option.val.decode() for option in options if option.val}


def _is_loopback(host: str) -> bool:
    # A folder ("/") and Linux's abstract namespace ("@") are sockets, which are always on this machine.
    if host in {"", "localhost"} or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
