"""What is to be fetched is known before it is; bars have no hole, and fill from the newest."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.live.transfers.downloads.forecast import forecast, stretches
from app.market.availability import Origin
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.ports.archive import DAY_US
from tests.live.transfers.downloads.helpers import TODAY_US, world

SECONDS = st.integers(0, 200)
SPANS = st.lists(st.tuples(SECONDS, SECONDS), max_size=5).map(
    lambda pairs: [(first, last + 1) for first, last in IdRanges((min(p), max(p)) for p in pairs)]
)


@given(SPANS, SPANS, st.floats(0, 1))
def test_a_bar_covers_its_range_once_and_fills_from_the_newest(
    missing: list[tuple[int, int]], lacking: list[tuple[int, int]], share: float
) -> None:
    bar = stretches((0, 201), missing, Origin.TRADES, share=share)
    assert bar[0].first == 0
    assert bar[-1].last == 200
    assert all(one.last + 1 == other.first for one, other in pairwise(bar))
    total = sum(last - first for first, last in missing)
    left = [one for one in bar if one.origin is Origin.FETCH]
    assert sum(one.candles for one in left) == round((1 - share) * total)
    seconds = [at for first, last in missing for at in range(first, last)]
    assert [at for one in left for at in range(one.first, one.last + 1)] == seconds[: round((1 - share) * total)]
    done = stretches((0, 201), (), Origin.KLINES, lacking=lacking)
    assert sum(one.candles for one in done) == 201
    assert sum(one.candles for one in done if one.origin is Origin.NOWHERE) == sum(b - a for a, b in lacking)


async def test_a_forecast_names_what_is_fetched_then_and_nothing_once_it_is_stored(tmp_path: Path) -> None:
    hour = Interval.parse("1h")
    async with world(tmp_path) as here:
        store, start_us, end_us = here.database.store, TODAY_US - 3 * DAY_US, TODAY_US
        for interval in (None, hour):
            before = forecast(store, "BTCUSDT", interval, start_us, end_us)
            assert before.missing == (before.span,) == ((start_us // SECOND_US, end_us // SECOND_US),)
            await here.download(start_us + DAY_US, end_us - DAY_US, interval)
            between = forecast(store, "BTCUSDT", interval, start_us, end_us)
            assert between.missing_s == 2 * 86_400
            assert between.missing[0][1] == (start_us + DAY_US) // SECOND_US
            await here.download(start_us, end_us, interval)
            assert forecast(store, "BTCUSDT", interval, start_us, end_us).missing == ()
        # By symbol, while it runs: the day in the middle was not fetched again.
        last = here.progress[-1].symbols["BTCUSDT"]
        assert (last.done, last.total) == (48.0, 48.0)
