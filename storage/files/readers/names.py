"""
What the name and the folders of a file say of its rows.

Binance's archive names its files exactly: ``BTCUSDT-trades-2024-08-08.zip``, ``BTCUSDT-1m-2024-08.zip``. Lean has the
day of its quotes in their name alone: ``20140501_eurusd_tick_quote.csv``. Other programs put a symbol and an interval
somewhere into the name: ``ETH_USDT-1m.feather``, ``nautilus_btcusdt-trades``. That is a guess, so it counts only where
the name holds one such symbol, and after what the rows and the user say.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from app.market.errors import UsageError
from app.market.interval import SECOND_US, Interval
from app.market.ports.row_files import RowKind
from app.market.symbol import read_symbol

META_SUFFIX = ".meta.json"

_ARCHIVE = re.compile(
    r"([^\W_]{2,30})-(trades|aggTrades|\d{1,3}[smhdw]|\d{1,2}mo|1M)-(\d{4})-(\d{2})(?:-(\d{2}))?(?=\.|$)"
)
_LEAN = re.compile(r"(\d{4})(\d{2})(\d{2})_[^\W_]{2,30}_tick_quote(?=\.|$)", re.IGNORECASE)
_LEAN_CANDLES = re.compile(
    r"(?:[^\W_]{2,30}_(?:second|minute|hour|daily)(?:_\d{8})?|\d{8}_[^\W_]{2,30}_(?:second|minute)_quote)\.(?:zip|csv)",
    re.IGNORECASE,
)
_KINDS = {"trades": RowKind.TRADES, "aggtrades": RowKind.AGGTRADES, "quotes": RowKind.QUOTES}
_OTHER_BROKERS = {"coinbase", "oanda", "dukascopy"}
_WORDS = re.compile(r"[^\W_]+")
_INTERVAL = re.compile(r"\d{1,3}(?:[smhdw]|Mo?)")  # freqtrade's months are 1Mo
_QUOTES = (
    "USDT USDC FDUSD TUSD BUSD DAI USD EUR GBP TRY BRL JPY ARS AUD UAH RUB ZAR PLN MXN COP IDR NGN RON BTC ETH BNB"
).split()
_SHORTEST_BASE, _LONGEST_SYMBOL = 2, 20


class NameFacts(NamedTuple):
    """
    What a name says; None where it does not.

    ``exact``: the name is one of the archive, so it holds these rows and no others. ``begin_us`` and ``end_us`` are
    the day or month in such a name, or in one of Lean (UTC microseconds, the end exclusive).
    """

    symbol: str | None = None
    kind: RowKind | None = None
    interval: Interval | None = None
    exact: bool = False
    begin_us: int | None = None
    end_us: int | None = None
    zone: str = "UTC"


def name_facts(path: Path, name: str | None = None) -> NameFacts:
    """Return what a file is by its name, or by ``name`` inside it, by its folders, and by FILE.meta.json."""
    for text in (name, path.name):
        if text and (match := _ARCHIVE.match(text)):
            return _archive_facts(match)
        if text and (match := _LEAN.match(text)):
            begin_us, end_us = _day_or_month(*match.groups())
            return NameFacts(None, RowKind.QUOTES, begin_us=begin_us, end_us=end_us)
    stem = (name or path.name).split(".")[0]
    words = _WORDS.findall(stem)
    symbol, kind, interval = _symbol_among(words), _kind_among(words), _interval_among(words)
    broker = next((word.lower() for word in words if word.lower() in _OTHER_BROKERS), None)
    if symbol is not None and broker is not None:  # oanda-EURUSD-quotes.csv
        symbol = f"{broker}:{symbol}"
    folders = path.absolute().parts[:-1]
    if len(folders) >= 3 and folders[-3] == "klines" and _INTERVAL.fullmatch(folders[-1]):
        symbol, interval, kind = folders[-2], _interval(folders[-1]), RowKind.KLINES
    elif len(folders) >= 2 and folders[-2].lower() in _KINDS:
        symbol, kind = folders[-1], _KINDS[folders[-2].lower()]
    return _meta_facts(path, NameFacts(symbol, kind, interval))


def is_lean_candles(path: Path) -> bool:
    """Whether a file holds candles of quotes as Lean names them: ``eurusd_minute_20140501.zip``."""
    return _LEAN_CANDLES.fullmatch(path.name) is not None


def symbol_name(text: str) -> str:
    """
    Return the name under which rows of a symbol are stored; see `app.market.symbol.read_symbol`.

    One of another broker keeps that name before it, ``coinbase:SKLUSD``, so it never passes for one of Binance.

    Raises:
        UsageError: If the text is no symbol.
    """
    broker, separator, pair = text.strip().rpartition(":")
    if separator and broker.lower() in _OTHER_BROKERS:
        return f"{broker.lower()}:{read_symbol(pair)}"
    return read_symbol(text)


def _archive_facts(match: re.Match[str]) -> NameFacts:
    symbol, what, year, month, day = match.groups()
    kind = _KINDS.get(what.lower(), RowKind.KLINES)
    interval = Interval.parse(what.replace("mo", "M")) if kind is RowKind.KLINES else None
    return NameFacts(symbol.upper(), kind, interval, True, *_day_or_month(year, month, day))


def _day_or_month(year: str, month: str, day: str | None) -> tuple[int, int] | tuple[None, None]:
    try:
        begin = datetime(int(year), int(month), int(day or 1), tzinfo=UTC)
    except ValueError:
        return None, None
    begin_us = int(begin.timestamp()) * SECOND_US
    return begin_us, Interval.parse("1d" if day else "1M").next_open_us(begin_us)


def with_export_facts(facts: NameFacts, export: object) -> NameFacts:
    """Return ``facts`` with what our own export says of a file, in FILE.meta.json or inside it, as decoded JSON."""
    if not isinstance(export, dict):
        return facts
    with suppress(LookupError, AttributeError, UsageError):
        facts = facts._replace(symbol=symbol_name(export["symbol"]))
    with suppress(LookupError, TypeError, UsageError):  # of trades it is the word trades
        facts = facts._replace(interval=Interval.parse(export["interval"]))
    zone = export.get("zone")
    return facts._replace(zone=zone) if isinstance(zone, str) else facts


def _meta_facts(path: Path, facts: NameFacts) -> NameFacts:
    try:
        return with_export_facts(facts, json.loads(path.with_name(path.name + META_SUFFIX).read_text("utf-8")))
    except (OSError, ValueError):
        return facts


def _symbol_among(words: list[str]) -> str | None:
    pairs = [
        first + second
        for first, second in pairwise(words)
        if second.upper() in _QUOTES and not first.isdigit() and first.isupper() == second.isupper()
    ]
    if pairs:  # BTC_USDT, though BTC alone may end in a quote asset, too
        return pairs[-1].upper()
    names = {name for word in words if (name := _joined_pair(word))}
    return names.pop() if len(names) == 1 else None


def _joined_pair(word: str) -> str | None:
    upper = word.upper()
    if len(upper) > _LONGEST_SYMBOL:
        return None
    for quote in _QUOTES:
        if upper.endswith(quote) and len(upper) - len(quote) >= _SHORTEST_BASE:
            return upper
    return None


def _kind_among(words: list[str]) -> RowKind | None:
    return next((_KINDS[word.lower()] for word in words if word.lower() in _KINDS), None)


def _interval(word: str) -> Interval:
    return Interval.parse(word.replace("Mo", "M"))


def _interval_among(words: list[str]) -> Interval | None:
    found = {word for word in words if _INTERVAL.fullmatch(word)}
    if len(found) != 1:
        return None
    try:
        return _interval(found.pop())
    except UsageError:
        return None
