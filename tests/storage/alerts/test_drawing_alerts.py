"""Alerts on drawings in a real database: judged by the lines of their time, proved whatever became of the drawing."""

from __future__ import annotations

import random
import uuid

import pytest

from app.market.alerts.alert import Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import NewAlert, ProvenRun
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, DrawingStyle, Extend
from app.market.drawings.drawing_json import drawing_text
from app.market.errors import StoreError
from app.market.ports.drawings import DrawingChange
from app.market.units import E8
from storage.alerts.alert_store import PostgresAlerts
from storage.drawings.drawing_store import PostgresDrawings
from tests.storage.alerts.test_alert_store import SYMBOL, alerts, counts, market
from tests.storage.helpers import START_US, World

pytestmark = pytest.mark.mostly_embedded

__all__ = ["alerts"]  # the fixture

ID = "6f1c0c52-98a4-4a6e-9f0e-0b8a3f8f2a11"
ON_IT = f"price crosses drawing {ID}"


class Pen:
    """Draws a line of two points, and moves or removes it."""

    def __init__(self, world: World) -> None:
        self._store = PostgresDrawings(world.store.pool)

    def draw(self, first: float, second: float | None = None) -> None:
        second = first if second is None else second
        anchors = Anchor(START_US, first), Anchor(START_US + 3_600_000_000, second)
        line = Drawing(ID, SYMBOL, DrawingKind.TREND_LINE, anchors, DrawingStyle(extend=Extend.BOTH))
        self._put(drawing_text(line))

    def remove(self) -> None:
        self._put(None)

    def _put(self, content: str | None) -> None:
        base = self._store.revisions([ID]).get(ID, 0)
        change = DrawingChange(str(uuid.uuid4()), ID, SYMBOL, content, base)
        self._store.exchange(str(uuid.uuid4()), base, [change])


@pytest.fixture
def pen(world: World) -> Pen:
    return Pen(world)


def add(alerts: PostgresAlerts, rule: str = ON_IT, repeat: Repeat = Repeat.EVERY) -> int:
    return alerts.add(NewAlert(SYMBOL, read_rule(rule), repeat))


def fired(alerts: PostgresAlerts) -> list[tuple[int, str]]:
    """The firings of all alerts, also of those that were replaced."""
    found = [(firing.trade_id, firing.direction.value) for one in alerts.read() for firing in one.firings]
    return sorted(found)


def follow(alerts: PostgresAlerts) -> None:
    """What a program that records does once it sees another revision."""
    alerts.waiting([SYMBOL])
    alerts.catch_up(SYMBOL)


def test_a_level_line_fires_where_its_price_is_crossed(world: World, alerts: PostgresAlerts, pen: Pen) -> None:
    pen.draw(100)
    add(alerts)
    price = add(alerts, "price crosses 100")
    world.record(market(800))
    alerts.catch_up(SYMBOL)
    by_alert = {one.alert_id: one for one in alerts.read()}
    ours = [firing for key, one in by_alert.items() if key != price for firing in one.firings]
    assert [one[:4] for one in ours] == [one[:4] for one in by_alert[price].firings]
    assert len(ours) > 3
    assert counts(alerts) == (0, 0, 0)
    assert by_alert[price - 1].text == ON_IT


def test_a_drawing_that_is_moved_afterwards_makes_no_firing_invented(
    world: World, alerts: PostgresAlerts, pen: Pen
) -> None:
    pen.draw(100)
    number = add(alerts)
    trades = market(900)
    world.record(trades[:300])
    follow(alerts)
    before = fired(alerts)
    revision = alerts.revision()
    pen.draw(101, 99)
    assert alerts.revision() > revision
    world.record(trades[300:600])
    follow(alerts)
    world.record(trades[600:])
    follow(alerts)
    after = fired(alerts)
    assert [one for one in after if one[0] <= trades[299].trade_id] == before
    assert before
    assert len(after) > len(before)
    assert counts(alerts) == (0, 0, 0)
    (now,) = [one for one in alerts.read() if one.replaced_by is None]
    assert now.alert_id == number
    assert {one.replaced_by for one in alerts.read()} == {None, number}


def test_it_is_judged_by_the_line_of_its_time_however_often_it_is_moved(
    world: World, alerts: PostgresAlerts, pen: Pen
) -> None:
    dice = random.Random(5)
    pen.draw(100)
    add(alerts)
    add(alerts, f"price crosses up drawing {ID}", Repeat.CANDLE)
    trades = market(1_200)
    while trades:
        world.record(trades[: (count := dice.randrange(1, 150))])
        del trades[:count]
        if dice.random() < 0.7:
            alerts.catch_up(SYMBOL)
        if dice.random() < 0.6:
            pen.draw(100 + dice.uniform(-2, 2), 100 + dice.uniform(-2, 2))
        elif dice.random() < 0.3:
            pen.remove()
        if dice.random() < 0.8:
            follow(alerts)
    follow(alerts)
    assert counts(alerts) == (0, 0, 0)
    assert len(fired(alerts)) > 10


def test_a_removed_drawing_is_not_crossed_until_it_is_back(world: World, alerts: PostgresAlerts, pen: Pen) -> None:
    pen.draw(100)
    add(alerts)
    pen.remove()
    trades = market(900)
    follow(alerts)
    world.record(trades[:400])
    follow(alerts)
    assert fired(alerts) == []
    pen.draw(100)
    follow(alerts)
    world.record(trades[400:])
    follow(alerts)
    assert fired(alerts)
    assert all(trade_id > trades[399].trade_id for trade_id, _ in fired(alerts))
    assert counts(alerts) == (0, 0, 0)


def test_one_that_fired_once_stays_as_it_is_and_a_paused_one_paused(
    world: World, alerts: PostgresAlerts, pen: Pen
) -> None:
    pen.draw(100)
    once, paused = add(alerts, repeat=Repeat.ONCE), add(alerts)
    trades = market(900)
    world.record(trades[:300])
    follow(alerts)
    alerts.pause(paused)
    firings = fired(alerts)
    pen.draw(100.5)
    follow(alerts)
    world.record(trades[300:])
    follow(alerts)
    assert fired(alerts) == firings
    assert [one.replaced_by for one in alerts.read() if one.alert_id == once] == [None]
    assert counts(alerts) == (0, 0, 0)
    alerts.resume(paused)
    follow(alerts)
    world.record(market(300, first_id=1 + len(trades), seed=2))
    assert counts(alerts) == (0, 0, 0)


def test_a_live_board_of_the_line_before_confirms_nothing(world: World, alerts: PostgresAlerts, pen: Pen) -> None:
    pen.draw(100)
    number = add(alerts)
    trades = market(600)
    world.record(trades[:300])
    follow(alerts)
    (stored,) = alerts.read()
    pen.draw(101)
    alerts.waiting([SYMBOL])
    world.record(trades[300:])
    run = ProvenRun({number: stored.version}, trades[299].trade_id, trades[-1].trade_id, ())
    assert alerts.confirm(SYMBOL, run).needs_reading
    follow(alerts)
    assert counts(alerts) == (0, 0, 0)


def test_a_drawing_that_is_not_there_is_refused_in_one_sentence(alerts: PostgresAlerts, pen: Pen) -> None:
    with pytest.raises(StoreError, match=r"^BTCUSDT has no drawing 6f1c.*\.$"):
        add(alerts)
    revision = alerts.revision()
    pen.draw(100)
    assert alerts.revision() == revision  # nobody waits for it
    with pytest.raises(StoreError, match="ETHUSDT has no drawing"):
        alerts.add(NewAlert("ETHUSDT", read_rule(ON_IT)))


def test_a_draft_is_judged_by_the_drawing_as_it_is(world: World, alerts: PostgresAlerts, pen: Pen) -> None:
    trades = market(500)
    world.record(trades)
    pen.draw(100)
    span = trades[0].time_us - 10_000_000, trades[-1].time_us + 10_000_000
    draft = alerts.draft(SYMBOL, read_rule(ON_IT), Repeat.EVERY, *span)
    level = alerts.draft(SYMBOL, read_rule("price crosses 100"), Repeat.EVERY, *span)
    assert list(draft.firings) == list(level.firings)
    assert draft.firings
    assert draft.rule is not None
    assert [one.price(START_US) for one in draft.rule.condition.lines] == [100.0]  # type: ignore[union-attr]  # because it is on a drawing
    assert all(one.price_e8 % E8 == 0 for one in draft.firings)
