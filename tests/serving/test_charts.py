"""TradingView's UDF from the database."""

from __future__ import annotations

import pytest

from app.market.errors import UsageError
from app.market.interval import MENU_INTERVALS, SECOND_US, Interval
from app.market.symbol import Symbol
from app.serving.routes.charts import interval_of, resolution_of
from storage.database import Database
from tests.serving.helpers import StillClock, record, served
from tests.serving.test_candles import DAY_LATER, slow_trades
from tests.storage.helpers import folded


async def test_a_chart_finds_its_symbol_and_its_bars(database: Database) -> None:
    trades = slow_trades(600)
    record(database, trades)
    database.store.save_symbols([Symbol("BTCUSDT", "BTC", "USDT", 10**6, 10**3)])
    candles = folded(trades, Interval.parse("5m"))
    begin, end = candles[0].open_time_us // SECOND_US, candles[-1].open_time_us // SECOND_US
    async with served(database, clock=StillClock(DAY_LATER)) as client:
        config = (await client.get("/config")).body
        assert {"1S", "1", "60", "1D", "1W", "1M"} <= set(config["supported_resolutions"])
        assert int((await client.get("/time")).body) == DAY_LATER // SECOND_US
        found = (await client.get("/search", query="btc", type="", exchange="", limit=30)).body
        assert [one["symbol"] for one in found] == ["BTCUSDT"]
        symbol = (await client.get("/symbols", symbol="Binance:BTCUSDT")).body
        assert (symbol["pricescale"], symbol["description"]) == (100, "BTC/USDT")
        bars = (await client.get("/history", symbol="BTCUSDT", resolution="5", **{"from": begin, "to": end})).body
        assert bars["s"] == "ok"
        assert bars["t"] == [one.open_time_us // SECOND_US for one in candles[:-1]]  # ``to`` is not in it
        assert bars["c"] == [one.close_e8 / 10**8 for one in candles[:-1]]
        assert bars["v"] == [one.volume_e8 / 10**8 for one in candles[:-1]]
        times = {"from": end - 1, "to": end, "countback": 3}
        counted = (await client.get("/history", symbol="BTCUSDT", resolution="5", **times)).body
        assert counted["t"] == bars["t"][-3:]
        later = {"from": end + 3_600, "to": end + 7_200}
        nothing = (await client.get("/history", symbol="BTCUSDT", resolution="5", **later)).body
        assert nothing == {"s": "no_data", "nextTime": end}
        first = {"from": begin - 7_200, "to": begin, "countback": 3}
        earlier = await client.get("/history", symbol="BTCUSDT", resolution="5", **first)
        assert (earlier.body, earlier.headers["Cache-Control"]) == (
            {"s": "no_data"},
            "private, max-age=0, must-revalidate",
        )
        unknown = (await client.get("/history", symbol="NOSUCH", resolution="5", **later)).body
        assert unknown["s"] == "error"
        assert (await client.get("/history", symbol="BTCUSDT", resolution="5X", **later)).status == 400
        assert (await client.get("/symbols", symbol="NOSUCH")).status == 404


@pytest.mark.parametrize("interval", MENU_INTERVALS, ids=str)
def test_every_interval_is_a_resolution_and_back(interval: Interval) -> None:
    assert interval_of(resolution_of(interval)) == interval


def test_resolutions_are_read_as_charts_write_them() -> None:
    written = {"D": "1d", "W": "1w", "1D": "1d", "240": "4h", "15S": "15s", "1M": "1M"}
    assert {text: interval_of(text).name for text in written} == written
    for wrong in ("", "x", "-1", "1Y", "0", "99999999"):
        with pytest.raises(UsageError):
            interval_of(wrong)
