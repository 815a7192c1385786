"""A download of ticks that is killed loses nothing, doubles nothing, and asks again only for what was on its way."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.main import main
from app.market.interval import SECOND_US, Interval
from app.market.quotes.tick import PriceSide
from app.sandbox.dukascopy.server import DukascopySandbox
from app.sandbox.dukascopy.sources import SimulatedArchive
from storage.database import Database
from storage.files.times import parse_time
from tests.program import needs_signals, served, set_surroundings, started, wait_for
from tests.servers import EMBEDDED, shared_server
from tests.tables import our_tables

EUR = "dukascopy:EURUSD"
START, END, HOURS = "2026-07-06", "2026-07-09", 72  # Monday to Wednesday: no hour is closed
PARALLEL, KILLS, PER_HOUR = 4, 3, 40
POINT_E8 = 1_000


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    with our_tables(shared_server(EMBEDDED)) as url:
        monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", url)
        yield url


@needs_signals
def test_a_download_killed_in_the_middle_goes_on_where_it_was(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(15)
    archive = SimulatedArchive(ticks_per_hour=PER_HOUR)
    command = ["history", EUR, "quotes", "--from", START, "--to", END, "--parallel", str(PARALLEL)]
    with served(DukascopySandbox(archive, pause_s=0.1)) as server:
        monkeypatch.setenv("CRYPTOPIPE_DUKASCOPY_URL", f"{server.url}/v1")
        monkeypatch.setenv("CRYPTOPIPE_DUKASCOPY_FILES_URL", f"{server.url}/datafeed")
        for number in range(KILLS):
            asked = server.asked("ticks")
            with started(*command) as process:
                wait_for(lambda asked=asked, number=number: server.asked("ticks") > asked + 4 * number, process)
                time.sleep(chance.uniform(0.0, 0.2))
                process.kill()
        assert server.asked("ticks") < HOURS  # else the kills came too late to be any
        assert main(command) == 0
        assert HOURS <= server.asked("ticks") <= HOURS + KILLS * PARALLEL
        asked = server.asked("ticks")
        assert main(command) == 0
        assert server.asked("ticks") == asked
    start_us = parse_time(START)
    expected = [
        (start_us + hour * 3_600 * SECOND_US + tick.ms * 1_000, tick.bid * POINT_E8, tick.ask * POINT_E8)
        for hour in range(HOURS)
        for tick in archive.ticks("EURUSD", start_us // 1_000 + hour * 3_600_000) or ()
    ]
    database = Database.open(url, tmp_path / "data")
    try:
        ticks = database.ticks.ticks(EUR, 0, 1 << 52)
        assert [(tick.time_us, tick.bid_e8, tick.ask_e8) for tick in ticks] == expected
        assert database.ticks.fetched_ticks(EUR).missing(start_us, start_us + HOURS * 3_600 * SECOND_US - 1) == []
        for side in PriceSide:
            hours = database.store.of_side(side).candles(EUR, Interval.parse("1h"))
            assert [one.trades for one in hours] == [PER_HOUR] * HOURS
            assert all(one.complete for one in hours)
    finally:
        database.close()
