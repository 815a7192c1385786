"""Judges the editor's draft on the stored trades, in a thread; a newer draft takes the place of an older one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.market.alerts.alert import DrawingCrosses, PriceCrosses, PriceInRange, Rule
from app.market.alerts.drawn_parts import DrawnMoment, DrawnPart
from app.market.alerts.drawn_path import DrawnPath
from app.market.candle import Candle
from app.market.durations import length
from app.market.errors import StoreError
from app.market.interval import Interval
from app.market.ports.alerts import AlertBook, Draft
from app.market.units import E8
from app.window.alerts import alert_words as words
from widgets.alerts.alert_views import AlertForm, DraftCandle, DraftView
from widgets.controls.number_format import count

logger = logging.getLogger(__name__)

_SPAN_US = 86_400_000_000
_CANDLES = 72
_INTERVALS = [Interval.parse(name) for name in "1s 5s 15s 30s 1m 3m 5m 10m 15m 20m 30m 1h".split()]


class DraftJudge:
    """
    Judges one draft at a time.

    ``book`` returns the alerts of the database in use, and may raise StoreError. ``now_us``: the exchange's time.
    ``settled`` is awaited before a rule is judged.
    """

    def __init__(
        self,
        book: Callable[[], AlertBook],
        tasks: Tasks,
        now_us: Callable[[], int],
        settled: Callable[[Rule], Awaitable[None]],
    ) -> None:
        self._book, self._tasks, self._now_us, self._settled = book, tasks, now_us, settled
        self._work: asyncio.Task[None] | None = None

    def judge(self, form: AlertForm, rule: Rule, show: Callable[[DraftView], object]) -> None:
        """Judge a draft, and show first that this is under way, then the outcome."""
        self.cancel()
        if not rule.is_of_trades:
            show(DraftView(rule, sentence="No trade meets it:", detail="stored trades can't tell when it would fire."))
            return
        self._work = self._tasks.begin(self._judge(form, rule, show))

    def cancel(self) -> None:
        """Give up the draft under way; its thread ends by itself."""
        if self._work is not None:
            self._work.cancel()

    async def _judge(self, form: AlertForm, rule: Rule, show: Callable[[DraftView], object]) -> None:
        now_us = self._now_us()
        show(DraftView(rule, levels=levels_of(rule), is_under_way=True))

        def work(alerts: AlertBook) -> tuple[Draft, list[Candle]]:
            draft = alerts.draft(form.symbol, rule, form.repeat, now_us - _SPAN_US, now_us)
            interval = _interval_for(now_us - draft.from_us)
            candles = alerts.draft_candles(form.symbol, interval, interval.open_time_us(draft.from_us), now_us)
            return draft, list(candles) if draft.trades else []

        await self._settled(rule)
        try:
            alerts = self._book()
            draft, candles = await in_background(lambda: work(alerts), "judge-draft")
        except StoreError as error:
            logger.info("a draft was not judged: %s", error)
            show(DraftView(rule, trouble=str(error)))
            return
        show(draft_view(rule, draft, candles))


def draft_view(rule: Rule, draft: Draft, candles: list[Candle]) -> DraftView:
    """Return what to show of a judged draft."""
    if not draft.trades:
        return DraftView(rule, levels=levels_of(rule), sentence="No trades of the last 24 h are stored.")
    times = len(draft.firings)
    often = {0: "Would not have fired.", 1: "Would have fired once."}.get(times, f"Would have fired {times:,} times.")
    detail = ""
    if draft.firings:
        last = draft.firings[-1]
        at = words.time_text(last.time_us).split(".")[0]
        detail = f"Last at {at} by trade {count(last.trade_id)}: {words.with_separators(last.reason)}."
    return DraftView(
        rule,
        [
            DraftCandle(one.open_time_us, one.open_e8 / E8, one.high_e8 / E8, one.low_e8 / E8, one.close_e8 / E8)
            for one in candles
        ],
        [(one.time_us, one.price_e8 / E8) for one in draft.firings],
        levels_of(rule),
        f"last {length((draft.to_us - draft.from_us) / 1e6)}",
        often,
        detail,
        paths=paths_of(draft.rule or rule, candles),
    )


def levels_of(rule: Rule) -> tuple[float, ...]:
    """Return the prices at which a condition waits."""
    match rule.condition:
        case PriceCrosses(price_e8):
            return (price_e8 / E8,)
        case PriceInRange(low_e8, high_e8):
            return (low_e8 / E8, high_e8 / E8)
        case _:
            return ()


def paths_of(rule: Rule, candles: Sequence[Candle]) -> list[list[tuple[int, float]]]:
    """Return the lines of a drawing that a condition is on, where these candles are; times in UTC microseconds."""
    if not isinstance(rule.condition, DrawingCrosses) or not candles:
        return []
    from_us, to_us = candles[0].open_time_us, candles[-1].open_time_us
    low, high = min(one.low_e8 for one in candles) / E8, max(one.high_e8 for one in candles) / E8
    paths = list[list[tuple[int, float]]]()
    for part in rule.condition.lines:
        if not isinstance(part, DrawnMoment):
            points = [(time_us, value) for time_us in _bends(part, from_us, to_us) if (value := part.price(time_us))]
            paths.append(points)
        elif from_us <= part.time_us <= to_us:
            paths.append([(part.time_us, low), (part.time_us, high)])
    return [one for one in paths if len(one) > 1]


def _bends(part: DrawnPart, from_us: int, to_us: int) -> list[int]:
    """Return the times at which a line or a path begins, bends and ends between two."""
    if isinstance(part, DrawnPath):
        ends = part.points[0][0], part.points[-1][0]
        bends = [time_us for time_us, _ in part.points if from_us < time_us < to_us]
    else:
        assert not isinstance(part, DrawnMoment)
        ends, bends = (part.start_us or from_us, part.end_us or to_us), []
    return sorted({max(from_us, ends[0]), *bends, min(to_us, ends[1])})


def _interval_for(span_us: int) -> Interval:
    return next((one for one in _INTERVALS if span_us <= _CANDLES * one.length_us), _INTERVALS[-1])
