"""Dukascopy's history from a server that fails: few requests at once, finite retries, honest answers."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from app.brokers.dukascopy.history import DukascopyHistory, Interface
from app.brokers.dukascopy.retries import RetryPlan
from app.market.errors import SettingsError, UnknownSymbol
from app.market.ports.quote_history import HOUR_US
from app.sandbox.dukascopy.server import DukascopySandbox
from tests.brokers.dukascopy.conftest import Open, SteppingClock, us

EURUSD = "dukascopy:EURUSD"
OPEN_US = us(2026, 10, 14, 9)  # a Wednesday
JSON, TREE = "/v1/ticks/", "_ticks.bi5"


def ill(server: DukascopySandbox, part: str, status: int = 503) -> None:
    """Let all requests for paths with that text fail."""
    server.faults.fail_next(status, times=None, path=part)


async def test_the_json_interface_is_asked_first_and_the_tree_left_alone(
    simulated: DukascopySandbox, open_history: Open
) -> None:
    hour = await open_history(simulated.url, simulated.url).hour(EURUSD, OPEN_US)
    assert len(hour.ticks) == 40
    assert (simulated.asked(JSON), simulated.asked(TREE)) == (1, 0)


async def test_a_setting_asks_the_tree_first(simulated: DukascopySandbox, open_history: Open) -> None:
    history = open_history(simulated.url, simulated.url, first=Interface.FILES)
    assert len((await history.hour(EURUSD, OPEN_US)).ticks) == 40
    assert (simulated.asked(JSON), simulated.asked(TREE)) == (0, 1)


@pytest.mark.parametrize("part", [JSON, TREE])
async def test_whichever_interface_has_the_hour_gives_it(
    part: str, simulated: DukascopySandbox, open_history: Open
) -> None:
    simulated.faults.fail_next(404, times=None, path=part)
    first = Interface.JSON if part == JSON else Interface.FILES
    hour = await open_history(simulated.url, simulated.url, first=first).hour(EURUSD, OPEN_US)
    assert len(hour.ticks) == 40
    assert (simulated.asked(JSON), simulated.asked(TREE)) == (1, 1)


@pytest.mark.parametrize("answers", [(404, 404), (404, 200), (200, 404), (200, 200)])
async def test_an_hour_is_empty_once_both_interfaces_say_so(
    answers: tuple[int, int], simulated: DukascopySandbox, open_history: Open, clock: SteppingClock
) -> None:
    for status, part in zip(answers, (JSON, TREE), strict=True):
        simulated.faults.fail_next(status, times=None, path=part)  # 200 with 0 bytes
    hour = await open_history(simulated.url, simulated.url).hour(EURUSD, OPEN_US)
    assert hour.is_empty
    assert (simulated.asked(JSON), simulated.asked(TREE)) == (1, 1)
    assert clock.waits == []


async def test_a_closed_hour_of_the_market_is_empty(simulated: DukascopySandbox, open_history: Open) -> None:
    saturday = await open_history(simulated.url, simulated.url).hour(EURUSD, us(2026, 10, 17, 9))
    assert saturday.is_empty


@pytest.mark.parametrize(("sick", "says_empty"), [(JSON, TREE), (TREE, JSON)])
async def test_an_hour_that_one_interface_lacks_and_the_other_refuses_is_not_empty(
    sick: str, says_empty: str, simulated: DukascopySandbox, open_history: Open, clock: SteppingClock
) -> None:
    simulated.faults.fail_next(404, times=None, path=says_empty)
    ill(simulated, sick)
    hour = await open_history(simulated.url, simulated.url).hour(EURUSD, OPEN_US)
    assert not hour.is_empty
    assert "has a fault of its own (HTTP 503)" in hour.skipped
    assert (simulated.asked(sick), simulated.asked(says_empty)) == (10, 1)
    assert sum(clock.waits) == pytest.approx(100)


async def test_an_ill_hour_is_tried_ten_times_over_a_hundred_seconds(
    simulated: DukascopySandbox, open_history: Open, clock: SteppingClock
) -> None:
    path = "/2026/10/14/9"
    ill(simulated, path)
    ill(simulated, "/2026/09/14/09h")
    history = open_history(simulated.url, simulated.url)
    hours = await asyncio.gather(*(history.hour(EURUSD, OPEN_US + place * HOUR_US) for place in (-1, 0, 1)))
    assert [len(hour.ticks) for hour in hours] == [40, 0, 40]
    assert hours[1].skipped
    assert (simulated.asked(path), simulated.asked("/2026/09/14/09h")) == (5, 5)
    assert sum(clock.waits) == pytest.approx(100, rel=0.25)


@pytest.mark.parametrize("tries", [2, 7, 15])
async def test_the_number_of_tries_is_a_setting(tries: int, simulated: DukascopySandbox, open_history: Open) -> None:
    ill(simulated, JSON)
    history = open_history(simulated.url, "", plan=RetryPlan(tries))
    assert (await history.hour(EURUSD, OPEN_US)).skipped
    assert simulated.asked(JSON) == tries


@pytest.mark.parametrize("tries", [0, 1, 16])
def test_an_endless_or_a_single_try_cannot_be_set(tries: int) -> None:
    with pytest.raises(ValueError, match="2 to 15"):
        RetryPlan(tries)


@pytest.mark.parametrize("fault", ["503", "429", "cut", "garbage", "202"])
@pytest.mark.parametrize("part", [JSON, TREE])
async def test_an_hour_that_recovers_is_whole(
    part: str, fault: str, simulated: DukascopySandbox, open_history: Open, clock: SteppingClock
) -> None:
    if fault == "cut":
        simulated.faults.cut_next(times=3, path=part)
    elif fault == "garbage":
        simulated.faults.answer_next(b"<html>Unknown error</html>", times=3, path=part)
    else:
        simulated.faults.fail_next(int(fault), times=3, path=part)
    json_url, files_url = (simulated.url, "") if part == JSON else ("", simulated.url)
    hour = await open_history(json_url, files_url).hour(EURUSD, OPEN_US)
    assert (len(hour.ticks), hour.skipped) == (40, "")
    assert simulated.asked(part) == 4
    assert clock.waits


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
async def test_a_file_that_was_cut_is_no_shorter_hour(
    kept: float, simulated: DukascopySandbox, open_history: Open
) -> None:
    whole = simulated._body("/datafeed/EURUSD/2026/09/14/09h_ticks.bi5")
    assert whole is not None
    simulated.faults.answer_next(whole[: int(len(whole) * kept)], times=1, path=TREE)
    hour = await open_history("", simulated.url).hour(EURUSD, OPEN_US)
    assert len(hour.ticks) == 40
    assert simulated.asked(TREE) == 2


async def test_a_server_that_hangs_is_left_after_the_time_out(simulated: DukascopySandbox, open_history: Open) -> None:
    simulated.faults.hang_next(5.0, path=JSON)
    hour = await open_history(simulated.url, simulated.url, timeout_s=0.3).hour(EURUSD, OPEN_US)
    assert len(hour.ticks) == 40
    assert simulated.asked(TREE) == 1


async def test_at_most_ten_requests_are_open_at_once(open_history: Open, simulated: DukascopySandbox) -> None:
    simulated._pause_s = 0.05
    history = open_history(simulated.url, simulated.url, parallel=50)
    symbols = ["dukascopy:EURUSD", "dukascopy:USDJPY", "dukascopy:GBPUSD"]
    hours = [history.hour(symbol, OPEN_US + place * HOUR_US) for symbol in symbols for place in range(10)]
    assert [len(hour.ticks) for hour in await asyncio.gather(*hours)] == [40] * 30
    assert 2 <= simulated.most_at_once <= 10


async def test_after_a_refusal_no_request_follows_before_its_time(
    simulated: DukascopySandbox, open_history: Open, clock: SteppingClock, caplog: pytest.LogCaptureFixture
) -> None:
    simulated.faults.fail_next(429, path=JSON, retry_after_s=30)
    caplog.set_level(logging.INFO, "app.brokers.dukascopy.history")
    history = open_history(simulated.url, "")
    assert len((await history.hour(EURUSD, OPEN_US)).ticks) == 40
    assert clock.waits == [30]
    host = simulated.url.removeprefix("http://")
    assert caplog.messages == [f"{host} was asked too much too fast (HTTP 429). Asking again in 30 s."]


async def test_a_refusal_for_longer_than_the_patience_skips_at_once(
    simulated: DukascopySandbox, open_history: Open, clock: SteppingClock
) -> None:
    simulated.faults.fail_next(429, path=JSON, retry_after_s=600)
    history = open_history(simulated.url, "")
    hours = [await history.hour(EURUSD, OPEN_US + place * HOUR_US) for place in range(3)]
    assert all("was asked too much too fast" in hour.skipped for hour in hours)
    assert simulated.asked(JSON) == 1
    assert clock.waits == []


async def test_while_one_interface_asks_for_a_pause_the_other_gives_the_hours(
    simulated: DukascopySandbox, open_history: Open, clock: SteppingClock
) -> None:
    simulated.faults.fail_next(429, path=JSON, retry_after_s=60)
    history = open_history(simulated.url, simulated.url)
    hours = [await history.hour(EURUSD, OPEN_US + place * HOUR_US) for place in range(3)]
    assert [len(hour.ticks) for hour in hours] == [40] * 3
    assert (simulated.asked(JSON), simulated.asked(TREE)) == (1, 3)
    assert clock.waits == []


async def test_an_interface_that_is_away_costs_little_once_that_is_known(
    simulated: DukascopySandbox, open_history: Open, clock: SteppingClock
) -> None:
    ill(simulated, JSON)
    history = open_history(simulated.url, simulated.url)
    hours = [await history.hour(EURUSD, OPEN_US + place * HOUR_US) for place in range(8)]
    assert [len(hour.ticks) for hour in hours] == [40] * 8
    assert simulated.asked(JSON) == 5  # then the tree is asked first
    assert clock.waits == []
    saturday = await history.hour(EURUSD, us(2026, 10, 17, 9))
    assert saturday.skipped
    assert simulated.asked(JSON) == 7
    simulated.faults.clear()
    assert (await history.hour(EURUSD, us(2026, 10, 17, 9))).is_empty


async def test_nobody_at_either_address_is_one_clear_sentence(open_history: Open, clock: SteppingClock) -> None:
    history = open_history("http://127.0.0.1:9", "http://127.0.0.1:9")
    hour = await history.hour(EURUSD, OPEN_US)
    assert hour.skipped == "Cannot reach 127.0.0.1:9 (connection refused)."
    assert sum(clock.waits) <= 120


@pytest.mark.parametrize("answer", [(404, b""), (503, b""), (200, b"{}")])
async def test_an_unknown_name_is_no_empty_market(
    answer: tuple[int, bytes], simulated: DukascopySandbox, open_history: Open
) -> None:
    status, body = answer
    simulated.faults.fail_next(status, times=None, path="instruments", body=body)
    history = open_history(simulated.url, simulated.url)
    with pytest.raises(Exception, match=r"is not a symbol|fault of its own|cannot be read"):
        await history.hour("dukascopy:FOOBARBAZ", OPEN_US)
    with pytest.raises(UnknownSymbol):
        await history.hour("dukascopy:X", OPEN_US)
    assert simulated.asked("ticks") == 0


async def test_the_description_counts_before_what_is_common_knowledge(
    simulated: DukascopySandbox, open_history: Open
) -> None:
    described = json.loads(simulated._archive.description("EUR-USD") or b"") | {"priceScale": 3}
    simulated.faults.answer_next(json.dumps(described).encode(), times=None, path="instruments")
    simulated.faults.fail_next(404, times=None, path=JSON)
    by_description = await open_history(simulated.url, simulated.url).hour(EURUSD, OPEN_US)
    common = await open_history("", simulated.url).hour(EURUSD, OPEN_US)
    assert [tick.bid_e8 for tick in by_description.ticks] == [tick.bid_e8 * 100 for tick in common.ticks]


async def test_an_hour_that_is_not_over_is_not_asked_for(
    simulated: DukascopySandbox, open_history: Open, clock: SteppingClock
) -> None:
    hour = await open_history(simulated.url, simulated.url).hour(EURUSD, us(2026, 10, 31, 23))
    assert hour.skipped == "It is not over yet."
    assert not simulated.requests


async def test_an_hour_that_just_ended_is_not_taken_for_empty(
    simulated: DukascopySandbox, open_history: Open, clock: SteppingClock
) -> None:
    hour = await open_history(simulated.url, simulated.url).hour(EURUSD, us(2026, 10, 31, 22))
    assert hour.skipped.startswith("It ended just now")
    earlier = await open_history(simulated.url, simulated.url).hour(EURUSD, us(2026, 10, 31, 12))
    assert earlier.is_empty


def test_addresses_are_checked(clock: SteppingClock) -> None:
    for url in ("ftp://x", "http://", "http://user:secret@host", "nonsense"):
        with pytest.raises(SettingsError) as refused:
            DukascopyHistory(url, "", clock=clock)
        assert "secret" not in str(refused.value)
    with pytest.raises(SettingsError, match="dukascopy_url"):
        DukascopyHistory("", "", clock=clock)


async def test_addresses_may_name_the_first_folder(simulated: DukascopySandbox, open_history: Open) -> None:
    history = open_history(f"{simulated.url}/v1/", f"{simulated.url}/datafeed/")
    assert len((await history.hour(EURUSD, OPEN_US)).ticks) == 40
