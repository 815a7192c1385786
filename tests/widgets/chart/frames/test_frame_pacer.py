"""Turns of charts that share a thread, by a hand clock: who is painted when, and that no one waits for long."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import examples
from widgets.chart.frames.frame_pacer import LONGEST_S, PERIOD_S, REST_S, FramePacer, PaceMember


class Thread:
    """A thread that paints whichever chart has its turn, each for its own time, while new data come all the time."""

    def __init__(self, costs_s: list[float], favoured: int | None = 0, share: float = 0.4) -> None:
        self.pacer = FramePacer(share)
        self.now_s, self.began_s = 1000.0, 1000.0
        self.costs = {PaceMember(): cost for cost in costs_s}
        self.members = list(self.costs)
        self.favoured = None if favoured is None else self.members[favoured]
        self.frames: list[tuple[PaceMember, float]] = []  # with the time when they began

    def run(self, seconds: float, late_s: float = 0.0) -> None:
        """Paint for so long; each turn is found out about so late."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            for member in self.members:
                self.pacer.wait(member, favoured=member is self.favoured)
            turn_s = self.pacer.next_turn_s()
            assert turn_s is not None
            self.now_s = max(self.now_s, turn_s) + late_s
            member = self.pacer.take(self.now_s)
            assert member is not None
            self.paint(member)

    def paint(self, member: PaceMember) -> None:
        self.frames.append((member, self.now_s))
        self.pacer.note_began(member, self.now_s)
        self.now_s += self.costs[member]
        self.pacer.note_ended(self.costs[member], self.now_s)

    def fps(self, at: int) -> float:
        return len(self.times(at)) / (self.now_s - self.began_s)

    def times(self, at: int) -> list[float]:
        return [began_s for member, began_s in self.frames if member is self.members[at]]

    @property
    def load(self) -> float:
        """The share of the time in which the thread painted."""
        return sum(self.costs[member] for member, _ in self.frames) / (self.now_s - self.began_s)


def test_a_chart_alone_is_painted_each_16_ms_whether_or_not_it_is_favoured() -> None:
    for favoured in (0, None):
        thread = Thread([0.003], favoured)
        thread.run(2.0)
        assert thread.fps(0) == pytest.approx(1 / PERIOD_S, rel=0.02)


def test_four_cheap_charts_all_have_the_full_rate() -> None:
    thread = Thread([0.0012] * 4)
    thread.run(2.0)
    assert [thread.fps(at) for at in range(4)] == [pytest.approx(1 / PERIOD_S, rel=0.03)] * 4


def test_four_dear_charts_leave_the_favoured_one_its_rate_and_share_what_is_left() -> None:
    thread = Thread([0.003] * 4)
    thread.run(3.0)
    assert thread.fps(0) == pytest.approx(1 / PERIOD_S, rel=0.05)
    others = [thread.fps(at) for at in (1, 2, 3)]
    assert max(others) - min(others) < 1
    assert 20 < min(others) < 35
    assert thread.load == pytest.approx(0.4, abs=0.03)


def test_no_two_charts_are_painted_without_a_rest_between_them() -> None:
    thread = Thread([0.002] * 16)
    thread.run(1.0)
    starts = [began_s for _, began_s in thread.frames]
    between = [later - earlier for earlier, later in pairwise(starts)]
    assert min(between) >= 0.002 + REST_S - 1e-9


def test_many_charts_have_ten_frames_a_second_though_that_exceeds_the_share() -> None:
    thread = Thread([0.0025] * 16)
    thread.run(3.0)
    assert min(thread.fps(at) for at in range(1, 16)) > 0.9 / LONGEST_S
    assert thread.load > 0.4


def test_late_turns_do_not_slow_a_favoured_chart_down() -> None:
    thread = Thread([0.002])
    thread.run(2.0, late_s=0.003)
    assert thread.fps(0) == pytest.approx(1 / PERIOD_S, rel=0.02)


def test_frames_that_the_user_causes_need_no_turn_but_the_others_make_room_for_them() -> None:
    thread = Thread([0.005, 0.003, 0.003])
    thread.run(1.0)
    before = thread.load
    dragged = thread.members[0]
    for _ in range(60):  # the user drags the first chart, whose live frames come along
        thread.pacer.leave(dragged)
        thread.paint(dragged)
        thread.members.remove(dragged)
        thread.run(0.008)
        thread.members.insert(0, dragged)
    assert thread.load < before + 0.15


def test_a_chart_that_waits_may_become_favoured() -> None:
    pacer, slow, member = FramePacer(), PaceMember(), PaceMember()
    pacer.note_began(member, 99.99)
    pacer.note_began(slow, 100.0)
    pacer.note_ended(0.03, 100.03)
    pacer.wait(member, favoured=False)
    waits_until_s = pacer.next_turn_s()
    assert waits_until_s is not None
    assert waits_until_s > 100.07
    pacer.wait(member, favoured=True)
    assert pacer.next_turn_s() == pytest.approx(100.03 + REST_S)
    assert pacer.take(100.031) is None
    assert pacer.take(100.033) is member
    assert pacer.take(200.0) is None


def test_a_slow_frame_holds_up_others_for_a_tenth_of_a_second_at_most() -> None:
    pacer, slow, other = FramePacer(), PaceMember(), PaceMember()
    pacer.note_began(other, 0.5)
    pacer.note_began(slow, 1.0)
    pacer.note_ended(2.0, 3.0)
    pacer.wait(slow, favoured=False)
    pacer.wait(other, favoured=False)
    assert pacer.take(3.0 + REST_S) is other
    turn_s = pacer.next_turn_s()
    assert turn_s is not None
    assert turn_s <= 3.0 + LONGEST_S


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.floats(0.0005, 0.012), min_size=1, max_size=16),
    st.floats(0.0, 0.004),
    st.floats(0.1, 0.6),
    st.booleans(),
)
def test_no_chart_waits_longer_than_the_longest_time_and_one_round_of_all(
    costs_s: list[float], late_s: float, share: float, has_favoured: bool
) -> None:
    thread = Thread(costs_s, 0 if has_favoured else None, share)
    thread.run(1.5, late_s)
    # Before each of the others the favoured one may be painted once more.
    one_round_s = sum(costs_s) + len(costs_s) * (costs_s[0] + 2 * (REST_S + late_s)) + PERIOD_S
    for at in range(len(costs_s)):
        starts = [1000.0, *thread.times(at), thread.now_s]
        longest_s = max(later - earlier for earlier, later in pairwise(starts))
        assert longest_s <= LONGEST_S + one_round_s
