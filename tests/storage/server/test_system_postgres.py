"""The embedded database on a system's PostgreSQL: a real one with TimescaleDB, and ones that only look like it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.market.errors import StoreSchemaMismatch, StoreUnavailable
from storage.postgres.connection import connect, facts_of
from storage.schema.migrate import migrate
from storage.server.embedded_server import EmbeddedServer
from storage.server.installations import system_postgres, wheel_postgres
from tests.storage.installations import break_library, pretend, real_timescale

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pretended programs are shell scripts")

Servers = Callable[..., EmbeddedServer]
NEWEST = wheel_postgres()[0]


@pytest.fixture
def timescale(reachable_folder: Path) -> Path:
    """The programs of a real PostgreSQL with TimescaleDB."""
    return real_timescale(reachable_folder / "timescale")


def test_a_new_database_runs_with_the_systems_timescaledb(servers: Servers, timescale: Path) -> None:
    server = servers(system_folders=[timescale])
    with connect(server.start()) as connection:
        migrate(connection)
        assert facts_of(connection).timescale_version == system_postgres([timescale])[0].timescale
        row = connection.execute("SELECT count(*) FROM timescaledb_information.hypertables").fetchone()
        assert row is not None
        assert row[0] >= 1
        telemetry = "SELECT current_setting('timescaledb.telemetry_level', true)"
        assert connection.execute(telemetry).fetchone() in [("off",), (None,)]  # some are built without telemetry
    assert server.stop()
    # It lies where the wheel's programs could not read it, and is left alone where only those are.
    with pytest.raises(StoreSchemaMismatch, match=r"with TimescaleDB, which is not found here: install both"):
        servers(system_folders=[]).start()
    with connect(server.start()) as connection:
        assert facts_of(connection).timescale_version


def test_timescaledb_is_updated_in_the_database_after_its_packages_update(servers: Servers, timescale: Path) -> None:
    server = servers(system_folders=[timescale])
    with connect(server.start()) as connection:
        migrate(connection)
        present = facts_of(connection).timescale_version
        major, minor, patch = present.split(".")
        before = f"{major}.{minor}.{int(patch) - 1}"
        # As after a package's update: the older version's library is gone.
        connection.execute(
            "UPDATE _timescaledb_catalog.metadata SET value = %s WHERE key = 'timescaledb_version'", (before,)
        )
        connection.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'timescaledb'", (before,))
    assert server.stop()
    with connect(server.start()) as connection:
        assert facts_of(connection).timescale_version == present
        assert connection.execute("SELECT count(*) FROM trades").fetchone() == (0,)


def test_a_timescaledb_that_cannot_be_loaded_is_passed_over_for_the_wheel(
    servers: Servers, reachable_folder: Path
) -> None:
    broken = real_timescale(reachable_folder / "broken-timescale")
    break_library(broken)
    server = servers(system_folders=[broken, pretend(reachable_folder / "pretended", "17.2", timescale="2.20.1")])
    connect(server.start()).close()
    assert server.version == NEWEST.version


def test_a_configured_installation_that_does_not_run_is_an_error(servers: Servers, reachable_folder: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"could not be made in .*: initdb: error: it only pretends"):
        servers(postgres_bin=pretend(reachable_folder / "named", "17.2")).start()


def test_a_plain_database_stays_with_the_wheel_when_timescaledb_appears(servers: Servers, timescale: Path) -> None:
    server = servers(system_folders=[])
    server.start()
    assert server.stop()
    later = servers(system_folders=[timescale])
    later.start()
    assert later.version == NEWEST.version


def test_a_configured_system_postgresql_runs_the_database(servers: Servers) -> None:
    plain = [postgres for postgres in system_postgres() if not postgres.timescale]
    if not plain:
        pytest.skip("this system has no PostgreSQL of its own")
    server = servers(postgres_bin=plain[0].bin_dir)
    with connect(server.start()) as connection:
        migrate(connection)
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
    assert server.version == plain[0].version
