"""
Replaces `trades`, or `quotes`, with a filled hypertable, in one transaction.

Views keep their identity, and so their grants and dependents: each is replaced with its own definition, which then
refers to the new table. The table's owner and grants are copied. If anything else depends on the old table, such as a
materialized view, the error names it and nothing changes.
"""

from __future__ import annotations

import logging
import time

import psycopg
from psycopg import sql

from app.market.errors import StoreError
from storage.postgres.connection import Connection
from storage.schema.editions import conversion_state
from storage.writing.stored_table import StoredTable

logger = logging.getLogger(__name__)

_LOCK_WAIT_MS = 2_000  # while we wait for the lock, every new reader and writer waits behind us
_ATTEMPTS = 30
_BETWEEN_ATTEMPTS_S = 1.0

_VIEWS = """
    SELECT DISTINCT n.nspname, v.relname, pg_get_viewdef(v.oid), v.reloptions
    FROM pg_depend d
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
    JOIN pg_namespace n ON n.oid = v.relnamespace
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = %(table)s::regclass
"""
_GRANTS = """
    SELECT g.privilege_type, NULL AS attname, g.grantee, pg_get_userbyid(nullif(g.grantee, 0)), g.is_grantable
    FROM pg_class c, aclexplode(c.relacl) AS g
    WHERE c.oid = %(table)s::regclass AND g.grantee <> c.relowner
    UNION ALL
    SELECT g.privilege_type, a.attname, g.grantee, pg_get_userbyid(nullif(g.grantee, 0)), g.is_grantable
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid, aclexplode(a.attacl) AS g
    WHERE c.oid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""
_DROP_STATE = """
    DROP TRIGGER {state} ON {table};
    DROP FUNCTION {state}();
    DROP TABLE {state};
"""
_SWAP_NAMES = """
    ALTER TABLE {table} RENAME TO {old};
    ALTER INDEX {table_key} RENAME TO {old_key};
    ALTER TABLE {hypertable} RENAME TO {table};
    ALTER INDEX {key} RENAME TO {table_key};
    ALTER TABLE {table} OWNER TO {owner};
"""


def identifiers(table: StoredTable) -> dict[str, sql.Composable]:
    """Return what a conversion's statements call its tables: ``table``, its ``hypertable``, and the ``state``."""
    names = {"table": table.name, "hypertable": f"{table.name}_hypertable", "state": conversion_state(table.name)}
    return {name: sql.Identifier(value) for name, value in names.items()}


def swap_tables(connection: Connection, table: StoredTable) -> None:
    """
    Put the hypertable in the table's place and drop the old one.

    Both must hold the same rows, and the trigger that copies new rows must exist.

    Raises:
        StoreError: If an object of the user's depends on the old table, or the table stays in use.
        psycopg.Error: If the database does not answer. Nothing was changed.
    """
    names = identifiers(table)
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_BETWEEN_ATTEMPTS_S)
        try:
            with connection.transaction():
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (str(_LOCK_WAIT_MS),))
                connection.execute(sql.SQL("LOCK TABLE {table}, {hypertable} IN ACCESS EXCLUSIVE MODE").format(**names))
                connection.execute(sql.SQL(_DROP_STATE).format(**names))
                swap_locked_tables(connection, table.name)
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            continue
        except psycopg.errors.DependentObjectsStillExist as error:
            raise StoreError(
                f"The {table.plural} are copied, but the old table could not be replaced, because another object "
                f"depends on it ({(error.diag.message_detail or str(error)).splitlines()[0]}): drop that, run "
                "`cryptopipe db convert`, and create it again."
            ) from error
    raise StoreError(
        f"The {table.plural} are copied, but the old table stayed in use: end long reads, then run "
        "`cryptopipe db convert` again."
    )


def swap_locked_tables(connection: Connection, table: str) -> None:
    """
    Put the hypertable in the place of a table, inside a transaction that holds both locked, and drop the old one.

    Raises psycopg.Error; DependentObjectsStillExist if an object of the user's depends on the old table.
    """
    hypertable = f"{table}_hypertable"
    views = connection.execute(_VIEWS, {"table": table}).fetchall()
    grants = connection.execute(_GRANTS, {"table": table}).fetchall()
    owner = connection.execute(
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = %s::regclass", (table,)
    ).fetchone()
    assert owner is not None
    old = f"{table}_plain"
    connection.execute(
        sql.SQL(_SWAP_NAMES).format(
            table=sql.Identifier(table),
            table_key=sql.Identifier(f"{table}_pkey"),
            old=sql.Identifier(old),
            old_key=sql.Identifier(f"{old}_pkey"),
            hypertable=sql.Identifier(hypertable),
            key=sql.Identifier(f"{hypertable}_pkey"),
            owner=sql.Identifier(owner[0]),
        )
    )
    for schema, name, definition, options in views:
        connection.execute(
            sql.SQL("CREATE OR REPLACE VIEW {} {} AS {}").format(
                sql.Identifier(schema, name),
                sql.SQL(f"WITH ({', '.join(options)})" if options else ""),
                sql.SQL(definition),
            )
        )
    for privilege, column, grantee, name, grantable in grants:
        connection.execute(
            sql.SQL("GRANT {} {} ON {} TO {} {}").format(
                sql.SQL(privilege),
                sql.SQL("({})").format(sql.Identifier(column)) if column else sql.SQL(""),
                sql.Identifier(table),
                sql.Identifier(name) if grantee else sql.SQL("PUBLIC"),
                sql.SQL("WITH GRANT OPTION" if grantable else ""),
            )
        )
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(old)))
