"""
How other programs name the columns of trades, quotes and candles.

`COLUMN_NAMES` says for each of our columns which names of others mean it, in any case and with any punctuation.
Where single letters mean something by their case alone, as in the exchange's JSON, `EXACT_PRESETS` come first.
`UNNAMED_PRESETS` are the tables that come without a header.
"""

from __future__ import annotations

from typing import NamedTuple

from app.market.candle import CANDLE_FIGURES
from app.market.ports.row_files import RowKind

TRADE_COLUMNS = ("trade_id", "time", "price", "quantity", "is_buyer_maker", "side", "symbol")
AGGTRADE_COLUMNS = (
    "agg_id",
    "time",
    "price",
    "quantity",
    "first_trade_id",
    "last_trade_id",
    "is_buyer_maker",
    "side",
    "symbol",
)
CANDLE_COLUMNS = (
    "open_time",
    "close_time",
    *CANDLE_FIGURES,
    "closed",
    "complete",
    "source",
    "symbol",
    "interval",
)
QUOTE_COLUMNS = ("time", "bid", "ask", "bid_size", "ask_size", "symbol")
COLUMNS_OF_KIND = {
    RowKind.TRADES: TRADE_COLUMNS,
    RowKind.AGGTRADES: AGGTRADE_COLUMNS,
    RowKind.KLINES: CANDLE_COLUMNS,
    RowKind.CANDLES: CANDLE_COLUMNS,
    RowKind.QUOTES: QUOTE_COLUMNS,
}
"""What `ReadingOptions.columns` can name for each kind of rows."""

COLUMN_NAMES = {
    # The first that is there counts. A recorder's own clock (receipt, local, arrival) is never the trade's time, nor is
    # the time at which the exchange sent the message.
    "trade_id": "trade_id id tid trade_no",
    "agg_id": "agg_id agg_trade_id aggregate_trade_id",
    "time": "trade_time transaction_time transact_time time timestamp datetime date ts_event ts gmt_time time_utc",
    "price": "price rate px",
    "quantity": "quantity qty amount size base_qty volume vol",
    "is_buyer_maker": "is_buyer_maker buyer_maker is_buyer_market_maker buyer_is_maker maker_is_buyer",
    "side": "side taker_side aggressor_side aggressor",
    "first_trade_id": "first_trade_id first_id",
    "last_trade_id": "last_trade_id last_id",
    "open_time": "open_time time timestamp open_time_ms datetime date candle_begin_time open_timestamp ts unix",
    "close_time": "close_time close_timestamp kline_close_time",
    "open": "open o",
    "high": "high h",
    "low": "low l",
    "close": "close c",
    "volume": "volume vol v base_volume base_asset_volume",
    "quote_volume": "quote_volume quote_asset_volume quote_vol qav q",
    "trades": "trades number_of_trades count trade_count num_trades n",
    "taker_buy_volume": "taker_buy_volume taker_buy_base_asset_volume taker_buy_base_volume taker_buy_base",
    "taker_buy_quote_volume": "taker_buy_quote_volume taker_buy_quote_asset_volume taker_buy_quote",
    "closed": "closed is_closed",
    "complete": "complete",
    "source": "source",
    "bid": "bid bid_price best_bid best_bid_price bid_px",
    "ask": "ask ask_price best_ask best_ask_price ask_px offer",
    "bid_size": "bid_size bid_volume bid_qty bid_quantity bid_vol",
    "ask_size": "ask_size ask_volume ask_qty ask_quantity ask_vol",
    "symbol": "symbol pair instrument product_id market ticker",
    "interval": "interval timeframe time_frame",
}
"""From our name of a column to the names it is known by, in the order in which they count."""


class Preset(NamedTuple):
    """
    The table of one program: its name, what its rows are, and from our columns to its own.

    ``side_of_maker``: its side is that of the order in the book, not of the taker.
    """

    name: str
    kind: RowKind
    columns: dict[str, str]
    side_of_maker: bool = False


def _preset(name: str, kind: RowKind, columns: str, *, side_of_maker: bool = False) -> Preset:
    return Preset(name, kind, dict(pair.split("=", 1) for pair in columns.split()), side_of_maker)


EXACT_PRESETS = (
    _preset(
        "Binance REST aggTrades",
        RowKind.AGGTRADES,
        "agg_id=a price=p quantity=q first_trade_id=f last_trade_id=l time=T is_buyer_maker=m",
    ),
    _preset("Binance trade events", RowKind.TRADES, "trade_id=t price=p quantity=q time=T is_buyer_maker=m"),
    _preset(
        "Binance REST trades",
        RowKind.TRADES,
        "trade_id=id price=price quantity=qty time=time is_buyer_maker=isBuyerMaker",
    ),
    _preset(
        "Coinbase matches",
        RowKind.TRADES,
        "trade_id=trade_id price=price quantity=size time=time side=side symbol=product_id",
        side_of_maker=True,
    ),
)
"""Tables whose names count by their case, or whose columns mean something of their own."""

UNNAMED_PRESETS = (
    _preset(
        "Binance archive trades",
        RowKind.TRADES,
        "trade_id=0 price=1 quantity=2 time=4 is_buyer_maker=5",
    ),
    _preset(
        "Binance archive aggTrades",
        RowKind.AGGTRADES,
        "agg_id=0 price=1 quantity=2 first_trade_id=3 last_trade_id=4 time=5 is_buyer_maker=6",
    ),
    _preset(
        "Binance klines",
        RowKind.KLINES,
        "open_time=0 open=1 high=2 low=3 close=4 volume=5 close_time=6 quote_volume=7 trades=8 taker_buy_volume=9 "
        "taker_buy_quote_volume=10",
    ),
    _preset("ccxt", RowKind.CANDLES, "open_time=0 open=1 high=2 low=3 close=4 volume=5"),
    _preset("quotes with sizes", RowKind.QUOTES, "time=0 bid=1 ask=2 bid_size=3 ask_size=4"),
    _preset("quotes", RowKind.QUOTES, "time=0 bid=1 ask=2"),
)
"""Tables without a header: from our columns to the position, counted from 0."""

UNNAMED_WIDTHS = {
    "Binance archive trades": (6, 7),
    "Binance archive aggTrades": (7, 8),
    "Binance klines": (11, 12),
    "ccxt": (6,),
    "quotes with sizes": (5,),
    "quotes": (3,),
}
"""How many columns a table without a header has."""

LEAN_QUOTES = "Lean quotes"
"""Ticks as Lean keeps them: milliseconds of the day that is in the file's name, bid, ask."""
