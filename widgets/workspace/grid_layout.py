"""
How charts share one area: a tree of splits, each in columns or in rows. Pure values.

A leaf is the key of a chart. A split has at least two parts, and no part is a split in the same direction: what would
be one is taken apart. So every arrangement has one tree, and closing a chart leaves its room to its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

_DEEPEST = 32
_LEAST_SHARE = 0.05
_LARGEST_SHARE = 1e12  # of a file; larger ones have no sum


@dataclass(frozen=True, slots=True)
class Split:
    """Parts beside each other (``in_columns``) or below each other; ``shares`` of the room, which sum to 1."""

    in_columns: bool
    parts: tuple[Node, ...]
    shares: tuple[float, ...]


Node = Split | int
"""A split, or the key of a chart."""


def split_of(in_columns: bool, parts: Sequence[Node], shares: Sequence[float] | None = None) -> Node:
    """Return a node with these parts and shares of the room, equal ones by default; one part is returned as it is."""
    flat: list[Node] = []
    room: list[float] = []
    for part, share in zip(parts, _normal(shares, len(parts)), strict=True):
        if isinstance(part, Split) and part.in_columns == in_columns:
            flat += part.parts
            room += [share * inner for inner in part.shares]
        else:
            flat.append(part)
            room.append(share)
    return flat[0] if len(flat) == 1 else Split(in_columns, tuple(flat), tuple(room))


def keys_of(node: Node) -> list[int]:
    """Return the keys of all charts, from left to right and from top to bottom."""
    return [node] if isinstance(node, int) else [key for part in node.parts for key in keys_of(part)]


def count_across(node: Node, *, in_columns: bool) -> int:
    """Return how many charts stand beside each other at most; not ``in_columns``: below each other."""
    if not isinstance(node, Split):
        return 1
    counts = [count_across(part, in_columns=in_columns) for part in node.parts]
    return sum(counts) if node.in_columns == in_columns else max(counts)


def with_neighbour(node: Node, key: int, new: int, *, in_columns: bool) -> Node:
    """Split the room of chart ``key`` in halves; the second one is for ``new``, to the right or below."""
    if not isinstance(node, Split):
        return split_of(in_columns, (key, new)) if node == key else node
    parts, shares = list(node.parts), list(node.shares)
    if node.in_columns == in_columns and key in parts:
        at = parts.index(key)
        parts.insert(at + 1, new)
        shares[at : at + 1] = [shares[at] / 2] * 2
        return Split(in_columns, tuple(parts), tuple(shares))
    return Split(
        node.in_columns,
        tuple(with_neighbour(part, key, new, in_columns=in_columns) for part in parts),
        node.shares,
    )


def without(node: Node, key: int) -> Node | None:
    """Take a chart out; its neighbours share its room by what they have. None if no chart is left."""
    if not isinstance(node, Split):
        return None if node == key else node
    left = [(without(part, key), share) for part, share in zip(node.parts, node.shares, strict=True)]
    kept = [(part, share) for part, share in left if part is not None]
    return split_of(node.in_columns, [part for part, _ in kept], [share for _, share in kept]) if kept else None


def put_back(node: Node, key: int, before: Node) -> Node | None:
    """
    Put a chart back where it was in ``before``, with the share that it had; its neighbours there make room.

    Charts that ``node`` lacks by now are no neighbours. None if those that are left no longer stand together.
    """
    place = _split_with(part_of(before, {key, *keys_of(node)}), key)
    return None if place is None else _with_part_of(node, key, place)


def _split_with(node: Node | None, key: int) -> Split | None:
    """Return the split that a chart is a part of by itself."""
    if not isinstance(node, Split):
        return None
    inner = (_split_with(part, key) for part in node.parts)
    return node if key in node.parts else next((found for found in inner if found is not None), None)


def _with_part_of(node: Node, key: int, place: Split) -> Node | None:
    """Put a chart beside those that share the split ``place`` with it; None if they are apart."""
    parts: tuple[Node, ...] = (node,)
    shares: tuple[float, ...] = (1.0,)
    in_columns = place.in_columns
    if isinstance(node, Split):
        parts, shares, in_columns = node.parts, node.shares, node.in_columns
        for at, part in enumerate(parts):
            inner = _with_part_of(part, key, place)
            if inner is not None:
                return split_of(in_columns, (*parts[:at], inner, *parts[at + 1 :]), shares)
    beside = [one for one in keys_of(place) if one != key]
    for first, end in combinations(range(len(parts) + 1), 2):
        if [one for part in parts[first:end] for one in keys_of(part)] == beside:
            inner = _with_part(split_of(in_columns, parts[first:end], shares[first:end]), key, place)
            room = math.fsum(shares[first:end])
            around = (*shares[:first], room, *shares[end:])
            return None if inner is None else split_of(in_columns, (*parts[:first], inner, *parts[end:]), around)
    return None


def _with_part(node: Node, key: int, place: Split) -> Node | None:
    """Add a chart to the others of the split ``place``, between the same neighbours; None if they are not parts."""
    parts: tuple[Node, ...] = (node,)
    shares: tuple[float, ...] = (1.0,)
    if isinstance(node, Split) and node.in_columns == place.in_columns:
        parts, shares = node.parts, node.shares
    at = place.parts.index(key)
    ahead, share = sum(len(keys_of(part)) for part in place.parts[:at]), place.shares[at]
    counts = [sum(len(keys_of(part)) for part in parts[:end]) for end in range(len(parts) + 1)]
    if ahead not in counts:
        return None
    to = counts.index(ahead)
    others = [(1 - share) * one for one in shares]
    return split_of(place.in_columns, (*parts[:to], key, *parts[to:]), (*others[:to], share, *others[to:]))


def with_shares(node: Node, path: Sequence[int], shares: Sequence[float]) -> Node:
    """Give the split at ``path``, the indices of the parts on the way to it, these shares of its room."""
    if not isinstance(node, Split):
        return node
    if not path:
        return Split(node.in_columns, node.parts, tuple(_normal(shares, len(node.parts))))
    at, parts = path[0], list(node.parts)
    parts[at] = with_shares(parts[at], path[1:], shares)
    return Split(node.in_columns, tuple(parts), node.shares)


def resized(node: Node, key: int, by: float, *, in_columns: bool) -> Node:
    """Make a chart wider, or higher, by a share of the split it is in; its neighbours give the room. Negative: less."""
    if not isinstance(node, Split):
        return node
    at = next((at for at, part in enumerate(node.parts) if key in keys_of(part)), None)
    if at is None:
        return node
    inner = resized(node.parts[at], key, by, in_columns=in_columns)
    if inner != node.parts[at] or node.in_columns != in_columns:  # the innermost split in that direction
        return Split(node.in_columns, (*node.parts[:at], inner, *node.parts[at + 1 :]), node.shares)
    share, most = node.shares[at], 1 - _LEAST_SHARE * (len(node.shares) - 1)
    # Where a neighbour is below the least share already, as a splitter may leave it, nothing moves the other way.
    wanted = max(share, min(share + by, most)) if by > 0 else min(share, max(share + by, _LEAST_SHARE))
    others = 1 - share
    shares = [one * (1 - wanted) / others for one in node.shares]
    shares[at] = wanted
    return Split(node.in_columns, node.parts, tuple(shares))


def with_keys(node: Node, keys: Mapping[int, int]) -> Node:
    """Replace each key by the one that it stands for in ``keys``."""
    if not isinstance(node, Split):
        return keys[node]
    return Split(node.in_columns, tuple(with_keys(part, keys) for part in node.parts), node.shares)


def grid_of(keys: Sequence[int], columns: int) -> Node:
    """Arrange charts in rows of so many columns, from left to right; the last row may have fewer."""
    rows = [split_of(True, keys[at : at + columns]) for at in range(0, len(keys), columns)]
    return split_of(False, rows)


def shape_of(node: Node) -> tuple[int, int] | None:
    """Return columns and rows of a grid in which every row has as many charts; None for any other arrangement."""
    rows = node.parts if isinstance(node, Split) and not node.in_columns else (node,)
    counts = set()
    for row in rows:
        if isinstance(row, Split) and any(isinstance(part, Split) for part in row.parts):
            return None
        counts.add(len(row.parts) if isinstance(row, Split) else 1)
    return (counts.pop(), len(rows)) if len(counts) == 1 else None


def to_values(node: Node) -> Any:
    """Return the node as plain values for `from_values`: a key, or an object of ``split``, ``parts`` and ``shares``."""
    if not isinstance(node, Split):
        return node
    return {
        "split": "columns" if node.in_columns else "rows",
        "parts": [to_values(part) for part in node.parts],
        "shares": [round(share, 6) for share in node.shares],
    }


def from_values(values: object, known: Sequence[int]) -> Node | None:
    """
    Return the node of `to_values`. Charts that are not ``known`` are left out, and known ones that it lacks are added.

    None if there is no chart at all. Values that make no sense stand for no chart; shares, for equal ones.
    """
    node = part_from_values(values, known)
    seen = set() if node is None else set(keys_of(node))
    missing = [key for key in known if key not in seen]
    parts = [*([] if node is None else [node]), *missing]
    return split_of(True, parts) if parts else None


def part_from_values(values: object, known: Iterable[int]) -> Node | None:
    """Return the node of `to_values` without the charts that are not ``known``; None if that leaves none."""
    return _node(values, set(known), set(), _DEEPEST)


def part_of(node: Node, known: Iterable[int]) -> Node | None:
    """Take out all charts but those ``known``; their neighbours share the room. None if no chart is left."""
    there, left = set(known), [node]
    for gone in (key for key in keys_of(node) if key not in there):
        left = [kept for part in left if (kept := without(part, gone)) is not None]
    return left[0] if left else None


def _node(values: object, known: set[int], seen: set[int], deepest: int) -> Node | None:
    if isinstance(values, int) and not isinstance(values, bool):
        if values not in known or values in seen:
            return None
        seen.add(values)
        return values
    if not isinstance(values, Mapping) or not isinstance(values.get("parts"), list) or not deepest:
        return None
    found = [_node(part, known, seen, deepest - 1) for part in values["parts"]]
    shares = list(_shares(values.get("shares"), len(found)))
    kept = [(part, share) for part, share in zip(found, shares, strict=True) if part is not None]
    if not kept:
        return None
    return split_of(values.get("split") != "rows", [part for part, _ in kept], [share for _, share in kept])


def _shares(values: object, count: int) -> Iterator[float]:
    given = values if isinstance(values, list) and len(values) == count else [1.0] * count
    usable = all(isinstance(one, int | float) and 0 < one <= _LARGEST_SHARE for one in given)
    yield from given if usable else [1.0] * count


def _normal(shares: Sequence[float] | None, count: int) -> list[float]:
    """Return shares that sum to 1, in the same proportions; equal ones where none are given or they sum to nothing."""
    given = list(shares) if shares is not None else [1.0] * count
    total = math.fsum(given)
    if len(given) != count or not 0 < total < math.inf or min(given) < 0:
        return [1 / count] * count
    return [share / total for share in given]
