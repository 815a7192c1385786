"""
What the readers of a served recording share: how rows differ from those expected, and the verdict.

The scripts beside it import it by its bare name: they run without anything of ours, where Python finds only the modules
of their own folder.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any


def differences(found: list[Any], wanted: list[Any]) -> str:
    """Return how two lists differ; empty if they do not."""
    if len(found) != len(wanted):
        return f"{len(found):,} and not {len(wanted):,}"
    for at, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one != other:
            return f"row {at} is {one} and not {other}"
    return ""


def joined(trades: list[list[Any]]) -> list[list[Any]]:
    """
    Return expected trades of consecutive ids and of one time, price and side as one aggregated trade each.

    A row is the first id, time in ms, price as text, quantity in units of 1e-8, whether the taker sold, the last id.
    """
    found: list[list[Any]] = []
    for trade_id, time_ms, price, quantity, is_sell in trades:
        units = round(float(quantity) * 1e8)
        if found and found[-1][5] + 1 == trade_id and found[-1][1:3] + found[-1][4:5] == [time_ms, price, is_sell]:
            found[-1][3] += units
            found[-1][5] = trade_id
        else:
            found.append([trade_id, time_ms, price, units, is_sell, trade_id])
    return found


def read_trades(page_from: Callable[[int], list[dict[str, Any]]], stored: list[list[Any]]) -> list[list[Any]]:
    """Return the exchange's trades, page by page, as rows like ``stored``; ``page_from`` asks from an id on."""
    trades: list[list[Any]] = []
    while len(trades) < len(stored):
        page = page_from(trades[-1][0] + 1 if trades else stored[0][0])
        trades += [[one["id"], one["time"], one["price"], one["qty"], one["isBuyerMaker"]] for one in page]
        if not page:
            break
    return trades


def end(found: dict[str, str], *packages: str) -> None:
    """Print how each thing that was read differs, and end the program: with 1 if anything does."""
    width = max(map(len, found))
    for name, sentence in found.items():
        print(f"{name:>{width}}: {sentence or 'the same'}")
    wrong = sum(map(bool, found.values()))
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"{versions}: {f'{wrong} differ' if wrong else 'no difference'}")
    sys.exit(1 if wrong else 0)
