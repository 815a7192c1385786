"""Alerts in a real database: judged by stored trades, confirmed, corrected, proved."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from psycopg import sql

from app.market.alerts.alert import Alert, Firing, Repeat
from app.market.alerts.alert_board import AlertBoard
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import NewAlert, ProvenRun
from app.market.interval import Interval
from app.market.trade import Trade
from app.market.units import E8
from storage.alerts.alert_store import PostgresAlerts
from storage.alerts.trade_stream import stored_trades
from storage.postgres.connection import Connection, connect
from storage.postgres.symbol_ids import symbol_id_of
from storage.rollups.candle_sql import load_numerics_as_int
from tests.storage.helpers import START_US, World

pytestmark = pytest.mark.mostly_embedded

SYMBOL = "BTCUSDT"
RULES = (
    "price crosses 100",
    "price crosses up 101",
    "price enters 99 to 101",
    "moves 2% in 5m",
    "moves up 1% in 20s",
    "volume > 1.1x average 3 of 1m",
    "ema:3 of 1m crosses sma:5",
    "rsi:3 of 5s crosses up 60",
)


def market(count: int, *, first_id: int = 1, seed: int = 1, step_us: int = 4_000_000) -> list[Trade]:
    """Return trades about 100, some seconds apart; of two neighbours the times may be swapped by milliseconds."""
    dice, price, time_us, trades = random.Random(seed), 100 * E8, START_US, list[Trade]()
    for trade_id in range(first_id, first_id + count):
        price += dice.randrange(-E8 // 2, E8 // 2 + 1) - (price - 100 * E8) // 20
        time_us += dice.randrange(step_us)
        shift_us = dice.choice([0, 0, 0, -2_000])
        quantity = dice.randrange(1, 50) * E8
        trades.append(
            Trade(SYMBOL, trade_id, time_us + shift_us, price // E8 * E8 or E8, quantity, dice.random() < 0.5)
        )
    return trades


@pytest.fixture
def alerts(world: World) -> PostgresAlerts:
    def reading() -> Connection:
        connection = connect(world.url)
        load_numerics_as_int(connection)
        return connection

    return PostgresAlerts(world.store.pool, reading)


def add(alerts: PostgresAlerts, *rules: str, repeat: Repeat = Repeat.EVERY) -> list[int]:
    return [alerts.add(NewAlert(SYMBOL, read_rule(rule), repeat)) for rule in rules]


def expected(trades: list[Trade], ids: list[int], rules: tuple[str, ...], repeat: Repeat) -> set[Firing]:
    """Judge all trades by one board, as it is right for alerts that were added before the first of them."""
    board = AlertBoard(SYMBOL)
    for alert_id, rule in zip(ids, rules, strict=True):
        board.add(Alert(alert_id, read_rule(rule), repeat))
    return {firing for trade in trades for firing in board.judge(trade)}


def kept(alerts: PostgresAlerts, *, provisional: bool | None = None) -> set[Firing]:
    return {
        Firing(one.alert_id, firing.trade_id, firing.time_us, firing.price_e8, firing.direction)
        for one in alerts.read()
        for firing in one.firings
        if provisional in (None, firing.is_provisional)
    }


def counts(alerts: PostgresAlerts) -> tuple[int, int, int]:
    proof = alerts.prove()
    return proof.count("missed"), proof.count("doubled"), proof.count("invented")


def test_trades_come_in_the_order_of_their_ids_however_many(world: World) -> None:
    trades = market(30_000, step_us=3_000)
    world.record(trades)
    with connect(world.url) as connection:
        symbol_id = symbol_id_of(connection, SYMBOL)
        assert symbol_id is not None
        assert list(stored_trades(connection, SYMBOL, symbol_id, 1, 30_000)) == trades
        assert list(stored_trades(connection, SYMBOL, symbol_id, 8_191, 8_192)) == trades[8_190:8_192]
        after_us = trades[20_000].time_us
        late = [one for one in trades if one.time_us >= after_us]
        assert list(stored_trades(connection, SYMBOL, symbol_id, 1, 30_000, from_us=after_us)) == late
        assert list(stored_trades(connection, SYMBOL, symbol_id, 40_000, 50_000)) == []
        assert list(stored_trades(connection, SYMBOL, symbol_id, 5, 4)) == []


@pytest.mark.parametrize("repeat", list(Repeat))
def test_judged_in_parts_the_firings_are_those_of_all_trades_at_once(
    world: World, alerts: PostgresAlerts, repeat: Repeat
) -> None:
    ids = add(alerts, *RULES, repeat=repeat)
    trades = market(1_500)
    dice = random.Random(7)
    while (done := len(world.store.trades(SYMBOL, 0, 2**40))) < len(trades):
        world.record(trades[done : done + dice.randrange(1, 300)])
        found = alerts.catch_up(SYMBOL)
        assert found is None or found.proven == {one.alert_id for one in found.alerts}
    true = expected(trades, ids, RULES, repeat)
    assert kept(alerts) == true
    assert len({firing.alert_id for firing in true}) == len(RULES)
    assert all(firing.is_late for one in alerts.read() for firing in one.firings)
    assert counts(alerts) == (0, 0, 0)


def test_an_alert_regards_the_trades_after_it_was_added_and_looks_back_before(
    world: World, alerts: PostgresAlerts
) -> None:
    trades = market(1_500)
    world.record(trades[:900])
    add(alerts, *RULES)
    (first,) = {one.start_id for one in alerts.read()}
    assert first == 900
    world.record(trades[900:1_200])
    alerts.catch_up(SYMBOL)
    later = add(alerts, *RULES, repeat=Repeat.CANDLE)
    world.record(trades[1_200:])
    alerts.catch_up(SYMBOL)
    assert min(firing.trade_id for firing in kept(alerts)) > 900
    assert min(firing.trade_id for firing in kept(alerts) if firing.alert_id in later) > 1_200
    for one in alerts.read():
        assert one.firings, one.text
    assert counts(alerts) == (0, 0, 0)


def test_beyond_a_hole_firings_are_provisional_and_corrected_once_it_is_filled(
    world: World, alerts: PostgresAlerts
) -> None:
    ids = add(alerts, *RULES)
    trades = market(1_200)
    world.record(trades[:400])
    world.record(trades[600:])
    found = alerts.catch_up(SYMBOL)
    assert found is not None
    assert found.last_id == 1_200
    assert not found.proven
    assert kept(alerts, provisional=True)
    assert {one.trade_id for one in kept(alerts, provisional=True)} <= set(range(601, 1_201))
    assert {one.judged_to for one in alerts.read()} == {400}
    assert counts(alerts) == (0, 0, 0)
    assert alerts.confirm(SYMBOL, None).needs_reading is False
    world.record(trades[400:600])
    assert alerts.confirm(SYMBOL, None).needs_reading
    found = alerts.catch_up(SYMBOL)
    assert found is not None
    assert found.proven == set(ids)
    assert kept(alerts, provisional=False) == kept(alerts) == expected(trades, ids, RULES, Repeat.EVERY)
    assert counts(alerts) == (0, 0, 0)


def test_absent_trades_are_passed_over(world: World, alerts: PostgresAlerts) -> None:
    ids = add(alerts, *RULES)
    trades = market(300)
    world.record(trades[:100] + trades[110:])
    world.store.save_absent(SYMBOL, [(101, 110)])
    found = alerts.catch_up(SYMBOL)
    assert found is not None
    assert found.proven == set(ids)
    assert kept(alerts, provisional=False) == expected(trades[:100] + trades[110:], ids, RULES, Repeat.EVERY)


def test_a_live_run_is_confirmed_without_reading_as_far_as_its_trades_are_stored(
    world: World, alerts: PostgresAlerts
) -> None:
    ids = add(alerts, "price crosses 100", "price crosses up 101")
    trades = market(600)
    world.record(trades[:200])
    found = alerts.catch_up(SYMBOL)
    assert found is not None
    live = [firing for trade in trades[200:] for firing in found.board.judge(trade)]
    alerts.save(SYMBOL, live[:-1])
    world.record(trades[200:500])
    run = ProvenRun({one.alert_id: one.version for one in found.alerts}, found.last_id, 600, live)
    assert alerts.confirm(SYMBOL, run) == (500, False, False)
    beyond = {one for one in live[:-1] if one.trade_id > 500}
    assert kept(alerts, provisional=True) == beyond
    world.record(trades[500:])
    assert alerts.confirm(SYMBOL, run) == (600, False, False)
    assert kept(alerts, provisional=False) == expected(
        trades, ids, ("price crosses 100", "price crosses up 101"), Repeat.EVERY
    )
    assert counts(alerts) == (0, 0, 0)
    # Judged by another program that lags: what is settled stays.
    wrong = replace(live[0], trade_id=live[0].trade_id + 1)
    alerts.save(SYMBOL, [wrong])
    assert counts(alerts) == (0, 0, 0)


def test_a_live_firing_that_was_not_true_is_taken_back(world: World, alerts: PostgresAlerts) -> None:
    (alert_id,) = add(alerts, "price crosses 100", repeat=Repeat.ONCE)
    trades = market(300)
    (true, *_) = expected(trades, [alert_id], ("price crosses 100",), Repeat.ONCE)
    alerts.save(SYMBOL, [replace(true, trade_id=290), replace(true, trade_id=20_000)])
    world.record(trades)
    alerts.catch_up(SYMBOL)
    assert kept(alerts, provisional=False) == {true}
    assert {one.trade_id for one in kept(alerts, provisional=True)} == {20_000}
    assert alerts.waiting([SYMBOL]).versions == {}


def test_the_proof_finds_what_was_changed_by_hand(world: World, alerts: PostgresAlerts) -> None:
    first, second = add(alerts, "price crosses 100", "price crosses up 101")
    (once,) = add(alerts, "price crosses 100", repeat=Repeat.ONCE)
    world.record(market(600))
    alerts.catch_up(SYMBOL)
    assert counts(alerts) == (0, 0, 0)
    with connect(world.url) as connection:
        connection.execute(
            "DELETE FROM alert_firings WHERE ctid = (SELECT min(ctid) FROM alert_firings WHERE alert_id = %s)", (first,)
        )
        assert counts(alerts) == (1, 0, 0)
        connection.execute(
            "INSERT INTO alert_firings SELECT alert_id, 3, time, price, direction, late, false FROM alert_firings"
            " WHERE alert_id = %s LIMIT 1",
            (second,),
        )
        assert counts(alerts) == (1, 0, 1)
        connection.execute(
            "INSERT INTO alert_firings SELECT alert_id, trade_id + 1, time, price, direction, late, false"
            " FROM alert_firings WHERE alert_id = %s",
            (once,),
        )
        assert counts(alerts) == (1, 1, 1)
        connection.execute("ALTER TABLE alert_firings DROP CONSTRAINT alert_firings_pkey")
        connection.execute(
            "INSERT INTO alert_firings SELECT * FROM alert_firings WHERE alert_id = %s LIMIT 1", (second,)
        )
        assert counts(alerts)[1] == 2
        connection.execute("UPDATE alert_firings SET price = price + 1 WHERE alert_id = %s", (first,))
        assert counts(alerts)[0] > 1


def test_expired_alerts_do_not_fire(world: World, alerts: PostgresAlerts) -> None:
    trades = market(600)
    end_us = trades[300].time_us
    alerts.add(NewAlert(SYMBOL, read_rule("price crosses 100"), Repeat.EVERY, expires_us=end_us))
    world.record(trades)
    alerts.catch_up(SYMBOL)
    assert kept(alerts)
    assert all(one.time_us < end_us for one in kept(alerts))
    assert counts(alerts) == (0, 0, 0)


def test_what_retention_dropped_proves_nothing(world: World, alerts: PostgresAlerts) -> None:
    add(alerts, *RULES)
    add(alerts, "price crosses 100", repeat=Repeat.ONCE)
    trades = market(1_200)
    world.record(trades)
    alerts.catch_up(SYMBOL)
    kept_from_us = Interval.parse("1m").next_open_us(trades[700].time_us)
    with connect(world.url) as connection:
        times = "timestamptz 'epoch' + %s * interval '1 microsecond'"
        connection.execute(sql.SQL("DELETE FROM trades WHERE time < " + times), (kept_from_us,))
        connection.execute(sql.SQL("UPDATE retention SET kept_from = " + times), (kept_from_us,))
    proof = alerts.prove()
    assert not proof.differences
    assert 0 < proof.dropped < len(kept(alerts))


def test_adding_and_removing_changes_the_revision(world: World, alerts: PostgresAlerts) -> None:
    before = alerts.revision()
    (alert_id,) = add(alerts, "price crosses 100")
    added = alerts.revision()
    assert alerts.waiting([SYMBOL, "ETHUSDT"]) == ({SYMBOL: {alert_id: 1}}, 1, 0)
    assert alerts.remove(alert_id)
    assert not alerts.remove(alert_id)
    assert before < added < alerts.revision()
    assert alerts.read() == []
    assert alerts.catch_up(SYMBOL) is None
