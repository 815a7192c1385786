"""The tables of alerts as they are read, and the firings; `alert_changes` changes alerts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from psycopg import sql

from app.market.alerts.alert import Direction, Firing, Pause, Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import StoredAlert, StoredFiring, StoredIncident
from storage.alerts.incident_rows import read_incidents
from storage.alerts.waiting_alerts import WAITS
from storage.postgres.connection import Connection

_SELECT = """
    SELECT a.id, coalesce(s.symbol, ''), a.rule, a.repeat, a.name, a.note,
        (extract(epoch FROM a.expires) * 1000000)::bigint, a.first_trade_id, a.warm_from_id, a.judged_to, a.version,
        a.notifies, a.sounds, a.replaced_by, a.ends_at_id
    FROM alerts a LEFT JOIN symbols s ON s.id = a.symbol_id WHERE {which} ORDER BY a.id
"""
_PAUSES = """
    SELECT alert_id, after_id, until_id, (extract(epoch FROM until) * 1000000)::bigint FROM alert_pauses
    WHERE alert_id = ANY(%s::bigint[]) ORDER BY id
"""
_WAITING = sql.SQL(_SELECT).format(which=WAITS)
_OF_TROUBLE = sql.SQL(_SELECT).format(which=sql.SQL("NOT a.by_trades"))
_ALL = sql.SQL(_SELECT).format(
    which=sql.SQL("cardinality(%(symbols)s::text[]) = 0 OR s.symbol = ANY(%(symbols)s::text[])")
)
_FIRING = """
    SELECT alert_id, trade_id, (extract(epoch FROM time) * 1000000)::bigint, trunc(price * 100000000)::bigint,
        direction, late, provisional, reason, (extract(epoch FROM noted_at) * 1000000)::bigint
"""
_FIRINGS = f"{_FIRING} FROM alert_firings WHERE alert_id = ANY(%s::bigint[]) ORDER BY alert_id, trade_id"
_NEWEST_FIRINGS = f"""
    {_FIRING} FROM alerts a CROSS JOIN LATERAL (
        SELECT * FROM alert_firings f WHERE f.alert_id = a.id ORDER BY f.trade_id DESC LIMIT %s
    ) AS newest ORDER BY alert_id, trade_id
"""  # noqa: S608  # because it is put together from constants
_COUNTS = "SELECT alert_id, count(*) FROM alert_firings GROUP BY alert_id"
_WITHIN = sql.SQL("alert_id = ANY(%(ids)s::bigint[]) AND trade_id > %(after)s AND trade_id <= %(last)s")
_KEPT = sql.SQL("SELECT alert_id, trade_id, direction FROM alert_firings WHERE {within}").format(within=_WITHIN)
_MADE_FINAL = sql.SQL("UPDATE alert_firings SET provisional = false WHERE {within} AND provisional").format(
    within=_WITHIN
)
_INSERT = """
    INSERT INTO alert_firings (alert_id, trade_id, time, price, direction, late, provisional, reason)
    SELECT a.id, f.trade_id, timestamptz 'epoch' + f.time_us * interval '1 microsecond',
        f.price_e8 / 100000000::numeric, f.direction, %(late)s, %(provisional)s, f.reason
    FROM unnest(%(alert_id)s::bigint[], %(trade_id)s::bigint[], %(time_us)s::bigint[], %(price_e8)s::numeric[],
        %(direction)s::text[], %(reason)s::text[]) AS f (alert_id, trade_id, time_us, price_e8, direction, reason)
    JOIN alerts a ON a.id = f.alert_id
    WHERE NOT %(provisional)s OR f.trade_id > coalesce(a.judged_to, 0)
    ON CONFLICT (alert_id, trade_id) DO NOTHING
"""


def read_waiting(connection: Connection, symbol: str) -> list[StoredAlert]:
    """Return the alerts of a symbol that still wait, by number, without their firings."""
    return _alerts(connection, connection.execute(_WAITING, ([symbol],)).fetchall())


def read_of_trouble(connection: Connection) -> list[StoredAlert]:
    """Return the alerts on trouble, by number, with what they were about."""
    rows = connection.execute(_OF_TROUBLE).fetchall()
    return _alerts(connection, rows, incidents=read_incidents(connection, [row[0] for row in rows]))


def read_all(connection: Connection, symbols: Collection[str]) -> list[StoredAlert]:
    """Return the alerts of these symbols, of all if none is named, by number, with their firings by trade id."""
    rows = connection.execute(_ALL, {"symbols": list(symbols)}).fetchall()
    ids = [row[0] for row in rows]
    return _alerts(connection, rows, read_firings(connection, ids), read_incidents(connection, ids))


def read_overview(connection: Connection, most: int) -> tuple[list[StoredAlert], dict[int, int]]:
    """Return all alerts by number, each with its ``most`` newest firings, and how often each has fired."""
    rows = connection.execute(_ALL, {"symbols": []}).fetchall()
    counts = {int(alert_id): int(count) for alert_id, count in connection.execute(_COUNTS)}
    firings = _by_alert(connection.execute(_NEWEST_FIRINGS, (most,)))
    incidents = read_incidents(connection, [row[0] for row in rows])
    for alert_id, several in incidents.items():
        counts[alert_id] = counts.get(alert_id, 0) + len(several)
    return _alerts(connection, rows, firings, incidents), counts


def read_firings(connection: Connection, alert_ids: Collection[int]) -> dict[int, list[StoredFiring]]:
    """Return the firings of these alerts by alert, each by rising trade id."""
    return _by_alert(connection.execute(_FIRINGS, (list(alert_ids),)))


def _by_alert(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[StoredFiring]]:
    found: dict[int, list[StoredFiring]] = {}
    for alert_id, trade_id, time_us, price_e8, direction, *rest in rows:
        one = StoredFiring(trade_id, time_us, int(price_e8), Direction(direction), *rest)
        found.setdefault(alert_id, []).append(one)
    return found


def insert_firings(connection: Connection, firings: Iterable[Firing], *, late: bool, provisional: bool) -> None:
    """
    Keep firings; those that are kept already stay as they are.

    Provisional ones are left out where their alert is judged for good beyond them, or was removed.
    """
    firings = list(firings)
    if not firings:
        return
    columns: dict[str, Any] = {each.name: [getattr(one, each.name) for one in firings] for each in fields(Firing)}
    columns["direction"] = [one.direction.value for one in firings]
    connection.execute(_INSERT, {**columns, "late": late, "provisional": provisional})


def begin_at(connection: Connection, alert_ids: Sequence[int], first_id: int) -> None:
    """Let alerts that were added before anything was stored begin with the trade ``first_id``."""
    connection.execute(
        "UPDATE alerts SET first_trade_id = %(start)s, warm_from_id = %(start)s + 1, judged_to = %(start)s"
        " WHERE id = ANY(%(ids)s::bigint[]) AND first_trade_id IS NULL",
        {"start": first_id - 1, "ids": list(alert_ids)},
    )


def settle(
    connection: Connection,
    alert_ids: Collection[int],
    after_id: int,
    last_id: int,
    true: Sequence[Firing],
    *,
    late: bool,
) -> tuple[list[Firing], int]:
    """
    Make the firings of trades after ``after_id`` up to ``last_id`` those that are ``true``, for good.

    ``late``: how to mark those that were not kept yet. Return these, and how many kept ones were not true.
    """
    ids = list(alert_ids)
    bounds = {"ids": ids, "after": after_id, "last": last_id}
    kept = connection.execute(_KEPT, bounds, prepare=False).fetchall()
    wanted = {(one.alert_id, one.trade_id, one.direction.value): one for one in true}
    wrong = [row for row in kept if row not in wanted]
    if wrong:
        connection.execute(
            "DELETE FROM alert_firings f USING unnest(%s::bigint[], %s::bigint[]) AS gone (alert_id, trade_id)"
            " WHERE f.alert_id = gone.alert_id AND f.trade_id = gone.trade_id",
            ([row[0] for row in wrong], [row[1] for row in wrong]),
        )
    if kept:
        connection.execute(_MADE_FINAL, bounds)
    known = set(kept)
    fresh = [one for key, one in wanted.items() if key not in known]
    insert_firings(connection, fresh, late=late, provisional=False)
    connection.execute("UPDATE alerts SET judged_to = %(last)s WHERE id = ANY(%(ids)s::bigint[])", bounds)
    return fresh, len(wrong)


_rule = lru_cache(4_096)(read_rule)  # the same are read every second while recording


def _alerts(
    connection: Connection,
    rows: Sequence[tuple[Any, ...]],
    firings: Mapping[int, Sequence[StoredFiring]] = MappingProxyType({}),
    incidents: Mapping[int, Sequence[StoredIncident]] = MappingProxyType({}),
) -> list[StoredAlert]:
    pauses: dict[int, list[Pause]] = {}
    for alert_id, *bounds in connection.execute(_PAUSES, ([row[0] for row in rows],)) if rows else ():
        pauses.setdefault(alert_id, []).append(Pause(*bounds))
    return [
        StoredAlert(
            alert_id,
            symbol,
            _rule(rule),
            Repeat(repeat),
            name,
            note,
            expires_us,
            start_id,
            warm_from_id,
            judged_to,
            firings.get(alert_id, ()),
            version,
            tuple(pauses.get(alert_id, ())),
            notifies,
            sounds,
            replaced_by,
            ends_at,
            incidents.get(alert_id, ()),
        )
        for (
            alert_id,
            symbol,
            rule,
            repeat,
            name,
            note,
            expires_us,
            start_id,
            warm_from_id,
            judged_to,
            version,
            notifies,
            sounds,
            replaced_by,
            ends_at,
        ) in rows
    ]
