"""Klines of any range come once and all, and what a file lacks is not taken for what the exchange does not have."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from app.live.transfers.downloads.download import Source
from app.live.transfers.downloads.klines import KlineDownload
from app.live.transfers.downloads.report import DonePiece, DownloadReport
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.ports.archive import DAY_US
from app.sandbox.server.archive_faults import Flaw
from tests.live.helpers import figures
from tests.live.transfers.downloads.helpers import TODAY_US, World, world

MINUTE, FIVE, SECOND = (Interval.parse(name) for name in ("1m", "5m", "1s"))
HOUR_US = DAY_US // 24


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def published(here: World, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
    found: list[Candle] = []
    while start_us < end_us:
        found += await here.market.klines("BTCUSDT", interval, start_us=start_us, end_us=end_us - 1, limit=1000)
        start_us = interval.next_open_us(found[-1].open_time_us)
    return found


def stored(here: World, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
    return here.database.store.candles("BTCUSDT", interval, start_us=start_us, end_us=end_us)


async def same(here: World, interval: Interval, start_us: int, end_us: int) -> bool:
    expected = [figures(one) for one in await published(here, interval, start_us, end_us)]
    found = [figures(one) for one in stored(here, interval, start_us, end_us)]
    # The exchange cuts quote volumes to eight places.
    return [(*one[:6], one[6] // 10**8, *one[7:9]) for one in found] == [
        (*one[:6], one[6] // 10**8, *one[7:9]) for one in expected
    ]


def archive_files(here: World) -> list[str]:
    return sorted(path.rpartition("/")[2] for path in here.server.requests if path.endswith(".zip"))


async def test_days_come_from_the_archive_the_rest_from_the_exchange_and_nothing_twice(here: World) -> None:
    start_us, end_us = TODAY_US - DAY_US - HOUR_US, TODAY_US + HOUR_US
    report = await here.download(start_us, end_us, FIVE)
    assert report.is_whole
    assert await same(here, FIVE, start_us, end_us)
    assert archive_files(here) == ["BTCUSDT-5m-2026-08-13.zip"]
    assert report.rows.read == report.rows.stored == 26 * 12
    here.server.requests.clear()
    # The candles that both ends cut off are not asked for, either.
    assert (await here.download(start_us - 7, end_us + 7, FIVE)).rows.read == 0
    assert dict(here.server.requests) == {}


async def test_an_interval_that_the_exchange_does_not_offer_comes_as_the_one_that_it_is_made_of(here: World) -> None:
    start_us, end_us = TODAY_US, TODAY_US + HOUR_US
    report = await here.download(start_us, end_us, Interval.parse("90s"))
    assert report.is_whole
    assert report.rows.stored == 3600
    assert await same(here, SECOND, start_us, end_us)
    assert len(stored(here, Interval.parse("90s"), start_us, end_us)) == 40
    here.server.requests.clear()
    assert (await here.download(start_us, end_us, SECOND)).rows.read == 0
    assert dict(here.server.requests) == {}


async def test_without_the_archive_all_come_from_the_exchange(here: World) -> None:
    start_us, end_us = TODAY_US - 2 * DAY_US, TODAY_US
    report = await here.download(start_us, end_us, MINUTE, source=Source.REST)
    assert report.is_whole
    assert archive_files(here) == []
    assert here.server.requests["/api/v3/klines"] == 4  # one of them for the listing
    assert await same(here, MINUTE, start_us, end_us)


@pytest.mark.parametrize("flaw", list(Flaw))
async def test_a_file_that_lacks_rows_or_is_damaged_is_completed_by_the_exchange(here: World, flaw: Flaw) -> None:
    here.server.faults.archive.spoil(flaw, path="2026-08-13")
    start_us, end_us = TODAY_US - 2 * DAY_US, TODAY_US
    assert (await here.download(start_us, end_us, MINUTE)).is_whole
    assert await same(here, MINUTE, start_us, end_us)
    here.server.requests.clear()
    assert (await here.download(start_us, end_us, MINUTE)).is_whole
    assert dict(here.server.requests) == {}


async def test_without_the_exchange_what_a_file_lacks_is_named_and_fetched_later(here: World) -> None:
    here.server.faults.archive.spoil(Flaw.ROWS_CUT, path="2026-08-13")
    start_us, end_us = TODAY_US - 2 * DAY_US, TODAY_US
    report = await here.download(start_us, end_us, MINUTE, source=Source.ARCHIVE)
    (skipped,) = report.skipped
    assert (skipped.piece.start_us, skipped.piece.end_us) == (TODAY_US - 144 * MINUTE.length_us, TODAY_US)
    here.server.faults.clear()
    report = await here.download(start_us, end_us, MINUTE, source=Source.ARCHIVE)
    assert report.is_whole
    assert (report.rows.read, report.rows.stored) == (1440, 144)
    assert await same(here, MINUTE, start_us, end_us)


async def test_a_hole_inside_a_file_is_named_without_the_exchange_and_no_more_than_that(here: World) -> None:
    here.server.faults.archive.spoil(Flaw.ROWS_MISSING, path="2026-08-13")
    start_us, end_us = TODAY_US - 2 * DAY_US, TODAY_US
    report = await here.download(start_us, end_us, MINUTE, source=Source.ARCHIVE)
    (skipped,) = report.skipped
    hole_us = TODAY_US - DAY_US + 648 * MINUTE.length_us
    assert (skipped.piece.start_us, skipped.piece.end_us) == (hole_us, hole_us + 144 * MINUTE.length_us)
    here.server.requests.clear()
    report = await here.download(start_us, end_us, MINUTE)
    assert (report.is_whole, report.rows.read, archive_files(here)) == (True, 144, [])
    assert await same(here, MINUTE, start_us, end_us)


@pytest.mark.parametrize("source", [Source.ARCHIVE, Source.REST])
async def test_klines_that_another_run_stored_meanwhile_count_as_held(
    here: World, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_us, end_us = TODAY_US - DAY_US, TODAY_US
    known = KlineDownload.known

    async def known_before_the_other_run(download: KlineDownload, *times_us: int) -> IdRanges:
        found = await known(download, *times_us)
        here.database.store.save_klines(
            "BTCUSDT", MINUTE, await published(here, MINUTE, start_us + DAY_US // 2, end_us)
        )
        return found

    monkeypatch.setattr(KlineDownload, "known", known_before_the_other_run)
    report = await here.download(start_us, end_us, MINUTE, source=source)
    assert (report.rows.read, report.rows.stored, report.rows.held) == (1440, 720, 720)


async def test_each_part_of_the_progress_is_counted_once(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Done(list[DonePiece]):
        passes = 0

        def __iter__(self) -> Iterator[DonePiece]:
            self.passes += 1
            return super().__iter__()

    done = Done()
    monkeypatch.setattr("app.live.transfers.downloads.download.DownloadReport", partial(DownloadReport, done=done))
    here.server.faults.archive.spoil(Flaw.ROWS_MISSING, path="2026-08-13")
    report = await here.download(TODAY_US - 3 * DAY_US, TODAY_US, MINUTE)
    assert len(here.progress) > len(done) == 4
    assert done.passes == 0, "the time of a progress must not grow with the pieces before it"
    assert here.progress[0][:2] == (0, 72)
    assert here.progress[-1][:2] == (72, 72)
    assert all(one.done == one.symbols["BTCUSDT"].done for one in here.progress)
    assert here.progress[-1].symbols == {"BTCUSDT": (72, 72, here.progress[-1].work)}
    assert here.progress[-1].rows == report.rows.read == 3 * 1440


async def test_a_range_before_the_listing_is_whole_and_says_since_when_there_is_anything(here: World) -> None:
    report = await here.download(TODAY_US - 90 * DAY_US, TODAY_US - 3 * DAY_US, FIVE)
    assert report.is_whole
    assert TODAY_US - 4 * DAY_US <= report.listed_us["BTCUSDT"] < TODAY_US - 3 * DAY_US
    here.server.requests.clear()
    assert (await here.download(TODAY_US - 90 * DAY_US, TODAY_US - 3 * DAY_US, FIVE)).is_whole
    assert dict(here.server.requests) == {}


async def test_intervals_longer_than_a_day_come_from_the_exchange_and_an_open_candle_is_named(here: World) -> None:
    report = await here.download(TODAY_US - 4 * DAY_US, TODAY_US + DAY_US, Interval.parse("1d"))
    (skipped,) = report.skipped
    assert (skipped.piece.start_us, skipped.reason) == (TODAY_US, "It is not over yet.")
    assert (await here.download(TODAY_US - 4 * DAY_US, TODAY_US, Interval.parse("3d"))).is_whole
    assert not any("-3d-" in name for name in archive_files(here))


async def test_an_exchange_that_is_away_leaves_what_the_archive_has(here: World) -> None:
    here.server.faults.rest.fail_next(500, times=None)
    start_us, end_us = TODAY_US - 2 * DAY_US, TODAY_US + HOUR_US
    report = await here.download(start_us, end_us, MINUTE)
    (skipped,) = report.skipped
    assert (skipped.piece.start_us, skipped.piece.end_us) == (TODAY_US, end_us)
    assert "HTTP 500" in skipped.reason
    assert await same(here, MINUTE, start_us, TODAY_US)
    assert report.lacks == [
        f"missing: BTCUSDT 1m from 2026-08-14 to 2026-08-14T01:00: {skipped.reason}",
    ]
