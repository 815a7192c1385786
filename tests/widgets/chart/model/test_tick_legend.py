"""The legend, the title of the volume and the style of a chart of ticks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.market.candle import CandleSource
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.series.series import Bar
from app.market.symbol import Symbol
from widgets.chart.model.chart_style import ChartStyle, next_side
from widgets.chart.model.legend import Completeness, completeness_of, legend_pieces, volume_title

OANDA = Symbol("oanda:EURUSD", "EUR", "USD", tick_size_e8=1_000)
DUKASCOPY = replace(OANDA, name="dukascopy:EURUSD")
MINUTE = Interval.parse("1m")
BAR = Bar(
    slot=1,
    open_time_us=60_000_000,
    open=1.1,
    high=1.2,
    low=1.0,
    close=1.15,
    volume=1_234.0,
    quote_volume=0.0,
    trades=1_234,
    taker_buy_volume=1_234.0,
    taker_buy_quote_volume=0.0,
    first_trade_id=-1,
    last_trade_id=-1,
    closed=True,
    complete=True,
    source=CandleSource.TICKS,
)


def test_the_legend_names_price_and_broker_and_counts_ticks() -> None:
    texts = [piece.text for piece in legend_pieces(OANDA, MINUTE, BAR, side=PriceSide.BID)]
    assert texts[0] == "EUR/USD · bid · 1m · OANDA"
    assert texts[-3:] == ["Ticks", "1,234", "sampled"]
    assert not {"V", "Trades", "Taker buys"} & set(texts)
    assert [piece.text for piece in volume_title(OANDA, BAR)] == ["Ticks", "1,234"]


@pytest.mark.parametrize(
    ("symbol", "changes", "text"),
    [
        (OANDA, {}, "sampled"),
        (OANDA, {"closed": False}, "sampled"),
        (DUKASCOPY, {}, "as published"),
        (OANDA, {"source": CandleSource.KLINE}, "broker's candle"),
        (OANDA, {"source": CandleSource.MIXED}, "from several sources"),
        (OANDA, {"source": CandleSource.MIXED, "closed": False}, "broker's candle, then ticks"),
        (OANDA, {"complete": False}, "incomplete"),
        (DUKASCOPY, {"complete": False, "source": CandleSource.KLINE}, "incomplete"),
    ],
)
def test_what_is_known_of_a_candle_of_ticks_has_its_words(
    symbol: Symbol, changes: dict[str, object], text: str
) -> None:
    said = completeness_of(symbol, BAR._replace(**changes))
    assert said == Completeness(text, said.explanation)
    assert said.explanation.endswith(".")
    assert "trade" not in said.explanation.lower()


def test_the_style_of_ticks_is_remembered_and_a_wrong_one_is_the_default() -> None:
    style = ChartStyle(price_side=PriceSide.ASK, spread_band=True)
    assert ChartStyle.from_values(style.to_values()) == style
    assert ChartStyle.from_values({"price": "last", "spread": "yes"}) == ChartStyle()
    assert [next_side(side) for side in PriceSide] == [PriceSide.BID, PriceSide.ASK, PriceSide.MID]
