"""
Brings a broker's own candles of bid, ask and mid into the database, in pieces, oldest first.

Each piece is stored with the note that it was fetched, so that it is not asked for again, also where the broker has no
candle, and a candle of longer intervals is known to be whole. A broker that is away is asked a limited number of times;
then the rest is missing, and named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from app.concurrency.background import in_background
from app.live.transfers.exchange_patience import ExchangePatience
from app.live.transfers.report import iso
from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import open_slots
from app.market.candle import CandleSource
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.ports.quote_history import QuoteCandle, QuoteCandleSource
from app.market.ports.ticks import SideStores
from app.market.quote_candles.side_candles import side_candle
from app.market.quotes.tick import PriceSide

_PIECE = 4_900  # candles, which is one request


class MissingCandles(NamedTuple):
    """A range ``[start_us, end_us)`` of a symbol (UTC microseconds) that could not be had, and why, in one sentence."""

    symbol: str
    start_us: int
    end_us: int
    reason: str


@dataclass(slots=True)
class QuoteCandleReport:
    """The outcome: ``read`` candles, each with bid, ask and mid; ``changed`` of them were new or different."""

    interval: Interval
    read: int = 0
    changed: int = 0
    missing: list[MissingCandles] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for and exists is stored."""
        return not self.missing

    @property
    def lacks(self) -> list[str]:
        """Return what is missing, a sentence each; none where nothing is."""
        return [
            f"missing: {one.symbol} {self.interval} from {iso(one.start_us)} to {iso(one.end_us)}: {one.reason}"
            for one in self.missing
        ]

    def facts(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "interval": self.interval.name,
            "read": self.read,
            "stored": self.changed,
            "held": self.read - self.changed,
            "missing": [
                {
                    "symbol": one.symbol,
                    "from": iso(one.start_us),
                    "to": iso(one.end_us),
                    "reason": one.reason,
                }
                for one in self.missing
            ],
        }


class CandleProgress(NamedTuple):
    """``done`` of ``total`` pieces; ``candles`` read by now; ``work``: what is fetched, or why it waits."""

    done: int
    total: int
    candles: int
    work: str


async def download_quote_candles(
    symbols: Sequence[str],
    interval: Interval,
    start_us: int,
    end_us: int,
    *,
    source: QuoteCandleSource,
    store: SideStores,
    calendar_of: Callable[[str], Calendar],
    clock: Clock,
    on_progress: Callable[[CandleProgress], None] = lambda _: None,
) -> QuoteCandleReport:
    """
    Fetch the closed candles that open in ``[start_us, end_us)`` (UTC microseconds), and store bid, ask and mid.

    ``source`` has candles of ``interval``. What was fetched before is not asked for, nor time in which a market is
    closed; ``calendar_of`` says when, and may block. Cancel the task to stop; what is stored stays.

    Raises:
        FeedRejected: If the broker refuses, or has no such symbol.
        StoreError: If the database does not take the candles.
    """
    report = QuoteCandleReport(interval)
    pieces = [
        (symbol, *piece)
        for symbol in symbols
        for piece in await in_background(
            partial(_pieces, symbol, interval, start_us, end_us, store, calendar_of), "read-candles"
        )
    ]

    def show(done: int, work: str) -> None:
        on_progress(CandleProgress(done, len(pieces), report.read, work))

    def show_wait(done: int, why: str) -> None:
        if why:
            show(done, f"Waiting ({why.rstrip('.')})")

    for done, (symbol, from_us, until_us) in enumerate(pieces):
        show(done, f"Downloading {symbol} {interval}")
        patience = ExchangePatience(clock, partial(show_wait, done))
        over_us = interval.open_time_us(clock.now_us())  # nothing is asked of later times, so nothing is known
        found = await patience.answer(partial(source.quote_candles, symbol, interval, from_us, until_us))
        if patience.refusal is not None:
            raise patience.refusal
        if found is None:
            # The others would be waited for as long, one after another: the same command goes on from here.
            report.missing += [MissingCandles(*piece, patience.gave_up) for piece in pieces[done:]]
            break
        await _save(report, store, symbol, from_us, min(until_us, over_us), found)
    show(len(pieces) - len(report.missing), f"Downloading {interval}")
    return report


def _pieces(
    symbol: str,
    interval: Interval,
    start_us: int,
    end_us: int,
    store: SideStores,
    calendar_of: Callable[[str], Calendar],
) -> list[tuple[int, int]]:
    """Return the ranges to ask for, each one request, rising. Blocks."""
    calendar, found = calendar_of(symbol), list[tuple[int, int]]()
    bid, ask, mid = (store.of_side(side).fetched_klines(symbol, interval) for side in PriceSide)
    whole = interval.slot_open_us(interval.slot(start_us)), interval.slot_open_us(interval.slot(end_us - 1) + 1)
    for from_us, last_us in (bid & ask & mid).missing(whole[0], whole[1] - 1):
        first, end = interval.slot(from_us), interval.slot(last_us) + 1
        for slot in range(first, end, _PIECE):
            until = min(slot + _PIECE, end)
            if any(True for _ in open_slots(calendar, interval, slot, until)):
                found.append((interval.slot_open_us(slot), interval.slot_open_us(until)))
    return found


async def _save(
    report: QuoteCandleReport,
    store: SideStores,
    symbol: str,
    from_us: int,
    until_us: int,
    found: Sequence[QuoteCandle],
) -> None:
    """Store the candles that are closed; an open one, and what follows it, is not said to be fetched."""
    closed = [one.candle for one in found if one.closed]
    fetched_until_us = min([one.candle.open_time_us for one in found if not one.closed], default=until_us)
    changed = 0
    for side in PriceSide:
        candles = [
            side_candle(one, side)._replace(closed=True, complete=True, source=CandleSource.KLINE) for one in closed
        ]
        fetched = (from_us, fetched_until_us) if fetched_until_us > from_us else None
        save = partial(store.of_side(side).save_klines, symbol, report.interval, candles, fetched)
        changed = max(changed, await in_background(save, "save-candles"))
    report.read += len(closed)
    report.changed += changed
