"""The addresses that people write for the exchange."""

from __future__ import annotations

import pytest

from app.brokers.binance.endpoints import WS_BASE, check_archive_base, check_rest_base, check_ws_base
from app.market.errors import SettingsError


@pytest.mark.parametrize("path", ["", "/", "/ws", "/ws/", "/stream"])
def test_a_stream_address_may_end_in_the_path_of_its_streams(path: str) -> None:
    assert check_ws_base(f" {WS_BASE}{path} ") == WS_BASE


@pytest.mark.parametrize("path", ["/ws/btcusdt@trade", "/wss", "/x/ws"])
def test_no_other_path_is_taken(path: str) -> None:
    with pytest.raises(SettingsError, match="it must end after the host and port"):
        check_ws_base(f"{WS_BASE}{path}")


def test_a_rest_address_has_no_path() -> None:
    with pytest.raises(SettingsError, match="it must end after the host and port"):
        check_rest_base("https://api.binance.com/ws")


@pytest.mark.parametrize("end", ["", "/", "?", "/?#"])
def test_a_mirror_of_the_archive_may_have_a_path(end: str) -> None:
    assert check_archive_base(f" https://mirror:8443/a@b/binance{end} ") == "https://mirror:8443/a@b/binance"


@pytest.mark.parametrize("url", ["https://x:port/a", "https://[x/a"])
def test_an_address_that_cannot_be_read_is_named_as_that(url: str) -> None:
    with pytest.raises(SettingsError, match="its host or port cannot be read"):
        check_archive_base(url)
