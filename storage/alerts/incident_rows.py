"""Troubles that alerts were about. A gap is kept once for each alert, also where several programs see it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from app.market.alerts.alert import Incident
from app.market.alerts.stored_alert import StoredIncident
from storage.postgres.connection import Connection

_READ = """
    SELECT i.alert_id, coalesce(s.symbol, ''), (extract(epoch FROM i.time) * 1000000)::bigint, i.reason,
        i.first_trade_id, i.last_trade_id
    FROM alert_incidents i LEFT JOIN symbols s ON s.id = i.symbol_id
    WHERE i.alert_id = ANY(%s::bigint[]) AND NOT i.known_before ORDER BY i.alert_id, i.time, i.id
"""
_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_LOCK_ID = 0x61_6C_72_74_69_6E_63
_INSERT = """
    INSERT INTO alert_incidents (alert_id, symbol_id, time, reason, first_trade_id, last_trade_id)
    SELECT a.id, (SELECT id FROM symbols WHERE symbol = %(symbol)s),
        timestamptz 'epoch' + %(time)s * interval '1 microsecond', %(reason)s, %(first)s, %(last)s
    FROM alerts a WHERE a.id = %(alert)s AND NOT EXISTS (
        SELECT FROM alert_incidents known JOIN symbols s ON s.id = known.symbol_id
        WHERE known.alert_id = a.id AND s.symbol = %(symbol)s
            AND known.first_trade_id <= %(last)s AND known.last_trade_id >= %(first)s
    )
"""


def read_incidents(connection: Connection, alert_ids: Collection[int]) -> dict[int, list[StoredIncident]]:
    """Return what these alerts were about, by alert, the oldest first; without gaps that were there before them."""
    found: dict[int, list[StoredIncident]] = {}
    for alert_id, *one in connection.execute(_READ, (list(alert_ids),)):
        found.setdefault(alert_id, []).append(StoredIncident(*one))
    return found


def save(connection: Connection, incidents: Iterable[Incident]) -> list[Incident]:
    """Keep troubles; return those that are new. A gap is known if any of its trades was missing in a known one."""
    with connection.transaction():
        connection.execute(_LOCK, (_LOCK_ID,))  # another program may see the same gap
        fresh = list[Incident]()
        for one in incidents:
            values = {
                "alert": one.alert_id,
                "symbol": one.symbol,
                "time": one.time_us,
                "reason": one.reason,
                "first": one.first_id,
                "last": one.last_id,
            }
            if connection.execute(_INSERT, values).rowcount:
                fresh.append(one)
        return fresh
