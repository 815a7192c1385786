"""
The lake, symbols and range of a command of ``cryptopipe lake``.

Both LAKE and SYMBOL may be left out. Two arguments are always LAKE and SYMBOL. One alone is LAKE where no lake is
configured; where one is, it is LAKE only if it is written as a place (``s3://…``, ``/…``, ``./…``, ``~/…``) or names a
folder that exists.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from app.commands.options import Options
from app.config.settings import Settings
from app.market.errors import UsageError
from app.market.suggestions import did_you_mean
from app.market.symbol import read_symbol
from app.runtime.lakes import configured_lake
from storage.files.times import parse_time
from storage.lake.partition import LakeKind

_PLACE = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+://|[/\\~]|\.{1,2}([/\\]|$)|[A-Za-z]:[/\\])")
_SYMBOLS = re.compile(r"^[A-Z0-9,:]*[A-Z][A-Z0-9,:]*$")


class LakeRequest(NamedTuple):
    """
    What was typed. ``lake`` is empty for the settings'; ``symbols`` are as typed, none for all; ``start_us`` and
    ``end_us`` are UTC microseconds, None where that end is open. ``kinds``: the kinds of rows.
    """

    lake: str
    symbols: tuple[str, ...]
    start_us: int | None
    end_us: int | None
    kinds: tuple[LakeKind, ...] = (LakeKind.TRADES, LakeKind.QUOTES)

    @property
    def noun(self) -> str:
        """The noun for a partition: a day, or a year of candles."""
        return "year" if self.kinds == (LakeKind.CANDLES,) else "day"

    @property
    def is_ranged(self) -> bool:
        """Whether a range was asked for."""
        return self.start_us is not None or self.end_us is not None


def request_of(settings: Settings, options: Options) -> LakeRequest:
    """
    Return what was typed.

    Raises:
        UsageError: If no lake is named, a time is wrong, or the range is empty.
    """
    lake, symbols = lake_and_symbols(options.lake, options.symbols, configured=bool(configured_lake(settings)))
    start_us = parse_time(options.start) if options.start else None
    end_us = parse_time(options.end) if options.end else None
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise UsageError("--to must be later than --from: nothing was done.")
    texts = tuple(dict.fromkeys(text.strip() for text in symbols.split(",") if text.strip()))
    request = LakeRequest(lake, texts, start_us, end_us)
    kind = getattr(options, "kind", None)
    return request if kind is None else request._replace(kinds=(LakeKind(kind),))


def lake_and_symbols(first: str, second: str, *, configured: bool) -> tuple[str, str]:
    """
    Return LAKE and SYMBOL of the two arguments, either of which may be empty; ``configured``: the settings name a lake.

    Raises:
        UsageError: If no lake is named.
    """
    if second:
        return first, second
    is_place = bool(_PLACE.match(first)) or (bool(first) and Path(first).is_dir())
    if not first or (configured and not is_place):
        if not configured:
            raise UsageError("Name a lake: a folder, or s3://bucket/prefix; or set CRYPTOPIPE_LAKE.")
        return "", first
    if not is_place and _SYMBOLS.match(first):
        raise UsageError(
            f"No lake is named, only “{first}”: write LAKE before it, or set CRYPTOPIPE_LAKE; a new folder of that "
            f"name is ./{first}."
        )
    return first, ""


def symbols_in_lake(texts: Collection[str], known: Collection[str], lake: str) -> list[str]:
    """
    Return the names of the symbols written as ``texts`` among those ``known`` in the lake; all without a text.

    Raises:
        UsageError: If the lake does not have one.
    """
    names = []
    for text in texts:
        name = read_symbol(text, known)
        if name not in known:
            raise UsageError(f"“{name}” is not in the lake {lake}{did_you_mean(name, known)}")
        names.append(name)
    return list(dict.fromkeys(names)) if texts else sorted(known)


def in_time(time_us: int | None) -> str | None:
    """Return a time as ISO 8601, UTC; None for None."""
    if time_us is None:
        return None
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
