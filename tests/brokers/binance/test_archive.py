"""The archive's files: whole and verified or not there at all, resumed after any interruption, never fetched twice."""

import asyncio
import hashlib
import os
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from app.brokers.binance.archive import BinanceArchive
from app.brokers.binance.endpoints import archive_path, check_archive_base
from app.market.errors import FeedAway, FeedDisconnected, FeedRejected, FileError, SettingsError
from app.market.interval import Interval
from app.market.ports.archive import DAY_US, ArchiveFile
from app.sandbox.server.server import SandboxServer
from tests.sandbox.helpers import serving, small_market

YESTERDAY_US = 1_786_579_200_000_000  # 2026-08-13
DAY = ArchiveFile("BTCUSDT", None, YESTERDAY_US, YESTERDAY_US + DAY_US)
KLINES = DAY._replace(interval=Interval.parse("1m"))
MARKET = small_market(rate=0.5, history=timedelta(days=3))


@pytest.fixture
async def server() -> AsyncIterator[SandboxServer]:
    async with serving(MARKET) as server:
        yield server


@pytest.fixture
async def archive(server: SandboxServer, tmp_path: Path) -> AsyncIterator[BinanceArchive]:
    made = BinanceArchive(server.rest_url, tmp_path / "archive")
    yield made
    await made.close()


async def in_the_archive(server: SandboxServer, file: ArchiveFile) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(server.rest_url + archive_path(file)) as response:
        return await response.read()


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "archive").iterdir())


def test_names_and_paths_are_those_of_the_archive() -> None:
    assert archive_path(DAY) == "/data/spot/daily/trades/BTCUSDT/BTCUSDT-trades-2026-08-13.zip"
    month = KLINES._replace(start_us=1_783_036_800_000_000 - 2 * DAY_US, end_us=1_783_036_800_000_000 + 29 * DAY_US)
    assert archive_path(month) == "/data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2026-07.zip"
    assert check_archive_base(" https://mirror.example/binance/ ") == "https://mirror.example/binance"
    for url in (
        "data.binance.vision",
        "https://host/?a=b",
        "http://[x",
        "ftp://data.binance.vision",
        "https://user:secret@data.binance.vision",
    ):
        with pytest.raises(SettingsError):
            BinanceArchive(url, Path())


@pytest.mark.parametrize("file", [DAY, KLINES], ids=["trades", "klines"])
async def test_a_file_gets_its_name_once_it_is_whole_and_is_not_asked_for_again(
    server: SandboxServer, archive: BinanceArchive, tmp_path: Path, file: ArchiveFile
) -> None:
    parts: list[float] = []
    path = await archive.download(file, parts.append)
    assert path == tmp_path / "archive" / file.name
    assert path.read_bytes() == await in_the_archive(server, file)
    assert zipfile.ZipFile(path).testzip() is None
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    before = server.requests.copy()
    assert await archive.download(file) == path
    assert server.requests == before
    archive.discard(path)
    assert names(tmp_path) == []


async def test_what_the_archive_does_not_have_is_none(archive: BinanceArchive) -> None:
    assert await archive.download(DAY._replace(symbol="NONEUSDT")) is None
    assert (
        await archive.download(DAY._replace(start_us=YESTERDAY_US + DAY_US, end_us=YESTERDAY_US + 2 * DAY_US)) is None
    )
    assert archive.has_klines_of(Interval.parse("1m"))
    assert not archive.has_klines_of(Interval.parse("3d"))


async def test_a_broken_connection_leaves_what_arrived_and_the_rest_is_asked_for(
    server: SandboxServer, archive: BinanceArchive, tmp_path: Path
) -> None:
    server.faults.archive.cut_next()
    with pytest.raises(FeedDisconnected):
        await archive.download(DAY)
    whole = await in_the_archive(server, DAY)
    (part,) = names(tmp_path)
    assert part == f"{DAY.name}.part"
    arrived = (tmp_path / "archive" / part).read_bytes()
    assert 0 < len(arrived) < len(whole)
    assert whole.startswith(arrived)
    parts: list[float] = []
    path = await archive.download(DAY, parts.append)
    assert path is not None
    assert path.read_bytes() == whole
    assert parts[0] > 0.5


async def test_a_cancelled_download_is_resumed_by_another_run(
    server: SandboxServer, archive: BinanceArchive, tmp_path: Path
) -> None:
    server.faults.archive.slow_next(20.0)
    began = asyncio.Event()
    task = asyncio.create_task(archive.download(DAY, lambda _: began.set()))
    while server.requests[archive_path(DAY)] == 0:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    other = BinanceArchive(server.rest_url, tmp_path / "archive")
    try:
        path = await other.download(DAY)
        assert path is not None
        assert path.read_bytes() == await in_the_archive(server, DAY)
    finally:
        await other.close()


async def test_a_file_replaced_since_it_was_begun_is_begun_anew(
    server: SandboxServer, archive: BinanceArchive, tmp_path: Path
) -> None:
    server.faults.archive.cut_next()
    with pytest.raises(FeedDisconnected):
        await archive.download(DAY)
    server.faults.archive.upload_again()
    path = await archive.download(DAY)
    assert path is not None
    assert path.read_bytes() == await in_the_archive(server, DAY)


async def test_a_whole_file_that_was_not_verified_yet_is_verified_without_being_fetched_again(
    server: SandboxServer, archive: BinanceArchive, tmp_path: Path
) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / f"{DAY.name}.part").write_bytes(await in_the_archive(server, DAY))
    parts: list[float] = []
    path = await archive.download(DAY, parts.append)
    assert path is not None
    assert parts == []
    assert (
        hashlib.sha256(path.read_bytes()).hexdigest() == hashlib.sha256(await in_the_archive(server, DAY)).hexdigest()
    )


async def test_a_wrong_checksum_is_tried_three_times_and_leaves_no_file(
    server: SandboxServer, archive: BinanceArchive, tmp_path: Path
) -> None:
    server.faults.archive.misstate_checksum(times=None, path=DAY.name)
    for expected in (FeedDisconnected, FeedDisconnected, FeedRejected):
        with pytest.raises(expected, match=r"BTCUSDT-trades-2026-08-13\.zip does not fit the checksum"):
            await archive.download(DAY)
    assert names(tmp_path) == []
    server.faults.clear()
    assert await archive.download(DAY) is not None


async def test_an_archive_in_trouble_or_away_may_be_asked_again(
    server: SandboxServer, archive: BinanceArchive, tmp_path: Path
) -> None:
    server.faults.archive.fail_next(503, retry_after_s=7)
    with pytest.raises(FeedDisconnected, match="HTTP 503") as caught:
        await archive.download(DAY)
    assert caught.value.retry_after_s == 7
    server.faults.archive.fail_next(500, path=".zip")
    with pytest.raises(FeedAway, match="HTTP 500"):
        await archive.download(DAY)
    away = BinanceArchive("http://127.0.0.1:9", tmp_path / "archive")
    with pytest.raises(FeedAway, match="connection refused"):
        await away.download(DAY)
    await away.close()


async def test_a_folder_that_cannot_be_written_is_one_sentence(server: SandboxServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    archive = BinanceArchive(server.rest_url, tmp_path / "file" / "archive")
    with pytest.raises(FileError, match="cannot be kept in"):
        await archive.download(DAY)
    await archive.close()


async def test_what_was_abandoned_for_a_week_is_removed_and_kept_files_stay(
    server: SandboxServer, archive: BinanceArchive, tmp_path: Path
) -> None:
    archive.discard_abandoned()  # there is no folder yet
    kept = await archive.download(DAY)
    assert kept is not None
    folder = kept.parent
    beside = [f"{DAY.name}.refused.csv", "BTCUSDT-trades-2026-08-01.zip.refused.csv"]
    parts = [f"{KLINES.name}.part", ".BTCUSDT-trades-2026-08-01.zip.refused.csv.part"]
    for name in (*beside, *parts):
        (folder / name).touch()
    archive.discard_abandoned()
    assert names(tmp_path) == sorted([DAY.name, *beside, *parts])  # they may be gone on with
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    archive.discard_abandoned()
    assert names(tmp_path) == [DAY.name, f"{DAY.name}.refused.csv"]
