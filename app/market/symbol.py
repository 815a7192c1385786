"""A tradable pair, as the exchange's exchangeInfo describes it, and its name as people write it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import date

from app.market.errors import UsageError

BROKER = "binance"
"""The broker of symbols that name none."""
QUOTE_BROKERS = ("oanda", "dukascopy")
"""The brokers that publish bid and ask without trades."""
STREAMING_BROKERS = ("oanda",)
"""Those of them that stream prices; the others have history alone."""
BROKER_TITLES = {BROKER: "Binance spot", "oanda": "OANDA", "dukascopy": "Dukascopy"}
"""The brokers as they write their own names."""
_SEPARATORS = str.maketrans("", "", "/-_")
USUAL_QUOTE = "USDT"


def read_symbol(text: str, known: Container[str] = ()) -> str:
    """
    Return the exchange's name of the symbol that ``text`` means: ``"BTCUSDT"``.

    People write it in any case, as ``btc-usdt``, ``BTC_USDT``, ``BTC/USDT``, with its broker before it
    (``binance:BTCUSDT``, ``oanda:EUR/USD``), or as the base asset alone (``BTC``). The last needs the names ``known``:
    it counts where one of them is that asset in USDT and none is the text itself.

    A symbol of another broker than Binance keeps the broker in its name: ``"oanda:EURUSD"``.

    Raises:
        UsageError: If the text names an unknown broker, or no symbol at all.
    """
    broker, separator, pair = text.strip().rpartition(":")
    broker = broker.strip().lower()
    if separator and broker not in (BROKER, *QUOTE_BROKERS):
        raise UsageError(
            f"“{text[:40]}” names no broker that is known: write a symbol as BTCUSDT, BTC/USDT, binance:BTCUSDT, "
            "oanda:EURUSD or dukascopy:EURUSD."
        )
    name = pair.strip().upper().translate(_SEPARATORS)
    if not name or any(character.isspace() for character in name):
        raise UsageError(f"“{text[:40]}” is not a symbol: write one as BTCUSDT, BTC/USDT or btc-usdt.")
    return f"{broker}:{name}" if broker in QUOTE_BROKERS else in_usual_quote(name, known)


def read_calendars(text: str) -> Mapping[str, str]:
    """
    Return the names of calendars by symbol: ``"oanda:SPX500USD=XNYS, oanda:EURUSD=forex"``.

    Raises:
        UsageError: If a part is not a symbol and a name.
    """
    chosen: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        symbol, equals, name = part.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"“{part.strip()[:40]}” names no calendar: write oanda:SPX500USD=XNYS.")
        chosen[read_symbol(symbol)] = name.strip().upper()
    return chosen


def broker_of(symbol: str) -> str:
    """Return the broker of a symbol as the program writes it: ``"oanda"`` of ``"oanda:EURUSD"``, else ``"binance"``."""
    return symbol.partition(":")[0] if ":" in symbol else BROKER


def bare_name(symbol: str) -> str:
    """Return the symbol's name without its broker: ``"EURUSD"`` of ``"oanda:EURUSD"``."""
    return symbol.rpartition(":")[2]


def has_trades(symbol: str) -> bool:
    """Whether a symbol's broker publishes trades, by its name; others publish ticks of bid and ask."""
    return symbol.partition(":")[0] not in QUOTE_BROKERS  # a chart asks in every frame


def has_live_prices(symbol: str) -> bool:
    """Whether the symbol's broker sends prices as they are made; else it has history alone."""
    return has_trades(symbol) or broker_of(symbol) in STREAMING_BROKERS


def history_command(symbol: str) -> str:
    """Return the command that fetches past ticks of a symbol whose broker has history alone."""
    return f"cryptopipe history {symbol} quotes --days 30"


def broker_title(symbol: str) -> str:
    """Return the broker of a symbol, by its name, as people know it: ``"OANDA"``, ``"Binance spot"``."""
    broker = broker_of(symbol)
    return BROKER_TITLES.get(broker, broker)


def in_usual_quote(name: str, known: Container[str]) -> str:
    """Return the name ``known`` of the asset ``name`` in USDT, or ``name`` where that is known itself or neither is."""
    pair = f"{name}{USUAL_QUOTE}"
    return pair if name not in known and pair in known else name


def unknown_symbol(name: str) -> Symbol:
    """Return a symbol that the exchange has not described yet."""
    return Symbol(name, "", "", tick_size_e8=1_000_000)


TRADING = "TRADING"
DELISTED = "DELISTED"
"""Our status, not the exchange's: it once listed the symbol and no longer does."""
UNLISTED = "UNLISTED"
"""Our status, not the exchange's: it has never listed a symbol of that name, as far as we know."""

_IN_WORDS = {
    "HALT": "Trading halted",
    "BREAK": "Trading halted",
    "PRE_TRADING": "Not trading yet",
    "AUCTION_MATCH": "In an auction",
    "POST_TRADING": "Trading ended",
    "END_OF_DAY": "Trading ended",
    DELISTED: "Delisted",
    UNLISTED: "Not listed",
}


@dataclass(frozen=True, slots=True)
class Symbol:
    """
    One spot symbol.

    ``name`` is the exchange's upper-case name (``"BTCUSDT"``), after its broker unless that is Binance
    (``"oanda:EURUSD"``); ``base`` and ``quote`` are its assets. ``tick_size_e8`` is
    the price step in the quote asset, ``step_size_e8`` the quantity step in the base asset (1e-8 units, never 0).
    ``status`` is the exchange's word: ``"TRADING"``, ``"BREAK"``, ``"HALT"`` …; or `DELISTED` or `UNLISTED`.

    The rest is what a broker says besides, empty or None where it does not: ``exchange`` (``"Binance"``),
    ``asset_class`` (``"crypto"``, ``"forex"``, ``"index"`` …), ``calendar`` by name (``"CRYPTO"``, ``"FOREX"``,
    ``"XNYS"``, or the symbol's own name where its description has the sessions), the market's IANA ``time_zone``, and
    the first and last date (UTC) with data; no last one while the broker still publishes.

    Source: GET /api/v3/exchangeInfo.
    """

    name: str
    base: str
    quote: str
    tick_size_e8: int = 1
    step_size_e8: int = 1
    status: str = TRADING
    exchange: str = ""
    asset_class: str = ""
    calendar: str = ""
    time_zone: str = ""
    first_date: date | None = None
    last_date: date | None = None

    @property
    def is_trading(self) -> bool:
        return self.status == TRADING

    @property
    def is_listed(self) -> bool:
        """Whether the exchange answers requests for it, trading or not."""
        return self.status not in (DELISTED, UNLISTED)

    @property
    def trouble(self) -> str:
        """Why it has no new trades, in words such as ``"Trading halted"``; empty while it trades."""
        return "" if self.is_trading else _IN_WORDS.get(self.status, "Not trading")

    @property
    def display_name(self) -> str:
        """The assets, as ``"BTC/USDT"``; the plain name if they are not known."""
        return f"{self.base}/{self.quote}" if self.base and self.quote else bare_name(self.name)

    @property
    def has_trades(self) -> bool:
        """Whether its broker publishes trades; others publish ticks of bid and ask."""
        return has_trades(self.name)

    @property
    def broker_note(self) -> str:
        """The broker to name beside the symbol: ``"OANDA"``; empty for Binance, which goes without saying."""
        return "" if broker_of(self.name) == BROKER else broker_title(self.name)

    @property
    def full_name(self) -> str:
        """The assets, and the broker where that is not Binance: ``"EUR/USD · OANDA"``."""
        return " · ".join(filter(None, (self.display_name, self.broker_note)))

    @property
    def written_name(self) -> str:
        """The assets as `read_symbol` reads them, with the broker before them if it is not Binance."""
        broker = broker_of(self.name)
        return self.display_name if broker == BROKER else f"{broker}:{self.display_name}"

    @property
    def price_decimals(self) -> int:
        """The number of decimal places to show a price with."""
        return _decimals(self.tick_size_e8)

    @property
    def quantity_decimals(self) -> int:
        """The number of decimal places to show a quantity with."""
        return _decimals(self.step_size_e8)


def _decimals(step_e8: int) -> int:
    places = 8
    while places > 0 and step_e8 % 10 == 0:
        step_e8 //= 10
        places -= 1
    return places
