"""
The search for a symbol among thousands: the text typed, against each symbol's base asset and name.

Case, “/”, spaces and dashes do not matter. A broker before a colon (``oanda:EUR/USD``) leaves only its symbols. Best
first: the text is the name, it is the base asset, the base begins with it, the name begins with it, the name contains
it. Within each of these, markets in the most common quote asset come first. Symbols that do not trade come last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from app.market.errors import UsageError
from app.market.symbol import QUOTE_BROKERS, Symbol, bare_name, broker_of, read_symbol

_CURRENCY_PAIR = 6  # letters: two currencies of three


class SymbolSearch:
    """The exchange's symbols, prepared for searching. An empty search leaves out symbols that do not trade."""

    def __init__(self, symbols: Sequence[Symbol], *, first: Collection[str] = ()) -> None:
        """
        ``first`` are names that lead the list, in this order, while nothing is typed; they are listed even if they do
        not trade.
        """
        positions = {name: position for position, name in enumerate(first)}
        trading = [symbol for symbol in symbols if symbol.is_trading]
        markets = Counter(symbol.quote for symbol in trading)
        trading.sort(key=lambda symbol: (-markets[symbol.quote], symbol.quote, len(symbol.base), symbol.name))
        others = [symbol for symbol in symbols if not symbol.is_trading]
        others.sort(key=lambda symbol: symbol.name)
        self._trading = len(trading)
        self._entries = [
            (search_key(symbol.base), search_key(bare_name(symbol.name)), symbol) for symbol in (*trading, *others)
        ]
        shown = [*trading, *(symbol for symbol in others if symbol.name in positions)]
        self._unfiltered = sorted(shown, key=lambda symbol: positions.get(symbol.name, len(positions)))

    def __len__(self) -> int:
        """Return how many symbols trade."""
        return self._trading

    def matches(self, text: str) -> list[Symbol]:
        """Return the symbols that match ``text``, best first; for an empty one, all that trade or are ``first``."""
        prefix, colon, pair = text.rpartition(":")
        broker, wanted = prefix.strip().lower() if colon else "", search_key(pair)
        if not wanted and broker:
            return [symbol for symbol in self._unfiltered if broker_of(symbol.name) == broker]
        if not wanted:
            # Punctuation alone matches nothing.
            return [] if text.strip() else list(self._unfiltered)
        ranked: list[list[Symbol]] = [[], [], [], [], []]
        for base, name, symbol in self._entries:
            rank = _rank(wanted, base, name)
            if rank is not None and broker in ("", broker_of(symbol.name)):
                ranked[rank].append(symbol)
        # A stable sort: within those that trade, and those that do not, the ranks stay.
        found = sorted((symbol for group in ranked for symbol in group), key=lambda symbol: not symbol.is_trading)
        return found or _named_whole(text)


def _named_whole(text: str) -> list[Symbol]:
    """Return the symbol that ``text`` names with its broker: one that is not connected yet has listed none."""
    try:
        name = read_symbol(text)
    except UsageError:
        return []
    pair = bare_name(name)
    is_whole = broker_of(name) in QUOTE_BROKERS and len(pair) == _CURRENCY_PAIR and pair.isalpha()
    return [Symbol(name, pair[:3], pair[3:], tick_size_e8=1_000)] if is_whole else []


def search_key(text: str) -> str:
    """Return only the letters and digits of ``text``, in upper case."""
    return "".join(character for character in text.upper() if character.isalnum())


def _rank(wanted: str, base: str, name: str) -> int | None:
    if name == wanted:
        return 0
    if base == wanted:
        return 1
    if base.startswith(wanted):
        return 2
    if name.startswith(wanted):
        return 3
    return 4 if wanted in name else None
