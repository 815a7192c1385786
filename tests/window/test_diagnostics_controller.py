"""What the diagnostics are given: samples each second, lines of the log, and nothing while they are closed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from PySide6.QtWidgets import QApplication

from app.config.settings import load
from app.observability.logs import fields_of
from app.observability.metric_history import KEPT_S, MetricHistory
from app.observability.metrics import Metrics
from app.observability.recent_log import MOST_LINES, RecentLog
from app.runtime.wiring import engine_for
from app.sandbox.market.simulated import SimulatedMarket
from tests.end_to_end.helpers import open_window, run_on_qt_loop, settings_in, until
from tests.keyrings import MemoryKeyring, using
from tests.live.helpers import HandClock
from tests.program import free_port
from tests.sandbox.helpers import serving


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, RecentLog]]:
    logger, recent = logging.getLogger("tests.recent"), RecentLog()
    logger.addHandler(recent)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger, recent
    logger.removeHandler(recent)
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def test_each_log_line_is_returned_once_in_order_with_its_extra_values(log: tuple[logging.Logger, RecentLog]) -> None:
    logger, recent = log
    logger.warning("%s: %d missing", "BTCUSDT", 3, extra={"symbol": "BTCUSDT", "missing": 3})
    (line,), total = recent.since(0)
    assert (line.text, line.fields, line.level) == ("BTCUSDT: 3 missing", "symbol=BTCUSDT missing=3", logging.WARNING)
    assert recent.since(total) == ([], 1)
    try:
        raise ValueError("bad\nthing")
    except ValueError:
        logger.exception("it\nfailed")
    (line,), total = recent.since(total)
    assert line.text == "it failed · ValueError: bad thing"
    for number in range(MOST_LINES + 5):
        logger.info("line %d", number)
    lines, total = recent.since(total)
    assert len(lines) == MOST_LINES
    assert lines[-1].text == f"line {MOST_LINES + 4}"


def test_a_log_line_without_extra_values_has_no_fields() -> None:
    assert fields_of(logging.makeLogRecord({"msg": "x", "message": "x", "asctime": "now"})) == {}


async def test_totals_become_rates_and_distributions_means(data_dir: Path) -> None:
    settings = load({"data_dir": str(data_dir)}, environment={}, file=data_dir / "none")
    async with engine_for(settings) as engine:
        clock = engine.clock = HandClock()
        sampler = MetricHistory(Metrics(engine))

        def second() -> dict[str, float | None]:
            clock.time_us += 1_000_000
            sampler.sample()
            return {view.name: view.values[-1] for view in sampler.views()}

        first = second()
        assert first["Trades received"] is None  # nothing to compare with yet
        assert first["Receipt delay"] is None
        assert first["Clock skew"] is None
        assert first["Queue"] == 0
        engine.recorder.trades_received = 50
        engine.recorder.measures.received.add(0.010)
        engine.recorder.measures.received.add(0.030)
        engine.exchange_clock.skew_us = -1500
        values = second()
        assert values["Trades received"] == 50
        assert values["Receipt delay"] == pytest.approx(20)
        assert values["Clock skew"] == pytest.approx(-1.5)
        assert values["Memory"] > 10
        engine.recorder.trades_received = 10  # starts over
        clock.time_us += 1_000_000
        values = second()
        assert values["Trades received"] == 0
        assert values["Receipt delay"] is None
        for _ in range(KEPT_S):
            second()
        assert {len(view.values) for view in sampler.views()} == {KEPT_S}


def test_the_window_shows_metrics_and_log_while_they_are_open(
    qapp: QApplication, data_dir: Path, tables_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def work() -> None:
        async with serving(SimulatedMarket(seed=5)) as server:
            port = free_port()
            settings = settings_in(
                data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT", serve_port=port, database_url=tables_url
            )
            async with open_window(settings) as running:
                dock = running.window.diagnostics
                assert dock.note.text() == f"Server: 0 clients, 0 requests at http://127.0.0.1:{port}"
                await until(lambda: running.engine.recorder.measures.painted.count)
                assert dock.metrics.tiles == []  # closed: nothing is made
                assert dock.log.view.toPlainText() == ""
                running.window.toggle_diagnostics()
                assert len(dock.metrics.tiles) >= 18
                assert "connecting → live" in dock.log.view.toPlainText()
                await until(lambda: "–" not in dock.metrics.tiles[0].value_text)
                async with (
                    aiohttp.ClientSession() as session,
                    session.get(f"http://127.0.0.1:{port}/metrics") as answer,
                ):
                    assert answer.status == 200
                    await until(lambda: dock.note.text().startswith("Server: 1 client, 1 request at "))
                logging.getLogger("app.x").warning("shown within a second")
                await until(lambda: "shown within a second" in dock.log.view.toPlainText())
                before = len(logging.getLogger().handlers)
            assert len(logging.getLogger().handlers) == before - 1

    with using(MemoryKeyring()):
        run_on_qt_loop(work)
