"""`/trades.arrow` has the stored trades as flowsurface reads them, and says whether any is missing."""

from __future__ import annotations

import pyarrow.ipc
import pytest

from app.serving.access import Access
from storage.database import Database
from tests.serving.helpers import StillClock, record, served
from tests.storage.helpers import some_trades


async def test_trades_of_a_range_come_as_an_arrow_stream(database: Database) -> None:
    trades = [one._replace(time_us=one.time_us // 1000 * 1000) for one in some_trades(3_000, first_id=1)]
    record(database, [*trades[:2_000], *trades[2_100:]])
    async with served(database, clock=StillClock(trades[-1].time_us + 1_000)) as client:

        async def rows(first: int, last: int, **more: object) -> tuple[list[tuple[object, ...]], str]:
            answer = await client.get(
                "/trades.arrow",
                venue="binance",
                market="spot",
                symbol="btcusdt",
                **{"from": trades[first].time_us // 1000, "to": trades[last].time_us // 1000},
                **more,
            )
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "application/vnd.apache.arrow.stream"
            table = pyarrow.ipc.open_stream(answer.body).read_all()
            assert [(field.name, str(field.type)) for field in table.schema] == [
                ("ts", "int64"),
                ("price", "double"),
                ("qty", "double"),
                ("is_sell", "bool"),
            ]
            columns = table.to_pydict().values()
            return list(zip(*columns, strict=True)), answer.headers["X-Cryptopipe-Complete"]

        def expected(first: int, last: int) -> list[tuple[object, ...]]:
            times = range(trades[first].time_us, trades[last].time_us + 1)
            return [
                (one.time_us // 1000, one.price_e8 / 10**8, one.quantity_e8 / 10**8, one.is_buyer_maker)
                for one in trades
                if one.time_us in times and not 2_000 < one.trade_id <= 2_100
            ]

        assert await rows(0, 1_500) == (expected(0, 1_500), "true")
        assert await rows(1_900, 2_200) == (expected(1_900, 2_200), "false")
        assert await rows(2_200, 2_999) == (expected(2_200, 2_999), "true")
        assert await rows(0, 1_500, limit=700) == (expected(0, 1_500)[:700], "false")
        assert await rows(2_020, 2_080) == ([], "false")
        later = await client.get("/trades.arrow", symbol="btcusdt", **{"from": trades[-1].time_us // 1000 + 5_000})
        assert pyarrow.ipc.open_stream(later.body).read_all().num_rows == 0
        assert later.headers["X-Cryptopipe-Complete"] == "true"  # that time is still to come


async def test_a_range_that_a_download_fetched_whole_is_complete(database: Database) -> None:
    trades = [one._replace(time_us=one.time_us // 1000 * 1000) for one in some_trades(100, first_id=500)]
    record(database, trades[20:80])
    span = {"from": trades[20].time_us // 1000 - 1, "to": trades[79].time_us // 1000}
    async with served(database, clock=StillClock(trades[-1].time_us + 10**9)) as client:
        for complete in ("false", "true"):
            answer = await client.get("/trades.arrow", symbol="btcusdt", **span)
            assert pyarrow.ipc.open_stream(answer.body).read_all().num_rows == 60
            assert answer.headers["X-Cryptopipe-Complete"] == complete
            database.store.save_fetched_trades("BTCUSDT", span["from"] * 1000, (span["to"] + 1) * 1000)


async def test_flowsurface_reads_a_range_with_its_token(database: Database) -> None:
    trades = [one._replace(time_us=one.time_us // 1000 * 1000) for one in some_trades(500, first_id=1)]
    record(database, trades)
    first_ms, last_ms = trades[0].time_us // 1000, trades[-1].time_us // 1000
    query = f"venue=binance&market=spot&symbol=btcusdt&from={first_ms}&to={last_ms}&limit=1000000"
    async with served(database, access=Access(token="t0ken")) as client:
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "t0ken"}):
            assert (await client.request("GET", f"/trades.arrow?{query}", headers)).status == 401
        assert (await client.request("GET", f"/trades.arrow?{query}&token=t0ken")).status == 401  # only of WebSockets
        answer = await client.request("GET", f"/trades.arrow?{query}", {"Authorization": "Bearer t0ken"})
    assert answer.status == 200
    found = pyarrow.ipc.open_stream(answer.body).read_all().to_pydict()
    assert found == {
        "ts": [one.time_us // 1000 for one in trades],
        "price": [one.price_e8 / 10**8 for one in trades],
        "qty": [one.quantity_e8 / 10**8 for one in trades],
        "is_sell": [one.is_buyer_maker for one in trades],
    }


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"symbol": "BTCUSDT"}, 400),
        ({"symbol": "BTCUSDT", "from": "yesterday"}, 400),
        ({"symbol": "BTCUSDT", "from": "1723161255000", "to": "1"}, 400),
        ({"symbol": "BTCUSDT", "from": "1", "limit": "0"}, 400),
        ({"symbol": "BTCUSDT", "from": "1", "venue": "bybit"}, 404),
        ({"symbol": "BTCUSDT", "from": "1", "market": "linear"}, 404),
        ({"symbol": "DOGEUSDT", "from": "1"}, 404),
    ],
)
async def test_what_cannot_be_answered_is_a_sentence(
    database: Database, parameters: dict[str, str], status: int
) -> None:
    record(database, some_trades(10))
    async with served(database) as client:
        answer = await client.get("/trades.arrow", **parameters)
    assert answer.status == status
    assert answer.body["error"].endswith((".", "?"))
