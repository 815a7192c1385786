"""
The drawings of a database, as desktops and commands share them; see `app.market.ports.drawings` and decision 102.

Every write locks the one row of `drawing_revision` first. So revisions are committed in their order, and a reader who
has seen one has seen all before it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from app.market.drawings.drawing import Drawing
from app.market.drawings.drawing_json import read_known
from app.market.ports.drawings import AppliedChange, DrawingChange, DrawingNews, StoredDrawing
from storage.postgres.connection import Connection
from storage.postgres.pool import ConnectionPool

_KEPT_CHANGES = 20  # of each drawing
_STATE = "SELECT revision, database_id::text FROM drawing_revision"
_SINCE = """
    SELECT id::text, symbol, revision, base_revision, desktop::text, content::text FROM drawings
    WHERE revision > %s ORDER BY revision
"""
_NEXT = "UPDATE drawing_revision SET revision = revision + %s RETURNING revision"
_KNOWN = "SELECT change_id::text, revision FROM drawing_changes WHERE change_id = ANY(%s::uuid[])"
_NOW = "SELECT id::text, revision FROM drawings WHERE id = ANY(%s::uuid[])"
_UNSEEN = """
    SELECT content::text FROM drawing_changes
    WHERE drawing_id = %s AND revision > %s AND revision < %s AND desktop <> %s ORDER BY revision
"""
_PUT = """
    WITH given AS (
        SELECT * FROM unnest(%(change_id)s::uuid[], %(drawing_id)s::uuid[], %(symbol)s::text[], %(content)s::text[],
            %(base_revision)s::bigint[], %(revision)s::bigint[])
            AS one (change_id, drawing_id, symbol, content, base_revision, revision)
    ), noted AS (
        INSERT INTO drawing_changes (revision, drawing_id, change_id, desktop, content)
        SELECT revision, drawing_id, change_id, %(desktop)s, content::json FROM given
    )
    INSERT INTO drawings AS old (id, symbol, revision, base_revision, desktop, content)
    SELECT drawing_id, symbol, revision, base_revision, %(desktop)s, content::json FROM given
    ON CONFLICT (id) DO UPDATE SET symbol = excluded.symbol, revision = excluded.revision,
        base_revision = excluded.base_revision, desktop = excluded.desktop, content = excluded.content,
        changed_at = excluded.changed_at
"""
_FORGET = """
    DELETE FROM drawing_changes WHERE revision IN (
        SELECT revision FROM (
            SELECT revision, row_number() OVER (PARTITION BY drawing_id ORDER BY revision DESC) AS age
            FROM drawing_changes WHERE drawing_id = ANY(%s::uuid[])
        ) AS ordered WHERE age > %s
    )
"""
# Programs that record look at this number, and let alerts on a drawing follow it.
_TELL_ALERTS = """
    UPDATE alert_revision SET revision = revision + 1 WHERE EXISTS (
        SELECT FROM alerts
        WHERE substring(rule FROM '^price crosses (?:up |down )?drawing ([0-9a-f-]{36})')::uuid = ANY(%s::uuid[])
    )
"""
_OF_SYMBOLS = """
    SELECT content::text, revision FROM drawings
    WHERE content IS NOT NULL AND (cardinality(%(symbols)s::text[]) = 0 OR symbol = ANY(%(symbols)s::text[]))
"""
_REVISIONS = "SELECT id::text, revision FROM drawings WHERE id = ANY(%s::uuid[])"


class KnownDrawings(NamedTuple):
    """``unknown``: how many more there are that only a newer program can read."""

    drawings: list[Drawing]
    unknown: int


class PostgresDrawings:
    """An `app.market.ports.drawings.DrawingStore`, and what the commands need. Any thread; may raise StoreError."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def database_id(self) -> str:
        """See `app.market.ports.drawings.DrawingStore`."""
        with self._pool.borrowed("read drawings") as connection:
            return _state(connection)[1]

    def exchange(self, desktop: str, seen: int, changes: Sequence[DrawingChange]) -> DrawingNews:
        """See `app.market.ports.drawings.DrawingStore`."""
        with self._pool.borrowed("exchange drawings") as connection:
            applied: Sequence[AppliedChange] = ()
            if changes:
                with connection.transaction():
                    applied = _apply(connection, desktop, changes)
            revision, _ = _state(connection)
            is_whole = revision < seen
            if revision == seen:
                return DrawingNews(seen, applied, (), is_whole)
            # Read after the revision: there may be later rows, which are read again the next time.
            rows = connection.execute(_SINCE, (0 if is_whole else seen,)).fetchall()
            return DrawingNews(revision, applied, [StoredDrawing(*row) for row in rows], is_whole)

    def read(self, symbols: Collection[str] = ()) -> KnownDrawings:
        """Return the drawings of these symbols, of all if none is named, by symbol and in the order of painting."""
        with self._pool.borrowed("read drawings") as connection:
            rows = connection.execute(_OF_SYMBOLS, {"symbols": list(symbols)}).fetchall()
        found = [read_known(content, revision) for content, revision in rows]
        drawings = sorted((one for one in found if one is not None), key=lambda one: (one.symbol, one.place))
        return KnownDrawings(drawings, len(found) - len(drawings))

    def revisions(self, drawing_ids: Collection[str]) -> dict[str, int]:
        """Return the revisions of those of these drawings that are known, also of removed ones."""
        with self._pool.borrowed("read drawings") as connection:
            return dict(connection.execute(_REVISIONS, (list(drawing_ids),)).fetchall())


def _state(connection: Connection) -> tuple[int, str]:
    row = connection.execute(_STATE).fetchone()
    assert row is not None
    return row[0], row[1]


def _apply(connection: Connection, desktop: str, changes: Sequence[DrawingChange]) -> list[AppliedChange]:
    row = connection.execute(_NEXT, (len(changes),)).fetchone()
    assert row is not None
    first = row[0] - len(changes) + 1
    known: dict[str, int] = dict(connection.execute(_KNOWN, ([one.change_id for one in changes],)).fetchall())
    now: dict[str, int] = dict(connection.execute(_NOW, ([one.drawing_id for one in changes],)).fetchall())
    answers = list[AppliedChange]()
    fresh = list[tuple[DrawingChange, int]]()
    for revision, one in enumerate(changes, first):
        stored_as = known.get(one.change_id)
        unseen: list[str | None] = []
        if stored_as is not None or now.get(one.drawing_id, 0) > one.base_revision:
            bounds = (one.drawing_id, one.base_revision, revision if stored_as is None else stored_as, desktop)
            unseen = [content for (content,) in connection.execute(_UNSEEN, bounds)]
        if one.content is None and stored_as is None and any(unseen):
            answers.append(AppliedChange(one.change_id, None))
            continue
        if stored_as is None:
            fresh.append((one, revision))
        overwritten = [content for content in unseen if content is not None and content != one.content]
        answers.append(AppliedChange(one.change_id, revision if stored_as is None else stored_as, overwritten))
    _put(connection, desktop, fresh)
    return answers


def _put(connection: Connection, desktop: str, fresh: Sequence[tuple[DrawingChange, int]]) -> None:
    if not fresh:
        return
    columns: dict[str, list[Any]] = {
        name: [getattr(change, name) for change, _ in fresh] for name in DrawingChange._fields
    }
    connection.execute(_PUT, {**columns, "revision": [revision for _, revision in fresh], "desktop": desktop})
    connection.execute(_TELL_ALERTS, (columns["drawing_id"],))
    connection.execute(_FORGET, (columns["drawing_id"], _KEPT_CHANGES))
