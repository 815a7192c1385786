"""
What this user may do with this database: make the tables, record, or only read.

`Database.open` asks before it changes anything, so that a reading role, a standby or a database set to read-only opens
without an attempt to write. docs/database.md has the grants of each role.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.market.errors import StoreSchemaMismatch
from storage.postgres.connection import Connection, translated
from storage.schema.migrate import migrations

_FACTS = """
    SELECT current_user, pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',
        to_regclass('schema_version') IS NOT NULL,
        current_schema() IS NOT NULL AND has_schema_privilege(current_schema(), 'CREATE'),
        (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('schema_version')),
        (SELECT bool_and(has_table_privilege(oid, 'INSERT')) FROM unnest(ARRAY['symbols', 'trades', 'coverage'])
            AS wanted (name) JOIN pg_class ON oid = to_regclass(wanted.name))
"""


@dataclass(frozen=True, slots=True)
class Privileges:
    """
    ``tables_version`` is that of the tables, 0 where there are none. ``read_only_reason`` is one sentence that says why
    nothing can be recorded, empty where recording works. ``may_make_tables``: whether this user can bring them to this
    program's version.
    """

    tables_version: int
    read_only_reason: str
    may_make_tables: bool

    @property
    def is_current(self) -> bool:
        """Whether the tables are of this program's version, or of a newer one."""
        return self.tables_version >= migrations()[-1].number

    def check_tables(self) -> None:
        """
        Raises:
            StoreSchemaMismatch: If the tables are missing or too old, and this user cannot change that.
        """
        if self.is_current or self.may_make_tables:
            return
        wanted = migrations()[-1].number
        found = f"tables of version {self.tables_version}, this program needs {wanted}" if self.tables_version else ""
        raise StoreSchemaMismatch(
            f"The database holds {found or 'no tables of cryptopipe yet'}, and this user may not change that: open it "
            "once as a user who may (cryptopipe doctor will do), then again as this one."
        )


def privileges_of(connection: Connection) -> Privileges:
    """Return what is possible over this connection; changes nothing. Raises StoreError."""
    with translated("ask the database what may be done"):
        row = connection.execute(_FACTS).fetchone()
        assert row is not None
        user, is_standby, is_read_only, has_tables, may_create, is_owner, may_insert = row
        version = _version(connection) if has_tables else 0
    if is_standby:
        reason = "the server is a standby"
    elif is_read_only:
        reason = f"the database is set to read-only for the user “{user}”"
    elif has_tables and not may_insert:
        reason = f"the user “{user}” may only read this database"
    else:
        reason = ""
    return Privileges(
        tables_version=version,
        read_only_reason=f"Reading only: {reason}, so trades are not recorded." if reason else "",
        may_make_tables=not (is_standby or is_read_only) and bool(is_owner if has_tables else may_create),
    )


def _version(connection: Connection) -> int:
    row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
    assert row is not None
    version: int = row[0]
    return version
