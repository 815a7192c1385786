"""Finds the series of typed symbols in the lake: trades or quotes, and candles by interval."""

from __future__ import annotations

from typing import NamedTuple

from app.commands.lake.lake_options import LakeRequest, symbols_in_lake
from app.market.errors import LakeError
from storage.lake.lake import Lake
from storage.lake.partition import LakeKind
from storage.lake.reading.other_files import OtherFile, other_files

Series = tuple[LakeKind, str, str]
"""Kind, symbol, and interval; only candles have an interval, else it is empty."""


class Chosen(NamedTuple):
    """The ``series`` that pushes wrote, and the ``others``: files of trades that no push wrote, of the range alone."""

    series: list[Series]
    others: list[OtherFile]


def chosen_of(lake: Lake, request: LakeRequest) -> Chosen:
    """
    Return the lake's series and files of the typed symbols, of all symbols if none was typed.

    Raises:
        UsageError: If a symbol is not in the lake.
        LakeError: If the lake cannot be read, or is empty.
    """
    found, others = lake.series(), other_files(lake)
    known = {symbol for _, symbol, _ in found} | {one.symbol for one in others}
    if not known:
        raise LakeError(f"There is no lake at {lake.name}, or nothing in it: push something first, or name another.")
    names = set(symbols_in_lake(request.symbols, known, lake.name))
    return Chosen(
        [one for one in found if one[1] in names],
        [one for one in others if one.symbol in names and one.overlaps(request.start_us, request.end_us)],
    )
