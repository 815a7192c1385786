"""Every kind of fault of OANDA and of the way to it, as data: for the feed's suite and for that of a recording."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from app.brokers.oanda.feed import OandaFeed
from app.sandbox.oanda.faults import Garbage
from app.sandbox.oanda.server import OandaSandbox
from app.sandbox.oanda.stream import PriceStream
from tests.brokers.binance.helpers import until

SYMBOLS = ("oanda:EURUSD", "oanda:USDJPY")
STREAM = "/pricing/stream"


class Stage(Protocol):
    """What a fault acts on: a loopback OANDA, and the feed that receives `SYMBOLS` from it."""

    @property
    def server(self) -> OandaSandbox: ...

    @property
    def feed(self) -> OandaFeed: ...


@dataclass(frozen=True)
class Kind:
    """
    One kind of fault: how it begins, and which of the server's counters shows its effect, and how often.

    ``loses``: whether prices are lost without a new stream. ``counter`` empty: ``begin`` returns after the effect.
    ``spares``: whether no price may be lost. ``hangs``: whether the server answers only after ten real seconds.
    ``needs_feed``: whether it acts on the feed, too.
    """

    name: str
    begin: Callable[[Stage], Awaitable[None] | None]
    counter: str = "streams"
    times: int = 1
    loses: bool = False
    spares: bool = False
    hangs: bool = False
    needs_feed: bool = False

    def __str__(self) -> str:
        return self.name


def each(act: Callable[[PriceStream], None]) -> Callable[[Stage], None]:
    """Return what does that to every open stream."""

    def begin(stage: Stage) -> None:
        for stream in list(stage.server.streams):
            act(stream)

    return begin


def refused(status: int, *, times: int = 2, retry_after_s: int | None = None) -> Callable[[Stage], None]:
    """Return what cuts the stream and refuses the next ones."""

    def begin(stage: Stage) -> None:
        stage.server.faults.answers.fail_next(status, times=times, path=STREAM, retry_after_s=retry_after_s)
        each(PriceStream.cut)(stage)

    return begin


def answered(body: bytes) -> Callable[[Stage], None]:
    """Return what cuts the stream and answers the next requests for one with that body."""

    def begin(stage: Stage) -> None:
        stage.server.faults.answers.answer_next(body, times=2, path=STREAM)
        each(PriceStream.cut)(stage)

    return begin


def garbled(*kinds: Garbage) -> Callable[[Stage], None]:
    """Return what sends garbage among the prices of the open streams."""

    def begin(stage: Stage) -> None:
        for stream in stage.server.streams:
            for kind in kinds:
                stream.faults.garble(kind, share=0.3)
            stream.faults.repeat(share=0.3)

    return begin


def hanging(stage: Stage) -> None:
    stage.server.faults.answers.hang_next(10.0, path=STREAM)  # longer than the feed waits
    each(PriceStream.cut)(stage)


def _silence(stream: PriceStream) -> None:
    stream.faults.silent = True


async def _stall(stage: Stage) -> None:
    """Lose prices for ten seconds, while heartbeats go on."""
    for stream in stage.server.streams:
        stream.faults.stalled = True
    heard = stage.feed.counters.messages
    await until(lambda: stage.feed.counters.messages >= heard + 2, "two heartbeats")


async def _endless_line(stage: Stage) -> None:
    for stream in list(stage.server.streams):
        await stream._response.write(b"x" * (2**20 + 10))


def _other_symbols_while_cut(stage: Stage) -> None:
    stage.feed.set_symbols(SYMBOLS[:1])
    each(PriceStream.cut)(stage)
    stage.feed.set_symbols(SYMBOLS)


def _doubt(stage: Stage) -> None:
    stage.feed.doubt("The computer slept")


KINDS = (
    Kind("cut", each(PriceStream.cut)),
    Kind("cut in the middle of a line", each(partial(PriceStream.cut, mid_line=True))),
    Kind("an end as of a complete answer", each(PriceStream.end)),
    Kind("silence", each(_silence)),
    Kind("stall with heartbeats", _stall, "", loses=True, needs_feed=True),
    Kind("a line without an end", _endless_line),
    Kind("doubt", _doubt, needs_feed=True),
    Kind("other symbols while cut", _other_symbols_while_cut, needs_feed=True),
    *(Kind(f"refused with {status}", refused(status), str(status), 2) for status in (408, 429, 500, 502, 503, 302)),
    Kind("refused with 429 for a while", refused(429, times=1, retry_after_s=8), "429"),
    Kind("refused with 503 for a while", refused(503, times=1, retry_after_s=8), "503"),
    Kind("a request that hangs", hanging, "hung", hangs=True),
    Kind("a page instead of a stream", answered(b"<html>sign in</html>"), "answered", 2),
    Kind("an empty answer", answered(b""), "answered", 2),
    Kind("half a line and the end", answered(b'{"type":"PRICE","time":"20'), "answered", 2),
    *(Kind(f"garbage: {kind}", garbled(kind), "garbage", 5, spares=True) for kind in Garbage),
    Kind("all garbage, and prices twice", garbled(*Garbage), "repeated", 10, spares=True),
)
