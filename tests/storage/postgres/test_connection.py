"""Connecting: passwords, TLS, timeouts, and the sentences for what fails."""

from __future__ import annotations

import logging
import shutil
import socket
import time
import traceback
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from app.market.errors import StoreError, StoreSchemaMismatch, StoreUnavailable
from storage.postgres.connection import Edition, PasswordWanted, ServerFacts, connect, facts_of, translated
from tests.program import silent_server
from tests.storage.listening import TlsServer

pytestmark = pytest.mark.embedded_only


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@127.0.0.1:{port}/data",
        "postgresql://me:s3cret@[bad:{port}/data",
        "postgresql://me:s3cret@127.0.0.1:s3cret/data",
        "host=127.0.0.1 port={port} password=s3cret nonsense=1",
        "s3cret",
    ],
)
def test_a_password_appears_in_no_sentence_traceback_or_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreUnavailable) as caught:
        connect(url.format(port=port), connect_timeout_s=2)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value)).replace(url, "")
    assert "s3cret" not in caplog.text


def test_the_session_is_in_utc_and_its_waits_are_bounded(server_url: str) -> None:
    with connect(server_url, statement_timeout_s=0.1, application_name="tests") as connection:
        row = connection.execute("SELECT current_setting('TimeZone'), current_setting('application_name')").fetchone()
        assert row == ("UTC", "tests")
        with pytest.raises(StoreUnavailable, match="too long"), translated("wait"):
            connection.execute("SELECT pg_sleep(10)")


def test_the_session_neither_compiles_queries_nor_remembers_lookups(server_url: str) -> None:
    with connect(make_conninfo(server_url, options="-c jit=on -c enable_memoize=on")) as connection:
        row = connection.execute("SELECT current_setting('jit'), current_setting('enable_memoize')").fetchone()
        assert row == ("off", "off")


def test_a_missing_database_is_named_as_the_reason(server_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="no database of that name"):
        connect(server_url.replace("dbname=cryptopipe", "dbname=elsewhere"))


def test_a_server_without_tls_is_refused_if_it_may_be_another_machine(listening_url: str) -> None:
    # 127.1 leads to this machine, but is not taken for it, as a name would not be.
    url = listening_url.replace("host=127.0.0.1", "host=127.1")
    assert url != listening_url
    with pytest.raises(StoreUnavailable, match=r"offers no TLS; .* sslmode=disable"):
        connect(url)
    with connect(f"{url} sslmode=disable"), connect(listening_url):
        pass


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which makes the certificate, is not installed")
def test_with_tls_the_session_is_encrypted_and_a_certificate_is_checked_on_request(tls_server: TlsServer) -> None:
    url = f"host=127.1 port={tls_server.port} user=cryptopipe dbname=postgres"
    with connect(url) as connection:
        assert connection.pgconn.ssl_in_use
        row = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        assert row == (True,)
    with pytest.raises(StoreUnavailable, match="certificate cannot be trusted"):
        connect(f"{url} sslmode=verify-full sslrootcert={tls_server.other_certificate}")
    named = url.replace("host=127.1", "host=db.example hostaddr=127.0.0.1")
    with connect(f"{named} sslmode=verify-full sslrootcert={tls_server.certificate}") as connection:
        assert connection.pgconn.ssl_in_use
    elsewhere = named.replace("db.example", "elsewhere.example")
    with pytest.raises(StoreUnavailable, match="certificate cannot be trusted"):
        connect(f"{elsewhere} sslmode=verify-full sslrootcert={tls_server.certificate}")


def test_a_missing_password_is_another_error_than_a_wrong_one(listening_url: str) -> None:
    url = f"{listening_url} user=guarded"
    with pytest.raises(PasswordWanted, match="wants a password; set CRYPTOPIPE_DATABASE_PASSWORD"):
        connect(url)
    wrong = "wr" + "0ng"  # so that no line of this file holds it
    with pytest.raises(StoreUnavailable, match="refused the user name or the password") as caught:
        connect(f"{url} password={wrong}")
    assert not isinstance(caught.value, PasswordWanted)
    assert wrong not in "".join(traceback.format_exception(caught.value))
    with connect(f"{url} password=s3cret"):
        pass


def test_a_password_is_asked_for_once_if_the_server_wants_one(listening_url: str) -> None:
    asked: list[str] = []

    def ask(url: str) -> str:
        asked.append(url)
        return "s3cret"

    url = f"{listening_url} user=guarded"
    with connect(url, ask_password=ask) as connection:
        assert connection.info.user == "guarded"
    assert asked == [url]
    with connect(f"{url} password=s3cret", ask_password=ask), connect(listening_url, ask_password=ask):
        assert len(asked) == 1
    with pytest.raises(PasswordWanted):
        connect(url, ask_password=lambda _: "")


@pytest.mark.parametrize("way", ["PGPASSWORD", "PGPASSFILE"])
def test_libpqs_own_places_for_passwords_work(
    way: str, listening_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pgpass"
    file.write_text("127.0.0.1:*:*:guarded:s3cret\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv(way, "s3cret" if way == "PGPASSWORD" else str(file))
    with connect(f"{listening_url} user=guarded", ask_password=pytest.fail):
        pass


def test_a_timeout_of_the_url_or_the_role_stands_unless_the_caller_gives_one(server_url: str) -> None:
    def waits(url: str, **options: float) -> tuple[object, ...]:
        with connect(url, **options) as connection:
            row = connection.execute(
                "SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
            ).fetchone()
            assert row is not None
            return row

    assert waits(server_url) == ("1min", "1min")
    url = make_conninfo(server_url, options="-cstatement_timeout=5s")
    assert waits(url) == ("5s", "1min")
    assert waits(url, statement_timeout_s=0) == ("0", "0")


def test_a_silent_server_is_waited_for_until_the_timeout() -> None:
    with silent_server() as server:
        began_s = time.monotonic()
        with pytest.raises(StoreUnavailable, match="does not answer; check that it runs"):
            connect(f"postgresql://me@{server.address}/x", connect_timeout_s=2)
        assert 1.5 < time.monotonic() - began_s < 6


def test_a_connection_that_breaks_is_not_called_a_wrong_address(server_url: str) -> None:
    with connect(server_url) as connection:
        with socket.socket(fileno=connection.fileno()) as line:
            line.shutdown(socket.SHUT_RDWR)
            line.detach()
        broke = r"^Could not read: the connection to the database broke"
        with pytest.raises(StoreUnavailable, match=broke), translated("read"):
            connection.execute("SELECT 1")


def test_an_error_in_a_statement_is_not_worth_a_retry(server_url: str) -> None:
    with connect(server_url) as connection, pytest.raises(StoreError) as caught, translated("read"):
        connection.execute("SELECT nonsense FROM nowhere WHERE %(a)s", {})
    assert not isinstance(caught.value, StoreUnavailable)


def test_the_server_is_described_in_words(server_url: str) -> None:
    with connect(server_url) as connection:
        facts = facts_of(connection, embedded=True)
    assert facts.edition is Edition.PLAIN
    assert facts.label == f"Embedded PostgreSQL {facts.version}"
    timescale = ServerFacts("17.6", Edition.TIMESCALE_APACHE, "2.19.3")
    assert timescale.label == "TimescaleDB Apache 2.19.3 on PostgreSQL 17.6"
    community = ServerFacts("17.6", Edition.TIMESCALE_COMMUNITY, "2.29.2")
    assert community.label == "TimescaleDB Community 2.29.2 on PostgreSQL 17.6"


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_symbol_is_refused(server_url: str, encoding: str) -> None:
    name = f"encoding_{encoding.lower()}"
    with connect(server_url) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        try:
            with pytest.raises(StoreSchemaMismatch, match="ENCODING 'UTF8'"):
                connect(make_conninfo(server_url, dbname=name))
        finally:
            connection.execute(f"DROP DATABASE {name}")
