"""One session for several charts: who hears of it, who loads, when it sleeps and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.live.charts.shared_sessions import SessionListener, SharedSession, SharedSessions


class FakeSession:
    """Notes what is done with it."""

    symbol = "BTCUSDT"

    def __init__(self, on_state: Callable[[], None], on_change: Callable[[], None]) -> None:
        self.on_state, self.on_change = on_state, on_change
        self.done: list[str] = []
        self.remembers = False  # the trades since the pause

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> bool:
        self.done.append("resume")
        return self.remembers

    def close(self) -> None:
        self.done.append("close")

    async def reload(self) -> None:
        self.done.append("reload")


def listener(heard: list[str], name: str) -> SessionListener:
    return SessionListener(lambda: heard.append(f"{name} state"), lambda: heard.append(f"{name} change"))


def taken(sessions: SharedSessions, key: str = "btc 1m") -> tuple[SharedSession, Any, bool]:
    shared, is_new = sessions.take(key, FakeSession)  # type: ignore[arg-type]  # because it stands in for a session
    return shared, shared.session, is_new


def test_charts_of_the_same_candles_share_a_session_until_the_last_one_leaves() -> None:
    sessions, heard = SharedSessions(), list[str]()
    one, other = listener(heard, "one"), listener(heard, "other")
    shared, session, is_new = taken(sessions)
    assert is_new
    shared.join(one)
    again, _, is_new = taken(sessions)
    assert again is shared
    assert not is_new
    again.join(other)
    assert taken(sessions, "eth 1m")[0] is not shared
    session.on_state()
    session.on_change()
    assert heard == ["one state", "other state", "one change", "other change"]
    shared.leave(one)
    assert session.done == []
    shared.leave(other)
    assert session.done == ["close"]
    assert taken(sessions)[2]


async def test_the_first_awake_chart_loads_for_all_and_a_session_sleeps_once_all_do() -> None:
    sessions = SharedSessions()
    one, other = listener([], "one"), listener([], "other")
    shared, session, _ = taken(sessions)
    shared.join(one)
    shared.join(other)
    assert shared.is_leader(one)
    shared.sleep(one)
    assert shared.is_leader(other)
    assert session.done == []
    shared.sleep(other)
    shared.sleep(other)
    assert session.done == ["pause"]
    shared.wake(one)
    await asyncio.sleep(0)
    assert session.done == ["pause", "resume", "reload"]
    shared.wake(other)
    await asyncio.sleep(0)
    assert session.done == ["pause", "resume", "reload"]
    shared.sleep(other)
    shared.leave(one)
    assert session.done == ["pause", "resume", "reload", "pause"]
    third = listener([], "third")
    shared.join(third)
    await asyncio.sleep(0)
    assert session.done[-1] == "reload"
    shared.leave(other)
    shared.leave(third)
    await shared.end()


async def test_a_session_that_remembers_the_trades_loads_only_what_was_cut_short_or_is_new() -> None:
    one = listener([], "one")
    shared, session, _ = taken(SharedSessions())
    session.remembers = True
    shared.join(one)
    shared.begin(asyncio.sleep(0))
    await asyncio.sleep(0.01)
    shared.sleep(one)
    shared.wake(one)
    await asyncio.sleep(0)
    assert session.done == ["pause", "resume"]
    shared.begin(asyncio.Event().wait())  # type: ignore[arg-type]  # because it never returns
    await asyncio.sleep(0)
    shared.sleep(one)
    shared.wake(one)
    await asyncio.sleep(0)
    assert session.done[2:] == ["pause", "resume", "reload"]
    shared.sleep(one)
    shared.note_outdated()
    shared.wake(one)
    await asyncio.sleep(0)
    assert session.done[5:] == ["pause", "resume", "reload"]
    shared.leave(one)
    await shared.end()


async def test_a_new_load_replaces_the_one_under_way_and_the_last_to_leave_ends_it() -> None:
    sessions, ended = SharedSessions(), list[str]()

    async def load(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    one = listener([], "one")
    shared, _, _ = taken(sessions)
    shared.join(one)
    shared.begin(load("first"))
    await asyncio.sleep(0)
    shared.begin(load("second"))
    await asyncio.sleep(0)
    assert ended == ["first"]
    shared.begin_beside(load("beside"))
    await asyncio.sleep(0)
    shared.leave(one)
    await shared.end()
    assert sorted(ended) == ["beside", "first", "second"]


@pytest.mark.parametrize(("symbols", "is_new"), [({"BTCUSDT"}, True), ({"ETHUSDT"}, False), (None, True)])
def test_outdated_sessions_are_given_to_no_further_chart(symbols: set[str] | None, is_new: bool) -> None:
    sessions, one = SharedSessions(), listener([], "one")
    shared, session, _ = taken(sessions)
    shared.join(one)
    sessions.renew(symbols)
    assert taken(sessions)[2] is is_new
    shared.leave(one)
    assert session.done == ["close"]
    assert len(sessions) == 1 if is_new else len(sessions) == 0
