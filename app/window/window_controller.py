"""
Qt meets asyncio: the window's requests become work of the engine, and the engine's changes reach the window.

Nothing here touches Qt per message. The chart's frame asks for what changed, and that is brought into the series; a
slower timer renews the panels.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer, Signal

from app.concurrency.tasks import Tasks
from app.live.charts.chart_session import ChartSession, SessionState
from app.live.engine import Engine
from app.live.recording.measures import PaintWatch
from app.market.interval import Interval
from app.market.ports.database import OpenedDatabase
from app.market.ports.exchange import FeedState, FeedStatus
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from app.window.appearance import show_palette, show_state
from app.window.export_controller import ExportController
from app.window.gap_overlay import GapOverlay
from app.window.history_navigation import HistoryNavigation
from app.window.notice import notice_of
from app.window.panel_values import PanelValues
from app.window.watchlist_controller import WatchlistController
from app.window.window_state import WindowState
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.state_panel import RETRY, SIMULATED_MARKET
from widgets.theme import text_size
from widgets.theme.system_scheme import SystemScheme
from widgets.window.main_window import MainWindow

_PANELS_MS = 250
# A frame takes the interpreter's lock a dozen times. Beside threads that read pages or write trades each time may cost
# the usual 5 ms; so those give way sooner.
_SWITCH_S = 0.0005
_TICKS_A_SECOND = 4
_RELOAD_FIRST_S, _RELOAD_LAST_S = 2.0, 60.0


class WindowBridge(QObject):
    """
    Connects one engine with one window until `stop`.

    Signals:
        state_changed: The watchlist has changed, and wants to be remembered.
        simulated_market_requested: The user wants the simulated market instead of this one.
        first_painted: Candles were painted for the first time.
    """

    simulated_market_requested = Signal()
    state_changed = Signal()
    first_painted = Signal()

    def __init__(
        self,
        engine: Engine,
        window: MainWindow,
        chart: ChartWidget,
        state: WindowState,
        *,
        spread_percent: float,
        simulated: bool,
    ) -> None:
        super().__init__(window)
        self._engine = engine
        self._window = window
        self._chart = chart
        self._state = state
        self._simulated = simulated
        self._panels = PanelValues(engine, spread_percent=spread_percent, simulated=simulated)
        self._watching = WatchlistController(engine, window, state, self._panels)
        self._watching.on_change = self.state_changed.emit
        self._exporting = ExportController(engine, window)
        self._tasks = Tasks("the window")
        self._gap_marks = GapOverlay(engine, chart, self._tasks.begin)
        self._paint_watch = PaintWatch(engine.exchange_clock, engine.recorder.measures.painted)
        self._session: ChartSession | None = None
        self._session_work: asyncio.Task[None] | None = None
        self._changed = False
        self._paints_before: int | None = None  # when the first candles were given to the chart
        self._has_painted = False
        self._shown: CandleSeries | None = None
        self._described: Symbol | None = None  # the chart's symbol as the window shows it
        self._view_moved = False
        self._travelling = HistoryNavigation(chart, engine.clock, self._tasks.begin)
        self._reload_at_s = 0.0
        self._reload_wait_s = _RELOAD_FIRST_S
        self._ticks = 0
        self._database: OpenedDatabase | None = None  # the one that the chart was loaded from
        self._ahead_timer = self._timer(0, self._travelling.look)
        self._ahead_timer.setSingleShot(True)
        self._panel_timer = self._timer(_PANELS_MS, self._on_panels)
        self._scheme = SystemScheme(self)
        self._connect_signals()

    @property
    def session(self) -> ChartSession | None:
        """The session behind the chart."""
        return self._session

    def start(self) -> None:
        """Show the symbol and interval of the window's state and begin to keep everything up to date."""
        sys.setswitchinterval(_SWITCH_S)
        show_state(self._window, self._chart, self._state)
        self._watching.start()
        self._show(self._state.symbol, self._state.interval)
        self._on_panels()
        self._chart.set_source(self._bring_changes)
        self._panel_timer.start()

    async def stop(self) -> None:
        """Stop timers and tasks; the window shows what it showed last."""
        self._chart.set_source(None)
        self._ahead_timer.stop()
        self._panel_timer.stop()
        if self._session is not None:
            self._session.close()
        await self._tasks.end()
        await self._exporting.stop()

    def _connect_signals(self) -> None:
        window, chart, engine = self._window, self._chart, self._engine
        window.symbol_requested.connect(self._on_symbol_requested)
        window.interval_requested.connect(self._on_interval_requested)
        window.theme_requested.connect(self._on_theme)
        window.text_percent_requested.connect(self._on_text_percent)
        window.candle_colours_requested.connect(self._on_candle_colours)
        self._scheme.changed.connect(lambda: show_palette(window, chart, self._state, self._scheme))
        window.chart_menu_requested.connect(chart.open_style_menu)
        window.indicators_requested.connect(chart.open_indicators)
        window.date_entry_requested.connect(chart.open_date_entry)
        window.retry_database_requested.connect(engine.retry_database)
        window.retry_feed_requested.connect(self._on_retry)
        window.simulated_market_requested.connect(self.simulated_market_requested)
        window.export_requested.connect(self._on_export)
        window.download_requested.connect(self._on_download)
        window.download_stop_requested.connect(self._on_download_stop)
        chart.retry_requested.connect(self._on_retry)
        chart.simulated_market_requested.connect(self.simulated_market_requested)
        chart.look_changed.connect(self._on_look)
        chart.older_history_requested.connect(self._on_view_moved)
        chart.date_requested.connect(self._travelling.go_to)
        chart.journey_cancelled.connect(self._travelling.cancel)
        chart.visible_range_changed.connect(self._on_view_moved)
        chart.painted.connect(self._on_painted)
        engine.feed.on_status(self._on_feed_status)
        engine.on_database = self._on_database
        engine.on_symbols = self._on_symbols

    # Requests of the user

    def _on_symbol_requested(self, name: str) -> None:
        if name != self._state.symbol:
            self._show(name, self._state.interval)
            self._watching.record()  # the one before is recorded no more, unless it is watched
            self._watching.rebuild()

    def _on_interval_requested(self, interval: Interval) -> None:
        if interval != self._state.interval:
            self._show(self._state.symbol, interval)

    def _on_theme(self, name: str) -> None:
        self._state.theme = name
        show_palette(self._window, self._chart, self._state, self._scheme)

    def _on_candle_colours(self, name: str) -> None:
        self._state.candle_colours = name
        show_palette(self._window, self._chart, self._state, self._scheme)

    def _on_text_percent(self, percent: int) -> None:
        self._state.text_percent, self._state.lasting_text_percent = percent, None
        text_size.set_percent(percent)
        self._window.set_text_percent(percent)

    def _on_look(self) -> None:
        self._state.chart = self._chart.look_values()
        self._on_view_moved()  # an indicator may need older candles
        self._window.set_price_style(self._chart.chart_style.price_style.title)

    def _on_retry(self) -> None:
        self._engine.retry_exchange()
        if self._session is not None:
            self._work_on_session(self._session.reload())

    def _on_download(self) -> None:
        self._engine.repairer.download(self._state.symbol)
        self._on_panels()

    def _on_download_stop(self) -> None:
        self._engine.repairer.plan.stop_download(self._state.symbol)
        self._on_panels()

    def _on_export(self) -> None:
        self._exporting.open(
            list(self._engine.symbols.values()) or [self._symbol(self._state.symbol)],
            self._symbol(self._state.symbol),
            self._state.interval,
            self._visible_past_us(),
        )

    def _visible_past_us(self) -> tuple[int, int] | None:
        """The chart's range without the empty time to come; None where nothing of the past is in view."""
        visible = self._chart.visible_range_us()
        if visible is None:
            return None
        start_us, end_us = visible
        end_us = min(end_us, self._state.interval.next_open_us(self._engine.exchange_clock.now_us()))
        return (start_us, end_us) if start_us < end_us else None

    def _on_view_moved(self) -> None:
        self._view_moved = True  # looked at on the panels' timer, not in every frame of a drag
        self._ahead_timer.start()  # once the frame that moved it is done

    # The chart's session

    def _show(self, name: str, interval: Interval) -> None:
        """Make this the chart's symbol and interval; the old candles are gone at once."""
        if self._session is not None:
            self._session.close()
        symbol = self._described = self._symbol(name)
        self._state.symbol, self._state.interval = name, interval
        if name not in self._engine.recorder.symbols:
            self._watching.record()
        self._window.set_symbol(symbol)
        self._renew_quote()  # what is known of it, at once: no flash of dashes
        self._window.set_interval(interval)
        self._chart.set_series(None, symbol)
        self._session = ChartSession(
            name,
            interval,
            history=self._engine.history,
            tracker=self._engine.recorder.tracker(name),
            exchange_clock=self._engine.exchange_clock,
            clock=self._engine.clock,
            on_state=self._on_session_state,
            on_change=self._on_session_change,
        )
        view_us = self._travelling.view_in(interval)
        self._travelling.set_session(self._session)
        self._gap_marks.show(self._session)
        self._on_session_state()
        self._work_on_session(self._run_session(self._session, view_us))

    async def _run_session(self, session: ChartSession, view_us: tuple[int, int] | None) -> None:
        if not self._engine.is_clock_measured:
            self._tasks.begin(session.show_stored())
            await self._engine.wait_for_clock()
        await session.run(view_us)

    def _work_on_session(self, work: Coroutine[Any, Any, None]) -> None:
        if self._session_work is not None:
            self._session_work.cancel()
        self._session_work = self._tasks.begin(work)

    def _on_session_change(self) -> None:
        self._changed = True
        self._chart.series_changed()

    def _on_session_state(self) -> None:
        session = self._session
        if session is None:
            return
        title = f"{self._symbol(session.symbol).display_name} {session.interval}"
        match session.state:
            case SessionState.LOADING:
                self._chart.set_state("loading", f"Loading {title}…")
            case SessionState.READY:
                self._on_session_change()
                tracker = self._engine.recorder.tracker(session.symbol)
                self._paint_watch.reset(tracker.last_trade if tracker is not None else None)
                if self._paints_before is None:
                    self._paints_before = self._chart.paint_count
                self._give_series(session)
                self._chart.set_state("ready")
                self._on_view_moved()
            case SessionState.EMPTY:
                self._give_series(session)
                self._chart.set_state("empty", f"No trades of {title} yet. The first one will show here.")
            case SessionState.FAILED:
                actions = (RETRY,) if self._simulated else (RETRY, SIMULATED_MARKET)
                self._chart.set_state("error", session.failure, actions)

    def _give_series(self, session: ChartSession) -> None:
        if self._shown is not session.series:
            self._shown = session.series
            self._chart.set_series(session.series, self._symbol(session.symbol))

    def _reload_when_stale(self, session: ChartSession) -> None:
        """Read again what could not be read, at growing distances, while the exchange can be reached."""
        now_s = self._engine.clock.monotonic_s()
        if now_s < self._reload_at_s:
            return  # what is well by then was worth the last reload; while that goes on nobody knows
        if not session.is_stale:
            self._reload_wait_s = _RELOAD_FIRST_S
        elif self._engine.feed.status.state is FeedState.LIVE:
            self._reload_at_s = now_s + self._reload_wait_s
            self._reload_wait_s = min(2 * self._reload_wait_s, _RELOAD_LAST_S)
            self._work_on_session(session.reload())

    # Changes of the engine

    def _on_feed_status(self, status: FeedStatus) -> None:
        session = self._session
        if status.state is FeedState.LIVE and session is not None and session.state is SessionState.FAILED:
            self._work_on_session(session.reload())
        self._renew_notice()

    def _on_database(self) -> None:
        session, before = self._session, self._database
        self._database = self._engine.database or before
        if self._engine.database is not None and session is not None:
            if before is not None and before is not self._engine.database:
                self._show(session.symbol, session.interval)  # what the other one had is not to stay
            elif session.read_again():
                self._tasks.begin(session.show_stored())
            else:
                self._work_on_session(session.reload())
        self._renew_notice()

    def _on_symbols(self) -> None:
        self._window.set_symbols(list(self._engine.symbols.values()))
        symbol = self._symbol(self._state.symbol)
        if symbol != self._described:  # the list is read again and again, and a chart that is anew loses its place
            self._described = symbol
            self._window.set_symbol(symbol)
            self._renew_quote()
            if self._session is not None and self._session.state is SessionState.READY:
                self._chart.set_series(self._session.series, symbol)
        self._watching.rebuild()
        self._on_panels()

    def _renew_notice(self) -> None:
        notice = notice_of(
            self._engine,
            self._symbol(self._state.symbol),
            self._session,
            refusal=self._watching.refusal,
            chart_trouble=self._chart.trouble,
            simulated=self._simulated,
        )
        if notice is None:
            self._window.clear_notice()
        else:
            self._window.set_notice(*notice)

    # Timers

    def _bring_changes(self) -> None:
        """Bring what trades have changed into the series: the chart asks for it as a frame begins."""
        if self._changed and self._session is not None:
            self._changed = False
            self._session.refresh()
            self._watch_paint(self._session)

    def _on_painted(self) -> None:
        self._paint_watch.note_paint(self._chart.frame_count)
        if not self._has_painted and self._paints_before is not None:
            self._has_painted = self._chart.paint_count > self._paints_before
            if self._has_painted:
                # What a program has at its start it keeps. Left to the collector, it is looked through again and again,
                # and each time no frame is drawn for as long as ten take. `let_go` gives it back.
                gc.freeze()
                self.first_painted.emit()

    def _watch_paint(self, session: ChartSession) -> None:
        """Have the delay to the screen measured, where the newest candle is on it."""
        tracker = self._engine.recorder.tracker(session.symbol)
        newest = tracker.last_trade if tracker is not None else None
        if self._chart.is_following and self._chart.isVisible() and not self._window.isMinimized():
            self._paint_watch.note_change(newest, self._chart.frame_count)
        else:
            self._paint_watch.reset(newest)

    def _on_panels(self) -> None:
        self._watching.renew()
        self._renew_quote()
        status = self._panels.status()
        self._window.set_status(status)
        if status.exchange_time_us is not None:
            self._chart.set_now(status.exchange_time_us)
        if self._view_moved:
            self._view_moved = False
            self._travelling.look()
            self._gap_marks.view_moved()
        self._ticks += 1
        if self._ticks % _TICKS_A_SECOND == 0:
            self._on_second()

    def _on_second(self) -> None:
        session = self._session
        self._renew_notice()
        if session is None:
            return
        # While a symbol does not trade, no candles begin.
        trading = self._symbol(session.symbol).is_trading
        if trading and self._engine.is_receiving(session.symbol) and session.tick():
            self._chart.series_changed()
        self._reload_when_stale(session)
        self._gap_marks.renew()

    # Small things

    def _renew_quote(self) -> None:
        name = self._state.symbol
        self._window.set_quote(self._panels.quote(self._symbol(name), watched=name in self._state.watchlist))

    def _symbol(self, name: str) -> Symbol:
        return self._engine.symbol(name)

    def _timer(self, interval_ms: int, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval_ms)
        timer.timeout.connect(call)
        return timer


def let_go() -> None:
    """
    Destroy what is left of a window whose loop is closed.

    Widgets, and the timers of the loop, stand in reference cycles, and Python breaks those up in whichever thread
    happens to allocate next. Off the main thread, the end of a Qt object with a timer ends the process.
    """
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.unfreeze()
    gc.collect()
