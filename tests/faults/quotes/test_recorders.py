"""Several that record at once: two recorders of one symbol in one database, and two brokers in one recorder."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from app.brokers.oanda.rest import OandaRest
from app.live.transfers.ticks.quote_candle_download import download_quote_candles
from app.market.calendar.always_open import AlwaysOpen
from app.market.candle import CandleSource
from app.market.interval import Interval
from app.market.ports.exchange import FeedState
from app.market.quotes.tick import PriceSide
from storage.postgres.connection import connect
from tests.faults.quotes.rig import found_by, is_stored, loaded, receives, recording, settings_for
from tests.faults.quotes.world import EURUSD, USDJPY, quote_scene
from tests.faults.rig import Stored, first_trades_stored
from tests.faults.rig import settings_for as trade_settings_for
from tests.faults.truth import differences
from tests.faults.world import DatabaseServer, HurriedClock, scene_of, until

SEED = 21


async def test_two_recorders_of_one_database_store_each_tick_once(
    database: DatabaseServer, url: str, data_dir: Path
) -> None:
    async with quote_scene(SEED, database, prices_per_s=4.0) as scene:
        other = replace(scene, received=[], away=[], blind=[])
        first, second = (loaded(settings_for(scene, url, data_dir / name)) for name in ("first", "second"))
        async with recording(scene, first), recording(other, second):
            for _ in range(8):
                opened = scene.server.faults.counts["streams"]
                scene.random.choice(scene.server.streams).cut()
                await until(lambda opened=opened: scene.server.faults.counts["streams"] > opened, "the next stream")
                for each in (scene, other):
                    await until(lambda each=each: each.feed.status.state is FeedState.LIVE, "both live")
                    await receives(each)
            await is_stored(scene)
            await is_stored(other)
        # One of them was always live: not even a price between two streams is missing.
        assert await found_by(scene, url, known=False, several=True) == []


async def test_each_broker_is_whole_while_the_other_is_away_and_candles_fill_what_ticks_lack(
    database: DatabaseServer, url: str, data_dir: Path
) -> None:
    minute = Interval.parse("1m")
    async with (
        scene_of(SEED, database, symbols=2, speed=20.0) as trades,
        quote_scene(SEED, database, clock=trades.market_clock) as quotes,
    ):
        stored = Stored(trades, url)
        settings = settings_for(quotes, url, data_dir) | {
            name: value
            for name, value in trade_settings_for(trades, url, data_dir).items()
            if name.startswith("binance") or name == "stall_seconds"
        }
        settings["symbols"] += "," + ",".join(one.name for one in trades.market.symbols())
        async with recording(quotes, loaded(settings), behind_us=0) as engine:
            await first_trades_stored(trades, stored)
            # Binance is away: OANDA loses nothing, which `quotes.away` would allow.
            trades.server.faults.handshakes.refuse_next(503, times=3)
            for connection in trades.connections:
                connection.cut()
            await receives(quotes)
            await until(lambda: engine.feed.status.state is FeedState.LIVE, "Binance again")
            received = engine.recorder.trades_received
            await until(
                lambda: engine.recorder.trades_received > received + 100 and not engine.recorder.missing(),
                "what Binance sent meanwhile",
            )
            # OANDA is away for two minutes: Binance has no gap, and is asked for nothing.
            repaired, requests = engine.repairer.repaired, trades.server.requests["/api/v3/historicalTrades"]
            begin_us, received_us = trades.market_clock.now_us(), quotes.received_us
            await quotes.server.stop()
            await quotes.pass_time(130.0)
            assert engine.is_receiving("BTCUSDT")
            assert not engine.is_receiving(EURUSD)
            await quotes.server.start()
            engine.retry_exchange()
            await receives(quotes)
            quotes.away.append((received_us, trades.market_clock.now_us()))
            await is_stored(quotes)
            assert (engine.repairer.repaired, trades.server.requests["/api/v3/historicalTrades"]) == (
                repaired,
                requests,
            )
            # History repairs the minutes: from the broker's candles, and marked as such.
            assert engine.database is not None
            parts = engine.quotes.brokers["oanda"].parts
            assert parts is not None
            assert isinstance(parts.symbols, OandaRest)
            end_us = minute.open_time_us(trades.market_clock.now_us())
            report = await download_quote_candles(
                [EURUSD],
                minute,
                begin_us,
                end_us,
                source=parts.symbols,
                store=engine.database.store,
                calendar_of=lambda _: AlwaysOpen(),
                clock=engine.clock,
            )
            assert report.missing == []
            # By a clock that is slow, later times are not asked for, and not said to be.
            slow = HurriedClock(begin_us - 3_600_000_000)
            await download_quote_candles(
                [USDJPY],
                minute,
                begin_us,
                end_us,
                source=OandaRest(quotes.server.url, parts.symbols._http, clock=slow),
                store=engine.database.store,
                calendar_of=lambda _: AlwaysOpen(),
                clock=slow,
            )
            mid = engine.database.store.of_side(PriceSide.MID)
            assert not await asyncio.to_thread(mid.fetched_klines, USDJPY, minute)
            whole = await asyncio.to_thread(engine.database.ticks.fetched_ticks, EURUSD)
            for side in PriceSide:
                side_store = engine.database.store.of_side(side)
                candles = await asyncio.to_thread(
                    side_store.candles, EURUSD, minute, start_us=minute.open_time_us(begin_us), end_us=end_us
                )
                assert len(candles) >= 2
                for candle in candles:
                    end = candle.open_time_us + minute.length_us
                    prices = [one.price_e8(side) for one in quotes.tape.ticks(EURUSD, candle.open_time_us, end - 1)]
                    figures = (candle.open_e8, candle.high_e8, candle.low_e8, candle.close_e8, candle.trades)
                    assert figures == (prices[0], max(prices), min(prices), prices[-1], len(prices))
                    assert candle.complete
                    is_whole = not whole.missing(candle.open_time_us, end - 1)
                    assert candle.source is (CandleSource.TICKS if is_whole else CandleSource.KLINE)
                assert any(candle.source is CandleSource.KLINE for candle in candles)
            await stored.is_complete()
        assert await found_by(quotes, url) == []
        with connect(url) as connection:
            assert await asyncio.to_thread(differences, connection, trades.market) == []
