"""
Connects one chart to one engine: its session, reloads, frames, jumps and marks of missing trades.

It knows no window. The chart's owner chooses symbol and interval by `ChartController.show`, and decides what is
recorded and what panels show. The owner also forwards the engine's changes, because an engine calls one listener, and
calls `renew` and `tick` from its own timer, which any number of charts can share.

Nothing here touches Qt per trade. As each frame begins, the chart asks for the changes since the last one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from app.concurrency.tasks import Tasks
from app.live.charts.candle_refresh import read_stored
from app.live.charts.chart_session import ChartSession, SessionState
from app.live.charts.reload_backoff import ReloadBackoff
from app.live.charts.shared_sessions import SessionListener, SharedSession, SharedSessions
from app.live.engine import Engine
from app.live.recording.measures import PaintWatch
from app.market.calendar.calendar import Calendar
from app.market.errors import StoreError
from app.market.interval import Interval
from app.market.ports.database import OpenedDatabase
from app.market.ports.exchange import FeedState, FeedStatus
from app.market.quotes.tick import PriceSide
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol, has_trades
from app.market.trade import Trade
from app.window.charts.history_navigation import HistoryNavigation
from app.window.charts.paint_timing import PaintTiming
from app.window.charts.range_navigation import RangeNavigation
from app.window.charts.session_source import SessionSource
from app.window.charts.symbol_calendar import SymbolCalendar
from app.window.drawings.drawings_controller import DrawingsController
from app.window.overlays.compare_overlay import CompareOverlay
from app.window.overlays.comparison_overlay import ComparisonOverlay
from app.window.overlays.gap_overlay import GapOverlay
from app.window.overlays.joined_sessions import JoinedSessions
from app.window.overlays.spread_overlay import SpreadOverlay
from app.window.panel_values import ChartPrice
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.time_range import TimeRange
from widgets.chart.popups.state_panel import RETRY, SIMULATED_MARKET

logger = logging.getLogger(__name__)

_LOADING_NEWEST = "Loading the latest candles…"


class ChartController(QObject):
    """
    Loads and updates what ``chart`` shows, until `stop`.

    ``simulated``: the market is a simulation, so an error does not offer one. ``sessions``: those of the charts beside
    this one, which it shares. A chart out of view sleeps, once it has its first candles, until a frame shows it again.

    Signals:
        interval_chosen(object): a range of time fits this `Interval`; the owner shows it at once.
        first_painted(): candles were painted for the first time.
    """

    interval_chosen = Signal(object)
    first_painted = Signal()

    def __init__(
        self, engine: Engine, chart: ChartWidget, *, simulated: bool, sessions: SharedSessions | None = None
    ) -> None:
        super().__init__(chart)
        self._engine = engine
        self._chart = chart
        self._failure_actions = (RETRY,) if simulated else (RETRY, SIMULATED_MARKET)
        self._tasks = Tasks("a chart")
        self._sessions = SessionSource(engine, SharedSessions() if sessions is None else sessions)
        self._gap_overlay = GapOverlay(engine, chart, self._tasks.begin)
        self._comparison = ComparisonOverlay(engine, chart, self._tasks.begin)
        self._spread = SpreadOverlay(chart, self._sessions_beside())
        self._compare = CompareOverlay(chart, self._sessions_beside())
        self.drawings = DrawingsController(engine.drawings, chart.drawings)
        self._navigation = HistoryNavigation(chart, engine.clock, self._tasks.begin)
        self._ranges = RangeNavigation(
            chart,
            engine.exchange_clock,
            begin=self._tasks.begin,
            request_interval=self.interval_chosen.emit,
        )
        self._paint_timing = PaintTiming(chart, PaintWatch(engine.exchange_clock, engine.recorder.measures.painted))
        self._paint_timing.first_painted.connect(self.first_painted)
        self._reload_backoff = ReloadBackoff()
        self._shared: SharedSession | None = None
        self._listener = SessionListener(self._on_session_state, self._on_session_change)
        self.is_asleep = False
        self._side = PriceSide.MID  # which price of ticks the chart shows
        self._symbol: Symbol | None = None  # as the chart shows it
        self._calendar: Calendar | None = None
        self._symbol_calendar = SymbolCalendar(engine, self._tasks.begin, self.set_calendar)
        self._series: CandleSeries | None = None  # as the chart shows it
        self._next_jump: tuple[ChartSession, int, str] | None = None
        self._is_stopped = False
        self._has_changes = False
        self._view_moved = False
        self._database: OpenedDatabase | None = None  # the one the candles were read from
        self._is_place_checked = False  # whether there are candles where an earlier run left the view
        # Runs on the turn of the loop after the frame that moved the view.
        self._prefetch_timer = QTimer(self)
        self._prefetch_timer.setSingleShot(True)
        self._prefetch_timer.timeout.connect(self._navigation.load_around_view)
        chart.retry_requested.connect(self.retry)
        chart.appearance_changed.connect(self._on_appearance_changed)
        chart.older_history_requested.connect(self._on_view_moved)
        chart.visible_range_changed.connect(self._on_view_moved)
        chart.date_requested.connect(self._navigation.jump_to)
        chart.range_requested.connect(self._show_range)
        chart.jump_cancelled.connect(self._cancel_jump)
        chart.painted.connect(self._on_painted)
        chart.set_source(self._refresh_series)

    @property
    def session(self) -> ChartSession | None:
        """The session behind the chart; None before `show`."""
        return None if self._shared is None else self._shared.session

    @property
    def spread(self) -> list[ChartSession]:
        """The sessions of bid and ask behind the band of the spread; empty while none is drawn."""
        return self._spread.sessions

    @property
    def comparison(self) -> str:
        """The outcome of the last comparison in words, until it is dismissed."""
        return self._comparison.sentence

    @property
    def is_live(self) -> bool:
        """Whether trades reach the chart as they happen."""
        session = self.session
        return session is not None and session.joined and self._engine.is_live(session.symbol)

    def last_price(self, name: str) -> ChartPrice | None:
        """Return the last price as the chart shows it; None while it shows no candle of that symbol."""
        last = self._chart.last_price
        if last is None or self._series is None or self._series.symbol != name or self._chart.series is None:
            return None
        return ChartPrice(last, self.is_live)

    def visible_history_us(self) -> tuple[int, int] | None:
        """Return the visible range up to the end of the newest candle, UTC microseconds; None if it is empty."""
        visible = self._chart.visible_range_us()
        if visible is None or self.session is None:
            return None
        start_us, end_us = visible
        end_us = min(end_us, self.session.interval.next_open_us(self._engine.exchange_clock.now_us()))
        return (start_us, end_us) if start_us < end_us else None

    def show(self, name: str, interval: Interval) -> None:
        """
        Show this symbol and interval; the old candles are gone at once.

        Live trades reach the chart only if the engine records the symbol already.
        """
        if self._shared is not None:
            self._shared.leave(self._listener)
        if self.is_asleep:
            self.is_asleep = False
            self._spread.wake()
            self._compare.wake()
        self._side = self._chart.chart_style.price_side
        self._symbol = self._engine.symbol(name)
        self._shared, is_new = self._sessions.take(name, interval, self._side, self._calendar)
        self._shared.join(self._listener)
        self._series = None
        if self._chart.series is not None or self._shared.session.state is not SessionState.READY:
            self._chart.set_series(None, self._symbol)  # a new chart shows what another one has loaded at once
        self.drawings.show(name)
        self._chart.set_loading("")
        session = self._shared.session
        if not is_new:
            session.set_calendar(self._calendar)
        view_us = self._navigation.view_in(interval) if self._is_place_checked else None  # `_check_place` loads it
        self._navigation.set_session(session)
        self._ranges.set_session(session)
        self._gap_overlay.set_session(session)
        self._comparison.set_session(session)
        self._spread.set_session(session)
        self._compare.set_chart(name, interval)
        self._on_session_state()
        if is_new:
            self._shared.begin(self._run_session(self._shared, view_us))
        else:
            self._on_view_moved()  # it may need candles that the others' views did not
        self._check_place()

    def compare_with(self, names: Sequence[str]) -> None:
        """Draw these symbols as lines in percent beside the chart's own; live only those that are recorded already."""
        self._compare.set_symbols([(name, self._engine.symbol(name)) for name in names])

    @property
    def compared(self) -> tuple[str, ...]:
        """The names of the symbols that `compare_with` set."""
        return self._compare.names

    def _sessions_beside(self) -> JoinedSessions:
        return JoinedSessions(self._chart, self._sessions.take, self._tasks.begin, self._engine.wait_for_clock)

    def set_calendar(self, calendar: Calendar | None) -> None:
        """
        Set when the symbol's market is open, before `show` or while it is shown; None: always.

        The chart leaves closed time out, and loads no candle and opens none in it.
        """
        if calendar is self._calendar:
            return
        self._calendar = calendar
        self._chart.set_calendar(calendar)
        self._spread.set_calendar(calendar)
        if self.session is not None:
            self.session.set_calendar(calendar)

    def use_calendar_of(self, symbol: str) -> None:
        """Set the calendar of a symbol that `show` follows for: the usual one at once, a better one once it is read."""
        self._symbol_calendar.follow(symbol)

    def jump_when_ready(self, time_us: int, text: str) -> None:
        """Jump to a time, UTC microseconds, once the chart has candles; ``text`` names the place."""
        session = self.session
        if session is not None and session.state is SessionState.READY:
            self._navigation.jump_to(time_us, text)
        elif session is not None:
            self._next_jump = (session, time_us, text)

    async def read_stored(self, name: str, start_us: int, end_us: int) -> None:
        """
        Show what is stored of that time by now, UTC microseconds, if the chart shows that symbol. Logs failures.

        The database has got candles that no trade announced: those of a download.
        """
        session, database = self.session, self._engine.database
        if session is None or session.symbol != name or database is None:
            return
        try:
            await read_stored(session, database.store, start_us, end_us)
        except StoreError as error:
            logger.info("%s: candles were not read again: %s", name, error, extra={"symbol": name})

    def retry(self) -> None:
        """Retry the exchange now, and load the missing candles again."""
        self._engine.retry_exchange()
        if self._shared is not None:
            self._shared.begin(self._shared.session.reload())

    async def stop(self) -> None:
        """Stop timers and tasks; the chart keeps its last picture."""
        self._chart.set_source(None)
        self._prefetch_timer.stop()
        self.drawings.stop()
        await self._spread.stop()
        await self._compare.stop()
        if self._shared is not None and not self._is_stopped:
            self._is_stopped = True
            self._shared.leave(self._listener)
            await self._shared.end()
        await self._tasks.end()

    # Called by the owner

    def on_feed_status(self, status: FeedStatus) -> None:
        """Load again if loading failed and the feed is live now."""
        if status.state is FeedState.LIVE:
            self._reload_failed()

    def on_exchange_back(self) -> None:
        """Load at once what failed while the exchange was away."""
        self._reload_backoff.reset()
        self._spread.reload_soon()
        self._compare.reload_soon()
        self._reload_failed()

    def _reload_failed(self) -> None:
        shared = self._shared
        if shared is not None and shared.session.state is SessionState.FAILED and shared.is_leader(self._listener):
            shared.begin(shared.session.reload())

    def on_database(self) -> None:
        """Read candles from the engine's database, if one is open now."""
        session, database, before = self.session, self._engine.database, self._database
        self._database = database or before
        self._check_place()
        if database is None or session is None:
            return
        self.use_calendar_of(session.symbol)
        shared = self._shared
        if before is not None and before is not database:
            self.show(session.symbol, session.interval)  # no candle of the other database may stay
        elif shared is None:
            return
        elif self.is_asleep:
            shared.note_outdated()
        elif not shared.is_leader(self._listener):
            return  # another chart loads the candles
        elif session.read_again():
            shared.begin_beside(session.show_stored())
        else:
            shared.begin(session.reload())

    def on_symbols(self) -> None:
        """Show the symbol's description again if it has changed."""
        session = self.session
        if session is None:
            return
        self._compare.renew_symbols(self._engine.symbol)
        symbol = self._engine.symbol(session.symbol)
        # The list is read every few minutes, and a chart that gets its series again loses its view.
        if symbol != self._symbol:
            self._symbol = symbol
            if session.state is SessionState.READY:
                self._chart.set_series(session.series, symbol)

    def renew(self) -> None:
        """Renew the countdown, and load for a view that has moved; call a few times per second."""
        if self.is_asleep:
            if self.is_in_view:
                self._chart.series_changed()  # no frame was due when the window was restored
            return
        if self._shared is not None and self._shared.session.state is not SessionState.LOADING and not self.is_in_view:
            self._fall_asleep(self._shared)
            return
        self._chart.set_now(self._engine.exchange_clock.now_us())
        self._chart.set_live(self.is_live)
        # A page that is loaded for another chart's view keeps this one's waiting.
        is_shared = self._shared is not None and self._shared.is_shared
        if self._view_moved or (is_shared and self.is_in_view):
            self._view_moved = False
            self._navigation.load_around_view()
            self._gap_overlay.on_view_moved()
            self._spread.load_view()
            self._compare.load_view()

    def tick(self) -> None:
        """Open candles that begin without a trade, and retry failed loads; call about once per second."""
        shared = self._shared
        if shared is None or self.is_asleep:
            return
        session = shared.session
        # While a symbol does not trade, no candles begin.
        is_trading = self._engine.symbol(session.symbol).is_trading
        if is_trading and self._engine.is_receiving(session.symbol) and session.tick():
            shared.tell_change()
        now_s, is_live = self._engine.clock.monotonic_s(), self._engine.is_receiving(session.symbol)
        is_turn = self._reload_backoff.take_turn(now_s, is_stale=session.is_stale, is_live=is_live)
        if is_turn and shared.is_leader(self._listener):
            shared.begin(session.reload())
        self._gap_overlay.renew()
        self._spread.tick(now_s, self._engine.is_receiving)
        self._compare.tick(now_s, self._engine.is_receiving)

    # Ranges and jumps

    def _show_range(self, time_range: TimeRange) -> None:
        self._navigation.cancel_jump()
        self._ranges.show(time_range)

    def _cancel_jump(self) -> None:
        self._navigation.cancel_jump()
        self._ranges.cancel()

    # The session

    async def _run_session(self, shared: SharedSession, view_us: tuple[int, int] | None) -> None:
        if not self._engine.is_clock_measured:
            # The live join needs the exchange's time. Stored candles do not, so they are shown first.
            shared.begin_beside(shared.session.show_stored())
            await self._engine.wait_for_clock()
        await shared.session.run(view_us)

    @property
    def is_in_view(self) -> bool:
        """Whether the chart may be on the screen; Qt knows that of its window as far as the system tells."""
        handle = self._chart.window().windowHandle()
        is_exposed = handle is None or handle.isExposed()  # not while minimised, or on another virtual desktop
        return is_exposed and self._chart.isVisible() and not self._chart.window().isMinimized()

    def _fall_asleep(self, shared: SharedSession) -> None:
        """Let nothing happen for a chart that nobody sees; its next frame wakes it."""
        self.is_asleep = True
        self._spread.sleep()
        self._compare.sleep()
        shared.sleep(self._listener)

    def _wake(self, shared: SharedSession) -> None:
        self.is_asleep = False
        self._chart.set_now(self._engine.exchange_clock.now_us())
        shared.wake(self._listener)
        self._compare.wake()
        self._spread.wake()
        self._on_view_moved()

    def _check_place(self) -> None:
        """Until a database is open or has failed: see whether there are candles where an earlier run left the view."""
        if not self._is_place_checked:
            self._is_place_checked = self._engine.database is not None or self._engine.database_failed
            self._navigation.check_restored(can_retry=not self._is_place_checked)

    def _on_session_change(self) -> None:
        self._has_changes = True
        self._chart.series_changed()
        session = self.session
        self._chart.set_loading(_LOADING_NEWEST if session is not None and session.awaits_newest else "")

    def _on_session_state(self) -> None:
        session = self.session
        if session is None:
            return
        symbol = self._engine.symbol(session.symbol)
        title = f"{symbol.full_name} · {session.interval}"
        match session.state:
            case SessionState.LOADING:
                self._chart.set_state("loading", f"Loading {title}…")
            case SessionState.READY:
                self._on_session_change()
                self._paint_timing.begin(self._newest_trade(session))
                self._show_series(session)
                self._chart.set_state("ready")
                self._on_view_moved()
                if self._next_jump is not None and self._next_jump[0] is session:
                    self._navigation.jump_to(*self._next_jump[1:])
                self._next_jump = None
            case SessionState.EMPTY:
                self._show_series(session)
                self._chart.set_state(
                    "empty",
                    f"No {'trades' if symbol.has_trades else 'ticks'} of {title} yet. The first one will show here.",
                )
            case SessionState.FAILED:
                self._chart.set_state("error", session.failure, self._failure_actions)

    def _show_series(self, session: ChartSession) -> None:
        if self._series is not session.series:
            self._series = session.series
            self._chart.set_series(session.series, self._engine.symbol(session.symbol))

    # Frames

    def _on_appearance_changed(self) -> None:
        session, side = self.session, self._chart.chart_style.price_side
        if session is not None and side is not self._side and not has_trades(session.symbol):
            self.show(session.symbol, session.interval)  # candles of the other price, in the same view
        self._spread.renew()
        self._on_view_moved()  # an indicator may need older candles

    def _on_view_moved(self) -> None:
        self._view_moved = True  # the gaps wait for `renew`: a drag moves the view in every frame
        self._prefetch_timer.start()

    def _refresh_series(self) -> None:
        """Write the changes by trades into the series; the chart calls this as each frame begins."""
        if self.is_asleep and self._shared is not None:
            self._wake(self._shared)
        if self._has_changes and self.session is not None:
            self._has_changes = False
            self.session.refresh()
            self._paint_timing.note_change(self._newest_trade(self.session))
        self._spread.refresh()
        self._compare.refresh()

    def _on_painted(self) -> None:
        if self.is_asleep and self.is_in_view:
            self._chart.series_changed()  # the window was restored: the next frame wakes it

    def _newest_trade(self, session: ChartSession) -> Trade | None:
        tracker = self._engine.chart_tracker(session.symbol, self._side)
        return None if tracker is None else tracker.last_trade
