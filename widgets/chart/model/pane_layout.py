"""
The panes of the chart from top to bottom, and their heights. Pure.

A `PaneLayout` is a value: every change returns another one. Heights are shares of the whole, so they survive a resize;
`heights` turns them into pixels. The price pane cannot be removed. Unless the user drags its edge, it has at least half
of the height, and the other panes are equally high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

PRICE, VOLUME = "price", "volume"
LEAST_PX = 48
VOLUME_SHARE = 1 / 6  # and that of any other pane but the prices', while they leave these half
_PRICE_LEAST = 1 / 2
_SAME = 1e-4  # shares that differ by less are equal: a file keeps six decimals
_MOST_PANES = 12


class PaneShare(NamedTuple):
    """A pane's key and its share of the height, relative to the other panes' shares; they need not add up to 1."""

    key: str
    share: float


@dataclass(frozen=True, slots=True)
class PaneLayout:
    """Panes from top to bottom; keys are unique and include ``"price"``."""

    panes: tuple[PaneShare, ...] = (PaneShare(PRICE, 1 - VOLUME_SHARE), PaneShare(VOLUME, VOLUME_SHARE))

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(pane.key for pane in self.panes)

    def index(self, key: str) -> int:
        """Return a pane's index from the top. Raises ValueError for an unknown key."""
        return self.keys.index(key)

    def with_pane(self, key: str) -> PaneLayout:
        """
        Return a layout with that pane added at the bottom, unless it exists already.

        It is as high as the other panes beside the price's are on average. The price pane gives way down to half of the
        whole, then the others do; one that the user made smaller keeps its share.
        """
        if key in self.keys or len(self.panes) >= _MOST_PANES:
            return self
        others = self._others()
        new = sum(others.values()) / len(others) if others else VOLUME_SHARE
        others[key] = new
        most = max(1 - _PRICE_LEAST, 1 - self._price_share())
        scale = min(1.0, most / sum(others.values()))
        return self._arranged((*self.keys, key), {name: share * scale for name, share in others.items()})

    def without(self, key: str) -> PaneLayout:
        """Return a layout without that pane; the price pane stays."""
        if key == PRICE or key not in self.keys:
            return self
        left, others = tuple(one for one in self.keys if one != key), self._others()
        is_usual = all(abs(share - _usual_share(len(others))) < _SAME for share in others.values())
        if is_usual:
            return self._arranged(left, dict.fromkeys(left, _usual_share(len(left) - 1)))
        return replace(self, panes=tuple(pane for pane in self.panes if pane.key != key))

    def _price_share(self) -> float:
        return self.panes[self.index(PRICE)].share / sum(pane.share for pane in self.panes)

    def _others(self) -> dict[str, float]:
        """Return the shares of the whole of all panes but the price's."""
        whole = sum(pane.share for pane in self.panes)
        return {pane.key: pane.share / whole for pane in self.panes if pane.key != PRICE}

    def _arranged(self, keys: tuple[str, ...], others: dict[str, float]) -> PaneLayout:
        """Return a layout of panes in that order, with these shares; the price's is what they leave."""
        price = 1 - sum(others[key] for key in keys if key != PRICE)
        return replace(self, panes=tuple(PaneShare(key, price if key == PRICE else others[key]) for key in keys))

    def moved(self, key: str, by: int) -> PaneLayout:
        """Return a layout with that pane moved down by ``by`` places, up if negative, within the others."""
        at, panes = self.index(key), list(self.panes)
        pane = panes.pop(at)
        panes.insert(min(max(at + by, 0), len(panes)), pane)
        return replace(self, panes=tuple(panes))

    def heights(self, total_px: int) -> list[int]:
        """
        Return the panes' heights in whole pixels, ``total_px`` in sum, each at least `LEAST_PX` if there is room.

        For that room the price pane gives up nothing of its half, nor of its share where that is less.
        """
        # Rounding edges instead of heights keeps the sum exact.
        exact = self._exact_heights(total_px)
        edges = [round(sum(exact[: at + 1])) for at in range(len(exact) - 1)] + [max(total_px, 0)]
        return [edge - before for before, edge in zip([0, *edges[:-1]], edges, strict=True)]

    def _exact_heights(self, total_px: float) -> list[float]:
        shares, room, price = [pane.share for pane in self.panes], max(total_px, 0.0), self.index(PRICE)
        has_room, others = room >= LEAST_PX * len(shares), len(shares) - 1
        price_least = room * min(self._price_share(), _PRICE_LEAST)
        price_least = max(price_least, LEAST_PX) if has_room else price_least
        least = min(LEAST_PX, (room - price_least) / others) if has_room and others else 0.0
        leasts = [price_least if at == price else least for at in range(len(shares))]
        # Raising small panes to the least height takes from the others, which may then become small themselves.
        small: set[int] = set()
        while True:
            left = sum(share for at, share in enumerate(shares) if at not in small)
            scale = (room - sum(leasts[at] for at in small)) / left if left > 0 else 0.0
            more = {at for at, share in enumerate(shares) if at not in small and share * scale < leasts[at]}
            if not more:
                return [leasts[at] if at in small else share * scale for at, share in enumerate(shares)]
            small |= more

    def dragged(self, at: int, by_px: float, total_px: int) -> PaneLayout:
        """Return a layout with the edge below pane ``at`` moved down by ``by_px``; both panes keep a least height."""
        # Exact heights: rounded ones could take a fraction of a pixel from the price pane's half.
        shares = self._exact_heights(total_px)
        if not 0 <= at < len(shares) - 1 or min(shares) < 1:
            return self
        least = min(LEAST_PX, shares[at], shares[at + 1])
        by = min(max(by_px, least - shares[at]), shares[at + 1] - least)
        shares[at], shares[at + 1] = shares[at] + by, shares[at + 1] - by
        panes = (pane._replace(share=share) for pane, share in zip(self.panes, shares, strict=True))
        return replace(self, panes=tuple(panes))

    def grown(self, key: str, by_px: float, total_px: int) -> PaneLayout:
        """Return a layout with that pane ``by_px`` higher, taken from the pane above, for the top pane from below."""
        at = self.index(key)
        return self.dragged(at - 1, -by_px, total_px) if at else self.dragged(0, by_px, total_px)

    def to_values(self) -> list[dict[str, Any]]:
        """Return plain values for a file; those of a layout that was restored from them are the same."""
        whole = sum(pane.share for pane in self.panes)
        millionths = [max(round(pane.share / whole * 1e6), 1) for pane in self.panes]
        # The largest takes what rounding left over: otherwise the whole, and with it every share, would change again.
        millionths[millionths.index(max(millionths))] += 1_000_000 - sum(millionths)
        return [{"pane": pane.key, "share": share / 1e6} for pane, share in zip(self.panes, millionths, strict=True)]

    @classmethod
    def from_values(cls, values: object) -> PaneLayout:
        """Restore the values of `to_values`; invalid ones, or a layout without the price, become the default."""
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


def _usual_share(count: int) -> float:
    """Return the share of the whole of each of so many panes beside the price's, as long as the user drags none."""
    return min(VOLUME_SHARE, (1 - _PRICE_LEAST) / max(count, 1))
