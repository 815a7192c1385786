"""Which series of the lake symbols as typed mean: their trades or quotes, and their candles by interval."""

from __future__ import annotations

from collections.abc import Collection

from app.commands.lake.lake_options import symbols_in_lake
from app.market.errors import LakeError
from storage.lake.lake import Lake
from storage.lake.partition import LakeKind

Series = tuple[LakeKind, str, str]
"""Kind, symbol, and interval, which is empty but for candles."""


def chosen_series(lake: Lake, texts: Collection[str]) -> list[Series]:
    """
    Return the series of the symbols written as ``texts``, of all without a text.

    Raises:
        UsageError: If a symbol is not in the lake.
        LakeError: If the lake cannot be read, or is empty.
    """
    found = lake.series()
    known = {symbol for _, symbol, _ in found}
    if not known:
        raise LakeError(f"There is no lake at {lake.name}, or nothing in it: push something first, or name another.")
    names = set(symbols_in_lake(texts, known, lake.name))
    return [one for one in found if one[1] in names]
