import json

import pytest

from app.sandbox.server.faults import Faults, RestFaults, StreamFaults
from app.sandbox.server.garbage import Alteration, Garbage, OutgoingMessage, altered, garbage_for

TRADES = [OutgoingMessage("btcusdt@trade", b'{"s":"BTCUSDT","t":%d}' % number) for number in range(200)]


def numbers(messages):
    return [json.loads(message.text)["t"] for message in messages]


def test_without_a_rule_everything_passes_unchanged():
    assert StreamFaults().apply(TRADES) == TRADES


def test_dropping_stops_after_the_given_number_of_times():
    faults = StreamFaults()
    faults.drop(times=3)
    assert numbers(faults.apply(TRADES)) == list(range(3, 200))


def test_duplicating_sends_a_message_twice_in_a_row():
    faults = StreamFaults()
    faults.duplicate(times=2)
    assert numbers(faults.apply(TRADES[:4])) == [0, 0, 1, 1, 2, 3]


def test_reordering_sends_a_message_after_its_successor_even_across_batches():
    faults = StreamFaults()
    faults.reorder(times=1)
    sent = [*faults.apply(TRADES[:1]), *faults.apply(TRADES[1:3])]
    assert numbers(sent) == [1, 0, 2]


def test_reordering_loses_nothing():
    faults = StreamFaults(seed=5)
    faults.reorder(share=0.3)
    sent = faults.apply(TRADES)
    faults.clear()
    sent += faults.apply([OutgoingMessage("btcusdt@trade", b'{"t":200}')])
    assert numbers(sent) != list(range(201))
    assert sorted(numbers(sent)) == list(range(201))


def test_a_message_may_be_delayed_by_several_and_all_are_sent_once_the_faults_are_cleared():
    faults = StreamFaults()
    faults.reorder(times=2, by=3)
    assert numbers(faults.apply(TRADES[:6])) == [2, 3, 0, 4, 1, 5]
    faults.reorder(times=1, by=50)
    assert numbers(faults.apply(TRADES[6:9])) == [7, 8]
    faults.clear()
    assert numbers(faults.apply(TRADES[9:12])) == [9, 6, 10, 11]


def test_faults_are_counted_over_all_copies():
    faults = Faults()
    faults.streams.drop(times=2)
    faults.streams.copy().apply(TRADES)
    faults.streams.copy().apply(TRADES)
    faults.handshakes.refuse_next()
    faults.handshakes.take()
    faults.rest.cut_next()
    faults.rest.take("/api/v3/time")
    assert faults.counts == {"dropped": 4, "refused": 1, "rest": 1}


def test_each_alteration_does_as_its_name_says():
    event = OutgoingMessage("a@trade", b'{"stream":"a@trade","data":{"e":"trade","t":7,"T":8,"p":"1.50","m":true}}')
    extended = json.loads(altered(event, Alteration.UNKNOWN_FIELDS).text)
    assert extended["data"] | {"e": "trade", "t": 7, "p": "1.50"} == extended["data"]
    assert "new" in extended
    changed = json.loads(altered(event, Alteration.CHANGED_TYPES).text)["data"]
    assert (changed["t"], changed["T"], changed["p"]) == ("7", "8", 1.5)
    assert event.text.startswith(altered(event, Alteration.TRUNCATED).text)


def test_an_alteration_replaces_the_event():
    faults = StreamFaults()
    faults.alter(Alteration.TRUNCATED, times=1)
    first, second = faults.apply(TRADES[:2])
    assert (len(first.text) < len(TRADES[0].text), second) == (True, TRADES[1])


def test_a_rule_only_concerns_its_stream():
    faults = StreamFaults()
    faults.drop(stream="@bookTicker")
    assert faults.apply([OutgoingMessage("btcusdt@bookTicker", b"{}"), *TRADES]) == TRADES


def test_shares_are_the_same_for_the_same_seed_and_differ_for_another():
    def dropped(seed):
        faults = StreamFaults(seed)
        faults.drop(share=0.5)
        return numbers(faults.apply(TRADES))

    assert dropped(1) == dropped(1) != dropped(2)
    assert 50 < len(dropped(1)) < 150


@pytest.mark.parametrize("stop", ["stalled", "silent"])
def test_stalled_or_silent_connections_lose_their_events(stop):
    faults = StreamFaults()
    setattr(faults, stop, True)
    assert faults.apply(TRADES) == []
    faults.clear()
    assert faults.apply(TRADES) == TRADES


def test_a_copy_has_the_rules_with_their_own_count_of_times():
    faults = StreamFaults()
    faults.drop(times=1)
    copied = faults.copy()
    assert len(copied.apply(TRADES)) == len(faults.apply(TRADES)) == 199


@pytest.mark.parametrize("kind", list(Garbage))
def test_garbage_is_added_before_the_event(kind):
    faults = StreamFaults()
    faults.garble(kind, times=1)
    garbage, *rest = faults.apply(TRADES[:2])
    assert rest == TRADES[:2]
    assert garbage.text != TRADES[0].text


def test_each_kind_of_garbage_is_as_its_name_says():
    trade = OutgoingMessage("btcusdt@trade", b'{"e":"trade","t":1,"p":"1.0"}')
    for kind in (Garbage.INVALID_JSON, Garbage.TRUNCATED_JSON, Garbage.INVALID_UTF8, Garbage.EMPTY):
        with pytest.raises((UnicodeDecodeError, json.JSONDecodeError)):
            json.loads(garbage_for(trade, kind).text)
    assert json.loads(garbage_for(trade, Garbage.UNKNOWN_EVENT).text)["data"]["e"] == "riddle"
    assert json.loads(garbage_for(trade, Garbage.WRONG_TYPES).text)["data"]["p"] is None
    assert json.loads(garbage_for(trade, Garbage.OTHER_SYMBOL).text)["data"]["s"] == "STRAYUSDT"
    assert len(json.loads(garbage_for(trade, Garbage.HUGE).text)["x"]) == 10 * 1024 * 1024


def test_rest_faults_count_down_and_only_concern_their_path():
    faults = RestFaults()
    faults.fail_next(429, path="/klines", times=2, retry_after_s=7)
    assert faults.take("/api/v3/time") is None
    for _ in range(2):
        fault = faults.take("/api/v3/klines")
        assert fault is not None
        assert (fault.status, fault.headers) == (429, {"Retry-After": "7"})
    assert faults.take("/api/v3/klines") is None


def test_a_rest_fault_without_end_lasts_until_it_is_cleared():
    faults = Faults().rest
    faults.fail_next(500, times=None)
    assert faults.take("/a") is faults.take("/b") is not None
    faults.clear()
    assert faults.take("/a") is None
