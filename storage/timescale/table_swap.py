"""
Replaces `trades` with a filled hypertable, in one transaction.

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
from storage.schema.editions import CONVERSION_STATE

logger = logging.getLogger(__name__)

HYPERTABLE = "trades_hypertable"
STATE = CONVERSION_STATE

_OLD_TABLE = "trades_plain"
_LOCK_WAIT_MS = 2_000  # while we wait for the lock, every new reader and writer waits behind us
_ATTEMPTS = 30
_BETWEEN_ATTEMPTS_S = 1.0

_VIEWS = """
    SELECT DISTINCT n.nspname, v.relname, pg_get_viewdef(v.oid), v.reloptions
    FROM pg_depend d
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
    JOIN pg_namespace n ON n.oid = v.relnamespace
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = 'trades'::regclass
"""
_GRANTS = """
    SELECT g.privilege_type, NULL AS attname, g.grantee, pg_get_userbyid(nullif(g.grantee, 0)), g.is_grantable
    FROM pg_class c, aclexplode(c.relacl) AS g
    WHERE c.oid = 'trades'::regclass AND g.grantee <> c.relowner
    UNION ALL
    SELECT g.privilege_type, a.attname, g.grantee, pg_get_userbyid(nullif(g.grantee, 0)), g.is_grantable
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid, aclexplode(a.attacl) AS g
    WHERE c.oid = 'trades'::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""
_SWAP_NAMES = """
    DROP TRIGGER {state} ON trades;
    DROP FUNCTION {state}();
    DROP TABLE {state};
    ALTER TABLE trades RENAME TO {old};
    ALTER INDEX trades_pkey RENAME TO {old_key};
    ALTER TABLE {hypertable} RENAME TO trades;
    ALTER INDEX {key} RENAME TO trades_pkey;
    ALTER TABLE trades OWNER TO {owner};
"""


def swap_tables(connection: Connection) -> None:
    """
    Rename the hypertable to `trades` and drop the old table.

    Both must hold the same trades, and the trigger that copies new trades must exist.

    Raises:
        StoreError: If an object of the user's depends on the old table, or the table stays in use.
        psycopg.Error: If the database does not answer. Nothing was changed.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_BETWEEN_ATTEMPTS_S)
        try:
            with connection.transaction():
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (str(_LOCK_WAIT_MS),))
                connection.execute(
                    sql.SQL("LOCK TABLE trades, {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(HYPERTABLE))
                )
                _swap_locked_tables(connection)
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            continue
        except psycopg.errors.DependentObjectsStillExist as error:
            raise StoreError(
                "The trades are copied, but the old table could not be replaced, because another object depends on it "
                f"({(error.diag.message_detail or '').splitlines()[0]}): drop that, run `cryptopipe db convert`, and "
                "create it again."
            ) from error
    raise StoreError(
        "The trades are copied, but the old table stayed in use: end long reads, then run `cryptopipe db convert` "
        "again."
    )


def _swap_locked_tables(connection: Connection) -> None:
    views = connection.execute(_VIEWS).fetchall()
    grants = connection.execute(_GRANTS).fetchall()
    owner = connection.execute(
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'trades'::regclass"
    ).fetchone()
    assert owner is not None
    connection.execute(
        sql.SQL(_SWAP_NAMES).format(
            state=sql.Identifier(STATE),
            old=sql.Identifier(_OLD_TABLE),
            old_key=sql.Identifier(f"{_OLD_TABLE}_pkey"),
            hypertable=sql.Identifier(HYPERTABLE),
            key=sql.Identifier(f"{HYPERTABLE}_pkey"),
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
            sql.SQL("GRANT {} {} ON trades TO {} {}").format(
                sql.SQL(privilege),
                sql.SQL("({})").format(sql.Identifier(column)) if column else sql.SQL(""),
                sql.Identifier(name) if grantee else sql.SQL("PUBLIC"),
                sql.SQL("WITH GRANT OPTION" if grantable else ""),
            )
        )
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(_OLD_TABLE)))
