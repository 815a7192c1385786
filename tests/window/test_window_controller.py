"""The window on the sandbox's simulated market: what its requests do, and what it shows meanwhile."""

from __future__ import annotations

import asyncio
import gc
import weakref
from math import isfinite

from app.market.interval import Interval
from app.sandbox.server.server import SandboxServer
from tests.end_to_end.helpers import Running, until
from tests.window.playing import Play, shown
from widgets.keys import KEY_BINDINGS


def test_fast_switching_never_shows_one_symbol_under_the_name_of_another(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        names = ["ETHUSDT", "BTCUSDT", "SOLUSDT"]
        for at in range(52):
            running.window.requests.symbol_requested.emit(names[at % 3])
            assert running.chart.accessibleDescription() == ""  # nothing yet, rather than the one before
            for _ in range(at % 5):
                await asyncio.sleep(0.005)
                session = running.session
                assert session is not None
                assert session.symbol == names[at % 3]
                assert running.chart.accessibleDescription() in ("", f"{names[at % 3][:3]}/USDT, 1m")
        await until(lambda: shown(running) and running.session.joined)
        assert running.chart.accessibleDescription() == "ETH/USDT, 1m"
        assert running.chart.is_following

    play(scene)


def test_a_jump_to_a_date_loads_nothing_in_between_and_the_date_stays_in_view_over_a_switch(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        chart, session = running.chart, running.session
        there_us = running.engine.exchange_clock.now_us() - 20 * 86_400_000_000
        chart.date_requested.emit(there_us, "three weeks ago")
        await until(lambda: not chart.is_following and is_filled(running))
        assert abs(chart.center_time_us() - there_us) < 60_000_000
        assert len(session.series) < 10_000  # of 28,800
        running.window.requests.interval_requested.emit(Interval.parse("15m"))
        await until(lambda: shown(running) and is_filled(running))
        assert abs(chart.center_time_us() - there_us) < 60_000_000
        chart.navigator.follow_latest()
        await until(lambda: is_filled(running, room=0.3))
        assert chart.is_following

    play(scene)


def is_filled(running: Running, *, room: float = 0.0) -> bool:
    """Whether candles fill the view, but for that share left for candles to come and one cut off at each edge."""
    slots = running.chart.slots_in_view
    return slots > 10 and in_view(running) >= slots * (1 - room) - 2


def in_view(running: Running) -> int:
    """How many candles the chart has between its edges."""
    session, visible = running.session, running.chart.visible_range_us()
    if session is None or visible is None or not len(session.series):
        return 0
    opens = session.series.column("open_time_us")
    return int(((opens >= visible[0]) & (opens < visible[1])).sum())


def test_an_indicator_loads_the_candles_it_needs_before_the_view_and_is_remembered(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        chart, session = running.chart, running.session
        await until(lambda: session.joined and chart.accessibleDescription())
        study = chart.indicators.add("ema", {"period": 200})
        await until(lambda: "—" not in chart.indicators.entry_texts()[0])
        interval, (left_us, _) = session.interval, chart.visible_range_us()
        left = interval.slot(left_us)
        await until(lambda: session.series.slots[0] <= chart.first_needed_slot(left) < left - 2000)
        chart.frame_now()
        assert isfinite(study.values.column("ema")[session.series.index_at_slot(left)])
        assert running.controller._state.chart["indicators"][0]["settings"]["period"] == 200

    play(scene)


def test_a_closed_window_leaves_no_object_for_another_thread_to_destroy(play: Play) -> None:
    left: list[weakref.ref[object]] = []

    async def scene(running: Running, server: SandboxServer) -> None:
        loop = asyncio.get_running_loop()
        left.extend(weakref.ref(one) for one in (running.window, running.chart, running.controller, loop))

    gc.disable()  # as if no thread had happened to collect
    try:
        play(scene)
        assert [one() is None for one in left] == [True] * 4
    finally:
        gc.enable()


def test_every_command_of_the_table_is_run_by_some_part_of_the_window(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.session.joined)
        commands = running.window.commands
        named = [binding.command for binding in KEY_BINDINGS if binding.command]
        assert [command for command in named if not commands.has(command)] == []
        assert commands.reason_not("later") == ""
        assert commands.reason_not("back") == "There is no view before this one."
        assert commands.run("screen_earlier")
        assert commands.reason_not("back") == ""
        assert "first (F6)" in commands.reason_not("close_pane")
        assert commands.run("next_pane")
        assert commands.reason_not("close_pane") == ""

    play(scene)
