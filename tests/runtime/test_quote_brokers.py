"""The brokers of quotes as the settings describe them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.brokers.dukascopy import retries
from app.brokers.oanda.credentials import Credentials
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings, load
from app.market.errors import FeedRejected, SettingsError
from app.market.ports.quote_history import HOUR_US
from app.runtime.exchange_addresses import check_addresses
from app.runtime.quote_brokers import dukascopy_history, oanda, oanda_credentials
from app.sandbox.dukascopy.server import DukascopySandbox
from app.sandbox.dukascopy.sources import SimulatedArchive
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaSandbox
from app.sandbox.oanda.tape import SimulatedTape
from tests.keyrings import MemoryKeyring, using


def settings(**values: str) -> Settings:
    return load(values, environment={}, file=Path("no-such-file"))


async def test_dukascopy_is_asked_at_the_addresses_of_the_settings() -> None:
    clock = SystemClock()
    end_us = clock.now_us() // HOUR_US * HOUR_US - 24 * HOUR_US
    server = DukascopySandbox(SimulatedArchive(end_ms=end_us // 1_000, ticks_per_hour=5))
    await server.start()
    chosen = settings(dukascopy_url="", dukascopy_files_url=server.url, dukascopy_first="files", proxy="none")
    check_addresses(chosen)
    async with dukascopy_history(chosen, clock) as history:
        hour = await history.hour("dukascopy:EURUSD", end_us - HOUR_US)
    await server.stop()
    assert hour.skipped == ""
    assert server.requests.total() == 1


async def test_an_ill_hour_is_tried_as_often_as_the_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries.RetryPlan, "wait_s", lambda *_: 0.0)
    clock = SystemClock()
    end_us = clock.now_us() // HOUR_US * HOUR_US - 24 * HOUR_US
    server = DukascopySandbox(SimulatedArchive(end_ms=end_us // 1_000, ticks_per_hour=5))
    await server.start()
    server.faults.answer_next(b"<html>Unknown error</html>", times=100)
    chosen = settings(dukascopy_url=server.url, dukascopy_files_url="", dukascopy_tries="3", proxy="none")
    async with dukascopy_history(chosen, clock) as history:
        hour = await history.hour("dukascopy:EURUSD", end_us - HOUR_US)
    await server.stop()
    assert hour.skipped
    assert sum(count for path, count in server.requests.items() if "ticks" in path) == 3


async def test_oanda_is_asked_with_the_credentials_of_the_environment_or_the_keyring() -> None:
    server = OandaSandbox(SimulatedTape())
    await server.start()
    chosen = settings(oanda_rest_url=f"{server.url}/v3", oanda_stream_url=server.url, proxy="none")
    check_addresses(chosen)
    memory = MemoryKeyring()
    memory.kept |= {("cryptopipe", "oanda_api_key"): TOKEN, ("cryptopipe", "oanda_account_id"): ACCOUNT}
    with using(memory):
        credentials = oanda_credentials(chosen)
    async with oanda(chosen, SystemClock(), credentials) as broker:
        assert "oanda:EURUSD" in {symbol.name for symbol in await broker.rest.symbols()}
    assert server.requests == {f"/accounts/{ACCOUNT}/instruments": 1}
    await server.stop()
    in_environment = load({}, environment={"OANDA_API_KEY": "a", "OANDA_ACCOUNT_ID": "1"}, file=Path("no-such-file"))
    assert isinstance(oanda_credentials(in_environment), Credentials)
    with using(MemoryKeyring()), pytest.raises(FeedRejected, match="OANDA_API_KEY and OANDA_ACCOUNT_ID"):
        oanda_credentials(chosen)


@pytest.mark.parametrize("name", ["oanda_rest_url", "oanda_stream_url", "dukascopy_url", "dukascopy_files_url"])
def test_a_wrong_address_ends_the_start(name: str) -> None:
    with pytest.raises(SettingsError, match="no address of"):
        check_addresses(settings(**{name: "ftp://x"}))
