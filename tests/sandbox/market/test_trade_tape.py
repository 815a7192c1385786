import numpy as np
import pytest

from app.sandbox.market.trade_tape import (
    ONE,
    key_of,
    log_normal,
    log_normal_counts,
    random_bits,
    tape_for,
    uniform,
    value_noise,
)

MANY = np.arange(100_000, dtype=np.int64)


def test_hashes_are_those_of_splitmix64():
    # The published first outputs of the generator for seed 1234567.
    steps = np.arange(1, 4, dtype=np.int64)
    assert random_bits(1234567, steps).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_keys_differ_with_every_part():
    keys = {key_of(*parts) for parts in [(1,), (2,), (1, "a"), (1, "b"), ("a", 1), ("ab",), ("a", "b", 1), (-1,)]}
    assert len(keys) == 8


def test_uniform_numbers_fill_their_range_evenly():
    counts = np.bincount(uniform(key_of("u"), MANY, 10), minlength=10)
    assert len(counts) == 10
    assert counts.min() > 9_500


@pytest.mark.parametrize("log2_period", [0, 1, 6, 13])
def test_noise_is_the_same_from_wherever_it_is_computed(log2_period):
    whole = value_noise(5, MANY, log2_period)
    assert np.array_equal(value_noise(5, MANY[777:888], log2_period), whole[777:888])
    assert np.abs(whole).max() <= ONE
    # It never moves further in a step than the two ends of its lattice are apart.
    assert np.abs(np.diff(whole)).max() <= (2 * ONE >> log2_period) + 1


def test_log_normal_numbers_have_a_heavy_tail():
    values = log_normal(3, MANY, 100.0, 1.5)
    assert 90 < np.median(values) < 110
    assert values.max() > 5_000
    assert values.min() >= 1


@pytest.mark.parametrize("total", [0, 1, 17, 3_600, 1_000_000])
def test_counts_add_up_to_their_total(total):
    counts = log_normal_counts(9, total, 240, 1.1)
    assert counts.sum() == total
    assert counts.min() >= 0


def test_sweeps_keep_their_side_and_go_deeper_with_each_trade():
    tape = tape_for(1)
    continues = np.flatnonzero(np.diff(tape.gap_sum)[1:] == 0) + 1
    assert len(continues) > 10_000
    assert np.array_equal(tape.taker_sells[continues], tape.taker_sells[continues - 1])
    steps = tape.ticks[continues] - tape.ticks[continues - 1]
    assert np.array_equal(steps, np.where(tape.taker_sells[continues], -1, 1))


def test_buyers_lead_in_the_first_half_and_sellers_in_the_second():
    taker_sells = tape_for(1).taker_sells
    assert taker_sells[: len(taker_sells) // 2].mean() < 0.45 < 0.55 < taker_sells[len(taker_sells) // 2 :].mean()
