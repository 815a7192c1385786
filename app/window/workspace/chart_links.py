"""
Links between charts: the charts of one group share what the group links, each at the user's choice.

Whatever changes on one chart goes to the others of its group. They report the change in turn, which ends there, because
a chart that shows a thing already is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject, Signal

from app.market.interval import Interval
from app.market.series.series import Bar
from app.window.charts.open_charts import OpenChart, OpenCharts
from app.window.workspace.workspace_document import LINKED_PARTS, MOST_LINKS, USUALLY_LINKED
from widgets.chart.model.view_place import ViewPlace

Show = Callable[[OpenChart, str, Interval], None]
"""Shows a symbol and an interval on a chart."""


class ChartLinks(QObject):
    """
    The groups of the charts of ``charts``, by numbers from 1; a chart in no group has the number 0.

    Signals:
        changed(): a chart is in another group, or a group links other parts.
    """

    changed = Signal()

    def __init__(self, charts: OpenCharts, show: Show, parent: QObject) -> None:
        super().__init__(parent)
        self._charts, self._show = charts, show
        self._groups: dict[int, int] = {}  # by the charts' keys
        self._parts: dict[int, tuple[str, ...]] = {}
        self._behind: set[int] = set()  # by key: those that could not follow while they were hidden or had no candles
        charts.opened.connect(self._connect)
        charts.closing.connect(self._forget)
        charts.changed.connect(self._on_changed)
        for one in charts.all:
            self._connect(one)

    def group_of(self, one: OpenChart) -> int:
        """Return the number of a chart's group; 0 for none."""
        return self._groups.get(one.key, 0)

    def parts_of(self, group: int) -> tuple[str, ...]:
        """Return what a group links, of `LINKED_PARTS`."""
        return self._parts.get(group, USUALLY_LINKED)

    @property
    def chosen_parts(self) -> dict[int, tuple[str, ...]]:
        """What the groups link whose parts are not the usual ones."""
        return dict(self._parts)

    def restore(self, groups: Mapping[int, int], parts: Mapping[int, tuple[str, ...]]) -> None:
        """Take groups by the charts' keys, and what each links, as they were; no chart changes."""
        self._groups = {key: group for key, group in groups.items() if group}
        self._behind.clear()
        self._parts = dict(parts)

    def put_into(self, one: OpenChart, group: int) -> None:
        """Put a chart into a group, 0 for none; it takes over what the others there share."""
        if group == self.group_of(one) or not 0 <= group <= MOST_LINKS:
            return
        one.chart.show_guide(None)
        self._groups.pop(one.key, None)
        if group:
            self._groups[one.key] = group
            self._take_over(one)
        self.changed.emit()

    def set_parts(self, group: int, parts: tuple[str, ...]) -> None:
        """Let a group link these parts; those added go from the active chart, or the group's first, to the others."""
        chosen = tuple(part for part in LINKED_PARTS if part in parts)
        if chosen == self.parts_of(group):
            return
        self._parts[group] = chosen
        if chosen == USUALLY_LINKED:
            del self._parts[group]
        members = [one for one in self._charts.all if self.group_of(one) == group]
        leader = self._charts.active if self._charts.active in members else next(iter(members), None)
        for one in members:
            one.chart.show_guide(None)
        if leader is not None:
            self._on_changed(leader)
            self._on_moved(leader)
        self.changed.emit()

    def catch_up(self) -> None:
        """Bring charts that are in view again to the time that their groups show; call it when others are in view."""
        for one in self._charts.all:
            if one.key in self._behind and one.chart.isVisible():
                self._catch_up(one)

    def _others(self, one: OpenChart, part: str) -> Iterator[OpenChart]:
        """Yield the charts that share that part with a chart."""
        group = self.group_of(one)
        if group and part in self.parts_of(group):
            yield from (other for other in self._charts.all if other is not one and self.group_of(other) == group)

    def _take_over(self, one: OpenChart) -> None:
        symbol = next((other.symbol for other in self._others(one, "symbol")), one.symbol)
        interval = next((other.interval for other in self._others(one, "interval")), one.interval)
        if (symbol, interval) != (one.symbol, one.interval):
            self._show(one, symbol, interval)
        self._catch_up(one)

    # Changes

    def _connect(self, one: OpenChart) -> None:
        one.chart.visible_range_changed.connect(partial(self._on_moved, one))
        one.chart.crosshair_moved.connect(partial(self._on_crosshair, one))

    def _forget(self, one: OpenChart) -> None:
        self._groups.pop(one.key, None)
        self._behind.discard(one.key)

    def _on_changed(self, one: OpenChart) -> None:
        for other in list(self._others(one, "symbol")):
            if other.symbol != one.symbol:
                self._show(other, one.symbol, other.interval)
        for other in list(self._others(one, "interval")):
            if other.interval != one.interval:
                self._show(other, other.symbol, one.interval)

    def _on_moved(self, one: OpenChart) -> None:
        if one.key in self._behind:
            self._catch_up(one)  # it is back in view where it was left, which is no move of the user's
            return
        for other in self._others(one, "time"):
            self._bring_to(other, one)

    def _catch_up(self, one: OpenChart) -> None:
        """Let a chart show the time that the others of its group show."""
        others = (other for other in self._others(one, "time") if other.key not in self._behind)
        self._behind.discard(one.key)
        other = next(others, None)
        if other is not None:
            self._bring_to(one, other)

    def _bring_to(self, follower: OpenChart, leader: OpenChart) -> None:
        """Let a chart show the time that another one does; in the same interval, with candles as wide."""
        if leader.chart.series is None:
            return
        if follower.chart.series is None or not follower.chart.isVisible():
            self._behind.add(follower.key)
            return
        place, present = leader.chart.navigator.place, follower.chart.navigator.place
        wanted = replace(place, bar_px=place.bar_px if leader.interval == follower.interval else present.bar_px)
        if not _is_same(wanted, present, follower.interval.length_us):
            follower.chart.navigator.take_place(wanted)

    def _on_crosshair(self, one: OpenChart, bar: Bar | None) -> None:
        for other in self._others(one, "crosshair"):
            other.chart.show_guide(None if bar is None else bar.open_time_us)


def _is_same(one: ViewPlace, other: ViewPlace, candle_us: int) -> bool:
    """Whether two places are the same to a pixel."""
    if one.bar_px is None or other.bar_px is None or abs(one.bar_px - other.bar_px) > 1e-6 * other.bar_px:
        return False
    if one.centre_us is None or other.centre_us is None:
        return one.centre_us is other.centre_us
    return abs(one.centre_us - other.centre_us) <= candle_us / other.bar_px
