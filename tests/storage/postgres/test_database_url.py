"""What a URL says: whether TLS is asked for, its parts, and what of it may be written down."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from app.market.errors import StoreError, StoreUnavailable
from storage.postgres.database_url import (
    holds_secret,
    name_of,
    parts_of,
    password_in,
    system_certificates,
    tls_mode,
    url_of,
    with_password,
    with_timeout,
    without_secrets,
)


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGSSLMODE", "PGUSER", "PGPORT", "PGDATABASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://db.example/x", "require"),
        ("postgresql://db.example/x?sslmode=disable", None),
        ("postgresql://db.example/x?sslmode=verify-full", None),
        ("postgresql://db.example/x?sslrootcert=system", "verify-full"),
        ("postgresql://localhost/x", None),
        ("postgresql://127.3.2.1/x", None),
        ("postgresql://[::1]/x", None),
        ("postgresql:///x", None),
        ("host=/run/postgresql", None),
        ("host=@abstract", None),
        ("postgresql://192.168.1.5/x", "require"),
        ("postgresql://[fe80::1]/x", "require"),
        ("postgresql://127.1/x", "require"),  # it may be a loopback address, but not everyone reads it as one
        ("postgresql://localhost,db.example/x", "require"),
        ("postgresql://localhost:1,127.0.0.1:2/x", None),
        ("host=db.example hostaddr=127.0.0.1", None),
        ("host=localhost hostaddr=192.0.2.1", "require"),
        ("host=localhost,localhost hostaddr=127.0.0.1,192.0.2.1", "require"),
        ("host=db.example,db.example hostaddr=127.0.0.1,", "require"),
    ],
)
def test_tls_is_asked_for_off_this_machine_unless_the_url_says_otherwise(url: str, mode: str | None) -> None:
    assert tls_mode(parts_of(url)) == mode


@pytest.mark.parametrize(
    ("environment", "url", "mode"),
    [
        ({"PGHOST": "db.example"}, "postgresql:///x", "require"),
        ({"PGHOSTADDR": "192.0.2.1"}, "postgresql://localhost/x", "require"),
        ({"PGHOST": "db.example"}, "postgresql://localhost/x", None),
        ({"PGSSLMODE": "disable"}, "postgresql://db.example/x", None),
        ({"PGSSLMODE": "verify-full"}, "postgresql://db.example/x", None),
        ({"PGSSLMODE": "prefer"}, "postgresql://db.example/x", "require"),
    ],
)
def test_libpqs_environment_counts_too(
    environment: dict[str, str], url: str, mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert tls_mode(parts_of(url)) == mode


def test_a_service_of_the_environment_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "services"
    file.write_text("[away]\nhost=db.example\n[safe]\nhost=db.example\nsslmode=verify-ca\n", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv("PGSERVICE", "away")
    assert tls_mode(parts_of("dbname=x")) == "require"
    monkeypatch.setenv("PGSERVICE", "safe")
    assert tls_mode(parts_of("dbname=x")) is None


def test_a_service_in_the_url_must_say_its_sslmode() -> None:
    with pytest.raises(StoreError, match="names a service: add sslmode"):
        tls_mode(parts_of("service=away"))
    assert tls_mode(parts_of("service=away sslmode=require")) is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://us%40er@db.example:5433/da%2Fta?sslmode=verify-full&sslrootcert=/etc/ssl/ca.crt",
        "postgresql://[::1]:5433/x",
        "postgresql://user@/x?host=/run/postgresql",
        "postgresql://user@/x?host=a,b&port=1,2",
        "postgresql://user@h/x?options=-csearch_path%3Dmine",
        "postgresql:///",
    ],
)
def test_a_url_built_from_its_parts_has_the_same_parts(url: str) -> None:
    assert url_of(parts_of(url)) == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cr%2Fet@db.example/x?sslmode=require",
        "postgresql://me@db.example/x?password=s3cr/et",
        "host=db.example user=me password='s3cr/et' sslpassword=s3cr/et",
    ],
)
def test_a_url_without_secrets_has_none(url: str) -> None:
    assert holds_secret(url)
    written = without_secrets(url)
    assert "s3cr" not in written
    assert written.startswith("postgresql://me@db.example/")
    assert not holds_secret(written)
    assert password_in(url) == "s3cr/et"
    assert "s3cr" not in name_of(url)
    assert password_in(with_password(written, "a b'c\\")) == "a b'c\\"


def test_a_password_is_filed_under_user_server_and_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert name_of("postgresql://me@db.example/x?sslmode=require") == "me@db.example:5432/x"
    assert name_of("postgresql://me@db.example:6000") == "me@db.example:6000/me"
    monkeypatch.setenv("PGUSER", "someone")
    assert name_of("postgresql:///") == "someone@localhost:5432/someone"
    assert name_of("service=away user=me") == "me@away:localhost:5432/me"
    assert name_of("hostaddr=203.0.113.7 user=me") == "me@203.0.113.7:5432/me"
    assert name_of("host=db.example hostaddr=203.0.113.7 user=me") == "me@db.example=203.0.113.7:5432/me"


def test_a_url_that_cannot_be_read_is_not_repeated() -> None:
    for read in (parts_of, name_of, without_secrets, password_in, holds_secret):
        with pytest.raises(StoreUnavailable) as caught:
            read("postgresql://me:s3cret@[bad/x")
        assert "s3cret" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_the_systems_certificates_are_a_file_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert system_certificates({"sslrootcert": "mine.crt"}) is None
    file = tmp_path / "bundle.crt"
    file.touch()
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: SimpleNamespace(cafile=str(file)))
    assert system_certificates({"sslrootcert": "system"}) == str(file)
    monkeypatch.setenv("SSL_CERT_FILE", "/somewhere")
    assert system_certificates({"sslrootcert": "system"}) is None


def test_a_url_as_prisma_writes_it_names_a_schema_and_its_pool_is_left_to_prisma() -> None:
    parts = parts_of("postgresql://me:s3cret@db.example:5433/market?schema=public&connection_limit=5&sslmode=require")
    assert parts == {
        "user": "me",
        "password": "s3cret",
        "host": "db.example",
        "port": "5433",
        "dbname": "market",
        "sslmode": "require",
        "options": '-csearch_path="public"',
    }
    assert parts_of("postgres://h/d?schema=Mine&options=-cjit%3Doff")["options"] == '-cjit=off -csearch_path="Mine"'
    assert parts_of("postgresql://h/d?pgbouncer=true") == {"host": "h", "dbname": "d"}
    assert parts_of(without_secrets("postgresql://h/d?schema=mine")) == parts_of("postgresql://h/d?schema=mine")


@pytest.mark.parametrize("schema", ["a b", "x;drop", 'a"b', "%20"])
def test_a_schema_that_is_no_name_is_refused_in_one_sentence(schema: str) -> None:
    with pytest.raises(
        StoreUnavailable, match=r"The schema in the database URL is no name: write it as \?schema=public"
    ):
        parts_of(f"postgresql://h/d?schema={schema}")


def test_a_timeout_is_added_to_a_url_that_has_none() -> None:
    assert parts_of(with_timeout("postgresql://h/d", 4.2))["connect_timeout"] == "5"
    assert parts_of(with_timeout("postgresql://h/d", 1))["connect_timeout"] == "2"
    assert parts_of(with_timeout("postgresql://h/d?connect_timeout=7", 1))["connect_timeout"] == "7"
