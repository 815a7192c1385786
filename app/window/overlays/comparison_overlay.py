"""
Compares one chart's candles in view with the exchange's, and marks those that differ.

`app.live.transfers.comparison` compares, in worker threads, while the chart goes on; its outcome is marks on the chart
and a sentence for the notice. Both stay until the user dismisses them, compares again, or shows another series.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from app.concurrency.tasks import Begin
from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.market.errors import CryptopipeError
from widgets.chart.chart_widget import ChartWidget
from widgets.view_values import DifferenceView

if TYPE_CHECKING:
    from app.live.transfers.candle_transfer import TransferProgress
    from app.live.transfers.comparison import CandleComparison, ComparisonReport
    from app.market.comparison import FieldDifference

logger = logging.getLogger(__name__)

_MOST_MARKED = 10_000  # candles; more would be marks on the same pixels, so the rest is only counted
_MOST_NAMED = 3  # fields of one candle
_SHOWN_EVERY = 20  # steps of the progress


class ComparisonOverlay:
    """
    Compares for one chart. ``begin`` starts a task on the loop and keeps it.

    ``sentence`` is the outcome in words; empty where there is none.
    """

    def __init__(self, engine: Engine, chart: ChartWidget, begin: Begin) -> None:
        self._engine, self._chart, self._begin = engine, chart, begin
        self._session: ChartSession | None = None
        self._task: asyncio.Task[None] | None = None
        self.sentence = ""
        chart.comparison_requested.connect(self.compare)
        chart.comparison_dismissed.connect(self.dismiss)
        chart.jump_cancelled.connect(self.cancel)

    def set_session(self, session: ChartSession) -> None:
        """Compare this session's candles from now on."""
        self.cancel()
        self.dismiss()
        self._session = session

    def compare(self) -> None:
        """Compare what is in view."""
        self.cancel()
        self.dismiss()
        session, visible, database = self._session, self._chart.visible_range_us(), self._engine.database
        if session is None or visible is None:
            return
        if database is None:
            self.sentence = f"Nothing was compared: {self._engine.database_reason or 'the database is not open yet.'}"
            return
        # Here: the window opens without.
        from app.live.transfers.comparison import SETTLED_US, CandleComparison
        from app.market.candle_request import CandleRequest

        interval = session.interval
        end_us = min(visible[1], interval.open_time_us(self._engine.exchange_clock.now_us() - SETTLED_US))
        request = CandleRequest(session.symbol, interval, interval.open_time_us(visible[0]), end_us)
        if not request.slots:
            self._chart.end_jump("No candle in view is over yet.")
            return
        found: list[FieldDifference] = []
        comparison = CandleComparison(
            request,
            self._engine.history,
            database.store,
            self._engine.exchange_clock,
            found.extend,
            _Progress(self._chart).show,
        )
        self._chart.begin_jump("Comparing…")
        self._task = self._begin(self._run(comparison, found))

    def dismiss(self) -> None:
        """Take marks and sentence away."""
        self.sentence = ""
        self._chart.show_comparison(None)

    def cancel(self) -> None:
        """Stop a comparison under way."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            self._chart.end_jump("")
        self._task = None

    async def _run(self, comparison: CandleComparison, found: list[FieldDifference]) -> None:
        try:
            report = await comparison.run()
        except CryptopipeError as error:
            logger.info("the candles in view were not compared: %s", error)
            self._chart.end_jump("")
            self.sentence = f"Nothing was compared: {error}"
            return
        self._chart.end_jump("")
        self.sentence = sentence_of(report)
        self._chart.show_comparison(differing_candles(found)[:_MOST_MARKED])


class _Progress:
    """Shows how far the comparison is, in steps."""

    def __init__(self, chart: ChartWidget) -> None:
        self._chart = chart
        self._shown = ""

    def show(self, progress: TransferProgress) -> None:
        share = progress.done * _SHOWN_EVERY // max(progress.total, 1) * (100 // _SHOWN_EVERY)
        waits = f" Waiting: {progress.waits_because}" if progress.waits_because else ""
        text = f"Comparing… {share} %{waits}"
        if text != self._shown:
            self._shown = text
            self._chart.begin_jump(text)


def differing_candles(found: list[FieldDifference]) -> list[DifferenceView]:
    """Return the candles that differ, oldest first, each with the names of its fields."""
    fields: dict[int, list[str]] = {}
    for one in found:
        fields.setdefault(one.open_time_us, []).append(one.field.replace("_", " "))
    return [DifferenceView(open_us, _listed(names)) for open_us, names in sorted(fields.items())]


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_MOST_NAMED])} and {more} more"


def sentence_of(report: ComparisonReport) -> str:
    """Return the outcome in words, with the way to dismiss it."""
    candles = "1 candle" if report.compared == 1 else f"{report.compared:,} candles"
    if not report.compared:
        said = "Nothing in view could be compared."
    elif report.differing:
        differ = "1 differs" if report.differing == 1 else f"{report.differing:,} differ"
        said = f"{candles} in view compared with the exchange's: {differ}, marked on the chart."
    else:
        said = f"{candles} in view compared with the exchange's: nothing differs."
    return " ".join(filter(None, [said, report.lack, "Esc takes this away."]))
