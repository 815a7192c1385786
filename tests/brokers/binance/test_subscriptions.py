"""Wishes for streams into few requests."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from app.brokers.binance.decode_stream import SubscriptionAnswer, SubscriptionError
from app.brokers.binance.subscriptions import Subscriptions
from app.brokers.rate_limit import Pacer

streams = st.sets(st.sampled_from([f"coin{number}@trade" for number in range(450)]))


@given(st.lists(streams, max_size=6), st.data())
def test_after_any_wishes_the_exchange_has_exactly_the_last(wishes: list[set[str]], data: st.DataObject) -> None:
    subscriptions = Subscriptions()
    held: set[str] = set()
    wanted: set[str] = set()

    def send_one() -> bool:
        text = subscriptions.next_request()
        if text is None:
            return False
        request = json.loads(text)
        assert 0 < len(request["params"]) <= 200
        if request["method"] == "SUBSCRIBE":
            assert held.isdisjoint(request["params"])
            held.update(request["params"])
        else:
            assert held.issuperset(request["params"])
            held.difference_update(request["params"])
        subscriptions.answered(SubscriptionAnswer(request["id"], None))
        return True

    for wanted in wishes:
        subscriptions.want(wanted)
        for _ in range(data.draw(st.integers(0, 3))):
            send_one()
    while send_one():
        pass
    assert held == wanted
    assert len(subscriptions) == len(wanted)
    assert subscriptions.is_settled


def test_a_connection_is_settled_when_the_last_answer_is_there() -> None:
    subscriptions = Subscriptions()
    assert subscriptions.is_settled
    subscriptions.want({"a@trade"})
    assert not subscriptions.is_settled
    subscriptions.next_request()
    assert not subscriptions.is_settled
    subscriptions.answered(SubscriptionAnswer(99, None))
    assert not subscriptions.is_settled
    subscriptions.answered(SubscriptionAnswer(1, None))
    assert subscriptions.is_settled


def test_what_the_exchange_refused_is_not_asked_for_again() -> None:
    subscriptions = Subscriptions()
    subscriptions.want({"a b@trade"})
    subscriptions.next_request()
    subscriptions.answered(SubscriptionError(None, 2, "Invalid request"))
    assert subscriptions.next_request() is None
    assert subscriptions.is_settled


@given(st.sets(st.integers(0, 449), max_size=5), st.integers(1, 450))
def test_a_stream_that_is_refused_costs_no_other(bad: set[int], size: int) -> None:
    streams = [f"s{number:03}@trade" for number in range(size)]
    refused = {f"s{number:03}@trade" for number in bad} & set(streams)
    subscriptions, subscribed, asked = Subscriptions(), set[str](), 0
    subscriptions.want(streams)
    while (request := subscriptions.next_request()) is not None:
        asked += 1
        params = set(json.loads(request)["params"])
        if params & refused:
            subscriptions.answered(SubscriptionError(json.loads(request)["id"], 2, "Invalid request"))
        else:
            subscribed |= params
            subscriptions.answered(SubscriptionAnswer(json.loads(request)["id"], None))
    assert subscribed == set(streams) - refused
    assert subscriptions.is_settled
    assert asked <= 3 + 18 * len(refused)


def test_what_is_no_longer_wanted_is_not_asked_again_after_a_refusal() -> None:
    subscriptions = Subscriptions()
    subscriptions.want({"a@trade", "b@trade"})
    subscriptions.next_request()
    subscriptions.answered(SubscriptionError(1, 2, "Invalid request"))
    subscriptions.want({"b@trade"})
    assert json.loads(subscriptions.next_request() or "")["params"] == ["b@trade"]
    assert subscriptions.next_request() is None


def test_streams_are_dropped_before_others_are_added() -> None:
    subscriptions = Subscriptions()
    subscriptions.want({"a@trade"})
    subscriptions.next_request()
    subscriptions.want({"b@trade"})
    methods = [json.loads(subscriptions.next_request() or "")["method"] for _ in range(2)]
    assert methods == ["UNSUBSCRIBE", "SUBSCRIBE"]


@given(st.integers(1, 5), st.lists(st.floats(0, 3), max_size=60))
def test_a_pacer_never_lets_more_than_its_limit_into_a_period(limit: int, pauses: list[float]) -> None:
    pacer = Pacer(limit, 1.0)
    times: list[float] = []
    now_s = 0.0
    for pause in pauses:
        now_s += pause
        now_s += pacer.delay_s(now_s)
        pacer.note(now_s)
        times.append(now_s)
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in zip(times, times[limit:], strict=False))


def test_attempts_are_free_at_first_and_then_spread_so_that_nobody_waits_for_minutes() -> None:
    pacer = Pacer(10, 100.0, freely=5)
    now_s, times, waits = 0.0, [], []
    for _ in range(30):
        waits.append(pacer.delay_s(now_s))
        now_s += waits[-1]
        pacer.note(now_s)
        times.append(now_s)
    assert waits[:5] == [0.0] * 5
    assert max(waits) == 20
    assert all(later - earlier >= 100 for earlier, later in zip(times, times[10:], strict=False))
