"""Updates held back: each runs at once, or once at the end of what holds it."""

from __future__ import annotations

from widgets.chart.frames.update_hold import UpdateHold


def held_back() -> tuple[UpdateHold, list[str]]:
    calls: list[str] = []
    return UpdateHold(lambda: calls.append("lay out"), lambda: calls.append("update")), calls


def test_an_update_that_nothing_holds_runs_at_once() -> None:
    hold, calls = held_back()
    hold.lay_out()
    hold.update()
    assert calls == ["lay out", "update"]


def test_what_is_held_runs_once_at_the_end_and_laying_out_updates_too() -> None:
    hold, calls = held_back()
    with hold.held():
        hold.update()
        hold.lay_out()
        with hold.held():
            hold.update()
            hold.lay_out()
        assert calls == []
    assert calls == ["lay out"]
    with hold.held():
        hold.update()
        hold.update()
    assert calls == ["lay out", "update"]


def test_nothing_runs_where_nothing_was_asked_for() -> None:
    hold, calls = held_back()
    with hold.held():
        pass
    assert calls == []
