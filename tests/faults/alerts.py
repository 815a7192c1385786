"""Alerts on the symbols of a scene, and whether their firings are those of its trades."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from app.market.alerts.alert import Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import NewAlert
from app.market.units import format_e8
from storage.alerts.alert_store import PostgresAlerts
from storage.postgres.connection import Connection, connect
from storage.postgres.pool import ConnectionPool
from storage.rollups.candle_sql import load_numerics_as_int
from tests.faults.world import Scene

RULES = (
    "moves 0.002% in 10s",
    "volume > 1.2x average 3 of 1s",
    "ema:3 of 1s crosses sma:5",
)
_LEAST = 20


def watch_alerts(scene: Scene, url: str) -> None:
    """Add alerts of all kinds on every symbol."""
    with alerts_of(url) as alerts:
        for symbol in scene.market.symbols():
            (last,) = scene.market.trades(symbol.name, scene.market.last_id(symbol.name), 1)
            for rule in (f"price crosses {format_e8(last.price_e8)}", *RULES):
                for repeat in (Repeat.EVERY, Repeat.CANDLE, Repeat.ONCE):
                    alerts.add(NewAlert(symbol.name, read_rule(rule), repeat))


def alert_differences(scene: Scene, url: str) -> list[str]:
    """Return what differs from the stored trades, once a recording has ended; and after the next start would judge."""
    with alerts_of(url) as alerts:
        found = [f"before the next start: {one}" for one in alerts.prove().differences]
        for symbol in scene.market.symbols():
            alerts.catch_up(symbol.name)
        proof = alerts.prove()
        found += map(str, proof.differences)
        if proof.unjudged or proof.provisional:
            found.append(f"{proof.unjudged} trades are not judged, {proof.provisional} firings are provisional")
        if sum(len(one.firings) for one in alerts.read()) < _LEAST:
            found.append("hardly any alert was met")
        return found


@contextlib.contextmanager
def alerts_of(url: str) -> Iterator[PostgresAlerts]:
    """The alerts of that database."""

    def reading() -> Connection:
        connection = connect(url)
        load_numerics_as_int(connection)
        return connection

    pool = ConnectionPool(reading)
    try:
        yield PostgresAlerts(pool, reading)
    finally:
        pool.close()
