"""The name of a symbol, as people write it."""

from __future__ import annotations

import pytest

from app.market.errors import UsageError
from app.market.symbol import bare_name, broker_of, read_calendars, read_symbol


@pytest.mark.parametrize(
    "text",
    ["BTCUSDT", "btcusdt", " BtcUsdt ", "BTC/USDT", "btc-usdt", "BTC_USDT", "binance:BTCUSDT", "BINANCE:btc/usdt"],
)
def test_a_symbol_is_read_in_every_usual_way(text: str) -> None:
    assert read_symbol(text) == read_symbol(text, {"BTCUSDT"}) == "BTCUSDT"


def test_a_base_asset_alone_is_its_usdt_pair_where_that_is_known_and_no_symbol_has_its_name() -> None:
    known = {"BTCUSDT", "ETHBTC", "BTC2USDT", "ABC", "ABCUSDT"}
    assert read_symbol("btc", known) == "BTCUSDT"
    assert read_symbol("binance:BTC", known) == "BTCUSDT"
    assert read_symbol("ABC", known) == "ABC"
    assert read_symbol("ETH", known) == "ETH"
    assert read_symbol("BTC") == "BTC"


def test_names_in_other_scripts_are_read() -> None:
    assert read_symbol("币安人生/usdt") == "币安人生USDT"


@pytest.mark.parametrize("text", ["BTC/USDT:USDT", "kraken:BTCUSDT", ":BTCUSDT"])
def test_a_symbol_of_an_unknown_broker_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"names no broker that is known: write a symbol as BTCUSDT.*\.$"):
        read_symbol(text)


@pytest.mark.parametrize("text", ["oanda:EURUSD", "OANDA:eur_usd", "oanda:EUR/USD", " Oanda: eur-usd "])
def test_a_symbol_of_another_broker_keeps_it(text: str) -> None:
    assert read_symbol(text) == "oanda:EURUSD"


def test_a_base_asset_alone_has_its_usual_quote_at_binance_only() -> None:
    assert read_symbol("oanda:BTC", {"BTCUSDT", "oanda:BTCUSDT"}) == "oanda:BTC"


@pytest.mark.parametrize("text", ["", "  ", "/", "binance:", "oanda:", "BTC USDT"])
def test_what_is_no_symbol_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a symbol: write one as BTCUSDT.*\.$"):
        read_symbol(text)


@pytest.mark.parametrize(
    ("symbol", "broker", "name"),
    [
        ("BTCUSDT", "binance", "BTCUSDT"),
        ("oanda:EURUSD", "oanda", "EURUSD"),
        ("dukascopy:BTCUSD", "dukascopy", "BTCUSD"),
    ],
)
def test_a_symbol_names_its_broker_unless_it_is_binance(symbol, broker, name):
    assert broker_of(symbol) == broker
    assert bare_name(symbol) == name


def test_calendars_are_read_by_symbol() -> None:
    assert read_calendars(" oanda:spx500/usd = xnys ,btc-usdt=crypto,") == {
        "oanda:SPX500USD": "XNYS",
        "BTCUSDT": "CRYPTO",
    }
    assert read_calendars("") == {}
    for text in ("oanda:EURUSD", "oanda:EURUSD=", "nobody:EURUSD=forex"):
        with pytest.raises(UsageError, match="EURUSD"):
            read_calendars(text)
