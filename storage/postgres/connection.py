"""
Connects to PostgreSQL, describes the server, and translates the driver's errors.

Every session is in UTC, has bounded waits, and uses TLS to any machine but this one unless the URL says otherwise.
`store_error` is the one place where the driver's errors become ours. None of our sentences repeats a URL, which may
hold a password. `storage.postgres.database_url` reads URLs; `storage.postgres.pool` shares connections.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg

from app.market.errors import StoreError, StoreSchemaMismatch, StoreUnavailable
from storage.postgres.database_url import parts_of, system_certificates, tls_mode

Connection = psycopg.Connection[tuple[Any, ...]]

OLDEST_MAJOR = 14
CONNECT_TIMEOUT_S = 10  # per host; a distant server that is awake takes a second
STATEMENT_TIMEOUT_S = 60.0  # no query of the window takes that long, and one that hangs must not hold a symbol's lock
# A connection whose other end has vanished without a word breaks after about half a minute, rather than after hours.
_KEEPALIVE = {"keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}


class Edition(StrEnum):
    """The kinds of servers that differ in what they can do; see `storage.schema.editions`."""

    PLAIN = "plain"
    TIMESCALE_APACHE = "timescaledb apache"
    TIMESCALE_COMMUNITY = "timescaledb community"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The connected server: ``version`` is like ``"18.4"``, ``timescale_version`` is empty without TimescaleDB."""

    version: str
    edition: Edition
    timescale_version: str = ""
    embedded: bool = False

    @property
    def label(self) -> str:
        """The server in words: ``"Embedded PostgreSQL 18.4"``, ``"TimescaleDB Apache 2.19.3 on PostgreSQL 17.6"``."""
        place = "Embedded " if self.embedded else ""
        if self.edition is Edition.PLAIN:
            return f"{place}PostgreSQL {self.version}"
        kind = "Community" if self.edition is Edition.TIMESCALE_COMMUNITY else "Apache"
        return f"{place}TimescaleDB {kind} {self.timescale_version} on PostgreSQL {self.version}"


class PasswordWanted(StoreUnavailable):
    """The server wants a password, and there is none, neither in the URL nor where libpq looks for one."""


def connect(
    url: str,
    *,
    application_name: str = "cryptopipe",
    connect_timeout_s: int | None = None,
    statement_timeout_s: float | None = None,
    ask_password: Callable[[str], str] | None = None,
) -> Connection:
    """
    Return a new connection in autocommit mode; ``url`` is a URL or a conninfo of libpq.

    ``ask_password`` is called with the URL if the server wants a password that neither the URL nor libpq's own places
    have; it returns the password, or an empty text for none.

    The URL overrides our defaults. So do PGCONNECT_TIMEOUT, and a statement_timeout that the URL's options or the
    user's role set; but timeouts given here override all of these.

    Raises:
        PasswordWanted: If the server wants a password and none was given.
        StoreUnavailable: If the server does not answer, or refuses the connection.
        StoreSchemaMismatch: If the server is older than PostgreSQL 14, or its encoding is not UTF8.
    """
    parts = parts_of(url)
    defaults: dict[str, Any] = {"application_name": application_name, **_KEEPALIVE}
    if connect_timeout_s is not None or not os.environ.get("PGCONNECT_TIMEOUT"):
        defaults["connect_timeout"] = CONNECT_TIMEOUT_S if connect_timeout_s is None else connect_timeout_s
    if (mode := tls_mode(parts)) is not None:
        defaults["sslmode"] = mode
    if (file := system_certificates(parts)) is not None:
        parts["sslrootcert"] = file
    try:
        connection = _connect({**defaults, **parts}, lambda: ask_password(url) if ask_password else "")
    except psycopg.Error as error:
        # The driver may repeat a part of the URL that it could not parse. An error that holds the password is not
        # chained, so that no traceback shows it.
        cause = None if (password := parts.get("password")) and password in str(error) else error
        raise _refusal(error, has_password=bool(password)) from cause
    try:
        with translated("set up the database session"):
            _set_up(connection, statement_timeout_s)
        if connection.info.parameter_status("server_encoding") != "UTF8":
            raise StoreSchemaMismatch(
                "The database's encoding is not UTF8, so it cannot hold every symbol: choose one that was created with "
                "ENCODING 'UTF8'."
            )
        if connection.info.server_version < OLDEST_MAJOR * 10_000:
            raise StoreSchemaMismatch(
                f"The database server is older than PostgreSQL {OLDEST_MAJOR}: upgrade it, or choose another."
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(parameters: dict[str, Any], ask_password: Callable[[], str]) -> Connection:
    try:
        return psycopg.connect(**parameters, autocommit=True)
    except psycopg.Error as error:
        if "password" in parameters or not _wants_password(error) or not (password := ask_password()):
            raise
    return psycopg.connect(**parameters, password=password, autocommit=True)


def _wants_password(error: psycopg.Error) -> bool:
    """Whether a connection failed because no password was given: libpq has no code for that, only this text."""
    return "no password supplied" in str(error)


def _set_up(connection: Connection, statement_timeout_s: float | None) -> None:
    waits = {"statement_timeout": statement_timeout_s, "idle_in_transaction_session_timeout": statement_timeout_s}
    settings = [
        (name, str(int((STATEMENT_TIMEOUT_S if wait_s is None else wait_s) * 1000)), wait_s is not None)
        for name, wait_s in waits.items()
    ]
    settings += [("enable_memoize", "off", True), ("jit", "off", True)]
    # Read committed, whatever this user's default is: a statement after the wait for a lock must see what the lock's
    # last holder committed. A timeout is set only if the caller gives it, or if it has its default: one that the URL,
    # the role or the database sets is somebody's choice. Memoize keeps the rows of each of a query's lookups, and ours
    # never look up the same twice. Compiling a query takes some 300 ms, and ours take less.
    connection.execute(
        "SELECT set_config('TimeZone', 'UTC', false), set_config('default_transaction_isolation', 'read committed',"
        " false), (SELECT count(set_config(name, wanted.value, false))"
        " FROM unnest(%s::text[], %s::text[], %s::boolean[]) AS wanted (name, value, given)"
        " JOIN pg_settings USING (name) WHERE given OR source NOT IN ('client', 'user', 'database', 'database user'))",
        tuple(map(list, zip(*settings, strict=True))),
    )


def _refusal(error: psycopg.Error, *, has_password: bool) -> StoreError:
    """Return the error for a connection that could not be made."""
    if not has_password and _wants_password(error):
        return PasswordWanted(
            "Could not connect to the database: it wants a password; set CRYPTOPIPE_DATABASE_PASSWORD, or enter it in "
            "the window's database settings."
        )
    if error.sqlstate:
        return store_error(error, "connect to the database")
    return StoreUnavailable(f"Could not connect to the database: {_connection_advice(str(error))}.")


def facts_of(connection: Connection, *, embedded: bool = False) -> ServerFacts:
    """Return the server's version and edition. Raises StoreError."""
    with translated("read the version of the database"):
        row = connection.execute(
            "SELECT split_part(current_setting('server_version'), ' ', 1),"
            " (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),"
            " current_setting('timescaledb.license', true)"
        ).fetchone()
    assert row is not None
    version, timescale, licence = row
    if timescale is None:
        return ServerFacts(version, Edition.PLAIN, embedded=embedded)
    community = licence == "timescale"
    edition = Edition.TIMESCALE_COMMUNITY if community else Edition.TIMESCALE_APACHE
    return ServerFacts(version, edition, timescale, embedded)


def hang_up(connection: Connection) -> None:
    """
    Shut down the connection's socket: a thread that waits on it gets an error at once, whatever the server does.

    From any thread. The connection still has to be closed by its owner: only the socket is shut down, so its file
    descriptor cannot be reused meanwhile.
    """
    with contextlib.suppress(psycopg.Error, OSError):
        wire = socket.socket(fileno=connection.fileno())
        try:
            wire.shutdown(socket.SHUT_RDWR)
        finally:
            wire.detach()  # or collecting it would close libpq's descriptor


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """
    Translate the driver's errors inside the block; ``doing`` completes "could not …".

    Raises:
        StoreUnavailable: If a retry may help.
        StoreSchemaMismatch: If the tables are not as they should be.
        StoreError: If the server refuses the data or the statement as such.
    """
    try:
        yield
    except psycopg.Error as error:
        raise store_error(error, doing) from error


def store_error(error: psycopg.Error, doing: str) -> StoreError:
    """Return the driver's error as one of ours; ``doing`` completes "could not …". See `translated`."""
    state = error.sqlstate or ""
    if advice := _ADVICE.get(state) or _ADVICE.get(state[:2]):
        return StoreUnavailable(f"Could not {doing}: {advice}.")
    if state in {"42P01", "42703", "3F000"}:
        return StoreSchemaMismatch(
            f"Could not {doing}: its tables are not those of this version; choose a database of cryptopipe's own."
        )
    if state[:2] in {"22", "23", "42"} or isinstance(error, psycopg.ProgrammingError | psycopg.NotSupportedError):
        return StoreError(f"Could not {doing}: the database refused it ({_first_line(error)}).")
    if not state:
        # Without a code it is the client's: the connection broke. The next use reconnects.
        return StoreUnavailable(f"Could not {doing}: the connection to the database broke; the next try reconnects.")
    return StoreUnavailable(f"Could not {doing}: {_first_line(error)}.")


# By SQLSTATE, or by its first two characters, the class.
_ADVICE = {
    "28": "it refused the user name or the password; check both",
    "3D": "there is no database of that name on the server; create it, or correct the name",
    "42501": "the user lacks the right to; grant it, or use another user",
    "53100": "the disk is full; free some space",
    "53300": "the server has too many connections; close some",
    "57014": "it took too long and was given up",
    "57P03": "the server is starting or stopping; wait a moment",
    "57P01": "the server is shutting down; wait until it is back",
    "57P02": "the server is shutting down; wait until it is back",
    "25006": "the server takes no writes here (it is a standby, or set to read-only); use the primary",
}


def _connection_advice(text: str) -> str:
    if "authentication failed" in text or "no password supplied" in text:
        return _ADVICE["28"]
    if "does not exist" in text and "database" in text:
        return _ADVICE["3D"]
    if "certificate" in text:
        return (
            "its certificate cannot be trusted; name the one of its authority by sslrootcert in the URL, or check that "
            "the host name is the certificate's"
        )
    if "SSL" in text and "support" in text:
        return "the server offers no TLS; switch it on there, or add sslmode=disable to the URL if the network is safe"
    if "starting up" in text or "shutting down" in text:
        return _ADVICE["57P03"]
    if "could not translate host name" in text or "resolve" in text:
        return "its host name is unknown; check the name and the network"
    return "it does not answer; check that it runs and that its address is right"


def _first_line(error: psycopg.Error) -> str:
    primary = error.diag.message_primary or str(error)
    return primary.splitlines()[0] if primary else type(error).__name__
