"""The symbols that a command is given, as people write them, among those of the database."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from app.market.errors import UsageError
from app.market.ports.storage import SymbolStore
from app.market.suggestions import at_brokers, did_you_mean, nearest
from app.market.symbol import BROKER, broker_of, read_symbol
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import known_symbols


def named_symbols(connection: Connection, texts: Iterable[str]) -> list[str]:
    """
    Return the names of the symbols written as ``texts``, each once.

    Raises:
        UsageError: If one is not in the database; the sentence names the nearest that is.
        StoreError: If the database cannot be read.
    """
    texts = list(texts)
    return names_among(texts, known_symbols(connection)) if texts else []


def stored_symbol(store: SymbolStore, text: str) -> str:
    """
    Return the name of the symbol written as ``text``, in an open store. Blocks.

    Raises:
        UsageError: If it is not in the database; the sentence names the nearest that is.
        StoreError: If the database cannot be read.
    """
    return names_among([text], store.symbol_names())[0]


def listed_symbol(text: str, listed: Collection[str]) -> str:
    """
    Return the name of the symbol written as ``text`` among those that the exchange lists.

    Raises:
        UsageError: If it is not among them; the sentence names the nearest that is.
    """
    name = read_symbol(text, listed)
    if name not in listed:
        raise UsageError(f"“{name}” is not a symbol of the exchange{at_brokers(name) or did_you_mean(name, listed)}")
    return name


def names_among(texts: Iterable[str], known: Collection[str]) -> list[str]:
    """Return the same among the names ``known``. Raises UsageError."""
    names = []
    for text in texts:
        name = read_symbol(text, known)
        if name not in known and not name.startswith("#"):  # db verify calls trades without a symbol #<number>
            meant = nearest(name, known)
            advice = f"did you mean {meant}? If not, name" if meant else "name"
            raise UsageError(f"“{name}” is not in the database: {advice} a symbol that was recorded there.")
        names.append(name)
    return list(dict.fromkeys(names))


def check_have_trades(texts: Iterable[str], so: str) -> None:
    """
    Return if none of the symbols written as ``texts`` is of a broker of quotes; ``so``: what follows for the command.

    Raises:
        UsageError: If one is.
    """
    for text in texts:
        if ":" in text and broker_of(read_symbol(text)) != BROKER:
            raise UsageError(f"{text.strip()} has quotes and no trades, so {so}: cryptopipe symbols lists its quotes.")
