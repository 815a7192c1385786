"""The values that the exchange publishes: a trade, the best bid and ask, the rolling day."""

from __future__ import annotations

from typing import NamedTuple

from app.market.quotes.tick import Tick


class Trade(NamedTuple):
    """
    One executed trade.

    ``time_us`` is the exchange's trade time in UTC microseconds (a multiple of 1,000 where only milliseconds are
    known). ``price_e8`` is in the quote asset, ``quantity_e8`` in the base asset, both in 1e-8 units.
    ``is_buyer_maker`` is True if the buyer's order rested in the book, so the taker sold.

    Source: Binance spot "Trade Streams".
    """

    symbol: str
    trade_id: int
    time_us: int
    price_e8: int
    quantity_e8: int
    is_buyer_maker: bool


class Quote(NamedTuple):
    """
    The best bid and ask of one symbol. Prices in the quote asset, quantities in the base asset, 1e-8 units.

    Source: Binance spot "Individual Symbol Book Ticker Streams", which carry no time.
    """

    symbol: str
    update_id: int
    bid_e8: int
    bid_quantity_e8: int
    ask_e8: int
    ask_quantity_e8: int


class DayTicker(NamedTuple):
    """
    The rolling 24 hours of one symbol as of ``time_us`` (UTC microseconds).

    Prices in the quote asset, ``volume_e8`` in the base asset, ``quote_volume_e8`` in the quote asset, 1e-8 units.
    ``last_trade_id`` is that of the newest trade, None if there is none or the source (the stream) does not give it.

    Source: Binance spot "Individual Symbol Mini Ticker Stream" and GET /api/v3/ticker/24hr.
    """

    symbol: str
    time_us: int
    open_e8: int
    high_e8: int
    low_e8: int
    close_e8: int
    volume_e8: int
    quote_volume_e8: int
    last_trade_id: int | None = None

    @property
    def change_percent(self) -> float:
        """The last price against the price 24 hours ago, in percent; 0 if there was none."""
        return (self.close_e8 / self.open_e8 - 1.0) * 100.0 if self.open_e8 else 0.0


def are_of_one_aggregate(earlier: Trade, later: Trade) -> bool:
    """Whether two trades of a symbol belong to one aggregated trade: ids in a row, and one time, price and side."""
    return earlier.trade_id + 1 == later.trade_id and (earlier.time_us, earlier.price_e8, earlier.is_buyer_maker) == (
        later.time_us,
        later.price_e8,
        later.is_buyer_maker,
    )


MarketEvent = Trade | Quote | DayTicker | Tick
