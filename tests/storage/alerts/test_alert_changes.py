"""Alerts that are paused, resumed and changed: what fires follows from the stored trades all the same."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from app.market.alerts.alert import Incident, Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import AlertState, NewAlert, ProvenRun
from storage.alerts.alert_store import PostgresAlerts
from storage.alerts.draft import MOST_TRADES
from storage.postgres.connection import connect
from tests.storage.alerts.test_alert_store import RULES, SYMBOL, add, counts, expected, kept, market
from tests.storage.alerts.test_alert_store import alerts as alerts
from tests.storage.helpers import World

# Alerts are plain tables on every edition; `test_alert_store` reads the trades that they judge on all.
pytestmark = pytest.mark.embedded_only
RULE = "price crosses 100"
FAR_US = 1 << 60


def test_no_trade_after_a_pause_began_meets_an_alert_until_it_is_resumed(world: World, alerts: PostgresAlerts) -> None:
    ids = add(alerts, *RULES)
    trades = market(900)
    world.record(trades[:300])
    alerts.catch_up(SYMBOL)
    for one in ids:
        assert alerts.pause(one)
    world.record(trades[300:600])
    alerts.catch_up(SYMBOL)
    assert {one.state(0) for one in alerts.read()} == {AlertState.PAUSED}
    assert counts(alerts) == (0, 0, 0)
    for one in ids:
        assert alerts.resume(one)
    world.record(trades[600:])
    alerts.catch_up(SYMBOL)
    true = {one for one in expected(trades, ids, RULES, Repeat.EVERY) if not 300 < one.trade_id <= 600}
    assert kept(alerts) == true
    assert counts(alerts) == (0, 0, 0)
    assert {one.state(0) for one in alerts.read()} == {AlertState.WAITING}


def test_trades_received_before_a_change_count_as_the_past_though_they_are_stored_later(
    world: World, alerts: PostgresAlerts
) -> None:
    trades, rule = market(900), read_rule(RULE)
    added_first = alerts.add(NewAlert(SYMBOL, rule, Repeat.EVERY), received_id=40)  # nothing is stored yet
    world.record(trades[:300])
    alerts.catch_up(SYMBOL)
    added, changed, resumed, ahead = (alerts.add(NewAlert(SYMBOL, rule, Repeat.EVERY)) for _ in range(4))
    late = alerts.add(NewAlert(SYMBOL, rule, Repeat.EVERY), received_id=500)
    alerts.pause(resumed)
    assert alerts.change(changed, NewAlert(SYMBOL, read_rule("price crosses 101"), Repeat.EVERY), received_id=500)
    assert alerts.change(changed, NewAlert(SYMBOL, rule, Repeat.EVERY), received_id=550)
    assert alerts.resume(resumed, received_id=500)
    assert alerts.change(ahead, NewAlert(SYMBOL, rule, Repeat.EVERY, "named"), received_id=500)  # is no new beginning
    assert {one.state(0) for one in alerts.read()} == {AlertState.WAITING}
    world.record(trades[300:])
    alerts.catch_up(SYMBOL)
    begins = {added_first: 40, added: 300, changed: 550, resumed: 500, ahead: 300, late: 500}
    true = expected(trades, list(begins), (RULE,) * len(begins), Repeat.EVERY)
    assert any(300 < one.trade_id <= 500 for one in true)
    assert kept(alerts) == {one for one in true if one.trade_id > begins[one.alert_id]}
    assert counts(alerts) == (0, 0, 0)


def test_a_pause_may_end_by_the_time_of_the_trades(world: World, alerts: PostgresAlerts) -> None:
    (alert_id,) = add(alerts, RULE)
    trades = market(600)
    world.record(trades[:100])
    alerts.catch_up(SYMBOL)
    until_us = trades[300].time_us
    alerts.pause(alert_id, until_us)
    world.record(trades[100:])
    alerts.catch_up(SYMBOL)
    assert all(one.trade_id <= 100 or one.time_us >= until_us for one in kept(alerts))
    assert any(one.trade_id > 300 for one in kept(alerts))
    (found,) = alerts.read()
    assert (found.is_paused(until_us - 1), found.is_paused(until_us)) == (True, False)
    assert counts(alerts) == (0, 0, 0)


def test_a_firing_that_is_not_stored_yet_outlives_the_pause_after_it(world: World, alerts: PostgresAlerts) -> None:
    (alert_id,) = add(alerts, RULE)
    trades = market(400)
    world.record(trades[:100])
    alerts.catch_up(SYMBOL)
    announced = min(
        (one for one in expected(trades, [alert_id], (RULE,), Repeat.EVERY) if one.trade_id > 100),
        key=lambda one: one.trade_id,
    )
    alerts.save(SYMBOL, [announced])
    alerts.pause(alert_id)
    world.record(trades[100:])
    alerts.catch_up(SYMBOL)
    assert max(one.trade_id for one in kept(alerts)) == announced.trade_id
    assert counts(alerts) == (0, 0, 0)


def test_a_changed_alert_begins_anew_and_what_it_fired_stays_proved(world: World, alerts: PostgresAlerts) -> None:
    (alert_id,) = add(alerts, RULE)
    trades = market(900)
    world.record(trades[:300])
    alerts.catch_up(SYMBOL)
    before = kept(alerts)
    new = NewAlert(SYMBOL, read_rule("price crosses 101"), Repeat.EVERY, "moved", sounds=True)
    assert alerts.change(alert_id, new)
    world.record(trades[300:])
    alerts.catch_up(SYMBOL)
    now, was = alerts.read()
    assert (now.alert_id, now.name, now.sounds, now.version) == (alert_id, "moved", True, 2)
    assert (was.replaced_by, was.state(0)) == (alert_id, AlertState.REPLACED)
    assert {replace(one, alert_id=alert_id) for one in kept(alerts) if one.alert_id != alert_id} == before
    true = expected(trades, [alert_id], ("price crosses 101",), Repeat.EVERY)
    assert {one for one in kept(alerts) if one.alert_id == alert_id} == {one for one in true if one.trade_id > 300}
    assert counts(alerts) == (0, 0, 0)
    assert set(alerts.waiting([SYMBOL]).versions[SYMBOL]) == {alert_id}
    assert not alerts.change(was.alert_id, new)  # it is history
    assert alerts.remove(alert_id)
    assert alerts.read() == []


def test_another_name_changes_nothing_else(world: World, alerts: PostgresAlerts) -> None:
    (alert_id,) = add(alerts, RULE)
    world.record(market(300))
    alerts.catch_up(SYMBOL)
    before = kept(alerts)
    assert alerts.change(alert_id, NewAlert(SYMBOL, read_rule(RULE), Repeat.EVERY, "named", "and noted"))
    (found,) = alerts.read()
    assert (found.name, found.note, kept(alerts)) == ("named", "and noted", before)
    assert not alerts.change(999, NewAlert(SYMBOL, read_rule(RULE)))


def test_an_alert_may_be_paused_from_the_beginning(world: World, alerts: PostgresAlerts) -> None:
    new, trades = NewAlert(SYMBOL, read_rule(RULE), Repeat.EVERY), market(600)
    world.record(trades[:100])
    until_us = trades[300].time_us
    paused = alerts.add(new, is_paused=True)
    for_a_while = alerts.add(new, is_paused=True, until_us=until_us)
    world.record(trades[100:])
    alerts.catch_up(SYMBOL)
    assert [one.paused_until(until_us - 1) for one in alerts.read()] == [None, until_us]
    assert {one.alert_id for one in kept(alerts)} == {for_a_while}
    assert all(one.time_us >= until_us for one in kept(alerts))
    alerts.resume(paused)
    assert [one.state(until_us) for one in alerts.read()] == [AlertState.WAITING, AlertState.WAITING]
    assert counts(alerts) == (0, 0, 0)


def test_a_run_of_the_alert_as_it_was_confirms_nothing(world: World, alerts: PostgresAlerts) -> None:
    (alert_id,) = add(alerts, RULE)
    trades = market(400)
    world.record(trades[:200])
    found = alerts.catch_up(SYMBOL)
    assert found is not None
    versions = {one.alert_id: one.version for one in found.alerts}
    alerts.change(alert_id, NewAlert(SYMBOL, read_rule("price crosses 101"), Repeat.EVERY))
    world.record(trades[200:])
    live = sorted(expected(trades, [alert_id], (RULE,), Repeat.EVERY), key=lambda one: one.trade_id)
    run = ProvenRun(versions, found.last_id, 400, [one for one in live if one.trade_id > found.last_id])
    assert alerts.confirm(SYMBOL, run).needs_reading
    alerts.catch_up(SYMBOL)
    assert counts(alerts) == (0, 0, 0)


def test_whatever_is_paused_and_changed_meanwhile_the_proof_holds(world: World, alerts: PostgresAlerts) -> None:
    dice = random.Random(3)
    ids = [*add(alerts, *RULES), *add(alerts, *RULES, repeat=Repeat.CANDLE), *add(alerts, *RULES, repeat=Repeat.ONCE)]
    trades = market(1_200)
    while (done := len(world.store.trades(SYMBOL, 0, 2**40))) < len(trades):
        world.record(trades[done : done + dice.randrange(1, 200)])
        for one in ids:
            match dice.randrange(6):
                case 0:
                    alerts.pause(one, dice.choice([None, trades[min(done + 100, 1_199)].time_us]))
                case 1:
                    alerts.resume(one)
                case 2:
                    rule = read_rule(dice.choice(RULES))
                    alerts.change(one, NewAlert(SYMBOL, rule, dice.choice(list(Repeat))))
        if dice.random() < 0.7:
            alerts.catch_up(SYMBOL)
    alerts.catch_up(SYMBOL)
    proof = alerts.prove()
    assert not proof.differences
    assert (proof.provisional, proof.unjudged) == (0, 0)
    assert proof.firings > 20


def test_a_gap_is_kept_once_and_one_from_before_not_at_all(world: World, alerts: PostgresAlerts) -> None:
    trades = market(400)
    world.record(trades[:100])
    world.record(trades[150:200])
    alert_id = alerts.add(NewAlert("", read_rule("trades missing"), Repeat.EVERY))
    assert [one.alert_id for one in alerts.of_trouble()] == [alert_id]
    assert alerts.waiting([SYMBOL]) == ({}, 1, 1)
    old, new = Incident(alert_id, SYMBOL, 5, "old", 120, 150), Incident(alert_id, SYMBOL, 6, "new", 201, 300)
    whole = Incident(alert_id, "", 7, "The disk is full.")
    assert alerts.save_incidents([old, new, whole]) == [new, whole]
    assert alerts.save_incidents([replace(new, first_id=250), whole]) == [whole]
    (found,) = alerts.read()
    assert [one.reason for one in found.incidents] == ["new", "The disk is full.", "The disk is full."]
    proof = alerts.prove()
    assert (proof.differences, proof.unproven) == ([], 3)
    with connect(world.url) as connection:
        connection.execute(
            "INSERT INTO alert_incidents (alert_id, symbol_id, time, reason, first_trade_id, last_trade_id)"
            " SELECT alert_id, symbol_id, time, reason, 300, 310 FROM alert_incidents WHERE reason = 'new'"
        )
    assert counts(alerts) == (0, 1, 0)
    assert alerts.change(alert_id, NewAlert("", read_rule("trades missing for 1m"), Repeat.EVERY))
    assert alerts.read()[0].text == "trades missing for 1m"


@pytest.mark.parametrize("rule", RULES)
def test_a_draft_fires_as_the_alert_would_have(world: World, alerts: PostgresAlerts, rule: str) -> None:
    trades = market(600)
    world.record(trades)
    draft = alerts.draft(SYMBOL, read_rule(rule), Repeat.EVERY, 0, FAR_US)
    true = sorted(expected(trades, [0], (rule,), Repeat.EVERY), key=lambda one: one.trade_id)
    assert [replace(one, alert_id=0) for one in draft.firings] == true
    assert (draft.trades, draft.from_us) == (600, trades[0].time_us)
    later_us = trades[400].time_us + 1
    part = alerts.draft(SYMBOL, read_rule(rule), Repeat.EVERY, later_us, FAR_US)
    assert set(part.firings) <= {one for one in draft.firings if one.time_us > trades[399].time_us}
    assert part.trades < 250
    assert alerts.draft("NOSUCH", read_rule(rule), Repeat.EVERY, 0, FAR_US).trades == 0
    assert alerts.read() == []
    assert MOST_TRADES > 600
