"""
Every kind of fault of a recording of quotes, as data: how to start it, how to know that it took effect, how to end it.

Those of OANDA and of the way to it are the feed's (`tests.brokers.oanda.kinds`). The suite runs each alone, and all in
a random order; the soak injects hundreds at random. A new kind is one entry in `OTHER_FAULTS`,
or in the feed's.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.market.ports.exchange import FeedState
from tests.brokers.oanda.kinds import KINDS as STREAM_KINDS
from tests.faults.quotes.world import EURUSD, GBPUSD, USDJPY, QuoteScene
from tests.faults.world import until

Act = Callable[[QuoteScene], Awaitable[None] | None]
_AWAY_S = 12.0  # longer than a stream may be silent
_OUTAGE_S = 15.0  # of the database
_SLEEP_S = 300.0
_HOUR_S = 3_600.0


@dataclass(frozen=True, eq=False)
class QuoteKind:
    """
    One kind of fault. ``begin`` starts it, ``end`` undoes what `QuoteScene.calm` does not.

    ``counter`` names the sandbox's counter that shows the effect, and ``times`` by how much it must rise; "" where
    ``begin`` returns only after the effect. ``spares``: no price may be lost. ``is_blind``: prices are lost while
    heartbeats go on, so that no client could know. ``settings`` are those of the recording. ``is_outage``: of the
    database. ``needs_engine``: it works only on a recording in this process.
    """

    name: str
    begin: Act
    counter: str = ""
    times: int = 1
    end: Act = lambda scene: None
    spares: bool = False
    is_blind: bool = False
    is_outage: bool = False
    needs_engine: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


async def do(act: Act, scene: QuoteScene) -> None:
    """Carry out one act."""
    waiting = act(scene)
    if waiting is not None:
        await waiting


async def _refuse_token(scene: QuoteScene) -> None:
    scene.server.token = "another-token"
    scene.cut()
    await until(lambda: _state(scene) is FeedState.REFUSED, "a refusal")
    asked = sum(scene.server.requests.values())
    await scene.pass_time(_AWAY_S)
    assert sum(scene.server.requests.values()) == asked, "a refused token is tried again"


def _state(scene: QuoteScene) -> FeedState:
    assert scene.engine is not None
    return scene.engine.status_of(EURUSD).state


def _retry(scene: QuoteScene) -> None:
    assert scene.engine is not None
    scene.calm()  # first, or the right token is not the server's yet
    scene.engine.retry_exchange()


async def _close_port(scene: QuoteScene) -> None:
    await scene.server.stop()
    await scene.pass_time(_AWAY_S)


async def _open_port(scene: QuoteScene) -> None:
    await scene.server.start()


async def _stop_heartbeats(scene: QuoteScene) -> None:
    for stream in scene.server.streams:
        stream._heartbeat_s = 1e9
    await scene.pass_time(_AWAY_S)


def _more_symbols(scene: QuoteScene) -> None:
    assert scene.engine is not None
    scene.engine.set_symbols([EURUSD, USDJPY, GBPUSD])


async def _fewer_symbols(scene: QuoteScene) -> None:
    assert scene.engine is not None
    streams = scene.server.faults.counts["streams"]
    scene.engine.set_symbols([EURUSD, USDJPY])
    await until(lambda: scene.server.faults.counts["streams"] > streams, "the stream of fewer symbols")


def _set_clock(seconds: float) -> Act:
    async def begin(scene: QuoteScene) -> None:
        assert scene.clock is not None
        scene.clock.set(seconds)
        await scene.pass_time(_AWAY_S)

    return begin


async def _sleep_of_the_computer(scene: QuoteScene) -> None:
    """
    Let all clocks jump by minutes, without a sign from connections that are gone.

    The monotonic clock stands still, as Linux's does, so that the feed by itself would see no silence.
    """
    assert scene.clock is not None
    for stream in scene.server.streams:
        stream.faults.silent = True
    scene.clock.set(_SLEEP_S)
    scene.market_clock.skip(_SLEEP_S)
    opened_s, streams = scene.clock.monotonic_s(), scene.server.faults.counts["streams"]
    await until(lambda: scene.server.faults.counts["streams"] > streams, "a new stream")
    took_s = scene.clock.monotonic_s() - opened_s
    assert took_s < 8.0, f"the dead stream was kept for {took_s:.1f} s"


async def _stop_database(scene: QuoteScene, how: signal.Signals = signal.SIGINT) -> None:
    await asyncio.to_thread(scene.database.stop, how)
    await scene.pass_time(_OUTAGE_S)


async def _freeze_database(scene: QuoteScene) -> None:
    await asyncio.to_thread(scene.database.freeze)
    await scene.pass_time(_OUTAGE_S)


async def _stop_database_and_cut(scene: QuoteScene) -> None:
    await asyncio.to_thread(scene.database.stop)
    for _ in range(3):
        scene.cut()
        await scene.pass_time(_OUTAGE_S / 3)


async def _start_database(scene: QuoteScene) -> None:
    await asyncio.to_thread(scene.database.start)


_SMALL_QUEUE = {"queue_trades": 1000}
_killed = partial(_stop_database, how=signal.SIGKILL)

_OF_STREAMS = tuple(
    QuoteKind(
        one.name,
        one.begin,
        one.counter,
        one.times,
        spares=one.spares,
        is_blind=one.loses,
        needs_engine=one.needs_feed,
    )
    for one in STREAM_KINDS
)
LINE_FAULTS = tuple(kind for kind in _OF_STREAMS if kind.counter in ("garbage", "repeated"))
STREAM_FAULTS = tuple(kind for kind in _OF_STREAMS if kind not in LINE_FAULTS)
OTHER_FAULTS = (
    # The broker
    QuoteKind("the token is refused", _refuse_token, end=_retry, needs_engine=True),
    QuoteKind("nobody listens", _close_port, end=_open_port),
    QuoteKind("no heartbeats among the prices", _stop_heartbeats, spares=True),
    QuoteKind("more symbols, then fewer", _more_symbols, "streams", end=_fewer_symbols, spares=True, needs_engine=True),
    # The computer
    QuoteKind("clock set back", _set_clock(-_HOUR_S), spares=True, needs_engine=True),
    QuoteKind("clock set forward", _set_clock(_HOUR_S), needs_engine=True),
    QuoteKind("sleep of the computer", _sleep_of_the_computer, needs_engine=True),
    # The database
    QuoteKind("database stopped", _stop_database, end=_start_database, spares=True, is_outage=True),
    QuoteKind("database killed", _killed, end=_start_database, spares=True, is_outage=True, settings=_SMALL_QUEUE),
    QuoteKind("database frozen", _freeze_database, end=_start_database, spares=True, is_outage=True),
    QuoteKind("database stopped and streams cut", _stop_database_and_cut, end=_start_database, is_outage=True),
)
KINDS = (*STREAM_FAULTS, *LINE_FAULTS, *OTHER_FAULTS)
_AT_ONCE = 11  # kinds of a recording: a new one for each would take as long as the fault


def in_parts(kinds: Sequence[QuoteKind]) -> list[Sequence[QuoteKind]]:
    """Return the kinds, as many at once as one recording is to suffer."""
    return [kinds[start : start + _AT_ONCE] for start in range(0, len(kinds), _AT_ONCE)]
