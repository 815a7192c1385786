"""A recording that stopped within a minute: nobody calls that minute complete before the exchange is back."""

from __future__ import annotations

import csv
import socket
from datetime import timedelta

from app.market.candle import CandleSource
from app.market.interval import SECOND_US, Interval
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from storage.database import Database
from tests.candle_files import write_candles
from tests.end_to_end.helpers import open_window, run_on_qt_loop, settings_in, until
from widgets.chart.model.legend import legend_pieces

MINUTE = Interval.parse("1m")
CLAIMS = ("✓", "all trades")


def legend_of(running, bar) -> str:
    symbol = running.engine.symbol("BTCUSDT")
    return " ".join(piece.text for piece in legend_pieces(symbol, MINUTE, bar))


def cut_off(market: SimulatedMarket, minute_us: int) -> int:
    """Return the id of the first trade later than 1.6 s into the minute; 0 if none came before it."""
    cut = market.first_id_from("BTCUSDT", minute_us + 16 * SECOND_US // 10)
    return cut if cut > market.first_id_from("BTCUSDT", minute_us) else 0


def test_the_minute_in_which_recording_stopped_is_incomplete_until_the_exchange_is_back(data_dir, tmp_path):
    market = SimulatedMarket(3, [Listing("BTC", "60000", "0.01", "0.00001", 1.0)], history=timedelta(hours=1), rate=3.0)
    minute_us = MINUTE.open_time_us(market.now_us()) - 2 * MINUTE.length_us
    # Of a few minutes one begins without a trade.
    while not (cut := cut_off(market, minute_us)):
        minute_us -= MINUTE.length_us
    first = market.first_id_from("BTCUSDT", minute_us - 4 * MINUTE.length_us)
    recorded = market.trades("BTCUSDT", first, cut - first)
    database = Database.open(None, data_dir)
    assert database.writer.put(recorded)
    assert database.writer.drain(20.0)
    stored = database.store.candles("BTCUSDT", MINUTE)
    path = tmp_path / "candles.csv"
    write_candles(database.store.iter_candles("BTCUSDT", MINUTE), path, MINUTE)
    database.close()
    assert [candle.complete for candle in stored] == [False, *[True] * (len(stored) - 2), False]
    with path.open(newline="") as file:
        assert [row["complete"] == "true" for row in csv.DictReader(file)] == [one.complete for one in stored]

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def scenario() -> None:
        settings = settings_in(data_dir, f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}", symbols="BTCUSDT")
        async with open_window(settings) as running:
            session = running.session

            def bar():
                at = session.series.index_at_slot(MINUTE.slot(minute_us))
                found = session.series.bar(at) if at >= 0 else None
                return found if found is not None and found.open_time_us == minute_us else None

            await until(lambda: bar() is not None and session.failure)
            assert not bar().complete
            assert not legend_of(running, bar()).endswith(CLAIMS)
            before = session.series.bar(session.series.index_at_slot(MINUTE.slot(minute_us)) - 1)
            assert before.complete
            assert before.closed
            server = SandboxServer(market, port=port)
            await server.start()
            try:
                # At first it is the exchange's candle, then the one of the repaired trades.
                await until(lambda: bar().complete and bar().closed)
                end = market.first_id_from("BTCUSDT", minute_us + MINUTE.length_us)
                assert bar().trades == end - market.first_id_from("BTCUSDT", minute_us)
                assert "incomplete" not in legend_of(running, bar())
                await until(lambda: running.engine.recorder.missing() == 0)
                store = running.engine.database.store
                await until(
                    lambda: store.candles("BTCUSDT", MINUTE, start_us=minute_us)[0].source is CandleSource.TRADES
                )
                assert store.candles("BTCUSDT", MINUTE, start_us=minute_us)[0].complete
            finally:
                await server.stop()

    run_on_qt_loop(scenario)
