"""
Changes of alerts: adding, changing, pausing, resuming, removing.

Each takes the symbol's lock of judging, so that nobody judges by what is being changed, and lets the revision grow, by
which programs that record notice it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from psycopg import sql

from app.market.alerts.language import text_of_rule
from app.market.alerts.stored_alert import NewAlert
from storage.alerts.drawing_rules import moved_drawings, with_lines
from storage.alerts.locks import take_lock
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import add_symbols

_CHANGED = "UPDATE alert_revision SET revision = revision + 1"
# The newest trade that is stored, and since when none is missing before it.
_STORED = """
    SELECT c.first_trade_id, c.last_trade_id FROM coverage c JOIN symbols s ON s.id = c.symbol_id
    WHERE s.symbol = %(symbol)s ORDER BY c.first_trade_id DESC LIMIT 1
"""
_ADD = f"""
    WITH stored AS ({_STORED})
    INSERT INTO alerts (symbol_id, rule, repeat, name, note, expires, notifies, sounds, by_trades,
        first_trade_id, warm_from_id, judged_to)
    SELECT id, %(rule)s, %(repeat)s, %(name)s, %(note)s, timestamptz 'epoch' + %(expires)s * interval '1 microsecond',
        %(notifies)s, %(sounds)s, %(by_trades)s, last_trade_id, first_trade_id, last_trade_id
    FROM (SELECT NULL) AS one LEFT JOIN symbols ON symbol = %(symbol)s
        LEFT JOIN stored ON %(by_trades)s
    RETURNING id
"""  # noqa: S608  # because it is put together from constants
_SET = sql.SQL("""
    UPDATE alerts SET rule = %(rule)s, repeat = %(repeat)s, name = %(name)s, note = %(note)s,
        expires = timestamptz 'epoch' + %(expires)s * interval '1 microsecond', notifies = %(notifies)s,
        sounds = %(sounds)s, version = version + 1
    WHERE id = %(id)s
""")
_SET_RULE = "UPDATE alerts SET rule = %(rule)s, version = version + 1 WHERE id = %(id)s"
_HAS_FIRED = "SELECT FROM alert_firings WHERE alert_id = %(id)s"
_BEGIN_AGAIN = f"""
    WITH stored AS ({_STORED})
    UPDATE alerts SET first_trade_id = stored.last_trade_id, warm_from_id = stored.first_trade_id,
        judged_to = stored.last_trade_id
    FROM stored WHERE id = %(id)s
"""  # noqa: S608  # because it is put together from constants
# What it was becomes an alert of its own, which regards what is stored by now, or has fired.
_ARCHIVE = """
    INSERT INTO alerts (symbol_id, rule, repeat, name, note, expires, notifies, sounds, created_at, first_trade_id,
        warm_from_id, judged_to, replaced_by, ends_at_id)
    SELECT symbol_id, rule, repeat, name, note, expires, notifies, sounds, created_at, first_trade_id, warm_from_id,
        judged_to, id,
        greatest(judged_to, %(newest)s, (SELECT max(trade_id) FROM alert_firings f WHERE f.alert_id = a.id))
    FROM alerts a WHERE id = %(id)s
    RETURNING id
"""
_NEWEST = f"SELECT coalesce(max(last_trade_id), 0) FROM ({_STORED}) AS stored"  # noqa: S608  # because of constants
# Gaps that are known do not fire.
_KNOWN_GAPS = """
    INSERT INTO alert_incidents (alert_id, symbol_id, time, reason, first_trade_id, last_trade_id, known_before)
    SELECT a.id, holes.symbol_id, now(), '', first_id, last_id, true FROM (
        SELECT symbol_id, last_trade_id + 1 AS first_id,
            lead(first_trade_id) OVER (PARTITION BY symbol_id ORDER BY first_trade_id) - 1 AS last_id
        FROM coverage
    ) AS holes JOIN alerts a ON a.id = %(id)s AND (a.symbol_id IS NULL OR a.symbol_id = holes.symbol_id)
    WHERE last_id IS NOT NULL
"""
_PAUSE = """
    INSERT INTO alert_pauses (alert_id, after_id, until)
    SELECT id,
        greatest(judged_to, %(newest)s, %(after)s, (SELECT max(trade_id) FROM alert_firings f WHERE f.alert_id = a.id)),
        timestamptz 'epoch' + %(until)s * interval '1 microsecond'
    FROM alerts a WHERE id = %(id)s
"""
# From the newest trade that is stored to one that was received and is not stored yet.
_SKIP_RECEIVED = """
    INSERT INTO alert_pauses (alert_id, after_id, until_id)
    SELECT id, coalesce(judged_to, 0), %(received)s FROM alerts
    WHERE id = %(id)s AND by_trades AND %(received)s > coalesce(judged_to, 0)
"""
_OPEN_PAUSES = "alert_id = %(id)s AND until_id IS NULL AND (until IS NULL OR until > now())"
_KEEP_PAUSES = """
    INSERT INTO alert_pauses (alert_id, after_id, until)
    SELECT %(id)s, after_id, until FROM alert_pauses
    WHERE alert_id = %(archive)s AND until_id IS NULL AND (until IS NULL OR until > now())
"""
_RESUME_TRADES = f"UPDATE alert_pauses SET until_id = greatest(%(newest)s, after_id) WHERE {_OPEN_PAUSES}"  # noqa: S608  # because of constants
_RESUME_TROUBLE = f"UPDATE alert_pauses SET until = now() WHERE {_OPEN_PAUSES}"  # noqa: S608  # because of constants


def add(
    connection: Connection,
    new: NewAlert,
    *,
    is_paused: bool = False,
    until_us: int | None = None,
    received_id: int = 0,
) -> int:
    """See `app.market.ports.alerts.AlertBook.add`. Raises psycopg.Error."""
    if new.symbol:
        add_symbols(connection, [new.symbol])
    with connection.transaction():
        connection.execute(_CHANGED)
        new = new._replace(rule=with_lines(connection, new.symbol, new.rule))
        row = connection.execute(_ADD, _values(new)).fetchone()
        assert row is not None
        if not new.rule.is_of_trades:
            connection.execute(_KNOWN_GAPS, {"id": row[0]})
        _skip_received(connection, int(row[0]), received_id)
        if is_paused:
            newest = _newest(connection, new.symbol)
            connection.execute(_PAUSE, {"id": row[0], "until": until_us, "after": 0, "newest": newest})
    return int(row[0])


def change(connection: Connection, alert_id: int, new: NewAlert, *, received_id: int = 0) -> bool:
    """
    Replace what an alert is, but for its symbol; return False if there is none of that number. Raises psycopg.Error.

    With another condition, or another number of times to fire, it begins with the trades after ``received_id`` that are
    stored from now on, and what it fired before stays with an alert that is replaced by it.
    """
    with connection.transaction():
        found = _locked(connection, alert_id)
        if found is None:
            return False
        symbol, by_trades, rule, repeat = found
        new = new._replace(rule=with_lines(connection, symbol, new.rule, rule))
        values = {**_values(new._replace(symbol=symbol)), "id": alert_id, "newest": _newest(connection, symbol)}
        is_other = rule != values["rule"] or repeat != values["repeat"]
        if by_trades and is_other:
            if connection.execute(_HAS_FIRED, values).fetchone() is not None:
                _archive(connection, values)
            connection.execute("DELETE FROM alert_pauses WHERE alert_id = %(id)s", values)
            connection.execute(_BEGIN_AGAIN, values)
            _skip_received(connection, alert_id, received_id)
        connection.execute(_SET, values)
        connection.execute(_CHANGED)
        return True


def follow_drawings(connection: Connection, symbols: Collection[str]) -> None:
    """
    Let the alerts on drawings of these symbols wait by the drawings as they are now. Raises psycopg.Error.

    One whose drawing was moved begins with the trades that are stored from now on, as with `change`, but its pauses
    last. One that fired for the last time stays as it is.
    """
    for symbol, alert_id, rule in moved_drawings(connection, symbols):
        with connection.transaction():
            found = _locked(connection, alert_id)
            text = text_of_rule(rule, with_lines=True)
            if found is None or found[2] == text:
                continue  # another program was first
            values = {"symbol": symbol, "id": alert_id, "newest": _newest(connection, symbol), "rule": text}
            if connection.execute(_HAS_FIRED, values).fetchone() is not None:
                values["archive"] = _archive(connection, values)
                connection.execute(_KEEP_PAUSES, values)
            connection.execute(_BEGIN_AGAIN, values)
            connection.execute(_SET_RULE, values)
            connection.execute(_CHANGED)


def pause(connection: Connection, alert_id: int, until_us: int | None = None, after_id: int = 0) -> bool:
    """
    Let no trade from now on meet an alert, up to the time ``until_us`` (UTC microseconds) if one is given.

    ``after_id``: a trade that may not be stored yet and still counts. False if there is no alert of that number.
    """
    with connection.transaction():
        found = _locked(connection, alert_id)
        if found is None:
            return False
        _end_pauses(connection, alert_id, found)
        newest = _newest(connection, found[0])
        connection.execute(_PAUSE, {"id": alert_id, "until": until_us, "after": after_id, "newest": newest})
        _note_change(connection, alert_id)
        return True


def resume(connection: Connection, alert_id: int, *, received_id: int = 0) -> bool:
    """
    End the pauses of an alert: trades after ``received_id`` that are stored from now on meet it.

    False if there is none of that number.
    """
    with connection.transaction():
        found = _locked(connection, alert_id)
        if found is None:
            return False
        _end_pauses(connection, alert_id, found, received_id)
        _note_change(connection, alert_id)
        return True


def remove(connection: Connection, alert_id: int) -> bool:
    """Forget an alert and its firings; return False if there is none of that number. Raises psycopg.Error."""
    with connection.transaction():
        connection.execute(_CHANGED)
        return connection.execute("DELETE FROM alerts WHERE id = %s", (alert_id,)).rowcount == 1


_Found = tuple[str, bool, str, str]


def _locked(connection: Connection, alert_id: int) -> _Found | None:
    """Take the lock of judging of the alert's symbol; return the symbol, and what the alert is."""
    query = """
        SELECT coalesce(s.symbol, ''), a.by_trades, a.rule, a.repeat, a.symbol_id
        FROM alerts a LEFT JOIN symbols s ON s.id = a.symbol_id WHERE a.id = %s AND a.replaced_by IS NULL
    """
    row = connection.execute(query, (alert_id,)).fetchone()
    if row is None:
        return None
    if row[4] is not None:
        take_lock(connection, row[4])
        row = connection.execute(query, (alert_id,)).fetchone()  # as the lock's last holder left it
    return None if row is None else (row[0], row[1], row[2], row[3])


def _newest(connection: Connection, symbol: str) -> int:
    row = connection.execute(_NEWEST, {"symbol": symbol}).fetchone()
    assert row is not None
    return int(row[0])


def _archive(connection: Connection, values: dict[str, Any]) -> int:
    """Move what an alert was, with its firings and pauses, to an alert of its own; return its number."""
    row = connection.execute(_ARCHIVE, values).fetchone()
    assert row is not None
    moved = {"archive": row[0], "id": values["id"]}
    for table in ("alert_firings", "alert_pauses"):
        query = sql.SQL("UPDATE {} SET alert_id = %(archive)s WHERE alert_id = %(id)s").format(sql.Identifier(table))
        connection.execute(query, moved)
    return int(row[0])


def _skip_received(connection: Connection, alert_id: int, received_id: int) -> None:
    connection.execute(_SKIP_RECEIVED, {"id": alert_id, "received": received_id})


def _end_pauses(connection: Connection, alert_id: int, found: _Found, received_id: int = 0) -> None:
    symbol, by_trades, *_ = found
    if by_trades:
        newest = max(_newest(connection, symbol), received_id)
        connection.execute(_RESUME_TRADES, {"id": alert_id, "newest": newest})
    else:
        connection.execute(_RESUME_TROUBLE, {"id": alert_id})


def _note_change(connection: Connection, alert_id: int) -> None:
    connection.execute("UPDATE alerts SET version = version + 1 WHERE id = %s", (alert_id,))
    connection.execute(_CHANGED)


def _values(new: NewAlert) -> dict[str, Any]:
    return {
        "symbol": new.symbol,
        "rule": text_of_rule(new.rule, with_lines=True),
        "repeat": new.repeat.value,
        "name": new.name,
        "note": new.note,
        "expires": new.expires_us,
        "notifies": new.notifies,
        "sounds": new.sounds,
        "by_trades": new.rule.is_of_trades,
    }
