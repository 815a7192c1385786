"""Any bytes give a plausible message or MalformedMessage, and never cost the frames beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.brokers.binance.decode_stream import OtherEvent, ServerShutdown, SubscriptionAnswer, SubscriptionError
from app.brokers.binance.stream_socket import StreamSocket
from app.concurrency.system_clock import SystemClock
from app.market.ports.exchange import FeedCounters
from app.market.trade import MarketEvent, Trade
from tests.brokers.binance.helpers import trade_frame, until
from tests.conftest import SHARED_DATA
from tests.depth import examples
from tests.fuzz import seeds
from tests.fuzz.mutate import mutated
from tests.fuzz.properties import check_answer, check_frame, check_trade
from tests.sandbox.helpers import newest_connection, serving, small_market

RECORDINGS = SHARED_DATA if SHARED_DATA.exists() else None
MANY = settings(max_examples=examples(400))

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
anything = st.binary(max_size=400) | values.map(lambda value: msgspec.json.encode(value))


@cache
def frames() -> Sequence[bytes]:
    return seeds.frames(RECORDINGS)


@cache
def answers() -> Sequence[bytes]:
    return seeds.answers(RECORDINGS)


def damaged(originals: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Draw originals with changed values, and originals with changed, missing and added bytes."""
    changed = st.builds(mutated, st.sampled_from(originals), st.integers(0, 2**32))
    return changed | st.builds(_cut_up, st.sampled_from(originals), st.binary(max_size=6), st.randoms())


def _cut_up(text: bytes, added: bytes, dice: object) -> bytes:
    first, last = sorted(dice.sample(range(len(text) + 1), 2))  # type: ignore[attr-defined]  # because it is a Random
    return text[:first] + added + text[last:]


@pytest.mark.parametrize("number", range(len(seeds.MADE_FRAMES)))
def test_the_made_frames_are_readable(number: int) -> None:
    assert check_frame(seeds.MADE_FRAMES[number]) is not None


def test_every_kind_of_answer_is_among_the_made_ones() -> None:
    found = [name for body in seeds.MADE_ANSWERS for name, value in check_answer(body).items() if value]
    assert set(found) == {"trades", "aggregate trades", "klines", "day tickers", "exchange info", "refusal", "time"}


@MANY
@given(st.data())
def test_no_error_escapes_from_a_damaged_frame(data: st.DataObject) -> None:
    check_frame(data.draw(damaged(frames())))


@MANY
@given(anything)
@example(b"")
@example(b"\xff" * 300)
@example(b'{"stream":"a@trade","data":' + b"[" * 10_000)
def test_no_error_escapes_from_any_bytes(text: bytes) -> None:
    check_frame(text)
    check_answer(text)


@MANY
@given(st.data())
def test_no_error_escapes_from_a_damaged_answer(data: st.DataObject) -> None:
    check_answer(data.draw(damaged(answers())))


def test_the_checks_find_an_impossible_trade() -> None:
    trade = Trade("BTCUSDT", 1, 1_723_161_255_342_000, 10**8, 10**8, True)
    check_trade(trade)
    for wrong in (
        trade._replace(symbol=""),
        trade._replace(trade_id=-1),
        trade._replace(trade_id=2**63),
        trade._replace(time_us=1_723_161_255_342),
        trade._replace(price_e8=0),
        trade._replace(quantity_e8=10**20),
    ):
        with pytest.raises(AssertionError):
            check_trade(wrong)


async def test_every_valid_frame_between_damaged_ones_is_delivered() -> None:
    """Over a real connection, valid and damaged frames take turns."""
    damage = [mutated(frame, seed) for seed, frame in enumerate(frames()[:300])]
    damage += [frame[: len(frame) * 2 // 3] for frame in frames()[:100]] + [b"", b"\xff\xfe", b"[" * 50_000]
    # A frame that is still an event after the change would be delivered, so it is left out.
    garbage = [text for text in damage if _is_no_event(text)]
    counters, ids = FeedCounters(), list[int]()

    def deliver(event: MarketEvent) -> None:
        assert isinstance(event, Trade)
        ids.append(event.trade_id)

    async with serving(small_market()) as server:
        socket = await StreamSocket.open(
            f"{server.ws_url}/stream", deliver, counters, SystemClock(), timeout_s=5.0, proxy=None
        )
        try:
            connection = await newest_connection(server)
            for number, text in enumerate(garbage):
                await connection.send(trade_frame(number).encode())
                await connection.send(text)
                await asyncio.sleep(0)
            await connection.send(trade_frame(len(garbage)).encode())
            await until(lambda: ids and ids[-1] == len(garbage))
        finally:
            await socket.close()
    assert len(garbage) > 200
    assert ids == list(range(len(garbage) + 1))
    assert counters.malformed == sum(check_frame(text) is None for text in garbage) > 100


def _is_no_event(text: bytes) -> bool:
    message = check_frame(text)
    return message is None or isinstance(message, OtherEvent | ServerShutdown | SubscriptionAnswer | SubscriptionError)
