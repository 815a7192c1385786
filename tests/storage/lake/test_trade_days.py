"""Which days are complete, against brute force over every id."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from app.market.coverage import IdRanges
from app.market.stored_symbol import DAY_US, DayTrades
from storage.lake.trade_days import judged_days


@given(st.data())
def test_a_day_is_complete_when_every_id_from_the_day_before_to_the_day_after_is_known(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 40))
    first_id = data.draw(st.sampled_from([0, 1, 2, 50]))
    days = sorted(data.draw(st.lists(st.integers(0, 6), min_size=count, max_size=count)))
    kind = st.sampled_from(["stored", "stored", "stored", "stored", "missing", "absent"])
    kinds = data.draw(st.lists(kind, min_size=count, max_size=count))
    fetched_days = data.draw(st.sets(st.integers(0, 7), max_size=2))
    ids = range(first_id, first_id + count)
    stored = {trade_id: day for trade_id, day, one in zip(ids, days, kinds, strict=True) if one == "stored"}
    absent = {trade_id for trade_id, one in zip(ids, kinds, strict=True) if one == "absent"}
    by_day: dict[int, list[int]] = defaultdict(list)
    for trade_id, day in stored.items():
        by_day[day].append(trade_id)
    rows = [DayTrades(day * DAY_US, min(found), max(found), len(found)) for day, found in sorted(by_day.items())]
    covered = IdRanges((one, one) for one in sorted(absent | set(stored)))
    fetched = IdRanges((day * DAY_US, (day + 1) * DAY_US - 1) for day in sorted(fetched_days))

    judged = list(judged_days("BTCUSDT", rows, covered, IdRanges((one, one) for one in sorted(absent)), fetched))

    known = set(stored) | absent
    expected = range(rows[0].day_us // DAY_US, rows[-1].day_us // DAY_US + 1) if rows else range(0)
    assert [one.partition.start_us // DAY_US for one in judged] == list(expected)
    for one in judged:
        day = one.partition.start_us // DAY_US
        mine = by_day.get(day, [])
        before = max((trade_id for trade_id, other in stored.items() if other < day), default=None)
        after = min((trade_id for trade_id, other in stored.items() if other > day), default=None)
        whole_inside = not mine or set(range(min(mine), max(mine) + 1)) <= known
        if day in fetched_days:
            is_complete = whole_inside
        else:
            begins = before is not None or (bool(mine) and min(mine) <= 1)
            low = min(mine, default=None) if before is None else before
            high = after
            is_complete = begins and high is not None and low is not None and set(range(low, high + 1)) <= known
        assert (not one.reason) == is_complete, (one, mine, before, after)
        assert one.rows == len(mine)
        assert {trade_id for first, last in one.absent for trade_id in range(first, last + 1)} <= absent
        if mine and before is not None:
            between = {trade_id for trade_id in absent if before < trade_id <= max(mine)}
            assert {trade_id for first, last in one.absent for trade_id in range(first, last + 1)} == between
