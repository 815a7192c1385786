"""
The view never jumps: whatever arrives, it keeps showing the same times, or moves on with the latest candle.

A chart and a plain model of its view go through the same random series of arrivals, repairs, replacements, switches of
the interval and movements; after each step both show the same times. The model knows nothing of slots, levels or
frames: it keeps the time at the right edge, microseconds per pixel, and the candles as a list.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from tests.depth import examples
from tests.widgets.chart.charts import BTC, candle, canvas_of
from widgets.chart.chart_widget import ChartWidget

LENGTHS = {name: Interval.parse(name).length_us for name in ("30s", "1m", "13m", "1h")}
START_US = 1_723_161_600_000_000 // LENGTHS["1h"] * LENGTHS["1h"]
USUAL_PX, WIDEST_PX, MARGIN_PX = 7, 120, 48


class ViewModel:
    """The view as a user sees it, in exact numbers."""

    def __init__(self, width_px: int) -> None:
        self.width_px = Fraction(width_px)
        self.bar_px = Fraction(USUAL_PX)
        self.following = True
        self.name = "1m"
        self.opens: list[int] = []  # of all candles
        self.right_us = Fraction(0)

    @property
    def length_us(self) -> int:
        return LENGTHS[self.name]

    @property
    def us_per_px(self) -> Fraction:
        return self.length_us / self.bar_px

    @property
    def left_us(self) -> Fraction:
        return self.right_us - self.width_px * self.us_per_px

    @property
    def centre_us(self) -> Fraction:
        return (self.left_us + self.right_us) / 2

    def show(self, name: str, opens: list[int]) -> None:
        centre_us = self.centre_us
        self.name, self.opens = name, opens
        if self.following:
            self.right_us = opens[-1] + self.length_us + min(MARGIN_PX, self.width_px / 4) * self.us_per_px
        else:
            self.right_us = centre_us + self.width_px / 2 * self.us_per_px

    def set_candles(self, opens: list[int]) -> None:
        """Replace the candles; only a later latest one moves the view."""
        if self.following:
            self.right_us += opens[-1] - self.opens[-1]
        self.opens = opens

    def drag(self, pixels: int) -> None:
        before = self.right_us
        moved = before - pixels * self.us_per_px
        low, high = self._ends()
        self.right_us = min(max(moved, min(low, before)), max(high, before))
        self._update_following()

    def zoom(self, factor: Fraction, x: Fraction) -> None:
        low, high = self._ends()
        near, under_us = low <= self.right_us <= high, self.left_us + x * self.us_per_px
        count = (self.opens[-1] - self.opens[0]) // self.length_us + 1
        narrowest = self.width_px / max(Fraction(300), Fraction(3, 2) * count)
        self.bar_px = min(max(self.bar_px * factor, narrowest), Fraction(WIDEST_PX))
        self.right_us = under_us + (self.width_px - x) * self.us_per_px
        if near:
            low, high = self._ends()
            self.right_us = min(max(self.right_us, low), high)
        self._update_following()

    @property
    def latest_x(self) -> Fraction:
        """Where the latest candle ends, in pixels from the left."""
        return (self.opens[-1] + self.length_us - self.left_us) / self.us_per_px

    def resize(self, width_px: int) -> None:
        """The right edge stays, but more than the usual room beside the latest candle keeps its share of the width."""
        room_px = self.width_px - self.latest_x
        has_more_room = self._shows_latest() and room_px > MARGIN_PX + 1
        if has_more_room:
            kept_px = max(Fraction(MARGIN_PX), room_px * width_px / self.width_px)
            self.right_us = self.opens[-1] + self.length_us + kept_px * self.us_per_px
        self.width_px = Fraction(width_px)

    def relabel(self, width_px: int) -> None:
        """Longer prices took width from the candles: without following, from both sides alike."""
        if self.following:
            self.resize(width_px)
            return
        self.right_us += (width_px - self.width_px) / 2 * self.us_per_px
        self.width_px = Fraction(width_px)

    def _ends(self) -> tuple[Fraction, Fraction]:
        """Return the limits of the right edge: three candles stay in view."""
        first, end, span = self.opens[0], self.opens[-1] + self.length_us, self.width_px * self.us_per_px
        kept = min(3, (end - first) // self.length_us) * self.length_us
        return Fraction(first + kept), end - kept + span

    def _shows_latest(self) -> bool:
        middle = self.opens[-1] + Fraction(self.length_us, 2)
        return self.left_us <= middle <= self.right_us

    def _update_following(self) -> None:
        self.following = self._shows_latest()


class ChartAndModel:
    """The chart and the model, given the same steps."""

    def __init__(self, chart: ChartWidget) -> None:
        self.chart = chart
        chart.set_series(None, None, follow=True)
        chart.navigator.fit()
        self.model = ViewModel(int(chart._scene.time_scale.width_px))
        self.series = CandleSeries("BTCUSDT", Interval.parse("1m"))
        opens = [START_US + at * LENGTHS["1m"] for at in range(400)]
        self.series.replace([self.candle(open_us) for open_us in opens])
        chart.set_series(self.series, BTC)
        self.model.show("1m", opens)
        self.model.resize(int(chart._scene.time_scale.width_px))
        self.model.show("1m", opens)

    def candle(self, open_us: int) -> Candle:
        interval = self.series.interval
        return candle(interval.slot(open_us), 100, 105, interval=interval)

    def put(self, opens: list[int]) -> None:
        """Add these candles to the series, by the method for their position."""
        for open_us in opens:
            self.series.upsert(self.candle(open_us))
        self.model.set_candles(sorted({*self.model.opens, *opens}))

    # What happens

    def tick(self, _: int) -> None:
        self.put(self.model.opens[-1:])

    def append(self, number: int) -> None:
        last, length = self.model.opens[-1], self.model.length_us
        self.put([last + at * length for at in range(1, number % 7 + 2)])

    def skip(self, number: int) -> None:
        """The next candle comes after missing ones."""
        self.put([self.model.opens[-1] + (number % 9 + 2) * self.model.length_us])

    def prepend(self, number: int) -> None:
        first, length = self.model.opens[0], self.model.length_us
        older = [first - at * length for at in range(number % 300 + 1, 0, -1)]
        self.series.prepend([self.candle(open_us) for open_us in older])
        self.model.set_candles(older + self.model.opens)

    def jump_back(self, number: int) -> None:
        """Add candles far before the first, none between."""
        first, length = self.model.opens[0] - (number % 5000 + 1000) * self.model.length_us, self.model.length_us
        older = [first + at * length for at in range(20)]
        self.series.merge([self.candle(open_us) for open_us in older])
        self.model.set_candles(older + self.model.opens)

    def lose(self, number: int) -> None:
        """Replace the series by a page that lacks some candles in the middle."""
        kept = [open_us for at, open_us in enumerate(self.model.opens) if at % 7 != number % 6]
        kept = sorted({self.model.opens[0], *kept, self.model.opens[-1]})
        self.series.replace([self.candle(open_us) for open_us in kept])
        self.model.set_candles(kept)

    def repair(self, number: int) -> None:
        opens, length = self.model.opens, self.model.length_us
        lacking = [one + length for one, after in pairwise(opens) if after != one + length]
        self.put(lacking[: number % 50])

    def describe(self, number: int) -> None:
        """Change the symbol's tick size, as the exchange's list does."""
        self.chart.set_series(self.series, replace(BTC, tick_size_e8=10 ** (number % 7 + 1)) if number % 2 else BTC)

    def switch(self, number: int) -> None:
        name = list(LENGTHS)[number % len(LENGTHS)]
        interval, length = Interval.parse(name), LENGTHS[name]
        around = interval.open_time_us(int(self.model.centre_us))
        last = interval.open_time_us(self.model.opens[-1])
        near = (around + at * length for at in range(-200, 200))
        opens = [*(open_us for open_us in near if open_us < last), last]
        if number % 3:
            self.chart.set_series(None, BTC)
        self.series = CandleSeries("BTCUSDT", interval)
        self.series.replace([self.candle(open_us) for open_us in opens])
        self.chart.set_series(self.series, BTC)
        self.model.show(name, opens)

    def drag(self, number: int) -> None:
        self.chart.navigator.drag_by(number, 0.0)
        self.model.drag(number)

    def wheel(self, number: int) -> None:
        x, notches = abs(number) % int(self.model.width_px - 1), number % 9 - 4
        where = QPointF(x, 150)
        event = QWheelEvent(
            where,
            where,
            QPoint(),
            QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(canvas_of(self.chart).viewport(), event)
        if notches:
            held = self.model.latest_x if self.model.following else Fraction(x)
            self.model.zoom(Fraction(1.15**notches), held)

    def resize(self, number: int) -> None:
        self.chart.resize(500 + number % 500, 400)
        QApplication.processEvents()
        self.model.resize(int(self.chart._scene.time_scale.width_px))

    def check(self) -> None:
        self.chart.series_changed()
        self.chart.frame_now()
        self.model.relabel(int(self.chart._scene.time_scale.width_px))
        near = pytest.approx(
            [float(self.model.left_us), float(self.model.right_us)], rel=0, abs=self.model.length_us * 1e-4
        )
        assert list(self.chart.visible_range_us()) == near
        assert self.chart.is_following == self.model.following


STEPS = "tick append skip prepend jump_back lose repair describe switch drag drag wheel wheel resize".split()
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(-3000, 3000)), min_size=1, max_size=25)


def test_after_any_arrivals_and_movements_the_chart_shows_the_models_times(chart: ChartWidget) -> None:
    @settings(max_examples=examples(40), deadline=None)
    @given(steps)
    def check(taken: list[tuple[str, int]]) -> None:
        both = ChartAndModel(chart)
        both.check()
        for name, number in taken:
            getattr(both, name)(number)
            both.check()

    check()
