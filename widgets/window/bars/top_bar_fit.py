"""
The order in which parts leave the top bar of a narrow window. Pure.

The window's width and the size of text decide alone which parts stay: prices, symbols and intervals do not, so nothing
moves as those change. What has left stands in the » menu, but for an interval, which its own menu has anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

_BEFORE_INTERVALS = (
    *("more_texts", "link_words", "market", "texts", "link_letters", "custom"),
    *("export", "layout", "theme", "compare", "search"),
)
_AFTER_INTERVALS = ("links", "change", "styles", "panel", "price")


@dataclass(frozen=True, slots=True)
class BarFit:
    """
    The parts in the bar. ``market``: the market's name beside the symbol's; ``texts``: of buttons that have an icon;
    ``more_texts``: also of those whose icon is plain enough: compare, alert, the charts' arrangement and the search.

    ``intervals``: how many interval buttons; ``custom``: the slot of the last interval typed; ``styles``: the buttons
    of price styles, indicators and alerts; ``layout``: the button of the charts' arrangement; ``links``: the button of
    the active chart's links, with words, with their first letters (``link_letters``), or as the badge alone.
    """

    intervals: int
    more_texts: bool = True
    link_words: bool = True
    link_letters: bool = True
    market: bool = True
    texts: bool = True
    custom: bool = True
    export: bool = True
    layout: bool = True
    theme: bool = True
    compare: bool = True
    search: bool = True
    links: bool = True
    change: bool = True
    styles: bool = True
    panel: bool = True
    price: bool = True

    @property
    def has_overflow(self) -> bool:
        """Whether the » menu has entries."""
        is_whole = self.custom and self.export and self.layout and self.theme
        return not (is_whole and self.compare and self.search and self.links and self.styles and self.panel)


def fits(intervals: int) -> Iterator[BarFit]:
    """Yield what the bar holds, from all of it to the least; ``intervals`` is the number of interval buttons."""
    fit = BarFit(intervals)
    yield fit
    for part in _BEFORE_INTERVALS:
        fit = replace(fit, **{part: False})
        yield fit
    for shown in range(intervals - 1, -1, -1):
        fit = replace(fit, intervals=shown)
        yield fit
    for part in _AFTER_INTERVALS:
        fit = replace(fit, **{part: False})
        yield fit


def widest_fit(intervals: int, width_of: Callable[[BarFit], int], room: int) -> BarFit:
    """Return the first of `fits` that is no wider than ``room``; where none is, the last."""
    fit = BarFit(intervals)
    for fit in fits(intervals):  # the last one is the answer where none fits
        if width_of(fit) <= room:
            break
    return fit
