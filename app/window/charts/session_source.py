"""Sessions for the charts of one window, made of what the engine has of a symbol."""

from __future__ import annotations

from functools import partial

from app.live.charts.chart_session import ChartSession
from app.live.charts.shared_sessions import SharedSession, SharedSessions
from app.live.engine import Engine
from app.market.calendar.calendar import Calendar
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide


class SessionSource:
    """Gives out the sessions of ``engine``'s candles; charts that show the same ones share one of ``sessions``."""

    def __init__(self, engine: Engine, sessions: SharedSessions) -> None:
        self._engine, self._sessions = engine, sessions

    def take(
        self, name: str, interval: Interval, side: PriceSide, calendar: Calendar | None
    ) -> tuple[SharedSession, bool]:
        """
        Return the session of these candles and whether it is new; the caller joins it, and loads a new one.

        ``calendar`` is a new session's; the caller sets it in another one.
        """
        tracker = self._engine.chart_tracker(name, side)
        make = partial(
            ChartSession,
            name,
            interval,
            history=self._engine.chart_history(name, side),
            tracker=tracker,
            exchange_clock=self._engine.exchange_clock,
            clock=self._engine.clock,
            calendar=calendar,
        )
        # The tracker is a part of the key: a symbol that is recorded again has another one.
        return self._sessions.take(
            (name, interval, side, tracker), lambda state, change: make(on_state=state, on_change=change)
        )
