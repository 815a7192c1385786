"""``cryptopipe history`` of candles that a broker of quotes makes, against an OANDA on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.live.transfers import exchange_patience
from app.main import main
from app.market.interval import SECOND_US, Interval
from app.market.quotes.tick import PriceSide, Tick
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaSandbox
from app.sandbox.oanda.tape import SimulatedTape
from storage.database import Database
from storage.files.times import parse_time
from tests.program import served

EUR = "oanda:EURUSD"
HOURS = ["--from", "2026-07-08T10:00", "--to", "2026-07-08T12:00"]
MINUTE = Interval.parse("1m")


pytestmark = pytest.mark.usefixtures("named_tables")


@contextmanager
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[OandaSandbox]:
    """An OANDA that the program finds, with credentials."""
    with served(OandaSandbox(SimulatedTape(seed=3, prices_per_s=1.0))) as made:
        monkeypatch.setenv("CRYPTOPIPE_OANDA_REST_URL", made.url)
        monkeypatch.setenv("OANDA_API_KEY", TOKEN)
        monkeypatch.setenv("OANDA_ACCOUNT_ID", ACCOUNT)
        yield made


def candle_requests(server: OandaSandbox) -> int:
    return sum(count for path, count in server.requests.items() if path.endswith("/candles"))


def test_minutes_of_bid_ask_and_mid_are_stored_and_those_of_an_hour_are_whole(
    data_dir: Path, named_tables: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with broker(monkeypatch) as server:
        assert main(["history", EUR, "1m", *HOURS]) == 0
        assert capsys.readouterr().out == "120 1m candles of bid, ask and mid read, 120 stored, 0 held already.\n"
        asked = candle_requests(server)
        assert main(["history", EUR, "1m", *HOURS, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["read"], said["stored"], said["held"], said["missing"]) == (0, 0, 0, [])
        assert main(["history", EUR, "1m", *HOURS]) == 0
        assert "all was fetched before" in capsys.readouterr().out
        assert candle_requests(server) == asked
        # Of a longer range the rest is asked for.
        assert main(["history", EUR, "1m", HOURS[0], "2026-07-08T09:00", *HOURS[2:]]) == 0
        assert capsys.readouterr().out == "60 1m candles of bid, ask and mid read, 60 stored, 0 held already.\n"
    database = Database.open(named_tables, data_dir)
    try:
        bid, ask, mid = (
            database.store.of_side(side).candles(EUR, MINUTE) for side in (PriceSide.BID, PriceSide.ASK, PriceSide.MID)
        )
        assert len(bid) == len(ask) == len(mid) == 180
        assert all(
            low.close_e8 < middle.close_e8 < high.close_e8 for low, middle, high in zip(bid, mid, ask, strict=True)
        )
        hours = database.store.candles(EUR, Interval.parse("1h"))
        assert [one.trades for one in hours] == [
            sum(one.trades for one in mid[at : at + 60]) for at in range(0, 180, 60)
        ]
    finally:
        database.close()


def test_when_a_market_is_closed_says_its_own_calendar_and_an_empty_answer_is_remembered(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    saturday = ["history", EUR, "1m", "--from", "2026-07-11", "--to", "2026-07-12"]
    with broker(monkeypatch) as server:
        assert main(saturday) == 0
        assert candle_requests(server) == 0
        monkeypatch.setenv("CRYPTOPIPE_CALENDARS", "oanda:EURUSD=crypto")
        for _ in range(2):
            assert main(saturday) == 0
            assert capsys.readouterr().out.startswith("Nothing was stored: ")
            assert candle_requests(server) == 1


def test_what_cannot_be_fetched_is_one_sentence_and_an_exit_code(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with broker(monkeypatch):
        for arguments, said in (
            ([EUR, "quotes"], "no past ticks"),
            ([EUR, "trades"], "“trades” are not published"),
            ([EUR, "7m"], "has no candles of 7m: fetch 1m"),
            (["oanda:EURXYZ", "1m"], "EURXYZ"),
        ):
            assert main(["history", *arguments, *HOURS]) in (1, 2)
            printed = capsys.readouterr()
            assert said in printed.err
            assert len(printed.err.strip().splitlines()) == 1
        monkeypatch.setenv("OANDA_API_KEY", "wrong-token")
        assert main(["history", EUR, "1m", *HOURS]) == 1
        printed = capsys.readouterr()
        assert len(printed.err.strip().splitlines()) == 1
        assert "wrong-token" not in printed.err + printed.out
    monkeypatch.setattr(exchange_patience, "AWAY_S", 0.0)
    assert main(["history", EUR, "1m", *HOURS]) == 3
    said = capsys.readouterr().err
    assert "cryptopipe: missing: oanda:EURUSD 1m from 2026-07-08T10:00:00Z to 2026-07-08T12:00:00Z: " in said
    monkeypatch.delenv("OANDA_API_KEY")
    assert main(["history", EUR, "1m", *HOURS]) == 1
    assert "OANDA_API_KEY" in capsys.readouterr().err


def test_an_export_asks_the_broker_for_what_is_not_recorded(
    data_dir: Path,
    named_tables: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "bid.csv"
    begin_us = parse_time("2026-07-08T10:00")
    database = Database.open(named_tables, data_dir)
    loader = database.tick_loader()
    ticks = [Tick(EUR, begin_us + second * SECOND_US, 0, 200_000_000, 200_002_000) for second in range(60)]
    loader.store_ticks(ticks, (EUR, begin_us, begin_us + 60 * SECOND_US))
    loader.close()
    database.close()
    wanted = ["export", EUR, "1m", *HOURS, "--price", "bid", "--out", str(out)]
    assert main([*wanted, "--stored"]) == 3
    assert len(out.read_text().splitlines()) == 2
    with broker(monkeypatch) as server:
        capsys.readouterr()
        assert main(wanted) == 0, capsys.readouterr().err
        asked = sum(server.requests.values())
        assert main(wanted) == 0
        assert sum(server.requests.values()) == asked  # all of it is stored now
    rows = out.read_text().splitlines()[1:]
    assert len(rows) == 120
    assert rows[0].split(",")[4] == "2.00000000"  # of the recorded ticks
    assert all(not row.split(",")[4].startswith("2") for row in rows[1:])
