"""Alerts on drawings whose lines are no straight ones: by hand, by time, and by the candles under a channel."""

from __future__ import annotations

import statistics
import uuid
from itertools import pairwise

import pytest

from app.market.alerts.alert import DrawingCrosses, Repeat
from app.market.alerts.alert_board import AlertBoard
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import NewAlert
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, DrawingStyle, Extend
from app.market.drawings.drawing_json import drawing_text
from app.market.errors import StoreError
from app.market.interval import Interval
from app.market.ports.drawings import DrawingChange
from app.market.trade import Trade
from app.market.units import E8
from storage.alerts.alert_store import PostgresAlerts
from storage.drawings.drawing_store import PostgresDrawings
from tests.storage.alerts.test_alert_store import SYMBOL, alerts, counts, market
from tests.storage.alerts.test_drawing_alerts import ID, ON_IT, fired, follow
from tests.storage.helpers import World

pytestmark = pytest.mark.mostly_embedded

__all__ = ["alerts"]  # the fixture

MINUTE_US = 60_000_000


def draw(world: World, kind: DrawingKind, *anchors: tuple[int, float], extend: Extend = Extend.NONE) -> None:
    drawing = Drawing(ID, SYMBOL, kind, tuple(Anchor(*one) for one in anchors), DrawingStyle(extend=extend))
    store = PostgresDrawings(world.store.pool)
    base = store.revisions([ID]).get(ID, 0)
    change = DrawingChange(str(uuid.uuid4()), ID, SYMBOL, drawing_text(drawing), base)
    store.exchange(str(uuid.uuid4()), base, [change])


def add(alerts: PostgresAlerts, rule: str = ON_IT) -> int:
    return alerts.add(NewAlert(SYMBOL, read_rule(rule), Repeat.EVERY))


def condition(alerts: PostgresAlerts) -> DrawingCrosses:
    (alert,) = [one for one in alerts.read() if one.replaced_by is None]
    found = alert.rule.condition
    assert isinstance(found, DrawingCrosses)
    return found


def minutes(trades: list[Trade]) -> dict[int, int]:
    """The last price of each minute, 1e-8, by the time at which it opens."""
    return {Interval(60).open_time_us(one.time_us): one.price_e8 for one in trades}


def test_a_vertical_line_fires_by_the_first_trade_from_its_time_on(world: World, alerts: PostgresAlerts) -> None:
    trades = market(900)
    at_us = trades[600].time_us
    draw(world, DrawingKind.VERTICAL_LINE, (at_us, 1.0))
    add(alerts)
    world.record(trades[:500])
    follow(alerts)
    assert fired(alerts) == []
    world.record(trades[500:])
    follow(alerts)
    (found,) = fired(alerts)
    assert found[0] == next(
        after.trade_id for before, after in pairwise(trades) if before.time_us < at_us <= after.time_us
    )
    assert counts(alerts) == (0, 0, 0)


def test_time_crosses_a_vertical_line_neither_up_nor_down(world: World, alerts: PostgresAlerts) -> None:
    draw(world, DrawingKind.VERTICAL_LINE, (1, 1.0))
    with pytest.raises(StoreError, match=r"^Time crosses a vertical line, neither up nor down: leave out “up”\.$"):
        add(alerts, ON_IT.replace("crosses", "crosses up"))


def test_a_drawing_by_hand_is_crossed_where_it_runs_and_proved(world: World, alerts: PostgresAlerts) -> None:
    trades = market(1_200)
    step_us = (trades[-1].time_us - trades[0].time_us) // 40
    there = [(trades[0].time_us + at * step_us, 100 + (at * 7 % 5) / 2) for at in range(40)]
    points = [*there, *((time_us, price - 2.25) for time_us, price in there[-2::-3])]  # and back, below
    draw(world, DrawingKind.FREEHAND, *points)
    add(alerts)
    while trades:
        world.record(trades[:200])
        del trades[:200]
        follow(alerts)
    assert len(condition(alerts).lines) == 2
    assert len(fired(alerts)) > 20
    assert {way for _, way in fired(alerts)} == {"up", "down"}
    assert counts(alerts) == (0, 0, 0)


def test_ten_thousand_points_by_hand_are_kept_and_judged(world: World, alerts: PostgresAlerts) -> None:
    trades = market(300)
    first_us = trades[0].time_us
    draw(world, DrawingKind.FREEHAND, *((first_us + at * 100_000, 99 + at % 7 / 3) for at in range(10_000)))
    add(alerts)
    world.record(trades)
    follow(alerts)
    (path,) = condition(alerts).lines
    assert len(path.points) == 10_000  # type: ignore[union-attr]  # because it is a path
    assert len(fired(alerts)) > 5
    assert counts(alerts) == (0, 0, 0)


def test_a_channel_is_computed_from_the_stored_minutes_and_proved(world: World, alerts: PostgresAlerts) -> None:
    trades = market(1_500)
    by_minute = minutes(trades[:600])
    opens = sorted(by_minute)[2:-3]
    world.record(trades[:600])
    draw(
        world,
        DrawingKind.REGRESSION_CHANNEL,
        (opens[0] + MINUTE_US // 2, 1.0),
        (opens[-1] + MINUTE_US // 2, 2.0),
        extend=Extend.RIGHT,
    )
    number = add(alerts)
    closes = [by_minute[one] for one in opens[:-1]]  # the minute of its end had not ended by then
    slope, start = statistics.linear_regression(range(len(closes)), closes)
    line = condition(alerts).lines[1]
    assert line.price(opens[0] + MINUTE_US // 2) == pytest.approx(start / E8, rel=1e-9)
    assert line.price(opens[-1] + MINUTE_US // 2) == pytest.approx((start + slope * len(closes)) / E8, rel=1e-9)
    before = condition(alerts)
    for first in range(600, 1_500, 100):
        world.record(trades[first : first + 100])
        follow(alerts)
    assert condition(alerts) == before  # what is past does not move
    assert len(fired(alerts)) > 5
    assert counts(alerts) == (0, 0, 0)
    board = AlertBoard(SYMBOL)
    for alert in alerts.read():
        board.add(alert.alert)
    board.warm_up(trades[599:600])
    judged = {(one.trade_id, one.direction.value) for trade in trades[600:] for one in board.judge(trade)}
    assert judged == set(fired(alerts))
    assert alerts.change(number, NewAlert(SYMBOL, read_rule(ON_IT), Repeat.EVERY, "renamed"))
    assert [one.name for one in alerts.read()] == ["renamed"]  # its firings stay with it


def test_a_moved_channel_is_computed_again_and_what_it_fired_stays_proved(world: World, alerts: PostgresAlerts) -> None:
    trades = market(1_200)
    world.record(trades[:600])
    opens = sorted(minutes(trades[:600]))
    draw(world, DrawingKind.REGRESSION_CHANNEL, (opens[1], 0.0), (opens[-2], 0.0), extend=Extend.RIGHT)
    add(alerts)
    world.record(trades[600:900])
    follow(alerts)
    before = condition(alerts)
    draw(world, DrawingKind.REGRESSION_CHANNEL, (opens[1], 0.0), (opens[-4], 0.0), extend=Extend.RIGHT)
    follow(alerts)
    assert condition(alerts).lines != before.lines
    world.record(trades[900:])
    follow(alerts)
    assert len(fired(alerts)) > 5
    assert counts(alerts) == (0, 0, 0)


def test_a_channel_that_still_moves_or_lacks_trades_is_refused(world: World, alerts: PostgresAlerts) -> None:
    trades = market(600)
    opens = sorted(minutes(trades))
    draw(world, DrawingKind.REGRESSION_CHANNEL, (opens[1], 0.0), (opens[-2], 0.0))
    with pytest.raises(StoreError, match="No trades of BTCUSDT are stored"):
        add(alerts)
    world.record([*trades[:200], *trades[250:]])
    with pytest.raises(StoreError, match=r"^Trades are missing under the regression channel, .*\.$"):
        add(alerts)
    world.record(trades[200:250])
    assert add(alerts)
    draw(world, DrawingKind.REGRESSION_CHANNEL, (opens[0], 0.0), (opens[-2], 0.0))
    with pytest.raises(StoreError, match="Trades are missing"):  # nobody knows what was traded just before
        add(alerts)
    draw(world, DrawingKind.REGRESSION_CHANNEL, (opens[1], 0.0), (opens[-1] + MINUTE_US, 0.0))
    with pytest.raises(StoreError, match=r"^The regression channel moves until the market has passed its end: .*\.$"):
        add(alerts)
    draw(world, DrawingKind.REGRESSION_CHANNEL, (opens[1], 0.0), (opens[1] + 1, 0.0))
    with pytest.raises(StoreError, match="too short"):
        add(alerts)
    draw(world, DrawingKind.REGRESSION_CHANNEL, (opens[-1] - 200_000 * MINUTE_US, 0.0), (opens[-2], 0.0))
    with pytest.raises(
        StoreError, match=r"^The regression channel is too long for an alert: 100,000 minutes at most\.$"
    ):
        add(alerts)


def test_a_channel_that_is_moved_into_the_future_meets_nothing_until_it_is_moved_back(
    world: World, alerts: PostgresAlerts
) -> None:
    trades = market(900)
    world.record(trades[:600])
    opens = sorted(minutes(trades[:600]))
    draw(world, DrawingKind.REGRESSION_CHANNEL, (opens[1], 0.0), (opens[-2], 0.0), extend=Extend.BOTH)
    add(alerts)
    was = condition(alerts)
    draw(world, DrawingKind.REGRESSION_CHANNEL, (opens[1], 0.0), (opens[-1] + 10**12, 0.0), extend=Extend.BOTH)
    follow(alerts)
    assert condition(alerts).lines == ()
    draw(world, DrawingKind.REGRESSION_CHANNEL, (opens[1], 0.0), (opens[-2], 0.0), extend=Extend.BOTH)
    follow(alerts)
    assert condition(alerts) == was
    world.record(trades[600:])
    follow(alerts)
    assert counts(alerts) == (0, 0, 0)
