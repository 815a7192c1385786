"""What the window's panels say, made from a real engine whose database and exchange are in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection

import pytest

from app.live.charts.gap_placement import PlacedGap
from app.live.engine import Engine
from app.live.environment.clocks import ExchangeClock
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US
from app.market.ports.exchange import EventHandler, FeedCounters, FeedState, FeedStatus
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Quote
from app.market.units import E8
from app.window.panel_values import PanelValues, feed_status, gap_band, history_reason
from tests.live.databases import FakeDatabase
from tests.live.helpers import START_US, SYMBOL, FakeExchange, HandClock, trade
from widgets.view_values import DownloadView

BTC = Symbol(SYMBOL, "BTC", "USDT")


class SilentFeed:
    """A `TradeFeed` that receives nothing; its status is set."""

    def __init__(self) -> None:
        self.status = FeedStatus(FeedState.LIVE)
        self.by_symbol: dict[str, FeedStatus] = {}
        self.counters = FeedCounters(malformed=3)

    def status_of(self, symbol: str) -> FeedStatus:
        return self.by_symbol.get(symbol, self.status)

    def on_status(self, listener: Callable[[FeedStatus], None]) -> None: ...

    def set_symbols(self, symbols: Collection[str]) -> None: ...

    async def run(self, handler: EventHandler) -> None: ...

    def retry_now(self) -> None: ...


def silent_engine() -> Engine:
    """Return an engine of one symbol that nothing reaches; not started."""
    clock = HandClock()
    exchange_clock = ExchangeClock(clock)
    made = Engine(
        feed=SilentFeed(),
        exchange=FakeExchange([], clock),
        open_database=FakeDatabase,
        clock=clock,
        exchange_clock=exchange_clock,
        queue_trades=10_000,
        repair_trades=100,
    )
    made.set_symbols([SYMBOL])
    return made


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    made = silent_engine()
    yield made
    made.recorder.close()


def maker(engine: Engine, *, spread_percent: float = 0.0, simulated: bool = False) -> PanelValues:
    return PanelValues(engine, spread_percent=spread_percent, simulated=simulated)


def fill(engine: Engine) -> None:
    for number in (1, 2, 6):
        engine.recorder.receive(trade(number, price=100 + number), START_US)
    engine.recorder.receive(Quote(SYMBOL, 1, 105 * E8, 2 * E8, 107 * E8, 3 * E8), START_US)
    engine.recorder.receive(DayTicker(SYMBOL, START_US, 53 * E8, 120 * E8, 50 * E8, 90 * E8, 7 * E8, E8), START_US)


async def test_before_any_data_no_figure_is_invented(engine: Engine) -> None:
    row, quote = maker(engine).watch_row(BTC), maker(engine).quote(BTC)
    assert (row.last, row.change_percent, row.bid, row.ask, row.trades_per_minute) == (None,) * 5
    assert (quote.last, quote.bid, quote.bid_quantity, quote.high, quote.volume, quote.stored_trades) == (None,) * 6
    assert quote.missing_trades == 0


async def test_a_watchlist_row_shows_the_latest(engine: Engine) -> None:
    fill(engine)
    row = maker(engine).watch_row(BTC)
    assert (row.last, row.bid, row.ask) == (106.0, 105.0, 107.0)
    assert row.change_percent == pytest.approx(100.0)
    assert row.trades_per_minute == 3.0


async def test_with_a_spread_bid_and_ask_derive_from_the_last_price_and_have_no_quantity(engine: Engine) -> None:
    fill(engine)
    quote = maker(engine, spread_percent=1.0).quote(BTC)
    assert (quote.bid, quote.ask) == (pytest.approx(104.94), pytest.approx(107.06))
    assert (quote.bid_quantity, quote.ask_quantity) == (None, None)


async def test_the_quote_panel_counts_what_is_stored_and_what_is_missing(engine: Engine) -> None:
    fill(engine)
    quote = maker(engine).quote(BTC)
    assert (quote.bid_quantity, quote.ask_quantity) == (2.0, 3.0)
    assert (quote.high, quote.low, quote.volume) == (120.0, 50.0, 7.0)
    assert quote.missing_trades == 3
    assert quote.stored_trades is None  # without a database nothing is
    await engine.change_database(FakeDatabase)
    engine.recorder.note_stored(SYMBOL, IdRanges([(-5, 0)]))
    assert maker(engine).quote(BTC).stored_trades == 9


async def test_a_gap_too_large_to_repair_by_itself_is_offered_and_its_download_shows_progress(engine: Engine) -> None:
    fill(engine)
    await engine.change_database(FakeDatabase)
    assert maker(engine).quote(BTC).download is None
    engine.recorder.repair_trades = 2
    assert maker(engine).quote(BTC).download == DownloadView(3, 3, 0)
    engine.repairer.download(SYMBOL)
    assert maker(engine).quote(BTC).download == DownloadView(3, 3, 0, is_running=True)
    engine.repairer.plan.stop_download(SYMBOL)
    assert maker(engine).quote(BTC).download == DownloadView(3, 3, 0)


async def test_a_symbol_that_is_not_recorded_still_has_figures(engine: Engine) -> None:
    quote = maker(engine).quote(Symbol("ETHUSDT", "ETH", "USDT"))
    assert (quote.stored_trades, quote.missing_trades, quote.repairing) == (None, 0, False)


async def test_a_broker_with_history_alone_is_not_waited_for(engine: Engine) -> None:
    engine.set_symbols([SYMBOL, "dukascopy:EURUSD"])
    eur, panel = Symbol("dukascopy:EURUSD", "EUR", "USD"), maker(engine)
    assert panel.recording(eur, watched=True) == "No · history only"
    assert not panel.watch_row(eur).recorded
    assert panel.status(eur.name).history_only
    assert not panel.status("oanda:EURUSD").history_only


async def test_the_status_says_why_there_is_no_database(engine: Engine) -> None:
    status = maker(engine, simulated=True).status()
    assert (status.database, status.database_reason) == ("", "The database is starting.")
    assert status.simulated
    assert status.malformed == 3
    assert status.exchange_time_us == START_US


async def test_the_status_gives_rates_queue_and_the_writers_reason(engine: Engine) -> None:
    database = FakeDatabase()
    await engine.change_database(lambda: database)
    panel = maker(engine)
    panel.status()
    fill(engine)
    assert isinstance(engine.clock, HandClock)
    engine.clock.time_us += SECOND_US
    status = panel.status()
    assert status.trades_per_s == pytest.approx(1.5)  # half of the way to 3, smoothed
    assert status.queued == 3
    assert status.missing_trades == 3
    assert (status.database, status.database_reason) == ("Embedded PostgreSQL 18.4", "")
    database.writer.reason = "The disk is full: free some space."
    assert panel.status().database_reason == "The disk is full: free some space."


async def test_a_read_only_database_is_called_so_and_counts_as_not_recording(engine: Engine) -> None:
    database = FakeDatabase()
    database.read_only_reason = "Reading only: the server is a standby, so trades are not recorded."
    await engine.change_database(lambda: database)
    fill(engine)
    panel = maker(engine)
    assert panel.status().read_only_reason == database.read_only_reason
    assert panel.quote(BTC).stored_trades is None


async def test_a_feed_that_ended_for_good_shows_as_refused(engine: Engine) -> None:
    assert feed_status(engine) == FeedStatus(FeedState.LIVE)
    engine.feed_reason = "The exchange refuses this computer: use another network."
    assert feed_status(engine) == FeedStatus(FeedState.REFUSED, engine.feed_reason)
    status = maker(engine).status()
    assert (status.feed_state, status.feed_reason) == (FeedState.REFUSED, engine.feed_reason)


def test_a_gap_becomes_a_band_between_its_neighbours() -> None:
    band = gap_band(PlacedGap(3, 5, 3, 10, 20), repairing=True)
    assert (band.start_us, band.end_us, band.missing, band.repairing) == (10, 20, 3, True)


async def test_a_ban_of_rest_alone_counts_down_while_the_feed_is_live(engine: Engine) -> None:
    panels = PanelValues(engine, spread_percent=0, simulated=False)
    now_s = engine.clock.monotonic_s()
    engine.ban.note("The exchange was asked too much.", 19.0, now_s)
    assert history_reason(engine) == "History and repair wait: The exchange was asked too much; trying again in 19 s."
    status = panels.status()
    assert (status.feed_reason, status.history_reason) == ("", "The exchange was asked too much.")
    assert status.retry_in_s == pytest.approx(19, abs=0.01)
    await engine.clock.sleep(20)
    assert history_reason(engine) == ""
    assert panels.status().retry_in_s is None


async def test_a_symbol_whose_connection_is_down_is_marked_and_no_other(engine: Engine) -> None:
    other = Symbol("ETHUSDT", "ETH", "USDT")
    await engine.change_database(FakeDatabase)
    engine.set_symbols([SYMBOL, other.name])
    panel = maker(engine)
    assert [panel.watch_row(symbol).receiving for symbol in (BTC, other)] == [True, True]
    feed = engine.feed
    assert isinstance(feed, SilentFeed)
    feed.status = FeedStatus(FeedState.LIVE, "It broke.", 1, 8.0, 99.0, connections=2, down=1, refused=(SYMBOL,))
    feed.by_symbol[SYMBOL] = FeedStatus(FeedState.BACKING_OFF, "It broke.")
    assert [panel.watch_row(symbol).receiving for symbol in (BTC, other)] == [False, True]
    assert (panel.quote(BTC).recording, panel.quote(other).recording) == ("Waiting for the exchange", "Yes")
    status = panel.status()
    assert (status.connections, status.connections_down, status.connections_refused) == (2, 1, True)
    engine.feed_reason = "The exchange refuses this computer: use another network."
    assert not panel.watch_row(other).receiving


async def test_a_wait_of_the_feed_counts_down(engine: Engine) -> None:
    panels = PanelValues(engine, spread_percent=0, simulated=False)
    now_s = engine.clock.monotonic_s()
    assert isinstance(engine.feed, SilentFeed)
    engine.feed.status = FeedStatus(FeedState.BACKING_OFF, "It broke.", 1, 8.0, now_s + 8.0)
    assert panels.status().retry_in_s == pytest.approx(8, abs=0.01)
    await engine.clock.sleep(5)
    assert panels.status().retry_in_s == pytest.approx(3, abs=0.01)
