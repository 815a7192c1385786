"""The archive has the market's own rows, as REST gives them, in the exchange's layout; faults come on demand."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from app.market.interval import Interval
from app.sandbox.market.recording import RecordedMarket
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.server.archive_faults import ArchiveFaults, Flaw
from app.sandbox.server.archive_files import archive_name
from app.sandbox.server.server import SandboxServer
from app.sandbox.wire import kline_row, trade_row
from tests.sandbox.helpers import SMALL, ManualClock, serving, small_market, trade_dump

DAY_US = 86_400_000_000
YESTERDAY_US = 1_786_579_200_000_000  # 2026-08-13
TRADES = "/data/spot/daily/trades/BTCUSDT/BTCUSDT-trades-2026-08-13.zip"
KLINES = "/data/spot/daily/klines/ADAUSDT/5m/ADAUSDT-5m-2026-08-12.zip"
MARKET = small_market(rate=0.2, history=timedelta(days=3))


@pytest.fixture
async def server():
    async with serving(MARKET) as server:
        yield server


async def got(server: SandboxServer, path: str, **headers: str) -> tuple[int, bytes, Mapping[str, str]]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(server.rest_url + path, headers=headers) as response,
    ):
        return response.status, await response.read(), response.headers.copy()


async def rows(server: SandboxServer, path: str) -> list[list[str]]:
    """The rows of the one CSV within a file whose checksum fits."""
    _, body, _ = await got(server, path)
    _, checksum, _ = await got(server, path + ".CHECKSUM")
    name = path.rpartition("/")[2]
    assert checksum.decode() == f"{hashlib.sha256(body).hexdigest()}  {name}\n"
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == [name.replace(".zip", ".csv")]
        return [line.split(",") for line in archive.read(archive.namelist()[0]).decode().splitlines()]


async def test_a_day_of_trades_is_what_rest_gives(server: SandboxServer):
    first = MARKET.first_id_from("BTCUSDT", YESTERDAY_US)
    end = MARKET.first_id_from("BTCUSDT", YESTERDAY_US + DAY_US)
    given = [trade_row(trade, microseconds=True) for trade in MARKET.trades("BTCUSDT", first, end - first)]
    assert len(given) == end - first > 5_000
    expected = [[str(value) for value in row.values()] for row in given]
    assert await rows(server, TRADES) == expected
    aggregates = await rows(server, TRADES.replace("trades", "aggTrades"))
    assert aggregates == [[row[0], row[1], row[2], row[0], row[0], row[4], row[5], row[6]] for row in expected]


async def test_klines_of_a_day_are_what_rest_gives(server: SandboxServer):
    interval = Interval.parse("5m")
    klines = await MARKET.klines(
        "ADAUSDT", interval, start_us=YESTERDAY_US - DAY_US, end_us=YESTERDAY_US - 1, limit=1000
    )
    assert len(klines) == 288
    expected = [[str(value) for value in kline_row(kline, interval, microseconds=True)] for kline in klines]
    assert await rows(server, KLINES) == expected


async def test_a_month_holds_its_days_in_milliseconds_before_2025():
    clock = ManualClock(int(datetime(2024, 12, 2, tzinfo=UTC).timestamp()) * 1_000_000)
    market = SimulatedMarket(7, SMALL, history=timedelta(days=3), rate=0.02, clock=clock)
    async with serving(market) as server:
        month = await rows(server, "/data/spot/monthly/trades/BTCUSDT/BTCUSDT-trades-2024-11.zip")
        days = [
            row
            for day in ("29", "30")
            for row in await rows(server, f"/data/spot/daily/trades/BTCUSDT/BTCUSDT-trades-2024-11-{day}.zip")
        ]
        assert month == days != []
        assert {len(row[4]) for row in month} == {13}


@pytest.mark.parametrize(
    "path",
    [
        TRADES.replace("2026-08-13", "2026-08-14"),  # today
        TRADES.replace("2026-08-13", "2026-08-01"),  # before the history
        TRADES.replace("2026-08-13", "2026-8-13"),
        TRADES.replace("BTCUSDT", "NONEUSDT"),
        TRADES.replace("BTCUSDT", "LUNAUSDT"),
        TRADES.replace("daily", "monthly"),
        "/data/spot/monthly/trades/BTCUSDT/BTCUSDT-trades-2026-08.zip",
        KLINES.replace("5m", "7m"),
        "/data/spot/daily/klines/ADAUSDT/ADAUSDT-5m-2026-08-12.zip",
        "/data/other",
    ],
)
async def test_what_the_archive_does_not_have_is_not_found(server: SandboxServer, path: str):
    for one in (path, path + ".CHECKSUM"):
        status, _, _ = await got(server, one)
        assert status == 404


async def test_a_day_appears_some_hours_after_its_end():
    clock = ManualClock(YESTERDAY_US + DAY_US + 3_600_000_000)
    async with serving(small_market(rate=0.2, history=timedelta(days=3), clock=clock)) as server:
        assert (await got(server, TRADES))[0] == 404
        clock.time_us += 6 * 3_600_000_000
        assert (await got(server, TRADES))[0] == 200


async def test_a_download_is_resumed_unless_the_file_was_uploaded_again(server: SandboxServer):
    _, whole, headers = await got(server, TRADES)
    status, rest, part = await got(server, TRADES, Range="bytes=1000-", **{"If-Range": headers["ETag"]})
    assert (status, rest) == (206, whole[1000:])
    assert part["Content-Range"] == f"bytes 1000-{len(whole) - 1}/{len(whole)}"
    status, rest, _ = await got(server, TRADES, Range="bytes=10-19")
    assert (status, rest) == (206, whole[10:20])
    assert (await got(server, TRADES, Range=f"bytes={len(whole)}-"))[0] == 416
    before = await rows(server, TRADES)
    server.faults.archive.upload_again(path="2026-08-13")
    status, again, _ = await got(server, TRADES, Range="bytes=1000-", **{"If-Range": headers["ETag"]})
    assert status == 200
    assert again != whole
    assert await rows(server, TRADES) == before
    assert server.requests[TRADES] == 7


async def test_the_size_of_a_file_can_be_asked_for(server: SandboxServer):
    _, whole, _ = await got(server, TRADES)
    async with aiohttp.ClientSession() as session, session.head(server.rest_url + TRADES) as response:
        assert (response.status, int(response.headers["Content-Length"])) == (200, len(whole))


async def test_a_file_may_end_early_though_its_checksum_fits(server: SandboxServer):
    whole = await rows(server, TRADES)
    server.faults.archive.spoil(Flaw.ROWS_CUT, path="2026-08-13")
    cut = await rows(server, TRADES)
    assert cut == whole[: len(cut)]
    assert len(cut) == len(whole) - len(whole) // 10
    server.faults.clear()
    assert await rows(server, TRADES) == whole


@pytest.mark.parametrize("flaw", [Flaw.ZIP_CUT, Flaw.CORRUPT])
async def test_a_zip_may_be_damaged_though_its_checksum_fits(server: SandboxServer, flaw: Flaw):
    server.faults.archive.spoil(flaw)
    with pytest.raises(zipfile.BadZipFile):
        await rows(server, TRADES)


async def test_a_checksum_may_be_another(server: SandboxServer):
    server.faults.archive.misstate_checksum()
    await got(server, TRADES)
    with pytest.raises(AssertionError):
        await rows(server, TRADES)
    assert await rows(server, TRADES)
    assert server.faults.counts == {"archive": 1}


async def test_a_connection_may_be_cut_or_answered_with_an_error(server: SandboxServer):
    server.faults.archive.cut_next()
    with pytest.raises(aiohttp.ClientPayloadError):
        await got(server, TRADES)
    server.faults.archive.fail_next(503, retry_after_s=3)
    status, _, headers = await got(server, TRADES)
    assert (status, headers["Retry-After"]) == (503, "3")
    server.faults.archive.slow_next(0.05)
    assert await rows(server, TRADES)


def test_faults_concern_the_files_whose_path_matches():
    faults = ArchiveFaults()
    faults.fail_next(500, path="08-13", times=None)
    faults.misstate_checksum(path="08-12")
    assert faults.take("a-08-11.zip", is_checksum=True) is None
    assert faults.take("a-08-12.zip", is_checksum=False) is None
    found = faults.take("a-08-12.zip", is_checksum=True)
    assert found is not None
    assert found.is_false
    assert faults.take("a-08-12.zip", is_checksum=True) is None
    assert faults.take("a-08-13.zip", is_checksum=False) is faults.take("a-08-13.zip", is_checksum=True) is not None


def test_a_path_tells_times_and_interval():
    name = archive_name(KLINES)
    assert name is not None
    assert (name.symbol, name.interval, name.stem) == ("ADAUSDT", Interval.parse("5m"), "ADAUSDT-5m-2026-08-12")
    assert (name.start_us, name.end_us) == (YESTERDAY_US - DAY_US, YESTERDAY_US)


async def test_a_recording_has_the_days_that_are_over(tmp_path):
    market = RecordedMarket([trade_dump(tmp_path / "frames", 40)], speed=float("inf"), clock=ManualClock())
    market.publish(40)
    async with serving(market) as server:
        status, _, _ = await got(server, "/data/spot/daily/trades/ABCUSDT/ABCUSDT-trades-2023-11-14.zip")
        assert status == 404
