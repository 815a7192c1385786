"""The panels beside a chart: figures at once, one price in every frame, what is not live dimmed, and the notice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, QPointF, QTimer
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from app.market.ports.exchange import FeedState, FeedStatus
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.server.server import SandboxServer
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from tests.window.playing import Play, shown
from widgets.chart.painting.canvas import ChartCanvas
from widgets.controls.number_format import price
from widgets.symbols.watchlist_delegate import ROW_ROLE
from widgets.window.bars.notice_bar import NoticeAction


class PaintedPrices(QObject):
    """Notes which prices the window shows whenever any part that shows one is painted."""

    def __init__(self, running: Running) -> None:
        super().__init__()
        self._running = running
        self.frames: list[dict[str, str]] = []
        window = running.window
        self.parts = (window.top_bar.price, window.watchlist.view.viewport(), canvas_of(running).viewport())
        for part in self.parts:
            part.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.frames.append(prices_shown(self._running))
        return False

    def two_at_once(self) -> list[dict[str, str]]:
        """Return the frames in which places that show a price differed."""
        return [frame for frame in self.frames if len(set(frame.values())) > 1]


def canvas_of(running: Running) -> ChartCanvas:
    canvas = running.chart.findChild(ChartCanvas)
    assert canvas is not None
    return canvas


def prices_shown(running: Running) -> dict[str, str]:
    """Return the last price as each place shows it, without the places that show none."""
    window, scene = running.window, running.chart._scene
    chart_shows = scene.symbol is not None and scene.last is not None
    row = next(
        row
        for number in range(window.watchlist.model.rowCount())
        if (row := window.watchlist.model.index(number).data(ROW_ROLE)).symbol.name == running.controller._state.symbol
    )
    legend = [piece.text for piece in scene.price.title]
    reads_latest = scene.crosshair is None
    shown = {
        "top bar": window.top_bar.price.text(),
        "title": window.windowTitle().split(" ")[0] if window.top_bar.price.text() else "",
        "watchlist": price(row.last, row.symbol) if row.last is not None else "",
        "axis": scene.last_text if chart_shows else "",
        "legend": legend[legend.index("C") + 1] if chart_shows and reads_latest and "C" in legend else "",
    }
    return {place: text for place, text in shown.items() if text}


def test_a_flood_of_trades_never_shows_two_prices_in_one_frame(qtbot: QtBot, data_dir: Path, tables_url: str) -> None:
    async def work() -> None:
        async with serving(SimulatedMarket(seed=5, rate=400)) as server:
            settings = settings_in(
                data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT,ETHUSDT", database_url=tables_url
            )
            async with open_window(settings) as running:
                painted = PaintedPrices(running)
                chart = running.chart
                await until(lambda: running.session.joined and len({str(frame) for frame in painted.frames}) > 8)
                assert set(painted.frames[-1]) == {"top bar", "title", "watchlist", "axis", "legend"}
                for _ in range(6):  # the pointer comes and goes between the renewals of texts
                    chart.reading_tools.point_at(QPointF(chart.width() * 0.5, chart.height() * 0.3))
                    await asyncio.sleep(0.03)
                    chart.reading_tools.point_at(None)
                    await asyncio.sleep(0.03)
                running.window.requests.interval_requested.emit(Interval.parse("5m"))
                await until(lambda: running.session.joined)
                running.window.requests.symbol_requested.emit("ETHUSDT")
                await until(lambda: running.session.joined and len(painted.frames[-1]) == 5)
                count = len(painted.frames)
                await until(lambda: len(painted.frames) > count + 40)
                assert painted.two_at_once() == []

    run_on_qt_loop(work)


def test_what_is_not_live_is_dimmed_and_comes_back_with_the_exchange(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with serving(SimulatedMarket(seed=5, rate=50)) as server:
            settings = settings_in(
                data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT,ETHUSDT", database_url=tables_url
            )
            async with open_window(settings) as running:
                window, engine = running.window, running.engine
                await until(lambda: running.session.joined and tones(running) == {False})
                await until(lambda: window.top_bar.price.text() and running.chart._scene.is_live)
                server.faults.handshakes.refuse_next(times=99)
                for connection in list(server.connections):
                    connection.cut()
                await until(lambda: engine.feed.status.state is not FeedState.LIVE and tones(running) == {True})
                assert window.top_bar.price.text()  # dimmed, not gone
                server.faults.handshakes.clear()
                engine.retry_exchange()
                await until(lambda: tones(running) == {False})

    run_on_qt_loop(work)


def tones(running: Running) -> set[bool]:
    """Whether each part that shows live figures is dimmed."""
    window = running.window
    rows = [window.watchlist.model.index(row).data(ROW_ROLE) for row in range(window.watchlist.model.rowCount())]
    labels = (window.top_bar.price, window.status_bar.rate, window.quote_panel.bid.price)
    return {
        *(label.property("tone") == "faint" for label in labels),
        *(not row.live for row in rows),
        not running.chart._scene.is_live,
    }


def test_known_figures_of_a_symbol_show_as_soon_as_it_is_chosen(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        board = running.engine.market_snapshot
        await until(lambda: board.latest("ETHUSDT").quote and board.latest("ETHUSDT").day)
        running.window.requests.symbol_requested.emit("ETHUSDT")
        assert running.window.top_bar.price.text().startswith("2,")
        assert "ETH/USDT" in running.window.windowTitle()

    play(scene)


def test_the_notice_says_that_the_exchange_is_away_and_offers_actions_until_it_is_back(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        notice, port = running.window.notice_bar, server.port
        await until(lambda: running.engine.feed.status.state is FeedState.LIVE)
        assert notice.isHidden()
        feed = running.engine.feed
        feed._status = FeedStatus(FeedState.LIVE, "X is not received: no.", connections=2, down=1, refused=("X",))
        await until(notice.isVisible)
        assert notice.text.text() == "1 of 2 connections: X is not received: no."
        assert NoticeAction.RETRY_FEED in notice.buttons
        feed._update_status()
        await until(notice.isHidden)
        await server.stop()
        both = [NoticeAction.RETRY_FEED, NoticeAction.OPEN_SIMULATED_MARKET]
        await until(lambda: notice.isVisible() and list(notice.buttons) == both)  # a chart's failure is shown first
        assert f"127.0.0.1:{port}" in notice.text.text()
        assert shown(running)  # what was shown stays
        again = SandboxServer(SimulatedMarket(seed=5), port=port)
        await again.start()
        try:
            notice.buttons[NoticeAction.RETRY_FEED].click()
            await until(lambda: running.engine.feed.status.state is FeedState.LIVE and notice.isHidden())
        finally:
            await again.stop()

    play(scene)


def test_panels_are_renewed_in_steps_between_which_the_loop_runs(qtbot: QtBot, data_dir: Path, tables_url: str) -> None:
    async def work() -> None:
        async with serving(SimulatedMarket(seed=5, rate=50)) as server:
            settings = settings_in(data_dir, server.ws_url, server.rest_url, database_url=tables_url)
            async with open_window(settings) as running:
                await until(lambda: running.session.joined)
                panels, turns = running.controller.panels, Turns()
                for place, part, name in (
                    ("watchlist", panels.watchlist, "renew"),
                    ("quote", panels, "renew_quote"),
                    ("status", running.window, "set_status"),
                    ("notice", panels, "renew_notice"),
                    ("chart", running.controller.charts.active.controller, "renew"),
                    ("tick", running.controller.charts.active.controller, "tick"),
                ):
                    turns.watch(place, part, name)
                panels.renewed.connect(lambda: turns.note("renewed"))
                await until(lambda: turns.count("tick") >= 2)
                after = turns.count("renewed")
                await until(lambda: turns.count("renewed") > after)
                by_turn = turns.by_turn()
                assert {"watchlist", "quote"} in [turn & {"watchlist", "quote"} for turn in by_turn]
                for turn in by_turn:  # the quote alone: a chart's price has changed
                    steps = [{"watchlist"}, {"status"}, {"notice"}, {"chart", "tick"}, {"renewed"}]
                    assert sum(bool(turn & step) for step in steps) <= 1, turn
                assert turns.count("status") == pytest.approx(turns.count("renewed"), abs=1)
                assert turns.count("chart") == pytest.approx(4 * turns.count("tick"), abs=4)
                before = turns.count("status"), turns.count("chart")
                panels.renew()
                after_at_once = turns.count("status"), turns.count("chart")
                assert all(now > then for now, then in zip(after_at_once, before, strict=True)), "not all at once"

    run_on_qt_loop(work)


class Turns:
    """Notes what was called in which turn of the event loop."""

    def __init__(self) -> None:
        self._calls: list[tuple[str, int]] = []
        self._turn = 0
        self._is_counting = False

    def watch(self, place: str, part: object, name: str) -> None:
        """Note each call of that method as ``place``."""
        call = getattr(part, name)

        def noted(*arguments: object, **options: object) -> object:
            if not arguments or place == "status":  # the watchlist with names: a chart's price has changed
                self.note(place)
            return call(*arguments, **options)

        setattr(part, name, noted)

    def note(self, place: str) -> None:
        self._calls.append((place, self._turn))
        if not self._is_counting:
            self._is_counting = True
            QTimer.singleShot(0, self._next)

    def _next(self) -> None:
        self._turn, self._is_counting = self._turn + 1, False

    def count(self, place: str) -> int:
        return sum(one == place for one, _ in self._calls)

    def by_turn(self) -> list[set[str]]:
        """Return what was called in each turn in which anything was."""
        turns: dict[int, set[str]] = {}
        for place, turn in self._calls:
            turns.setdefault(turn, set()).add(place)
        return list(turns.values())
