"""A running repairer beside a recorder, an exchange with any ids, and one that answers wrongly on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

from app.live.recording.recorder import Recorder
from app.live.repair.repairer import Repairer
from app.market.errors import FeedRejected
from app.market.ports.clock import Clock
from app.market.ports.exchange import TradeHistory
from app.market.trade import Trade
from tests.live.helpers import FakeExchange, HandClock, away, trade

LAST = 400


@asynccontextmanager
async def repairing(recorder: Recorder, history: TradeHistory, clock: Clock) -> AsyncIterator[Repairer]:
    """A running repairer, ended afterwards."""
    repairer = Repairer(recorder, history, clock)
    task = asyncio.ensure_future(repairer.run())
    try:
        yield repairer
    finally:
        ended_by_itself = task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        recorder.outbox.close()
        assert not ended_by_itself


def exchange_with(ids: Sequence[int]) -> FakeExchange:
    """An exchange with trades of these ids, all of them past."""
    clock = HandClock()
    clock.time_us += 10**12
    return FakeExchange([trade(number) for number in ids], clock)


def receive(recorder: Recorder, *ids: int) -> None:
    for number in ids:
        recorder.receive(trade(number), 0)


async def receive_all(recorder: Recorder, ids: Sequence[int]) -> None:
    """Receive these trades as a feed does: wait when the recorder asks for it."""
    for number in ids:
        waiting = recorder.receive(trade(number), 0)
        if waiting is not None:
            await waiting


class Answer(StrEnum):
    """How an exchange may answer one request."""

    RIGHT = "right"
    EMPTY = "empty"
    SHORT = "short"
    HOLED = "holed"
    AWAY = "away"
    REFUSED = "refused"
    BUG = "bug"
    OTHERWISE = "otherwise"  # its trade differs from the one the stream delivered


class Moody(FakeExchange):
    """Answers each request as ``answers`` say, and rightly after these."""

    def __init__(self, trades: Sequence[Trade], clock: HandClock, answers: Sequence[Answer]) -> None:
        super().__init__(trades, clock)
        self.answers = iter(answers)

    async def trades_from(self, symbol: str, first_trade_id: int, *, limit: int = 1000) -> list[Trade]:
        page = await super().trades_from(symbol, first_trade_id, limit=limit)
        match next(self.answers, Answer.RIGHT):
            case Answer.EMPTY:
                return []
            case Answer.SHORT:
                return page[: len(page) // 2]
            case Answer.HOLED:
                return page[:1] + page[3:]
            case Answer.AWAY:
                raise away()
            case Answer.REFUSED:
                raise FeedRejected("The exchange refuses.")
            case Answer.BUG:
                raise ZeroDivisionError
            case Answer.OTHERWISE:
                return [one._replace(price_e8=one.price_e8 + 1) for one in page]
            case _:
                return page
