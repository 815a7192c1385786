"""Trades of any range come once and all: from the archive, from the exchange, after faults, and after being stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.brokers.binance.rest import BinanceRest
from app.live.transfers.downloads.download import Source
from app.market.interval import Interval
from app.market.ports.archive import DAY_US
from app.market.trade import Trade
from app.sandbox.server.archive_faults import Flaw
from storage.trades.trade_ledger import TradeLedger
from tests.live.transfers.downloads.helpers import TODAY_US, World, world

HOUR_US = DAY_US // 24


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


def archive_names(here: World) -> list[str]:
    asked = [path for path in here.server.requests if path.startswith("/data/") and path.endswith(".zip")]
    return sorted(path.rpartition("-trades-")[2].removesuffix(".zip") for path in asked)


async def test_days_of_the_archive_are_stored_to_the_last_trade_and_never_asked_for_again(here: World) -> None:
    start_us, end_us = TODAY_US - 3 * DAY_US, TODAY_US
    report = await here.download(start_us, end_us)
    assert report.is_whole
    assert here.stored() == here.wanted("BTCUSDT", start_us, end_us) != []
    assert archive_names(here) == ["2026-08-11", "2026-08-12", "2026-08-13"]
    assert report.rows.read == report.rows.stored == len(here.stored())
    assert list((here.folder).iterdir()) == []
    assert here.progress[-1][:2] == (72.0, 72.0)
    here.server.requests.clear()
    again = await here.download(start_us, end_us)
    assert (again.is_whole, again.rows.read, dict(here.server.requests)) == (True, 0, {})
    # A range within it, and one that goes on where it ended.
    assert (await here.download(start_us + HOUR_US, end_us - HOUR_US)).is_whole
    assert dict(here.server.requests) == {}
    report = await here.download(start_us, TODAY_US + HOUR_US)
    assert archive_names(here) == []
    assert here.stored() == here.wanted("BTCUSDT", start_us, TODAY_US + HOUR_US)
    here.server.requests.clear()
    assert (await here.download(start_us, TODAY_US + HOUR_US)).is_whole
    assert dict(here.server.requests) == {}


async def test_what_the_archive_does_not_have_comes_from_the_exchange(here: World) -> None:
    start_us, end_us = TODAY_US - 2 * HOUR_US, TODAY_US + 5 * HOUR_US
    report = await here.download(start_us, end_us, source=Source.REST)
    assert report.is_whole
    assert here.stored() == here.wanted("BTCUSDT", start_us, end_us)
    assert archive_names(here) == []
    assert {one.piece.file for one in report.done} == {None}
    here.server.requests.clear()
    assert (await here.download(start_us, end_us, source=Source.REST)).is_whole
    assert dict(here.server.requests) == {}


async def test_a_range_that_ends_in_the_future_is_fetched_until_now_and_named(here: World) -> None:
    now_us = here.clock.now_us()
    report = await here.download(TODAY_US, TODAY_US + DAY_US)
    (skipped,) = report.skipped
    assert skipped.reason == "It is not over yet."
    assert skipped.piece.end_us == TODAY_US + DAY_US
    assert [one for one in here.stored() if one.time_us <= now_us] == here.wanted("BTCUSDT", TODAY_US, now_us + 1)


async def test_only_the_archive_is_asked_where_that_is_wanted(here: World) -> None:
    report = await here.download(TODAY_US - DAY_US, TODAY_US + HOUR_US, source=Source.ARCHIVE)
    assert here.stored() == here.wanted("BTCUSDT", TODAY_US - DAY_US, TODAY_US)
    (skipped,) = report.skipped
    assert skipped.sentence == (
        "BTCUSDT trades from 2026-08-14 to 2026-08-14T01:00: The archive does not have it, or not all of it."
    )
    assert all(path.startswith("/data/") for path in here.server.requests)
    here.server.requests.clear()
    assert (await here.download(TODAY_US - DAY_US, TODAY_US, source=Source.ARCHIVE)).is_whole
    assert dict(here.server.requests) == {}


async def test_a_file_that_ends_early_though_its_checksum_fits_is_completed_by_the_exchange(here: World) -> None:
    here.server.faults.archive.spoil(Flaw.ROWS_CUT, path="2026-08-12")
    start_us, end_us = TODAY_US - 3 * DAY_US, TODAY_US
    report = await here.download(start_us, end_us)
    assert report.is_whole
    assert here.stored() == here.wanted("BTCUSDT", start_us, end_us)
    (fetched,) = [one for one in report.done if one.piece.file is None]
    assert 0 < fetched.rows.stored < 1_000
    assert here.server.requests["/api/v3/historicalTrades"] == 1


@pytest.mark.parametrize("earlier", [(), (2,), (1,), (3, 2), (2, 1)], ids=str)
async def test_without_the_exchange_a_file_that_ends_early_is_found_by_the_ids_of_the_next_day(
    here: World, earlier: tuple[int, ...]
) -> None:
    here.server.faults.archive.spoil(Flaw.ROWS_CUT, path="2026-08-12")
    start_us, end_us = TODAY_US - 3 * DAY_US, TODAY_US
    for days in earlier:  # by runs of their own, in any order
        await here.download(TODAY_US - days * DAY_US, TODAY_US - (days - 1) * DAY_US, source=Source.ARCHIVE)
    report = await here.download(start_us, end_us, source=Source.ARCHIVE)
    assert [one.piece.start_us for one in report.skipped] == [TODAY_US - 2 * DAY_US]
    lost = len(here.wanted("BTCUSDT", start_us, end_us)) - len(here.stored())
    assert report.rows.missing == lost > 0
    # The day is uploaded again.
    here.server.faults.clear()
    here.server.requests.clear()
    report = await here.download(start_us, end_us, source=Source.ARCHIVE)
    assert report.is_whole
    assert here.stored() == here.wanted("BTCUSDT", start_us, end_us)
    assert archive_names(here) == ["2026-08-12"]
    assert report.rows.stored == lost


@pytest.mark.parametrize("flaw", [Flaw.ZIP_CUT, Flaw.CORRUPT])
async def test_a_damaged_file_is_completed_by_the_exchange(here: World, flaw: Flaw) -> None:
    here.server.faults.archive.spoil(flaw, path="2026-08-13")
    report = await here.download(TODAY_US - DAY_US, TODAY_US)
    assert here.stored() == here.wanted("BTCUSDT", TODAY_US - DAY_US, TODAY_US)
    assert report.is_whole
    (broken,) = [one for one in report.done if one.rows.is_broken]
    assert broken.rows.reason == "BTCUSDT-trades-2026-08-13.zip is damaged, although its checksum fits."
    assert broken.rows.read == 0


async def test_a_wrong_checksum_and_a_host_in_trouble_skip_the_piece_and_go_on(here: World) -> None:
    here.server.faults.archive.misstate_checksum(times=None, path="2026-08-13")
    here.server.faults.archive.fail_next(503, times=None, path="2026-08-11")
    began_s = here.clock.monotonic_s()
    report = await here.download(TODAY_US - 3 * DAY_US, TODAY_US)
    assert sorted(one.piece.start_us for one in report.skipped) == [TODAY_US - 3 * DAY_US, TODAY_US - DAY_US]
    assert not report.is_whole
    newest, oldest = report.lacks
    assert newest.startswith(
        "missing: BTCUSDT trades from 2026-08-13 to 2026-08-14: BTCUSDT-trades-2026-08-13.zip does"
    )
    assert "HTTP 503" in oldest
    assert 100 <= here.clock.monotonic_s() - began_s < 120
    assert here.stored() == here.wanted("BTCUSDT", TODAY_US - 2 * DAY_US, TODAY_US - DAY_US)
    here.server.faults.clear()
    here.server.requests.clear()
    assert (await here.download(TODAY_US - 3 * DAY_US, TODAY_US)).is_whole
    assert archive_names(here) == ["2026-08-11", "2026-08-13"]


async def test_several_symbols_at_once_newest_first_and_files_are_kept_where_that_is_set(here: World) -> None:
    symbols = ("BTCUSDT", "ADAUSDT", "币安人生USDT")
    report = await here.download(TODAY_US - 2 * DAY_US, TODAY_US, symbols=symbols, keep_files=True)
    assert report.is_whole
    for symbol in symbols:
        assert here.stored(symbol) == here.wanted(symbol, TODAY_US - 2 * DAY_US, TODAY_US)
    assert len(list(here.folder.iterdir())) == 6
    days = [one.piece.start_us for one in report.done]
    assert sorted(days, reverse=True)[:3] == [TODAY_US - DAY_US] * 3


async def test_the_time_before_a_symbol_was_listed_is_not_asked_of_the_archive(here: World) -> None:
    report = await here.download(TODAY_US - 300 * DAY_US, TODAY_US - 2 * DAY_US)
    assert report.is_whole
    listed_us = report.listed_us["BTCUSDT"]
    assert TODAY_US - 4 * DAY_US <= listed_us < TODAY_US - 3 * DAY_US
    assert sum(path.endswith(".CHECKSUM") for path in here.server.requests) <= 3
    assert here.stored() == here.wanted("BTCUSDT", TODAY_US - 5 * DAY_US, TODAY_US - 2 * DAY_US)


async def test_a_cancelled_download_goes_on_where_it_was(here: World) -> None:
    start_us, end_us = TODAY_US - 3 * DAY_US, TODAY_US
    here.server.faults.archive.slow_next(30.0, path="2026-08-11")
    running = asyncio.create_task(here.download(start_us, end_us))
    while not here.stored():
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    here.server.requests.clear()
    assert (await here.download(start_us, end_us)).is_whole
    assert here.stored() == here.wanted("BTCUSDT", start_us, end_us)


async def test_trades_recorded_live_are_not_fetched(here: World) -> None:
    start_us, end_us = TODAY_US - 2 * DAY_US, TODAY_US
    recorded = here.wanted("BTCUSDT", start_us - HOUR_US, end_us + HOUR_US)
    assert here.database.writer.put(recorded)
    assert here.database.writer.drain(20)
    assert (await here.download(start_us, end_us)).is_whole
    assert dict(here.server.requests) == {}


async def test_trades_that_another_run_stores_meanwhile_count_as_held(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_us, end_us = TODAY_US - 2 * HOUR_US, TODAY_US
    wanted = here.wanted("BTCUSDT", start_us, end_us)
    asked = list[int]()
    trades_from = BinanceRest.trades_from

    async def answered_after_the_other_run(rest: BinanceRest, symbol: str, first: int, *, limit: int) -> list[Trade]:
        answer = await trades_from(rest, symbol, first, limit=limit)
        if not asked:
            with here.database.store._pool.borrowed("store as another program") as connection:
                TradeLedger(connection).store(answer[: len(answer) // 2])
            asked.append(len(answer) // 2)
        return answer

    monkeypatch.setattr(BinanceRest, "trades_from", answered_after_the_other_run)
    report = await here.download(start_us, end_us, source=Source.REST)
    assert here.stored() == wanted
    assert (report.rows.read, report.rows.held, report.rows.stored) == (len(wanted), asked[0], len(wanted) - asked[0])


async def test_ids_missing_inside_are_counted(here: World) -> None:
    wanted = here.wanted("BTCUSDT", TODAY_US - 2 * DAY_US, TODAY_US)
    assert (await here.download(TODAY_US - 2 * DAY_US, TODAY_US)).is_whole
    with here.database.store._pool.borrowed("lose a trade") as connection:
        lost = wanted[100].trade_id
        connection.execute("DELETE FROM trades WHERE trade_id = %s", (lost,))
        connection.execute("UPDATE coverage SET last_trade_id = %s", (lost - 1,))
        connection.execute(
            "INSERT INTO coverage SELECT symbol_id, %s, %s FROM coverage", (lost + 1, wanted[-1].trade_id)
        )
    report = await here.download(TODAY_US - 2 * DAY_US, TODAY_US)
    assert report.missing == {"BTCUSDT": [(lost, lost)]}
    assert report.lacks == [
        f"missing: 1 trade of BTCUSDT inside, the first is {lost}: "
        "cryptopipe gaps BTCUSDT --repair fetches what there is."
    ]


async def test_months_are_used_where_whole_and_days_where_a_month_is_damaged(tmp_path: Path) -> None:
    november_us, december_us = (TODAY_US - days * DAY_US for days in (651, 621))  # of 2024: in milliseconds
    async with world(tmp_path, rate=0.002, days=34, now_us=december_us + DAY_US + HOUR_US) as here:
        report = await here.download(november_us - DAY_US, december_us)
        assert report.is_whole
        assert archive_names(here) == ["2024-10-31", "2024-11"]
        stored = here.stored()
        expected = here.wanted("BTCUSDT", november_us - DAY_US, december_us)
        assert [one._replace(time_us=one.time_us // 1000) for one in stored] == [
            one._replace(time_us=one.time_us // 1000) for one in expected
        ]
        assert here.progress[-1][:2] == (31 * 24, 31 * 24)
        here.server.faults.archive.spoil(Flaw.CORRUPT, path="monthly")
        report = await here.download(november_us, december_us, Interval.parse("4h"))
        assert report.is_whole
        assert len([one for one in report.done if not one.rows.is_broken]) == 30
        assert report.rows.stored == 30 * 6


async def test_nothing_is_left_of_files_whose_rows_are_stored(here: World) -> None:
    here.folder.mkdir()
    start_us, end_us = TODAY_US - 2 * DAY_US, TODAY_US
    # Interrupted runs left a part of the month, and one of a day outside the range.
    parts = [here.folder / f"BTCUSDT-trades-{when}.zip.part" for when in ("2026-08", "2026-08-12", "2026-08-01")]
    for part in parts:
        part.touch()
    here.server.faults.archive.fail_next(404, path="2026-08-12", times=None)
    assert (await here.download(start_us, end_us)).is_whole  # that day came from the exchange
    assert [path.name for path in here.folder.iterdir()] == [parts[2].name]


async def test_refused_rows_of_a_file_are_kept_with_it_or_not_at_all(here: World) -> None:
    kept = ["BTCUSDT-trades-2026-08-13.zip", "BTCUSDT-trades-2026-08-13.zip.refused.csv"]
    for day_us, keep_files in ((TODAY_US - DAY_US, True), (TODAY_US - 2 * DAY_US, False)):
        first = here.wanted("BTCUSDT", day_us, day_us + DAY_US)[0]
        here.database.writer.put([first._replace(price_e8=first.price_e8 + 1)])  # contradicts a row of the file
        assert await here.database.writer.flush(30)
        report = await here.download(day_us, day_us + DAY_US, keep_files=keep_files)
        assert report.rows.refused == 1
        assert "is the first refused" in report.lacks[-1]
        assert sorted(path.name for path in here.folder.iterdir()) == kept
