"""
Every kind of fault, as data: how to start it, how to know that it took effect, how to end it.

The suite runs each and kills the program in the middle of each; the soak injects thousands at random. A new kind
is one entry in `KINDS`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable
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
    One kind of fault. ``begin`` starts it, ``end`` undoes what `Scene.calm` does not.

    ``counter`` names the sandbox's counter that shows the effect, and ``times`` by how much it must rise; "" where
    ``begin`` returns only after the effect. ``contradicts``: the exchange sends two versions of some trades.
    ``settings`` are those of the recording. ``needs_clock``: works only where the recording runs on a `HurriedClock`.
    The database is away for ``outage_s`` of the exchange's time. Kinds of one ``family`` differ in a code, a text
    or the rows of an answer only.
    """

    name: str
    begin: Act
    counter: str = "connections"
    times: int = 1
    end: Act = lambda scene: None
    contradicts: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    needs_clock: bool = False
    outage_s: float = 0.0
    family: str = ""

    @property
    def is_outage(self) -> bool:
        """Whether the database is away during it."""
        return self.outage_s > 0

    @property
    def pace(self) -> dict[str, float]:
        """Speed of the exchange's clock and trades per second of it, slow enough for a loaded machine to keep up."""
        return {"speed": 30.0, "rate": 15.0} if self.is_outage else {"speed": 10.0}

    @property
    def refuses_handshakes(self) -> bool:
        """Whether the exchange refuses new connections for a while."""
        return "handshake" in self.name

    def __str__(self) -> str:
        return self.name


def one_of_each_family(kinds: Iterable[Kind]) -> list[Kind]:
    """Return the kinds without those of whose family there is one before."""
    return list({kind.family or kind.name: kind for kind in reversed(list(kinds))}.values())[::-1]


def in_turns(kinds: Iterable[Kind], most: int) -> list[list[Kind]]:
    """Return the kinds in lists of those that one recording can go through in turn, with ``most`` kinds each."""
    found: list[list[Kind]] = [[]]
    for kind in kinds:
        is_alone = kind.is_outage or kind.contradicts or kind.needs_clock or kind.settings
        if is_alone:
            found[-1:-1] = [[kind]]
        elif len(found[-1]) == most:
            found.append([kind])
        else:
            found[-1].append(kind)
    return found


def name_of(kinds: list[Kind]) -> str:
    """Return the name of kinds that strike in turn."""
    return f"{kinds[0]} to {kinds[-1]}" if len(kinds) > 1 else str(kinds[0])


async def do(act: Act, scene: Scene) -> None:
    """Carry out one act."""
    waiting = act(scene)
    if waiting is not None:
        await waiting


def each(act: Callable[[Connection], Awaitable[None] | None]) -> Act:
    """Return an act that does that to every open connection."""

    async def begin(scene: Scene) -> None:
        for connection in scene.connections:
            with suppress(ConnectionError):  # because another fault may have closed it
                waiting = act(connection)
                if waiting is not None:
                    await waiting

    return begin


def events(rule: Callable[[StreamFaults], None]) -> Act:
    """Return an act that applies the rule to the events of every open connection."""
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
    """Return an act that cuts every connection and refuses the next ``times`` handshakes."""

    async def begin(scene: Scene) -> None:
        scene.server.faults.handshakes.refuse_next(status, times=times, retry_after_s=retry_after_s)
        await each(Connection.cut)(scene)

    return begin


async def _slow_handshakes(scene: Scene) -> None:
    scene.server.faults.handshakes.delay_s = 0.4
    await each(Connection.cut)(scene)


async def _short_lives(scene: Scene) -> None:
    """Close each connection after half a second, as the exchange does after 24 hours."""
    scene.limit(lifetime_s=0.5, shutdown_notice_s=0.1)
    await each(Connection.cut)(scene)


async def _long_lives(scene: Scene) -> None:
    scene.calm()
    await each(Connection.cut)(scene)


def rest(what: Callable[[Scene], None]) -> Act:
    """Return an act that drops trades from the stream, after ``what`` broke the requests that would fetch them."""

    async def begin(scene: Scene) -> None:
        what(scene)
        await events(_hole)(scene)

    return begin


def answered(change: Callable[[Any], Any]) -> Act:
    """Return an act that changes the exchange's next answer to a repair."""
    return rest(lambda scene: scene.server.rest_faults.change_next(change, path=REPAIR))


def failing(status: int, *, retry_after_s: int | None = None) -> Act:
    """Return an act that fails the next two requests of a repair with that status."""
    return rest(
        lambda scene: scene.server.rest_faults.fail_next(status, times=2, path=REPAIR, retry_after_s=retry_after_s)
    )


def _change_price_of_last(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Change the price of the last trade, which the stream has already sent."""
    return [*rows[:-1], rows[-1] | {"price": "1.00000000"}] if len(rows) > 1 else rows


def _prices_as_numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"price": float(row["price"])} for row in rows]


async def _contradict_late_trades(scene: Scene) -> None:
    """Delay trades in the stream, and answer the repair with other quantities for them."""

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
    """Cut the connections, and let both clocks jump by minutes."""
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
        Kind(f"close {code}", each(partial(Connection.close, code=code)), family="close")
        for code in (1000, 1001, 1006, 1008, 1011, 1012, 1013)
    ),
    Kind("serverShutdown", each(_announce)),
    Kind("24 hours are over, one connection after another", _short_lives, times=4, end=_long_lives),
    Kind("24 hours on our own clock", _day_passes, needs_clock=True),
    Kind("sleep of the computer", _sleep_of_the_computer),
    # Handshakes
    *(
        Kind(f"handshakes refused with {status}", refused(status), "refused", times=2, family="refused")
        for status in (500, 503, 404)
    ),
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
        Kind(
            f"garbage: {kind}", events(lambda f, kind=kind: f.garble(kind, share=0.2)), "garbage", 10, family="garbage"
        )
        for kind in Garbage
        if kind is not Garbage.HUGE
    ),
    Kind("a frame of 10 MB", events(lambda f: f.garble(Garbage.HUGE, times=1))),
    *(
        Kind(
            f"events with {kind}",
            events(lambda f, kind=kind: f.alter(kind, share=0.2)),
            "altered",
            20,
            family="altered",
        )
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
    Kind("REST answers nothing", answered(lambda rows: []), "rest", family="answered"),
    Kind("REST answers half", answered(lambda rows: rows[: len(rows) // 2]), "rest", family="answered"),
    Kind("REST misses rows in the middle", answered(lambda rows: rows[:1] + rows[2:]), "rest", family="answered"),
    Kind(
        "REST answers in another order, twice", answered(lambda rows: [*rows[::-1], *rows]), "rest", family="answered"
    ),
    Kind("REST answers in other types", answered(_prices_as_numbers), "rest", family="answered"),
    Kind("REST contradicts the stream", answered(_change_price_of_last), "rest", family="answered"),
    Kind("the stream contradicts REST", _contradict_late_trades, "rest", contradicts=True),
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
