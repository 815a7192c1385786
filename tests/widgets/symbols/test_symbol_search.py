"""The search for a symbol, in the exchange's real list and in small ones."""

from __future__ import annotations

import pytest

from app.market.symbol import Symbol
from tests.widgets.conftest import BTCUSDT, DELISTED, ETHUSDT, SATS
from widgets.symbols.symbol_search import SymbolSearch


@pytest.fixture(scope="module")
def search(exchange_symbols: list[Symbol]) -> SymbolSearch:
    return SymbolSearch(exchange_symbols)


def names(found: list[Symbol]) -> list[str]:
    return [symbol.name for symbol in found]


def test_symbols_that_do_not_trade_come_after_all_others(search: SymbolSearch, exchange_symbols: list[Symbol]) -> None:
    assert (len(exchange_symbols), len(search)) == (1695, 1262)
    assert len(search.matches("")) == 1262
    trading = [symbol.is_trading for symbol in search.matches("usd")]
    assert set(trading) == {True, False}
    assert trading == sorted(trading, reverse=True)


@pytest.mark.parametrize("typed", ["btc/usdt", "BTC usdt", "BTCUSDT", " btc-usdt ", "Btc_Usdt"])
def test_the_same_symbol_is_found_however_it_is_written(search: SymbolSearch, typed: str) -> None:
    assert names(search.matches(typed))[0] == "BTCUSDT"


def test_the_base_asset_typed_in_full_comes_first_in_its_commonest_market(search: SymbolSearch) -> None:
    found = [symbol for symbol in search.matches("eth") if symbol.is_trading]
    assert found[0].name == "ETHUSDT"
    bases = [symbol.base for symbol in found]
    assert bases.index("ETH") == 0
    assert max(place for place, base in enumerate(bases) if base == "ETH") < len([b for b in bases if b == "ETH"])


def test_bases_that_begin_with_the_text_come_before_names_that_contain_it(search: SymbolSearch) -> None:
    found = [symbol for symbol in search.matches("do") if symbol.is_trading]
    begins = [symbol.base.startswith("DO") for symbol in found]
    assert True in begins
    assert False in begins
    assert begins == sorted(begins, reverse=True)


def test_text_across_base_and_quote_matches_from_the_start_first(search: SymbolSearch) -> None:
    found = names(search.matches("ethb"))
    assert found[0].startswith("ETHB")
    starts = [name.startswith("ETHB") for name in found]
    assert starts == sorted(starts, reverse=True)


def test_nonsense_and_punctuation_find_nothing(search: SymbolSearch) -> None:
    assert search.matches("xyzzy") == []
    assert search.matches("//") == []


def test_watched_symbols_lead_while_nothing_is_typed(exchange_symbols: list[Symbol]) -> None:
    search = SymbolSearch(exchange_symbols, first={"ADABTC"})
    assert names(search.matches(""))[0] == "ADABTC"


def test_names_in_other_scripts_are_found() -> None:
    symbol = Symbol("币安人生USDT", "币安人生", "USDT")
    assert SymbolSearch([BTCUSDT, symbol]).matches("币安") == [symbol]


def test_a_delisted_symbol_is_found_by_its_own_name_alone() -> None:
    search = SymbolSearch([DELISTED, ETHUSDT])
    assert names(search.matches("VENUSDT")) == ["VENUSDT"]
    assert names(search.matches("")) == ["ETHUSDT"]


def test_while_nothing_is_typed_the_watched_symbols_lead_in_the_watchlists_order() -> None:
    search = SymbolSearch([BTCUSDT, DELISTED, ETHUSDT, SATS], first=["1000SATSUSDT", "VENUSDT", "ETHUSDT"])
    assert names(search.matches("")) == ["1000SATSUSDT", "VENUSDT", "ETHUSDT", "BTCUSDT"]


@pytest.mark.parametrize("typed", ["EUR/USD", "eurusd", "oanda:EUR_USD", "oanda:eur/usd", "OANDA:eur"])
def test_a_symbol_of_a_broker_is_found_with_and_without_it(exchange_symbols: list[Symbol], typed: str) -> None:
    forex = [Symbol(f"{broker}:EURUSD", "EUR", "USD") for broker in ("oanda", "dukascopy")]
    found = names(SymbolSearch([*exchange_symbols, *forex]).matches(typed))
    assert "oanda:EURUSD" in found[:2]
    assert ("dukascopy:EURUSD" in found) == (":" not in typed)


def test_a_broker_alone_lists_its_symbols_and_one_that_is_not_connected_takes_a_whole_pair(
    search: SymbolSearch,
) -> None:
    forex = SymbolSearch([Symbol("oanda:EURUSD", "EUR", "USD"), BTCUSDT])
    assert names(forex.matches("oanda:")) == ["oanda:EURUSD"]
    (found,) = search.matches("oanda:gbp_usd")
    assert (found.name, found.full_name) == ("oanda:GBPUSD", "GBP/USD · OANDA")
    assert not search.matches("oanda:gbp")
    assert not search.matches("nobody:gbpusd")
