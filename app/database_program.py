"""Another program on the database: its address in the environment, and the embedded server up while it runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.market.errors import StoreError, UsageError
from storage.binaries import find_postgres
from storage.connection import Connection

_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}
_READING_ONLY = "-c default_transaction_read_only=on"


def environment_for(connection: Connection, *, writing: bool) -> dict[str, str]:
    """
    Return the environment in which libpq's programs and drivers reach what ``connection`` reaches, in UTC.

    It holds the password where there is one: it is for a child process and nothing else. Unless ``writing``, each
    transaction begins as one that only reads.
    """
    known = connection.info.get_parameters() | {"port": str(connection.info.port)}
    found = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    found |= {variable: known[name] for name, variable in _VARIABLES.items() if known.get(name)}
    options = [known.get("options", ""), "" if writing else _READING_ONLY]
    found |= {"PGTZ": "UTC", "PGOPTIONS": " ".join(filter(None, options))}
    if connection.info.password:
        found["PGPASSWORD"] = connection.info.password
    return found


def program_for(arguments: Sequence[str], postgres_bin: Path | None) -> list[str]:
    """
    Return the command line to run: psql where none is given; the embedded server's own psql where there is no other.

    Raises:
        UsageError: If there is no such program.
    """
    name, *rest = arguments or ["psql"]
    path = shutil.which(name)
    if path is None and name == "psql":
        try:
            path = find_postgres(postgres_bin)[0].program("psql")
        except StoreError:
            path = None
    if path is None:
        raise UsageError(f"“{name}” is no program on this machine: name one to run, or none for psql.")
    return [path, *rest]


def run_program(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run it in the foreground and return its exit code; Ctrl-C is for it, not for us."""
    process = subprocess.Popen(arguments, env=dict(environment))  # noqa: S603  # because the user asks for just this
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        if process.poll() is None:
            process.terminate()
            process.wait()
    return code if code >= 0 else 128 - code
