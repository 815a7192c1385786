"""The countdown to a candle's close."""

from __future__ import annotations

import pytest

from app.market.interval import SECOND_US, Interval
from tests.widgets.chart.charts import FIRST_SLOT, MINUTE, candle, series_of
from widgets.chart.model.close_countdown import CloseCountdown

CLOSE_US = MINUTE.slot_open_us(FIRST_SLOT + 1)


def text_at(now_us: int | None, *, closed: bool = False, interval: Interval = MINUTE) -> str:
    bar = series_of([candle(FIRST_SLOT, 100, 101, interval=interval, closed=closed)], interval).bar(-1)
    return CloseCountdown(now_us).text(bar, interval)


@pytest.mark.parametrize(("left_s", "expected"), [(37, "00:37"), (0, "00:00"), (-4.9, "00:00"), (-5.1, "")])
def test_it_stays_at_zero_for_five_seconds(left_s: float, expected: str) -> None:
    assert text_at(CLOSE_US - round(left_s * SECOND_US)) == expected


def test_a_closed_candle_an_unknown_time_and_an_interval_of_a_second_have_none() -> None:
    assert text_at(CLOSE_US - SECOND_US, closed=True) == ""
    assert text_at(None) == ""
    second = Interval.parse("1s")
    assert text_at(second.slot_open_us(FIRST_SLOT), interval=second) == ""
    assert CloseCountdown(CLOSE_US).text(None, MINUTE) == ""
