"""Many changes of streams become few requests."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from app.brokers.binance.decode_stream import SubscriptionAnswer, SubscriptionError
from app.brokers.binance.subscriptions import Subscriptions

streams = st.sets(st.sampled_from([f"coin{number}@trade" for number in range(450)]))


@given(st.lists(streams, max_size=6), st.data())
def test_after_any_changes_the_exchange_has_exactly_the_last(changes: list[set[str]], data: st.DataObject) -> None:
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
        subscriptions.note_answer(SubscriptionAnswer(request["id"], None))
        return True

    for wanted in changes:
        subscriptions.set_wanted(wanted)
        for _ in range(data.draw(st.integers(0, 3))):
            send_one()
    while send_one():
        pass
    assert held == wanted
    assert len(subscriptions) == len(wanted)
    assert subscriptions.is_synced


def test_subscriptions_are_synced_once_the_last_answer_has_arrived() -> None:
    subscriptions = Subscriptions()
    assert subscriptions.is_synced
    subscriptions.set_wanted({"a@trade"})
    assert not subscriptions.is_synced
    subscriptions.next_request()
    assert not subscriptions.is_synced
    subscriptions.note_answer(SubscriptionAnswer(99, None))
    assert not subscriptions.is_synced
    subscriptions.note_answer(SubscriptionAnswer(1, None))
    assert subscriptions.is_synced


def test_a_refused_stream_is_not_requested_again() -> None:
    subscriptions = Subscriptions()
    subscriptions.set_wanted({"a b@trade"})
    subscriptions.next_request()
    subscriptions.note_answer(SubscriptionError(None, 2, "Invalid request"))
    assert subscriptions.next_request() is None
    assert subscriptions.is_synced


@given(st.sets(st.integers(0, 449), max_size=5), st.integers(1, 450))
def test_a_refused_stream_costs_no_other(bad: set[int], size: int) -> None:
    streams = [f"s{number:03}@trade" for number in range(size)]
    refused = {f"s{number:03}@trade" for number in bad} & set(streams)
    subscriptions, subscribed, asked = Subscriptions(), set[str](), 0
    subscriptions.set_wanted(streams)
    while (request := subscriptions.next_request()) is not None:
        asked += 1
        params = set(json.loads(request)["params"])
        if params & refused:
            subscriptions.note_answer(SubscriptionError(json.loads(request)["id"], 2, "Invalid request"))
        else:
            subscribed |= params
            subscriptions.note_answer(SubscriptionAnswer(json.loads(request)["id"], None))
    assert subscribed == set(streams) - refused
    assert subscriptions.is_synced
    assert asked <= 3 + 18 * len(refused)


def test_a_stream_no_longer_wanted_is_not_requested_again_after_a_refusal() -> None:
    subscriptions = Subscriptions()
    subscriptions.set_wanted({"a@trade", "b@trade"})
    subscriptions.next_request()
    subscriptions.note_answer(SubscriptionError(1, 2, "Invalid request"))
    subscriptions.set_wanted({"b@trade"})
    assert json.loads(subscriptions.next_request() or "")["params"] == ["b@trade"]
    assert subscriptions.next_request() is None


def test_streams_are_dropped_before_others_are_added() -> None:
    subscriptions = Subscriptions()
    subscriptions.set_wanted({"a@trade"})
    subscriptions.next_request()
    subscriptions.set_wanted({"b@trade"})
    methods = [json.loads(subscriptions.next_request() or "")["method"] for _ in range(2)]
    assert methods == ["UNSUBSCRIBE", "SUBSCRIBE"]
