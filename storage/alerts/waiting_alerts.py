"""Which alerts wait: the little that a program without any has to ask, apart so that it loads no more."""

from __future__ import annotations

from collections.abc import Collection

from psycopg import sql

from app.market.ports.alerts import WaitingAlerts
from storage.postgres.connection import Connection

# One that fires once waits until a firing is confirmed, one that was replaced until it is judged for good to its end.
WAITS = sql.SQL(
    """
    a.by_trades AND s.symbol = ANY(%s::text[]) AND NOT (
        a.repeat = 'once' AND EXISTS (SELECT FROM alert_firings f WHERE f.alert_id = a.id AND NOT f.provisional)
    ) AND (a.ends_at_id IS NULL OR a.judged_to IS NULL OR a.judged_to < a.ends_at_id)
    """
)
_COUNTS = "SELECT count(*), count(*) FILTER (WHERE NOT by_trades) FROM alerts WHERE replaced_by IS NULL"
_IDS = sql.SQL(
    "SELECT s.symbol, a.id, a.version FROM alerts a JOIN symbols s ON s.id = a.symbol_id WHERE {which}"
).format(which=WAITS)


_ON_DRAWINGS = """
    SELECT FROM alerts a JOIN symbols s ON s.id = a.symbol_id
    WHERE s.symbol = ANY(%s::text[]) AND a.replaced_by IS NULL AND a.rule ~ '^price crosses (up |down )?drawing '
    LIMIT 1
"""


def any_on_drawings(connection: Connection, symbols: Collection[str]) -> bool:
    """Whether any alert on these symbols waits for a drawing to be crossed."""
    return connection.execute(_ON_DRAWINGS, (list(symbols),)).fetchone() is not None


def revision(connection: Connection) -> int:
    """Return a number that changes with every alert added, changed or removed."""
    row = connection.execute("SELECT revision FROM alert_revision").fetchone()
    return 0 if row is None else int(row[0])


def waiting(connection: Connection, symbols: Collection[str]) -> WaitingAlerts:
    """See `app.market.ports.alerts.AlertStore.waiting`."""
    versions: dict[str, dict[int, int]] = {}
    for symbol, alert_id, version in connection.execute(_IDS, (list(symbols),)):
        versions.setdefault(symbol, {})[alert_id] = version
    row = connection.execute(_COUNTS).fetchone()
    assert row is not None
    return WaitingAlerts(versions, *row)
