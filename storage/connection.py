"""
Connections to PostgreSQL, and what is on the other side.

Every session speaks UTC, has bounded waits, and uses TLS to any machine but this one unless the URL says otherwise.
`translated` is the one place where the driver's errors become ours; no sentence of ours repeats a URL, which may hold a
password.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from app.market.errors import StoreError, StoreSchemaMismatch, StoreUnavailable

Connection = psycopg.Connection[tuple[Any, ...]]

OLDEST_MAJOR = 14
_PATIENCE = {"keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}


class Edition(StrEnum):
    """What the connected server can do."""

    PLAIN = "plain"
    TIMESCALE_APACHE = "timescaledb apache"
    TIMESCALE_COMMUNITY = "timescaledb community"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The connected server: ``version`` such as ``"18.4"``, its edition, TimescaleDB's version or an empty text."""

    version: str
    edition: Edition
    timescale_version: str = ""
    embedded: bool = False

    @property
    def label(self) -> str:
        """For people: ``"Embedded PostgreSQL 18.4"``, ``"TimescaleDB 2.19.3 on PostgreSQL 17.6"``."""
        place = "Embedded " if self.embedded else ""
        if self.edition is Edition.PLAIN:
            return f"{place}PostgreSQL {self.version}"
        return f"{place}TimescaleDB {self.timescale_version} on PostgreSQL {self.version}"


def connect(
    url: str,
    *,
    application_name: str = "cryptopipe",
    connect_timeout_s: int = 10,
    statement_timeout_s: float = 60.0,
) -> Connection:
    """
    Return a new connection in autocommit mode; ``url`` is a URL or a conninfo of libpq.

    Raises:
        StoreUnavailable: If there is no answer, or a refusal.
        StoreSchemaMismatch: If the server is older than PostgreSQL 14.
    """
    parameters = _parameters(url)
    # An option of the URL is the user's and wins.
    defaults: dict[str, Any] = {"application_name": application_name, "connect_timeout": connect_timeout_s, **_PATIENCE}
    if not _is_local(parameters):
        defaults["sslmode"] = "require"
    try:
        connection = psycopg.connect(**(defaults | parameters), autocommit=True)
    except psycopg.Error as error:
        password = parameters.get("password")
        # The driver may repeat a part of the URL that it could not make sense of.
        cause = None if password and password in str(error) else error
        raise store_error(error, "connect to the database") from cause
    try:
        with translated("set the database session up"):
            connection.execute(
                "SELECT set_config('TimeZone', 'UTC', false), set_config('statement_timeout', %s, false)",
                (str(int(statement_timeout_s * 1000)),),
            )
        if connection.info.server_version < OLDEST_MAJOR * 10_000:
            raise StoreSchemaMismatch(
                f"The database server is older than PostgreSQL {OLDEST_MAJOR}: upgrade it, or choose another."
            )
    except BaseException:
        connection.close()
        raise
    return connection


def facts_of(connection: Connection, *, embedded: bool = False) -> ServerFacts:
    """Ask the server what it is. Raises StoreUnavailable."""
    with translated("ask the database what it is"):
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


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """
    Turn the driver's errors inside the block into `app.market.errors`; ``doing`` completes "could not …".

    StoreUnavailable: retrying may help. StoreSchemaMismatch: the tables are not as they should be. Any other
    StoreError: the server refuses these data or this statement as such.
    """
    try:
        yield
    except psycopg.Error as error:
        raise store_error(error, doing) from error


def store_error(error: psycopg.Error, doing: str) -> StoreError:
    """Return the one sentence that stands for ``error``."""
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
        return StoreUnavailable(f"Could not {doing}: {_connection_advice(str(error))}.")
    return StoreUnavailable(f"Could not {doing}: {_first_line(error)}.")


_ADVICE = {
    "28": "it refused the user name or the password; check both",
    "3D": "there is no database of that name on the server; create it, or correct the name",
    "42501": "the user lacks the right to; grant it, or use another user",
    "53100": "the disk is full; free some space",
    "53300": "the server has too many connections; close some",
    "57014": "it took too long and was given up",
    "57P03": "the server is starting or stopping; wait a moment",
    "57P": "the server is shutting down; wait until it is back",
    "25006": "the server takes no writes (it is a standby); use the primary",
}


def _connection_advice(text: str) -> str:
    if "authentication failed" in text or "no password supplied" in text:
        return _ADVICE["28"]
    if "does not exist" in text and "database" in text:
        return _ADVICE["3D"]
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


def _parameters(url: str) -> dict[str, Any]:
    try:
        parameters = conninfo_to_dict(url)
    except psycopg.Error:
        # Not chained: the driver's message repeats parts of the URL, which may be the password.
        raise StoreUnavailable(
            "The database URL cannot be read: write it as postgresql://user:password@host:5432/database, special "
            "characters percent-encoded."
        ) from None
    return {name: value for name, value in parameters.items() if value is not None}


def _is_local(parameters: dict[str, Any]) -> bool:
    for host in str(parameters.get("hostaddr") or parameters.get("host") or "").split(","):
        if host in {"", "localhost"} or host.startswith(("/", "@")):
            continue
        try:
            if not ipaddress.ip_address(host).is_loopback:
                return False
        except ValueError:
            return False
    return True
