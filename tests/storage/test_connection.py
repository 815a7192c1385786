from __future__ import annotations

import logging
import socket
import traceback

import pytest

from app.market.errors import StoreError, StoreUnavailable
from storage.connection import Edition, ServerFacts, connect, facts_of, translated


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


def test_a_missing_database_is_named_as_the_reason(server_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="no database of that name"):
        connect(server_url.replace("dbname=cryptopipe", "dbname=elsewhere"))


def test_tls_is_asked_for_off_this_machine_unless_the_url_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    seen: list[object] = []

    def refuse(**parameters: object) -> None:
        seen.append(parameters.get("sslmode"))
        raise psycopg.OperationalError("refused")

    monkeypatch.setattr(psycopg, "connect", refuse)
    for url in (
        "postgresql://db.example/x",
        "postgresql://db.example/x?sslmode=disable",
        "postgresql://localhost/x",
        "postgresql://[::1]/x",
        "host=/run/postgresql",
        "postgresql://192.168.1.5/x",
    ):
        with pytest.raises(StoreUnavailable):
            connect(url)
    assert seen == ["require", "disable", None, None, None, "require"]


def test_a_fault_in_a_statement_is_no_reason_to_retry(server_url: str) -> None:
    with connect(server_url) as connection, pytest.raises(StoreError) as caught, translated("read"):
        connection.execute("SELECT nonsense FROM nowhere WHERE %(a)s", {})
    assert not isinstance(caught.value, StoreUnavailable)


def test_the_server_is_described_for_people(server_url: str) -> None:
    with connect(server_url) as connection:
        facts = facts_of(connection, embedded=True)
    assert facts.edition is Edition.PLAIN
    assert facts.label == f"Embedded PostgreSQL {facts.version}"
    timescale = ServerFacts("17.6", Edition.TIMESCALE_APACHE, "2.19.3")
    assert timescale.label == "TimescaleDB 2.19.3 on PostgreSQL 17.6"
