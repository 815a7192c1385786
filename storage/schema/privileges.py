"""
The privileges of this session's user: to create the tables, to record, or only to read.

`Database.open` reads them before it changes anything, so that a reading role, a standby, or a database set to read-only
opens without an attempt to write. docs/database.md has the grants of each role.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.market.errors import StoreSchemaMismatch
from storage.postgres.connection import Connection, translated
from storage.schema.migrate import migrations

# to_regclass returns null for a table that does not exist, where a cast would be an error.
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
    What this user may do. ``tables_version`` is 0 if there are no tables. ``read_only_reason`` is a sentence that says
    why nothing can be recorded, empty if recording works. ``may_make_tables``: whether this user may migrate them.
    """

    tables_version: int
    read_only_reason: str
    may_make_tables: bool

    @property
    def is_current(self) -> bool:
        """Whether the tables need no migration: of this program's version, or a newer one, which `migrate` refuses."""
        return self.tables_version >= migrations()[-1].number

    def check_tables(self) -> None:
        """
        Check that the tables are current or can be made so.

        Raises:
            StoreSchemaMismatch: If they are missing or too old, and this user may not change that.
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
    """Return the privileges of this connection's user. Changes nothing. Raises StoreError."""
    with translated("read the privileges in the database"):
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
    # To migrate tables takes their ownership, to create the first ones a privilege on the schema.
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
