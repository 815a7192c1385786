"""
Which panes the chart has, from top to bottom, and how high each is. Pure.

An `PaneLayout` is a value: every change returns another. Heights are shares of the whole, so that they outlive a
resize; `heights` makes pixels of them. The price pane is always there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

PRICE, VOLUME = "price", "volume"
LEAST_PX = 48
VOLUME_SHARE = 1 / 6
_MOST_PANES = 12


class PaneShare(NamedTuple):
    """One pane: what it is called, and its part of the height; parts need not add up to anything."""

    key: str
    share: float


@dataclass(frozen=True, slots=True)
class PaneLayout:
    """Panes from top to bottom, each key once, among them ``"price"``."""

    panes: tuple[PaneShare, ...] = (PaneShare(PRICE, 1 - VOLUME_SHARE), PaneShare(VOLUME, VOLUME_SHARE))

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(pane.key for pane in self.panes)

    def index(self, key: str) -> int:
        """Return a pane's place from the top. Raises ValueError where there is none of that key."""
        return self.keys.index(key)

    def with_pane(self, key: str, share: float = VOLUME_SHARE) -> PaneLayout:
        """Return one with that pane below the others, ``share`` of the whole high; unchanged where it is there."""
        if key in self.keys or len(self.panes) >= _MOST_PANES:
            return self
        taken = sum(pane.share for pane in self.panes)
        return replace(self, panes=(*self.panes, PaneShare(key, taken * share / (1 - share))))

    def without(self, key: str) -> PaneLayout:
        """Return one without that pane; the price pane stays."""
        if key == PRICE:
            return self
        return replace(self, panes=tuple(pane for pane in self.panes if pane.key != key))

    def moved(self, key: str, by: int) -> PaneLayout:
        """Return one with that pane ``by`` places further down, as far as there are places."""
        at, panes = self.index(key), list(self.panes)
        pane = panes.pop(at)
        panes.insert(min(max(at + by, 0), len(panes)), pane)
        return replace(self, panes=tuple(panes))

    def heights(self, total_px: int) -> list[int]:
        """Return each pane's height in whole pixels, together ``total_px``: `LEAST_PX` or more where that is there."""
        shares = [pane.share for pane in self.panes]
        room, whole = float(max(total_px, 0)), sum(shares)
        least = LEAST_PX if room >= LEAST_PX * len(shares) else 0
        # The shares of the small ones are raised, at the cost of the others; that may make further ones small.
        small: set[int] = set()
        while True:
            left = whole - sum(shares[at] for at in small)
            scale = (room - least * len(small)) / left if left > 0 else 0.0
            more = {at for at, share in enumerate(shares) if at not in small and share * scale < least}
            if not more:
                break
            small |= more
        exact = [least if at in small else share * scale for at, share in enumerate(shares)]
        edges = [round(sum(exact[: at + 1])) for at in range(len(exact) - 1)] + [int(room)]
        return [edge - before for before, edge in zip([0, *edges[:-1]], edges, strict=True)]

    def dragged(self, at: int, by_px: float, total_px: int) -> PaneLayout:
        """Return one whose edge below pane ``at`` is ``by_px`` lower, as far as both panes beside it keep a height."""
        heights = self.heights(total_px)
        if not 0 <= at < len(heights) - 1 or min(heights) < 1:
            return self
        least = min(LEAST_PX, heights[at], heights[at + 1])
        by = min(max(by_px, least - heights[at]), heights[at + 1] - least)
        shares = [float(height) for height in heights]
        shares[at], shares[at + 1] = shares[at] + by, shares[at + 1] - by
        panes = (pane._replace(share=share) for pane, share in zip(self.panes, shares, strict=True))
        return replace(self, panes=tuple(panes))

    def grown(self, key: str, by_px: float, total_px: int) -> PaneLayout:
        """Return one with that pane ``by_px`` higher, at the cost of the one above it; the top one's: of that below."""
        at = self.index(key)
        return self.dragged(at - 1, -by_px, total_px) if at else self.dragged(0, by_px, total_px)

    def to_values(self) -> list[dict[str, Any]]:
        """Return it as plain values, for a file."""
        whole = sum(pane.share for pane in self.panes)
        return [{"pane": pane.key, "share": max(round(pane.share / whole, 6), 1e-6)} for pane in self.panes]

    @classmethod
    def from_values(cls, values: object) -> PaneLayout:
        """Return what `to_values` gave; what is no arrangement, or lacks the price, is the usual one."""
        if not isinstance(values, Sequence):
            return cls()
        panes: list[PaneShare] = []
        for value in values:
            key, share = (value.get("pane"), value.get("share")) if isinstance(value, dict) else (None, None)
            named = isinstance(key, str) and key not in [pane.key for pane in panes]
            if named and isinstance(share, int | float) and 0 < share <= 1:
                panes.append(PaneShare(str(key), float(share)))
        known = PRICE in [pane.key for pane in panes] and len(panes) <= _MOST_PANES
        return cls(tuple(panes)) if known else cls()
