"""The weight budget stays below the exchange's limit, and a pacer within its own, whatever is asked."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from app.brokers.rate_limit import Pacer, WeightBudget

MINUTE_US = 60_000_000


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 5_000_000)), max_size=200))
def test_no_minute_is_overspent(requests: list[tuple[int, int]]) -> None:
    budget = WeightBudget(1000)
    now_us = 1_723_161_255_000_000
    spent: defaultdict[int, int] = defaultdict(int)
    for weight, pause_us in requests:
        now_us += pause_us
        while (delay_s := budget.delay_s(weight, now_us)) > 0:
            now_us += round(delay_s * 1e6)
        budget.spend(weight, now_us)
        spent[now_us // MINUTE_US] += weight
    assert all(weight <= 900 for weight in spent.values())


def test_the_exchanges_own_count_wins_if_it_is_higher() -> None:
    budget = WeightBudget(1000)
    budget.spend(10, 0)
    budget.observe(895, 1)
    budget.observe(20, 2)
    assert budget.used(3) == 895
    assert budget.delay_s(5, 3) == 0
    assert budget.delay_s(6, 20 * 1_000_000) == 40
    assert budget.delay_s(6, MINUTE_US) == 0


def test_a_request_heavier_than_the_budget_is_sent_in_an_empty_minute() -> None:
    budget = WeightBudget(10)
    assert budget.delay_s(80, 0) == 0


@given(st.lists(st.tuples(st.integers(1, 1200), st.integers(-(10**13), 10**13)), max_size=50))
def test_no_wait_is_longer_than_a_minute_however_the_clock_is_set(requests: list[tuple[int, int]]) -> None:
    budget, now_us = WeightBudget(1000), 1_723_161_255_000_000
    for weight, jump_us in requests:
        now_us += jump_us
        assert 0 <= budget.delay_s(weight, now_us) <= 60
        budget.spend(weight, now_us)


def test_a_clock_that_is_set_back_frees_no_weight() -> None:
    budget = WeightBudget(1000)
    budget.spend(900, 100 * MINUTE_US)
    assert budget.delay_s(10, 40 * MINUTE_US + 15_000_000) == 45
    assert budget.delay_s(10, 41 * MINUTE_US) == 0


@given(st.integers(1, 5), st.lists(st.floats(0, 3), max_size=60))
def test_a_pacer_never_allows_more_than_its_limit_in_any_period(limit: int, pauses: list[float]) -> None:
    pacer = Pacer(limit, 1.0)
    times: list[float] = []
    now_s = 0.0
    for pause in pauses:
        now_s += pause
        now_s += pacer.delay_s(now_s)
        pacer.note(now_s)
        times.append(now_s)
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in zip(times, times[limit:], strict=False))


def test_a_pacer_allows_a_burst_and_then_spaces_the_rest_so_that_no_wait_takes_the_whole_period() -> None:
    pacer = Pacer(10, 100.0, burst=5)
    now_s, times, waits = 0.0, [], []
    for _ in range(30):
        waits.append(pacer.delay_s(now_s))
        now_s += waits[-1]
        pacer.note(now_s)
        times.append(now_s)
    assert waits[:5] == [0.0] * 5
    assert max(waits) == 20
    assert all(later - earlier >= 100 for earlier, later in zip(times, times[10:], strict=False))
