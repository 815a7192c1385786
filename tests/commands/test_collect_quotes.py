"""``cryptopipe collect`` of symbols of several brokers, each on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.commands import collect
from app.main import main
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaSandbox
from app.sandbox.oanda.tape import SimulatedTape
from storage.database import Database
from tests.program import exchange, hanging_url, point_to, served, silent_server

EUR, JPY = "oanda:EURUSD", "oanda:USDJPY"


@pytest.fixture(autouse=True)
def broker(named_tables: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OandaSandbox]:
    """A sandbox of OANDA that the program finds, with credentials."""
    with served(OandaSandbox(SimulatedTape(3, prices_per_s=8.0, always_open=True))) as made:
        monkeypatch.setenv("CRYPTOPIPE_OANDA_REST_URL", f"{made.url}/v3")
        monkeypatch.setenv("CRYPTOPIPE_OANDA_STREAM_URL", made.url)
        monkeypatch.setenv("OANDA_API_KEY", TOKEN)
        monkeypatch.setenv("OANDA_ACCOUNT_ID", ACCOUNT)
        yield made


def stored_ticks(url: str, data_dir: Path) -> dict[str, int]:
    """Return the number of stored ticks by symbol."""
    database = Database.open(url, data_dir)
    try:
        return {symbol: len(database.ticks.ticks(symbol, 0, 1 << 52)) for symbol in (EUR, JPY)}
    finally:
        database.close()


def test_trades_and_ticks_of_two_brokers_are_recorded_together(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, named_tables: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with exchange() as binance:
        point_to(binance, monkeypatch)
        assert main(["collect", "--symbols", f"BTCUSDT,{EUR},oanda:USD/JPY", "--for", "4s"]) == 0
    printed = capsys.readouterr()
    found = re.fullmatch(
        rf"(\d+) trades of BTCUSDT received and stored\.\n(\d+) ticks of {EUR}, {JPY} received and stored\.\n",
        printed.out,
    )
    assert found is not None, printed
    assert int(found[1]) > 0
    stored = stored_ticks(named_tables, data_dir)
    assert sum(stored.values()) == int(found[2]) > 0
    assert min(stored.values()) > 0


def test_without_an_exchange_the_other_broker_is_recorded_all_the_same(
    data_dir: Path, named_tables: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", "--symbols", EUR, "--for", "3s"]) == 0
    printed = capsys.readouterr()
    found = re.fullmatch(rf"(\d+) ticks of {EUR} received and stored\.\n", printed.out)
    assert found is not None, printed
    assert stored_ticks(named_tables, data_dir)[EUR] == int(found[1]) > 0


def test_nothing_is_asked_of_an_exchange_none_of_whose_symbols_is_recorded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with exchange() as binance:
        point_to(binance, monkeypatch)
        assert main(["collect", "--symbols", EUR, "--for", "6s"]) == 0
        assert dict(binance.requests) == {}
    assert " ticks of " in capsys.readouterr().out


def test_refused_credentials_end_a_recording_of_nothing_else_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, broker: OandaSandbox, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OANDA_API_KEY", "wr0ng-t0ken")
    assert main(["collect", "--symbols", EUR, "--for", "60s"]) == 1
    printed = capsys.readouterr()
    assert re.fullmatch(r"cryptopipe: OANDA refuses the token \(HTTP 401\): .+\.\n", printed.err)
    assert sum(broker.requests.values()) <= 3
    assert "wr0ng" not in printed.out + printed.err + (data_dir / "logs" / "cryptopipe.log").read_text()


def test_symbols_of_a_broker_with_history_alone_are_named_as_not_recorded(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    past = "dukascopy:EURUSD"
    assert main(["collect", "--symbols", past, "--for", "60s"]) == 2
    assert capsys.readouterr().err == (
        f"cryptopipe: {past} has history only, no live prices, so it is not recorded: cryptopipe history {past} "
        "quotes --days 30 fetches past ticks.\n"
    )
    assert not data_dir.exists()
    assert main(["collect", "--symbols", f"{EUR},{past}", "--for", "3s"]) == 0
    printed = capsys.readouterr()
    assert re.fullmatch(rf"\d+ ticks of {EUR} received and stored\.\n", printed.out)
    assert printed.err.count("\n") == 1
    assert printed.err.startswith(f"cryptopipe: {past} has history only, no live prices, so it is not recorded")


def test_a_pair_of_currencies_is_offered_at_the_brokers_that_have_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with exchange() as binance:
        point_to(binance, monkeypatch)
        assert main(["collect", "--symbols", "EUR_USD", "--for", "3s"]) == 2
    assert capsys.readouterr().err == (
        "cryptopipe: “EURUSD” is not a symbol of the exchange: write oanda:EURUSD for its live quotes, or "
        "dukascopy:EURUSD for its past ones.\n"
    )


def test_a_broker_that_is_away_is_named_while_the_exchange_is_recorded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(collect, "_SAID_AFTER_S", 0.0)
    monkeypatch.setenv("CRYPTOPIPE_OANDA_STREAM_URL", "http://127.0.0.1:1")
    with exchange() as binance:
        point_to(binance, monkeypatch)
        assert main(["collect", "--symbols", f"BTCUSDT,{EUR}", "--for", "3s"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("cryptopipe: Waiting for oanda; its quotes are recorded once it is back. ")
    assert "127.0.0.1" in said[0]
    assert main(["collect", "--symbols", EUR, "--for", "3s"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("cryptopipe: Nothing was recorded, because the exchange was away all the time. ")
    assert "127.0.0.1" in said[0]


def test_ticks_that_a_hanging_database_did_not_take_wait_on_disk_for_the_next_start(
    data_dir: Path, named_tables: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with silent_server() as database:
        url = hanging_url(database.address, connect_timeout_s=5)
        assert main(["collect", "--symbols", EUR, "--for", "3s", "--database-url", url]) == 1
    printed = capsys.readouterr()
    found = re.fullmatch(
        r"cryptopipe: (\d+) ticks wait on disk \(\1 were received\).+ The next start .+\.\n", printed.err
    )
    assert found is not None, printed
    assert printed.out == ""
    assert main(["collect", "--symbols", EUR, "--for", "3s"]) == 0
    received = re.match(r"\d+", capsys.readouterr().out)
    assert received is not None
    assert stored_ticks(named_tables, data_dir)[EUR] == int(found[1]) + int(received[0]) > int(received[0])


def test_collect_does_not_claim_to_have_stored_ticks_that_it_lost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_SPOOL_MEGABYTES", "0")
    with silent_server() as database:
        url = hanging_url(database.address, connect_timeout_s=5)
        assert main(["collect", "--symbols", EUR, "--for", "3s", "--database-url", url]) == 1
    printed = capsys.readouterr()
    assert re.fullmatch(
        r"cryptopipe: (\d+) of the ticks received could not be stored \(\1 were received\): check the database with "
        r"cryptopipe doctor; the broker does not send lost ticks again\.\n",
        printed.err,
    ), printed
    assert printed.out == ""
