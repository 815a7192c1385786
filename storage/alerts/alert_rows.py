"""The tables of alerts: adding, removing, reading, and the firings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

from psycopg import sql

from app.market.alerts.alert import Direction, Firing, Repeat
from app.market.alerts.language import read_rule, text_of_rule
from app.market.alerts.stored_alert import NewAlert, StoredAlert, StoredFiring
from storage.alerts.waiting_alerts import WAITS
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import add_symbols

# The newest trade that is stored, and since when none is missing before it.
_ADD = """
    WITH stored AS (
        SELECT c.first_trade_id, c.last_trade_id FROM coverage c JOIN symbols s ON s.id = c.symbol_id
        WHERE s.symbol = %(symbol)s ORDER BY c.first_trade_id DESC LIMIT 1
    )
    INSERT INTO alerts (symbol_id, rule, repeat, name, note, expires, first_trade_id, warm_from_id, judged_to)
    SELECT id, %(rule)s, %(repeat)s, %(name)s, %(note)s, timestamptz 'epoch' + %(expires)s * interval '1 microsecond',
        stored.last_trade_id, stored.first_trade_id, stored.last_trade_id
    FROM symbols LEFT JOIN stored ON true WHERE symbol = %(symbol)s
    RETURNING id
"""
_CHANGED = "UPDATE alert_revision SET revision = revision + 1"
_SELECT = """
    SELECT a.id, s.symbol, a.rule, a.repeat, a.name, a.note, (extract(epoch FROM a.expires) * 1000000)::bigint,
        a.first_trade_id, a.warm_from_id, a.judged_to
    FROM alerts a JOIN symbols s ON s.id = a.symbol_id WHERE {which} ORDER BY a.id
"""
_WAITING = sql.SQL(_SELECT).format(which=WAITS)
_ALL = sql.SQL(_SELECT).format(
    which=sql.SQL("cardinality(%(symbols)s::text[]) = 0 OR s.symbol = ANY(%(symbols)s::text[])")
)
_FIRINGS = """
    SELECT alert_id, trade_id, (extract(epoch FROM time) * 1000000)::bigint, trunc(price * 100000000)::bigint,
        direction, late, provisional
    FROM alert_firings WHERE alert_id = ANY(%s::bigint[]) ORDER BY alert_id, trade_id
"""
_WITHIN = sql.SQL("alert_id = ANY(%(ids)s::bigint[]) AND trade_id > %(after)s AND trade_id <= %(last)s")
_KEPT = sql.SQL("SELECT alert_id, trade_id, direction FROM alert_firings WHERE {within}").format(within=_WITHIN)
_MADE_FINAL = sql.SQL("UPDATE alert_firings SET provisional = false WHERE {within} AND provisional").format(
    within=_WITHIN
)
_INSERT = """
    INSERT INTO alert_firings (alert_id, trade_id, time, price, direction, late, provisional)
    SELECT a.id, f.trade_id, timestamptz 'epoch' + f.time_us * interval '1 microsecond',
        f.price_e8 / 100000000::numeric, f.direction, %(late)s, %(provisional)s
    FROM unnest(%(alert_id)s::bigint[], %(trade_id)s::bigint[], %(time_us)s::bigint[], %(price_e8)s::numeric[],
        %(direction)s::text[]) AS f (alert_id, trade_id, time_us, price_e8, direction)
    JOIN alerts a ON a.id = f.alert_id
    WHERE NOT %(provisional)s OR f.trade_id > coalesce(a.judged_to, 0)
    ON CONFLICT (alert_id, trade_id) DO NOTHING
"""


def add(connection: Connection, new: NewAlert) -> int:
    """Keep an alert; return its number. It regards the trades that are stored from now on. Raises psycopg.Error."""
    add_symbols(connection, [new.symbol])
    values = {
        "symbol": new.symbol,
        "rule": text_of_rule(new.rule),
        "repeat": new.repeat.value,
        "name": new.name,
        "note": new.note,
        "expires": new.expires_us,
    }
    with connection.transaction():
        connection.execute(_CHANGED)
        row = connection.execute(_ADD, values).fetchone()
    assert row is not None
    return int(row[0])


def remove(connection: Connection, alert_id: int) -> bool:
    """Forget an alert and its firings; return False if there is none of that number. Raises psycopg.Error."""
    with connection.transaction():
        connection.execute(_CHANGED)
        return connection.execute("DELETE FROM alerts WHERE id = %s", (alert_id,)).rowcount == 1


def read_waiting(connection: Connection, symbol: str) -> list[StoredAlert]:
    """Return the alerts of a symbol that still wait, by number, without their firings."""
    return [_alert(row) for row in connection.execute(_WAITING, ([symbol],))]


def read_all(connection: Connection, symbols: Collection[str]) -> list[StoredAlert]:
    """Return the alerts of these symbols, of all if none is named, by number, with their firings by trade id."""
    rows = connection.execute(_ALL, {"symbols": list(symbols)}).fetchall()
    firings = read_firings(connection, [row[0] for row in rows])
    return [_alert(row, firings.get(row[0], ())) for row in rows]


def read_firings(connection: Connection, alert_ids: Collection[int]) -> dict[int, list[StoredFiring]]:
    """Return the firings of these alerts by alert, each by rising trade id."""
    found: dict[int, list[StoredFiring]] = {}
    for alert_id, trade_id, time_us, price_e8, direction, late, provisional in connection.execute(
        _FIRINGS, (list(alert_ids),)
    ):
        one = StoredFiring(trade_id, time_us, int(price_e8), Direction(direction), late, provisional)
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
    columns: dict[str, Any] = {name: [getattr(one, name) for one in firings] for name in Firing._fields}
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


def _alert(row: tuple[Any, ...], firings: Sequence[StoredFiring] = ()) -> StoredAlert:
    alert_id, symbol, rule, repeat, name, note, expires_us, start_id, warm_from_id, judged_to = row
    return StoredAlert(
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
        firings,
    )
