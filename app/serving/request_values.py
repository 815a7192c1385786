"""
The parameters of a request as values, checked. No I/O.

Every refusal is one UsageError that says what is wrong and how it is written. A parameter that nothing reads is
refused, too: a misspelt one would silently give something else than was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from aiohttp import web
from multidict import MultiMapping

from app.market.errors import UsageError
from app.market.interval import SECOND_US, Interval
from app.market.suggestions import did_you_mean, nearest
from app.market.symbol import read_symbol
from app.serving.description.route import Parameter
from app.serving.errors import NotFound

_DIGITS = re.compile(r"-?[0-9]{1,12}(\.0*)?")
_LONGEST_SYMBOL = 40
LAST_US = 4_102_444_800_000_000  # the year 2100: what is stored ends before
_OFFSET_AFTER_SPACE = re.compile(r"(?<=T)([0-9:.]+) ([0-9]{2}:?[0-9]{2})$")  # a “+” that a URL turned into a space


class Parameters:
    """
    The parameters of one request, of which only those ``declared`` may be there, each once; and a token.

    Raises:
        UsageError: If another is there, or one is there twice.
    """

    def __init__(self, query: MultiMapping[str], declared: Iterable[Parameter]) -> None:
        names = tuple(one.name for one in declared)
        for name in query:
            # By “_” scripts get past a cache.
            if name not in (*names, "token") and not name.startswith("_"):
                meant = nearest(name, names)
                verb = "is" if len(names) == 1 else "are"
                advice = f"did you mean {meant}?" if meant else f"there {verb} {', '.join(names)}."
                raise UsageError(f"There is no parameter “{name[:40]}”: {advice}")
            if len(query.getall(name)) > 1:
                raise UsageError(f"The parameter {name} is given more than once.")
        self._query = query

    def has(self, name: str) -> bool:
        """Whether it is given and not empty."""
        return bool(self._query.get(name, "").strip())

    def text(self, *names: str) -> str:
        """Return the first of these that is given. Raises UsageError if none is."""
        for name in names:
            if self.has(name):
                return self._query[name].strip()
        raise UsageError(f"The parameter {' or '.join(names)} is missing.")

    def interval(self, *names: str) -> Interval:
        """Return the interval that the first of these names. Raises UsageError."""
        return Interval.parse(self.text(*names))

    def iso_time_us(self, name: str) -> int | None:
        """Return an ISO 8601 time as UTC microseconds, None if it is not given. Raises UsageError."""
        if not self.has(name):
            return None
        text = _OFFSET_AFTER_SPACE.sub(r"\1+\2", self.text(name))
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            time_us = round(moment.timestamp() * SECOND_US)
        except (ValueError, OverflowError) as error:
            raise UsageError(
                f"{name} cannot be “{text[:40]}”: write a time as 2024-08-08 or 2024-08-08T23:55:00Z."
            ) from error
        return _within_years(time_us)

    def unix_time_us(self, name: str) -> int | None:
        """Return a time in Unix seconds as microseconds, None if it is not given. Raises UsageError."""
        if not self.has(name):
            return None
        text = self.text(name)
        if not _DIGITS.fullmatch(text):
            raise UsageError(f"{name} cannot be “{text[:40]}”: write Unix seconds, such as 1723075200.")
        return _within_years(int(text.partition(".")[0]) * SECOND_US)

    def count(self, name: str, most: int) -> int | None:
        """Return a whole number from 1 to ``most``, a larger one as ``most``; None if it is not given."""
        if not self.has(name):
            return None
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0):
            raise UsageError(f"{name} cannot be “{text[:40]}”: write a whole number from 1 to {most}.")
        return min(int(text), most)


def is_upgrade(request: web.Request) -> bool:
    """Whether the request asks for a WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _within_years(time_us: int) -> int:
    return min(max(time_us, 0), LAST_US)


def check_range(start_us: int | None, end_us: int | None) -> None:
    """Raise UsageError if a range ends before it begins."""
    if start_us is not None and end_us is not None and end_us < start_us:
        raise UsageError("The range ends before it begins: choose a later end.")


def known_symbol(text: str, known: Collection[str]) -> str:
    """
    Return the name of the symbol written as ``text``; of an asset alone, its pair in USDT.

    Raises:
        UsageError: If that is no symbol at all.
        NotFound: If it is not among the names ``known``.
    """
    if len(text) > _LONGEST_SYMBOL:
        raise UsageError(f"“{text[:20]}…” is not a symbol: write one as BTCUSDT or BTC.")
    name = read_symbol(text, known)
    if name not in known:
        raise NotFound(f"“{name}” is not in the database{did_you_mean(name, known)}")
    return name
