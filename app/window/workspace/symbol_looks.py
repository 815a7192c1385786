"""
Looks by symbol: a chart's style, panes and indicators are kept for each symbol, and come back with it.

An option of a workspace, off at first. A chart takes the look along to a symbol that it has not shown before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.window.charts.open_charts import OpenChart, OpenCharts
from app.window.workspace.workspace_document import MOST_LOOKS

_PARTS = ("style", "panes", "maximised pane", "indicators", "indicators folded")
"""Of `ChartWidget.appearance_values`; the zone of times and the price snap are the chart's own."""


class SymbolLooks:
    """The looks of the charts of ``charts``, while ``is_on``."""

    def __init__(self, charts: OpenCharts) -> None:
        self.is_on = False
        self._looks: dict[int, dict[str, dict[str, Any]]] = {}  # by the charts' keys and symbols; the newest are last
        charts.closing.connect(self._forget)

    def restore(self, looks: Mapping[int, Mapping[str, dict[str, Any]]], *, is_on: bool) -> None:
        """Take looks by the charts' keys and by symbol, as they were; no chart changes."""
        self.is_on, self._looks = is_on, {key: dict(known) for key, known in looks.items()}

    def of(self, one: OpenChart) -> dict[str, dict[str, Any]]:
        """Return the looks of a chart by symbol, without the symbol that it shows."""
        return {name: look for name, look in self._looks.get(one.key, {}).items() if name != one.symbol}

    def change(self, one: OpenChart, before: str) -> bool:
        """Keep a chart's look for the symbol ``before``; give it that of the symbol it shows now. False: as it was."""
        if not self.is_on:
            return False
        known = self._looks.setdefault(one.key, {})
        known.pop(before, None)
        known[before] = {name: value for name, value in one.chart.appearance_values().items() if name in _PARTS}
        look = known.pop(one.symbol, None)
        for name in list(known)[: max(len(known) - MOST_LOOKS, 0)]:
            del known[name]
        if look is not None:
            one.chart.restore_appearance({**one.chart.appearance_values(), **look})
        return look is not None

    def copy(self, source: OpenChart, target: OpenChart) -> None:
        """Let a new chart have the looks of another one, and the one of the symbol that it is to show."""
        known = self._looks.get(source.key)
        if self.is_on and known is not None:
            self._looks[target.key] = dict(known)
            look = self._looks[target.key].pop(target.symbol, None)
            if look is not None and target.symbol != source.symbol:
                target.chart.restore_appearance({**target.chart.appearance_values(), **look})

    def _forget(self, one: OpenChart) -> None:
        self._looks.pop(one.key, None)
