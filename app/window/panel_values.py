"""Turns the engine's state into the values that the window's panels show. Decides nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from app.live.charts.gap_placement import PlacedGap
from app.live.engine import Engine
from app.live.recording.market_snapshot import SymbolSnapshot
from app.live.recording.measures import Rate
from app.live.repair.repairer import TRADES_A_MINUTE
from app.market.ports.exchange import FeedState, FeedStatus
from app.market.symbol import Symbol, broker_title, has_live_prices, has_trades
from app.market.units import E8
from widgets.view_values import DownloadView, GapBand, QuoteView, StatusView, WatchRow


class ChartPrice(NamedTuple):
    """The last price as a chart shows it, and whether trades reach that chart as they happen."""

    last: float
    is_live: bool


class PanelValues:
    """
    Reads one engine.

    ``spread_percent`` is the setting of that name. ``simulated``: the market is a simulation. ``chart_price`` returns
    the last price as a chart of that symbol shows it, or None: every panel shows that one, so that no frame shows two.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        spread_percent: float,
        simulated: bool,
        chart_price: Callable[[str], ChartPrice | None] = lambda name: None,
    ) -> None:
        self._engine = engine
        self._spread_percent = spread_percent
        self._simulated = simulated
        self._chart_price = chart_price
        self._trade_rate, self._row_rate = Rate(), Rate()
        self._tick_rate, self._tick_row_rate = Rate(), Rate()

    def watch_row(self, symbol: Symbol) -> WatchRow:
        """Return a row of the watchlist."""
        latest = self._engine.market_snapshot.latest(symbol.name)
        shown = self._chart_price(symbol.name)
        last_e8 = latest.last_price_e8 if shown is None else round(shown.last * E8)
        bid, ask = latest.bid_ask_e8(self._spread_percent, last_e8)
        return WatchRow(
            symbol=symbol,
            last=_price(last_e8),
            change_percent=latest.change_percent_at(last_e8),
            bid=_price(bid),
            ask=_price(ask),
            trades_per_minute=_per_minute(latest, self._engine.exchange_clock.now_us()),
            recorded=self._is_recorded(symbol),
            receiving=self._engine.is_receiving(symbol.name),
            live=self._engine.is_live(symbol.name) if shown is None else shown.is_live,
        )

    def _is_recorded(self, symbol: Symbol) -> bool:
        is_wanted = has_live_prices(symbol.name) and self._engine.is_recorded(symbol.name)
        return self._records and symbol.is_trading and is_wanted

    def recording(self, symbol: Symbol, *, watched: bool) -> str:
        """Return in words whether the symbol is recorded, and why not."""
        if not has_live_prices(symbol.name):
            return "No · history only"
        if not symbol.is_trading:
            return f"No · {symbol.trouble[0].lower()}{symbol.trouble[1:]}"
        if not self._engine.is_recorded(symbol.name):
            return "No"
        if self._engine.database is not None and self._engine.database.read_only_reason:
            return "No · reading only"
        if not self._records:
            return "Waiting for the database"
        if not self._engine.is_receiving(symbol.name):
            return "Waiting for the exchange" if symbol.has_trades else "Waiting for the broker"
        return "Yes" if watched else "While shown"

    def quote(self, symbol: Symbol, *, watched: bool = True) -> QuoteView:
        """Return the chosen symbol's figures."""
        latest = self._engine.market_snapshot.latest(symbol.name)
        tracker = self._engine.recorder.tracker(symbol.name)
        shown = self._chart_price(symbol.name)
        last_e8 = latest.last_price_e8 if shown is None else round(shown.last * E8)
        bid, ask = latest.bid_ask_e8(self._spread_percent, last_e8)
        book = latest.quote if self._spread_percent == 0 else None
        tick = latest.tick if self._spread_percent == 0 else None
        ticks = self._engine.quotes.recorder.tracker(symbol.name)
        day = latest.day
        return QuoteView(
            symbol=symbol,
            live=self._engine.is_live(symbol.name) if shown is None else shown.is_live,
            last=_price(last_e8),
            change_percent=latest.change_percent_at(last_e8),
            bid=_price(bid),
            bid_quantity=_whole(book.bid_quantity_e8) if book else _size(tick.bid_size_e8) if tick else None,
            ask=_price(ask),
            ask_quantity=_whole(book.ask_quantity_e8) if book else _size(tick.ask_size_e8) if tick else None,
            high=_price(day.high_e8) if day else None,
            low=_price(day.low_e8) if day else None,
            volume=_whole(day.volume_e8) if day else None,
            stored_trades=tracker.held().count() - tracker.absent.count() if tracker and self._records else None,
            missing_trades=tracker.missing() if tracker else 0,
            repairing=symbol.name in self._engine.repairer.repairing,
            recording=self.recording(symbol, watched=watched),
            recorded=self._is_recorded(symbol),
            watched=watched,
            download=self._download(symbol.name) if self._records else None,
            ticks=None if ticks is None else ticks.total,
        )

    def _download(self, symbol: str) -> DownloadView | None:
        repairer = self._engine.repairer
        running = repairer.plan.downloading(symbol)
        total, left = running or (repairer.plan.too_large(symbol),) * 2
        if not left:
            return None
        return DownloadView(total, left, round(left / TRADES_A_MINUTE), is_running=running is not None)

    @property
    def _records(self) -> bool:
        """Whether trades are stored here: a read-only database holds those that other programs stored."""
        return self._engine.database is not None and not self._engine.database.read_only_reason

    def status(self, symbol: str = "") -> StatusView:
        """
        Return the status bar's values; call at a steady pace, because the rates are per call.

        ``symbol``: the chart's. The state of the feed is that of its own broker, so are the counts of what arrives.
        """
        engine = self._engine
        now_s = engine.clock.monotonic_s()
        status = feed_status(engine, symbol)
        skew_us = engine.exchange_clock.skew_us
        writer = engine.database.writer.status if engine.database else None
        ticks, tick_writer = engine.quotes.recorder, engine.quotes.writer_status
        trade_rate = self._trade_rate.update(engine.recorder.trades_received, now_s)
        row_rate = self._row_rate.update(writer.stored if writer else 0, now_s)
        tick_rate = self._tick_rate.update(ticks.ticks_received, now_s)
        tick_row_rate = self._tick_row_rate.update(tick_writer.stored, now_s)
        common = StatusView(
            feed_state=status.state,
            feed_reason=status.reason,
            database=engine.database.label if engine.database else "",
            read_only_reason=engine.database.read_only_reason if engine.database else "",
            exchange_time_us=engine.exchange_clock.now_us(),
            skew_s=None if skew_us is None else skew_us / 1e6,
            simulated=self._simulated,
            retry_in_s=None if status.retry_at_s is None else max(0.0, status.retry_at_s - now_s),
        )
        if not has_trades(symbol):
            return replace(
                common,
                trades_per_s=tick_rate,
                database_reason=tick_writer.reason if engine.database else engine.database_reason,
                rows_per_s=tick_row_rate,
                queued=tick_writer.queued + ticks.outbox.waiting,
                spooled=ticks.outbox.spool_status.rows,
                spool_reason=ticks.outbox.spool_status.reason,
                broker=broker_title(symbol),
                history_only=not has_live_prices(symbol),
                counted="ticks",
            )
        waits = history_reason(engine)
        return replace(
            common,
            connections=status.connections,
            connections_down=status.down,
            connections_refused=bool(status.refused),
            history_reason=engine.ban.reason if waits else "",
            retry_in_s=engine.ban.left_s(now_s) if waits and common.retry_in_s is None else common.retry_in_s,
            delay_ms=engine.recorder.delay.value,
            trades_per_s=trade_rate,
            database_reason=writer.reason if writer else engine.database_reason,
            rows_per_s=row_rate,
            queued=(writer.queued if writer else 0) + engine.waiting_trades,
            spooled=engine.spool_status.rows,
            spool_reason=engine.spool_status.reason,
            missing_trades=engine.recorder.missing(),
            repairing=bool(engine.repairer.repairing),
            malformed=engine.feed.counters.malformed,
            contradictions=writer.contradictions if writer else 0,
        )


def gap_band(gap: PlacedGap, *, repairing: bool) -> GapBand:
    """Return the band that marks a gap on the chart."""
    return GapBand(gap.start_us, gap.end_us, gap.missing, repairing)


def feed_status(engine: Engine, symbol: str = "") -> FeedStatus:
    """Return the status of the feed of a symbol's broker, also after it ended for good."""
    if not has_trades(symbol):
        return engine.status_of(symbol)
    if engine.feed_reason:
        return FeedStatus(FeedState.REFUSED, engine.feed_reason)
    return engine.feed.status


def history_reason(engine: Engine) -> str:
    """Return why history and repair wait although trades arrive, and for how long; empty if they do not wait."""
    now_s = engine.clock.monotonic_s()
    if engine.feed.status.state is not FeedState.LIVE or engine.ban.left_s(now_s) < 1:
        return ""
    return f"History and repair wait: {engine.ban.sentence(now_s)}"


def _whole(amount_e8: int | None) -> float | None:
    return None if amount_e8 is None else amount_e8 / E8


def _size(millions_e8: int) -> float | None:
    """Return the size of a tick in whole units of the base asset; None where the broker gives none."""
    return millions_e8 * 1e6 / E8 if millions_e8 else None


def _price(amount_e8: int | None) -> float | None:
    """Return a price; None for zero, which is how the exchange says that there was none."""
    return _whole(amount_e8 or None)


def _per_minute(latest: SymbolSnapshot, now_us: int) -> float | None:
    return float(latest.trades_per_minute(now_us)) if latest.per_second else None
