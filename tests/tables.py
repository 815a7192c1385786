"""
Our tables, as a migration leaves them, for tests that only fill them.

To make them takes the server as long as most tests take. So a server that tests of this process share keeps those that
a test is done with, and they are emptied for the next one. A test that changed more than rows of them, as the server's
catalogue shows, leaves none behind.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from app.market.errors import StoreError
from storage.postgres.connection import Connection, connect
from storage.schema.migrate import migrate
from tests.servers import empty_schema, is_shared_server

_idle: dict[str, list[_Tables]] = {}


@contextlib.contextmanager
def our_tables(server_url: str) -> Iterator[str]:
    """Yield a conninfo of our tables, empty, in a schema that no other test uses meanwhile."""
    # On a server that somebody named nothing may stay behind, nor in one that goes with its test.
    idle = _idle.setdefault(server_url, []) if is_shared_server(server_url) else None
    tables = idle.pop() if idle else _Tables(server_url)
    try:
        yield tables.url
    finally:
        if idle is not None and tables.empty():
            idle.append(tables)
        else:
            tables.drop()


class _Tables:
    """The tables in a schema of their own, ``url``."""

    def __init__(self, server_url: str) -> None:
        with contextlib.ExitStack() as making:
            self.url = making.enter_context(empty_schema(server_url))
            with connect(self.url) as connection:
                migrate(connection)
                found = connection.execute(_OURS).fetchall()
                self._oids = [oid for oid, _ in found]
                self._rows = {name: rows for _, name in found if (rows := _rows(connection, name))}
                self._shape = connection.execute(_SHAPE).fetchone()
            self._made = making.pop_all()

    def drop(self) -> None:
        self._made.close()

    def empty(self) -> bool:
        """Make them as they were; False where that did not succeed: more was changed, or a session holds them."""
        ours = {"ours": self._oids, "from_the_start": list(self._rows)}
        with contextlib.suppress(psycopg.Error, StoreError), connect(self.url) as connection, connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '3s'; SET LOCAL client_min_messages = warning")
            for name in _found(connection, _OTHERS, ours):
                connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(name))
            if filled := _found(connection, _FILLED, ours):
                connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(filled)))
            for table, rows in self._rows.items():
                if _rows(connection, table) != rows:
                    names = {"table": sql.Identifier(table), "rows": sql.Literal(f"[{', '.join(rows)}]")}
                    connection.execute(sql.SQL(_FILL).format(**names))
            connection.execute(_FORGET, ours)
            return connection.execute(_SHAPE).fetchone() == self._shape
        return False


def _rows(connection: Connection, table: str) -> list[str]:
    """Return the rows of a table as JSON, sorted."""
    found = connection.execute(sql.SQL("SELECT to_jsonb(t) FROM {} t").format(sql.Identifier(table)))
    return sorted(json.dumps(row) for (row,) in found)


def _found(connection: Connection, query: LiteralString, values: dict[str, Any]) -> list[sql.Identifier]:
    return [sql.Identifier(name) for (name,) in connection.execute(query, values)]


_OURS = """
    SELECT oid, relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
"""

# Partitions of our tables, and tables that were made beside them. Partitions of the latter go with them.
_OTHERS = """
    SELECT relname FROM pg_class c LEFT JOIN pg_inherits i ON inhrelid = c.oid
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
        AND c.oid <> ALL(%(ours)s) AND (inhparent IS NULL OR inhparent = ANY(%(ours)s))
"""

# The rows of a hypertable lie in others, which inherit from it.
_FILLED = """
    SELECT relname FROM pg_class c WHERE oid = ANY(%(ours)s) AND relname <> ALL(%(from_the_start)s)
        AND (pg_relation_size(oid) > 0 OR EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid))
"""

_FILL = "TRUNCATE {table}; INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, {rows})"

# What keys have reached, and what the server found out about the rows.
_FORGET = """
    WITH no_statistics AS (DELETE FROM pg_statistic WHERE starelid = ANY(%(ours)s))
    SELECT setval(seqrelid, seqstart, false), pg_stat_reset_single_table_counters(ours)
    FROM unnest(%(ours)s) AS ours
    LEFT JOIN pg_depend ON refobjid = ours AND classid = 'pg_class'::regclass AND deptype = 'i'
    LEFT JOIN pg_sequence ON seqrelid = objid
"""

# All that is not rows: every table, index and view with its columns, rights and options, constraint, trigger, function.
_SHAPE = """
    WITH relations AS (SELECT * FROM pg_class WHERE relnamespace = current_schema()::regnamespace)
    SELECT string_agg(line, E'\n' ORDER BY line) FROM (
        SELECT concat_ws(' ', 'schema', nspowner, nspacl) FROM pg_namespace WHERE oid = current_schema()::regnamespace
        UNION ALL
        SELECT concat_ws(' ', oid, relname, relkind, relowner, relacl, reloptions, relpersistence, relrowsecurity)
        FROM relations
        UNION ALL
        SELECT concat_ws(' ', attrelid, attname, attnum, atttypid, atttypmod, attnotnull, attacl, attoptions,
            attstattarget, md5(adbin::text))
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid IN (SELECT oid FROM relations) AND attnum > 0
        UNION ALL
        SELECT concat_ws(' ', conrelid, conname, contype, convalidated, confrelid, conkey, md5(conbin::text))
        FROM pg_constraint WHERE conrelid IN (SELECT oid FROM relations)
        UNION ALL
        SELECT concat_ws(' ', indrelid, indexrelid, indisvalid, indisclustered) FROM pg_index
        WHERE indrelid IN (SELECT oid FROM relations)
        UNION ALL
        SELECT concat_ws(' ', tgrelid, tgname, tgenabled, tgfoid) FROM pg_trigger
        WHERE tgrelid IN (SELECT oid FROM relations)
        UNION ALL
        SELECT concat_ws(' ', ev_class, rulename, ev_enabled, md5(ev_action::text)) FROM pg_rewrite
        WHERE ev_class IN (SELECT oid FROM relations)
        UNION ALL
        SELECT concat_ws(' ', oid, proname, proowner, proacl, proconfig, prosecdef, md5(prosrc)) FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace
    ) AS shape (line)
"""
