"""
Servers that listen on loopback, as another machine's would: with passwords, and with TLS if a PostgreSQL with TLS is
installed.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from storage.server.installations import Installation, find_postgres, make_reachable
from storage.server.run_program import run_program, server_account

SYSTEM_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


@dataclass(frozen=True)
class TlsServer:
    """A server with TLS; ``certificate`` is its own, for db.example, ``other_certificate`` another authority's."""

    port: int
    certificate: Path
    other_certificate: Path


def postgres_with_tls() -> Installation | None:
    """Return one of the system's installations that has TLS; the embedded one has none."""
    for pattern in SYSTEM_FOLDERS:
        for folder in sorted(Path("/").glob(pattern.lstrip("/"))):
            said = subprocess.run([folder / "pg_config", "--configure"], capture_output=True, text=True, check=False)
            if "openssl" in said.stdout:
                return find_postgres(folder)[0]
    return None


@contextmanager
def listening(
    folder: Path, postgres: Installation | None = None, *, settings: str = "", rules: str = ""
) -> Iterator[int]:
    """
    Run a server of its own on a free port of 127.0.0.1, its files in ``folder``; yield the port.

    Its user cryptopipe needs no password; ``rules`` are lines of pg_hba.conf that come before that.
    """
    account = server_account()
    installed = make_reachable(postgres or find_postgres()[0], account)
    cluster = folder / "cluster"
    folder.mkdir(exist_ok=True)
    if account is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.uid, account.gid)

    def run(program: str, *arguments: str) -> None:
        code, said = run_program([installed.program(program), *arguments], account, timeout_s=60)
        assert code == 0, said

    run("initdb", "-D", str(cluster), "-U", "cryptopipe", "--auth=trust", "--encoding=UTF8", "--locale=C")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    hba = cluster / "pg_hba.conf"
    hba.write_text(rules + "host all all 127.0.0.1/32 trust\n", encoding="utf-8")
    with (cluster / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(f"\nlisten_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n{settings}\n")
    run("pg_ctl", "start", "-D", str(cluster), "-l", str(folder / "log"), "-w", "-s")
    try:
        yield port
    finally:
        run("pg_ctl", "stop", "-D", str(cluster), "-m", "immediate", "-w", "-s")


def make_certificate(folder: Path, name: str, host: str) -> Path:
    """Make a self-signed certificate for a host, and its key beside it; return the certificate's path."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    openssl = shutil.which("openssl")
    assert openssl is not None
    made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    names = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    subprocess.run([openssl, "req", *made, *names], capture_output=True, check=True)
    key.chmod(0o600)
    return certificate


def make_guarded_user(port: int) -> None:
    """Make a user guarded, whose password is s3cret, in a server that `listening` runs."""
    with psycopg.connect(f"host=127.0.0.1 port={port} user=cryptopipe dbname=postgres", autocommit=True) as connection:
        connection.execute("CREATE ROLE guarded LOGIN PASSWORD 's3cret'")
        connection.execute("CREATE SCHEMA AUTHORIZATION guarded")
