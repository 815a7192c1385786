import json

import pytest

from app.sandbox.server.subscriptions import MAX_STREAMS, ClientSubscriptions


def answer(subscriptions, **request):
    return json.loads(subscriptions.answer(json.dumps(request)))


def test_subscribing_answers_null_with_the_id_of_the_request():
    subscriptions = ClientSubscriptions()
    assert answer(subscriptions, method="SUBSCRIBE", params=["btcusdt@trade"], id=1) == {"result": None, "id": 1}
    assert subscriptions.names() == ("btcusdt@trade",)


def test_the_list_holds_what_was_subscribed_and_not_unsubscribed():
    subscriptions = ClientSubscriptions(["a@trade"])
    answer(subscriptions, method="SUBSCRIBE", params=["b@trade", "c@trade"], id=1)
    answer(subscriptions, method="UNSUBSCRIBE", params=["a@trade", "never@trade"], id=2)
    assert answer(subscriptions, method="LIST_SUBSCRIPTIONS", id="x") == {"result": ["b@trade", "c@trade"], "id": "x"}


def test_subscribing_twice_counts_once():
    subscriptions = ClientSubscriptions(["a@trade"])
    answer(subscriptions, method="SUBSCRIBE", params=["a@trade"], id=1)
    assert len(subscriptions) == 1


def test_text_other_than_json_is_error_3():
    assert json.loads(ClientSubscriptions().answer("{nonsense"))["code"] == 3


@pytest.mark.parametrize(
    "request_",
    [
        [],
        {"id": 1},
        {"method": "SUBSCRIBE", "id": 1},
        {"method": "SUBSCRIBE", "params": "a@trade", "id": 1},
        {"method": "SUBSCRIBE", "params": [1], "id": 1},
        {"method": "DANCE", "params": [], "id": 1},
        {"method": "SUBSCRIBE", "params": ["a@trade"], "id": 1.5},
        {"method": "SUBSCRIBE", "params": ["a@trade"], "id": True},
    ],
)
def test_an_invalid_request_is_error_2_and_changes_nothing(request_):
    subscriptions = ClientSubscriptions()
    reply = json.loads(subscriptions.answer(json.dumps(request_)))
    assert reply["code"] == 2
    assert reply["msg"].startswith("Invalid request: ")
    assert len(subscriptions) == 0


def test_more_streams_than_a_connection_may_have_are_refused_whole():
    subscriptions = ClientSubscriptions(["first@trade"])
    reply = answer(subscriptions, method="SUBSCRIBE", params=[f"s{n}@trade" for n in range(MAX_STREAMS)], id=9)
    assert (reply["code"], reply["id"]) == (2, 9)
    assert subscriptions.names() == ("first@trade",)
