"""Which alerts wait: the little that a program without any has to ask, apart so that it loads no more."""

from __future__ import annotations

from collections.abc import Collection

from psycopg import sql

from storage.postgres.connection import Connection

# One that fires once waits until a firing is confirmed.
WAITS = sql.SQL(
    """
    s.symbol = ANY(%s::text[]) AND NOT (
        a.repeat = 'once' AND EXISTS (SELECT FROM alert_firings f WHERE f.alert_id = a.id AND NOT f.provisional)
    )
    """
)
_IDS = sql.SQL("SELECT s.symbol, a.id FROM alerts a JOIN symbols s ON s.id = a.symbol_id WHERE {which}").format(
    which=WAITS
)


def revision(connection: Connection) -> int:
    """Return a number that changes with every alert added or removed."""
    row = connection.execute("SELECT revision FROM alert_revision").fetchone()
    return 0 if row is None else int(row[0])


def waiting_ids(connection: Connection, symbols: Collection[str]) -> dict[str, set[int]]:
    """See `app.market.ports.alerts.AlertStore.waiting`."""
    found: dict[str, set[int]] = {}
    for symbol, alert_id in connection.execute(_IDS, (list(symbols),)):
        found.setdefault(symbol, set()).add(alert_id)
    return found
