"""What a mistyped name may have meant."""

from __future__ import annotations

from app.market.suggestions import did_you_mean, nearest


def test_the_nearest_is_found_whatever_the_case_and_nothing_where_nothing_is_like_it() -> None:
    known = ["BTCUSDT", "ETHUSDT", "1M"]
    assert nearest("btcusd", known) == "BTCUSDT"
    assert nearest("ETHUSTD", known) == "ETHUSDT"
    assert nearest("xyz", known) is None
    assert nearest("", []) is None
    assert did_you_mean("btcusd", known) == ": did you mean BTCUSDT?"
    assert did_you_mean("xyz", known) == "."
