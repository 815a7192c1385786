"""
The places of live ticks whose time is stored already, inside the batch's transaction.

A place is counted by the program that receives a tick, from the first price of a time that its stream brought. A
stream that began between two prices of one time counts differently from one that received both. So two recorders, or
one after a restart, may give different ticks the same place, or one tick two places. Their values distinguish them: a
stored tick keeps its place; a new one gets its own place if that is free, else the next free place of its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.market.quotes.tick import Tick
from storage.postgres.batch_columns import Ints
from storage.quotes.tick_columns import TickColumns, same_identity, same_values

_Values = tuple[int, ...]


def settled(batch: TickColumns, stored: TickColumns) -> TickColumns:
    """
    Return a sorted batch of at least one tick, with the places under which its ticks are or will be stored.

    ``stored``: all stored ticks of the batch's times, sorted; ticks of other times may be among them.
    """
    times = {(symbol_id, time_us) for symbol_id, time_us in zip(*_moments(stored), strict=True)}
    shared = np.fromiter((moment in times for moment in zip(*_moments(batch), strict=True)), np.bool_, len(batch))
    if not shared.any() or _are_all_stored(batch.take(shared), stored):
        return batch
    known: dict[tuple[int, int], dict[int, _Values]] = {}
    for (symbol_id, time_us, place), values in _rows(stored):
        known.setdefault((symbol_id, time_us), {})[place] = values
    places = batch.place.copy()
    used: dict[tuple[int, int], set[int]] = {}
    for row, ((symbol_id, time_us, place), values) in zip(
        np.flatnonzero(shared), _rows(batch.take(shared)), strict=True
    ):
        moment = symbol_id, time_us
        held, taken = known[moment], used.setdefault(moment, set())
        if held.get(place) != values or place in taken:
            same = [at for at, other in held.items() if other == values and at not in taken]
            is_free = place not in held and place not in taken
            place = same[0] if same else place if is_free else max({*held, *taken}) + 1
        taken.add(place)
        places[row] = place
    moved = replace(batch, place=places)
    return moved.take(np.lexsort((moved.place, moved.time_us, moved.symbol_id)))


def with_own_places(ticks: Sequence[Tick]) -> list[Tick]:
    """Return the ticks in their order; one that contradicts an earlier one gets the next free place of its time."""
    known: dict[tuple[str, int], dict[int, Tick]] = {}
    found = []
    for tick in ticks:
        same_time = known.setdefault((tick.symbol, tick.time_us), {})
        alike = [one for one in same_time.values() if one[3:] == tick[3:]]
        if alike and same_time.get(tick.place) != tick:
            tick = alike[0]  # the same price, counted from another begin
        elif tick.place in same_time and same_time[tick.place] != tick:
            tick = tick._replace(place=max(same_time) + 1)
        same_time[tick.place] = tick
        found.append(tick)
    return found


def _are_all_stored(some: TickColumns, stored: TickColumns) -> bool:
    """Whether each of sorted ticks is one of the stored, sorted ones: the usual case of a second recorder."""
    if len(some) > len(stored):
        return False
    order = np.lexsort((some.place, some.time_us, some.symbol_id))
    both = TickColumns(
        *(np.concatenate(pair) for pair in zip(stored.columns(), some.take(order).columns(), strict=True))
    )
    ordered = both.take(np.lexsort((both.place, both.time_us, both.symbol_id)))  # stable: the stored one comes first
    first, second = ordered.take(slice(None, -1)), ordered.take(slice(1, None))
    return int((same_identity(first, second) & same_values(first, second)).sum()) == len(some)


def _moments(ticks: TickColumns) -> tuple[list[int], list[int]]:
    return ticks.symbol_id.tolist(), ticks.time_us.tolist()


def _rows(ticks: TickColumns) -> list[tuple[tuple[int, int, int], _Values]]:
    columns: list[Ints] = ticks.columns()
    return [((row[0], row[1], row[2]), row[3:]) for row in zip(*(column.tolist() for column in columns), strict=True)]
