"""
Every kind of fault there is, as data: how it begins, what shows that it has bitten, how it ends.

The suite lets each happen on its own, kills the program in the middle of each, and the soak throws them by the
thousand. Adding a kind is one entry in `KINDS`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.sandbox.server.connection import Connection
from app.sandbox.server.faults import StreamFaults
from app.sandbox.server.garbage import Alteration, Garbage
from tests.faults.world import Scene

Act = Callable[[Scene], Awaitable[None] | None]
TRADES = "@trade"
REPAIR = "/historicalTrades"


@dataclass(frozen=True, eq=False)
class Kind:
    """
    One kind of fault. ``begin`` makes it happen, ``end`` ends what `Scene.calm` does not.

    ``bites`` is what the sandbox counts, ``times`` how often that must have been before the fault is over; "" where
    ``begin`` returns when it has bitten. ``contradicts``: the exchange tells two stories of some trades. ``settings``
    are the recording's. ``needs_clock``: only where the recording runs by a `HurriedClock`. The database is
    away for ``outage_s`` of the exchange's time.
    """

    name: str
    begin: Act
    bites: str = "connections"
    times: int = 1
    end: Act = lambda scene: None
    contradicts: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    needs_clock: bool = False
    outage_s: float = 0.0

    @property
    def is_outage(self) -> bool:
        """Whether it takes the database away."""
        return self.outage_s > 0

    @property
    def pace(self) -> dict[str, float]:
        """How fast time passes in it, and how many trades happen in a second of that: a loaded machine keeps up."""
        return {"speed": 30.0, "rate": 15.0} if self.is_outage else {"speed": 10.0}

    @property
    def keeps_out(self) -> bool:
        """Whether the exchange takes no new connection for a while."""
        return "handshake" in self.name

    def __str__(self) -> str:
        return self.name


async def do(act: Act, scene: Scene) -> None:
    """Carry out one act."""
    waiting = act(scene)
    if waiting is not None:
        await waiting


def each(act: Callable[[Connection], Awaitable[None] | None]) -> Act:
    """Do that to every open connection."""

    async def begin(scene: Scene) -> None:
        for connection in scene.connections:
            with suppress(ConnectionError):  # gone just now by another fault
                waiting = act(connection)
                if waiting is not None:
                    await waiting

    return begin


def events(rule: Callable[[StreamFaults], None]) -> Act:
    """Let that become of the events of every open connection."""
    return each(lambda connection: rule(connection.faults))


def _silence(connection: Connection) -> None:
    connection.faults.silent = True


def _stall(connection: Connection) -> None:
    connection.faults.stalled = True


def _hole(faults: StreamFaults) -> None:
    faults.drop(times=60, stream=TRADES)  # in a row, so that what fills it is many rows a symbol


def _announce(connection: Connection) -> Awaitable[None]:
    return connection.announce_shutdown()


def _everything(faults: StreamFaults) -> None:
    faults.drop(share=0.02, stream=TRADES)
    faults.duplicate(share=0.05, stream=TRADES)
    faults.reorder(share=0.05, by=7, stream=TRADES)
    faults.alter(Alteration.UNKNOWN_FIELDS, share=0.05)
    faults.alter(Alteration.TRUNCATED, share=0.02)
    for garbage in Garbage:
        if garbage is not Garbage.HUGE:
            faults.garble(garbage, share=0.01)


def refused(status: int, *, times: int = 2, retry_after_s: int | None = None) -> Act:
    """Cut, and refuse the connections that follow."""

    async def begin(scene: Scene) -> None:
        scene.server.faults.handshakes.refuse_next(status, times=times, retry_after_s=retry_after_s)
        await each(Connection.cut)(scene)

    return begin


async def _slow_handshakes(scene: Scene) -> None:
    scene.server.faults.handshakes.delay_s = 0.4
    await each(Connection.cut)(scene)


async def _short_lives(scene: Scene) -> None:
    """The 24 hours of a connection are over in half a second, of one after another."""
    scene.limit(lifetime_s=0.5, shutdown_notice_s=0.1)
    await each(Connection.cut)(scene)


async def _long_lives(scene: Scene) -> None:
    scene.calm()
    await each(Connection.cut)(scene)


def rest(what: Callable[[Scene], None]) -> Act:
    """Make a hole in the stream, and let the requests that are to fill it fail."""

    async def begin(scene: Scene) -> None:
        what(scene)
        await events(_hole)(scene)

    return begin


def answered(change: Callable[[Any], Any]) -> Act:
    """Let what is asked for to fill a hole be answered otherwise, once."""
    return rest(lambda scene: scene.server.rest_faults.change_next(change, path=REPAIR))


def failing(status: int, *, retry_after_s: int | None = None) -> Act:
    """Let what is asked for to fill a hole be refused."""
    return rest(
        lambda scene: scene.server.rest_faults.fail_next(status, times=2, path=REPAIR, retry_after_s=retry_after_s)
    )


def _other_neighbours(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The trade after those that are missing has another price than the stream said."""
    return [*rows[:-1], rows[-1] | {"price": "1.00000000"}] if len(rows) > 1 else rows


def _other_types(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"price": float(row["price"])} for row in rows]


async def _other_story(scene: Scene) -> None:
    """Trades come late, and the exchange has meanwhile told of them otherwise."""

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"qty": "7.00000000"} for row in rows]

    scene.server.rest_faults.change_next(change, times=None, path=REPAIR)
    await events(lambda faults: faults.reorder(times=3, by=2_000, stream=TRADES))(scene)
    while not scene.count("rest"):
        await asyncio.sleep(0.02)


async def _stop(scene: Scene, how: signal.Signals = signal.SIGINT) -> None:
    await asyncio.to_thread(scene.database.stop, how)
    await scene.pass_time(scene.outage_s)


async def _freeze(scene: Scene) -> None:
    await asyncio.to_thread(scene.database.freeze)
    await scene.pass_time(scene.outage_s)


async def _start(scene: Scene) -> None:
    await asyncio.to_thread(scene.database.start)


async def _stop_and_cut(scene: Scene) -> None:
    await asyncio.to_thread(scene.database.stop)
    for _ in range(3):
        await each(Connection.cut)(scene)
        await scene.pass_time(scene.outage_s / 3)


def _day_passes(scene: Scene) -> None:
    assert scene.clock is not None
    scene.clock.skip(24 * 3600.0)


async def _sleep_of_the_computer(scene: Scene) -> None:
    """The connection is gone, minutes of the market have passed, and the clock has jumped."""
    if scene.clock is not None:
        scene.clock.skip(scene.outage_s)
    await each(Connection.cut)(scene)
    scene.market_clock.skip(scene.outage_s)


_SMALL_QUEUE = {"queue_trades": 1000}

KINDS = (
    # The connection
    Kind("cut", each(Connection.cut)),
    Kind("cut mid-frame", each(partial(Connection.cut, mid_frame=True))),
    Kind("bytes that are no frame", each(Connection.scramble)),
    Kind("half-open connection", each(_silence)),
    Kind("stall with pings", each(_stall)),
    *(
        Kind(f"close {code}", each(partial(Connection.close, code=code)))
        for code in (1000, 1001, 1006, 1008, 1011, 1012, 1013)
    ),
    Kind("serverShutdown", each(_announce)),
    Kind("24 hours are over, one connection after another", _short_lives, times=4, end=_long_lives),
    Kind("24 hours on our own clock", _day_passes, needs_clock=True),
    Kind("sleep of the computer", _sleep_of_the_computer),
    # Handshakes
    *(Kind(f"handshakes refused with {status}", refused(status), "refused", times=2) for status in (500, 503, 404)),
    Kind("handshake refused with 429", refused(429, times=1, retry_after_s=1), "refused"),
    Kind("handshake refused with 418", refused(418, times=1, retry_after_s=1), "refused"),
    Kind("handshake refused with 403", refused(403, times=1, retry_after_s=1), "refused"),
    Kind("slow handshakes", _slow_handshakes),
    # Events
    Kind("duplicates", events(lambda f: f.duplicate(share=0.3, stream=TRADES)), "doubled", times=50),
    Kind("reordering", events(lambda f: f.reorder(share=0.3, stream=TRADES)), "late", times=50),
    Kind("late by many", events(lambda f: f.reorder(share=0.1, by=60, stream=TRADES)), "late", times=20),
    Kind("holes", events(lambda f: f.drop(share=0.1, stream=TRADES)), "dropped", times=30),
    Kind("a long hole", events(lambda f: f.drop(times=400, stream=TRADES)), "dropped", times=400),
    Kind("duplicates, holes and another order, with all kinds of garbage", events(_everything), "dropped", times=10),
    # Messages
    *(
        Kind(f"garbage: {kind}", events(lambda f, kind=kind: f.garble(kind, share=0.2)), "garbage", times=10)
        for kind in Garbage
        if kind is not Garbage.HUGE
    ),
    Kind("a frame of 10 MB", events(lambda f: f.garble(Garbage.HUGE, times=1))),
    *(
        Kind(f"events with {kind}", events(lambda f, kind=kind: f.alter(kind, share=0.2)), "altered", times=20)
        for kind in Alteration
    ),
    # REST
    Kind("REST 429", failing(429, retry_after_s=1), "rest"),
    Kind("REST 418", failing(418, retry_after_s=2), "rest"),
    Kind("REST 403", failing(403, retry_after_s=1), "rest"),
    Kind("REST 500", failing(500), "rest"),
    Kind("REST 503 for all that is asked", rest(lambda s: s.server.rest_faults.fail_next(503, times=4)), "rest", 2),
    Kind("REST never answers", rest(lambda s: s.server.rest_faults.hang_next(60.0, path=REPAIR)), "rest"),
    Kind("REST cut in the middle", rest(lambda s: s.server.rest_faults.cut_next(times=2, path=REPAIR)), "rest"),
    Kind("REST answers a page", rest(lambda s: s.server.rest_faults.answer_next(b"<html>", path=REPAIR)), "rest"),
    Kind("REST answers nothing", answered(lambda rows: []), "rest"),
    Kind("REST answers half", answered(lambda rows: rows[: len(rows) // 2]), "rest"),
    Kind("REST misses rows in the middle", answered(lambda rows: rows[:1] + rows[2:]), "rest"),
    Kind("REST answers in another order, twice", answered(lambda rows: [*rows[::-1], *rows]), "rest"),
    Kind("REST answers in other types", answered(_other_types), "rest"),
    Kind("REST contradicts what the stream said", answered(_other_neighbours), "rest"),
    Kind("the stream contradicts what REST said", _other_story, "rest", contradicts=True),
    # The database
    Kind("database stopped for five minutes", _stop, "", end=_start, outage_s=300.0),
    Kind(
        "database killed and away, small queue",
        partial(_stop, how=signal.SIGKILL),
        "",
        end=_start,
        settings=_SMALL_QUEUE,
        outage_s=60.0,
    ),
    Kind("database frozen, small queue", _freeze, "", end=_start, settings=_SMALL_QUEUE, outage_s=100.0),
    Kind("database stopped and connections cut", _stop_and_cut, "", end=_start, outage_s=60.0),
)
