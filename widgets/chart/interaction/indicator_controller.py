"""The indicators of a chart: added, changed, hidden and removed, by program or by hand, while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, QPointF
from PySide6.QtWidgets import QMenu

from app.market.errors import UsageError
from app.market.indicators import find
from app.market.series.series import Bar, CandleSeries
from widgets.chart.indicators.entry_buttons import EntryButtons
from widgets.chart.indicators.legend_entries import LegendEntries, LegendEntriesItem
from widgets.chart.indicators.picker import IndicatorPicker
from widgets.chart.indicators.settings_panel import SettingsPanel
from widgets.chart.indicators.study import Study
from widgets.chart.interaction.view_part import ViewPart
from widgets.keys import key_text


class IndicatorController(ViewPart):
    """The studies of a `ChartView`."""

    def _begin_studying(self) -> None:
        """Make what is needed for studies; the other parts must be there."""
        self._entries = LegendEntries(self._scene, self._panes.studies)
        self._canvas.add_item(LegendEntriesItem(self._scene, self._entries))
        self._entry_buttons = EntryButtons(self._canvas)
        self._picker: IndicatorPicker | None = None
        self._settings_panel: SettingsPanel | None = None
        self._reader.also = self._read_studies
        buttons = self._entry_buttons
        self._canvas.hovered.connect(self._hover_entry)
        self._canvas.left.connect(buttons.leave)
        buttons.hide_requested.connect(self._hide)
        buttons.settings_requested.connect(self.open_study_settings)
        buttons.remove_requested.connect(self.remove_indicator)

    @property
    def studies(self) -> list[Study]:
        """The indicators on the chart, in the order in which they were added; to be changed by the methods below."""
        return list(self._panes.studies)

    def add_indicator(self, key: str, settings: Mapping[str, Any] | None = None) -> Study:
        """
        Add the indicator of that key, and return it as it is on this chart.

        Raises:
            UsageError: If there is none of that key, a parameter may not be set so, or the chart is full.
        """
        indicator = find(key)
        if indicator is None:
            raise UsageError(f"there is no indicator “{key}”")
        study = self._panes.studies.make(indicator, settings)
        if not self._panes.add_study(study):
            raise UsageError("the chart has no room for more indicators: remove one first")
        return study

    def change_indicator(self, key: str, settings: Mapping[str, Any], colours: Mapping[str, str]) -> None:
        """Give that study other settings, and colours by output. Raises UsageError where a parameter may not be so."""
        self._panes.change_study(key, settings, colours)

    def remove_indicator(self, key: str) -> None:
        """Take that study off the chart."""
        self._entry_buttons.dismiss()
        self._panes.remove_study(key)

    def first_needed_slot(self, slot: int) -> int:
        """Return the slot back to which candles must be loaded for the indicators' values from ``slot`` on."""
        if self._series is None:
            return slot
        interval, studies = self._series.interval, self._panes.studies
        blocks = (study.values.blocks(interval) for study in studies)
        # Where that is too far, less would be loaded in vain.
        return min((each.first_needed(slot) for each in blocks if not each.reaches_too_far(slot)), default=slot)

    def entry_texts(self) -> list[str]:
        """Return what the panes' titles say of the studies, from top to bottom."""
        return [entry.text for entry in self._entries]

    # By hand

    def studying_commands(self) -> dict[str, Callable[[], object]]:
        """Return what the commands of `widgets.keys` that are about indicators do."""
        return {"pane_settings": self._open_chosen_settings}

    def _fill_study_menu(self, menu: QMenu, pane: str) -> None:
        """Add what can be done to the indicators in that pane."""
        menu.addAction(f"Indicators…\t{key_text('indicators')}", lambda: self.open_indicators())
        for key in [entry.key for entry in self._entries if entry.pane == pane]:
            study = self._panes.studies.get(key)
            if study is not None:
                more = menu.addMenu(study.label)
                more.addAction("Settings…", partial(self.open_study_settings, key))
                verb = "Show" if study.is_hidden else "Hide"
                more.addAction(verb, partial(self._panes.hide_study, key, hidden=not study.is_hidden))
                more.addAction("Remove", partial(self.remove_indicator, key))

    def open_indicators(self, at: QPoint | None = None) -> None:
        """Open the list of indicators at that point of the screen, or at the chart's corner."""
        window = self._widget.window()
        if self._picker is None:
            self._picker = IndicatorPicker(window, lambda: self.studies)
            self._picker.add_requested.connect(self._add)
            self._picker.settings_requested.connect(self.open_study_settings)
            self._picker.remove_requested.connect(self.remove_indicator)
        self._picker.set_palette(self._scene.palette)
        self._picker.open_under(window.mapFromGlobal(at) if at is not None else self._corner())

    def open_study_settings(self, key: str) -> None:
        """Open the settings of that study, below its entry."""
        study = self._panes.studies.get(key)
        if study is None:
            return
        if self._settings_panel is None:
            self._settings_panel = SettingsPanel(self._widget.window())
            self._settings_panel.changed.connect(self.change_indicator)
            self._settings_panel.remove_requested.connect(self.remove_indicator)
        entry = next((one for one in self._entries if one.key == key), None)
        below = self._corner() if entry is None else self._in_window(entry.rect.bottomLeft())
        self._settings_panel.open_for(study, self._scene.palette, below)

    def _open_chosen_settings(self) -> bool:
        chosen = self._scene.chosen_pane
        if chosen is None or self._panes.studies.get(chosen) is None:
            return False
        self.open_study_settings(chosen)
        return True

    def _add(self, key: str) -> None:
        try:
            self.add_indicator(key)
        except UsageError as error:
            assert self._picker is not None
            self._picker.show_refusal(f"{str(error)[0].upper()}{str(error)[1:]}.")

    def _corner(self) -> QPoint:
        return self._in_window(self._scene.layout.panes.topLeft() + QPointF(16, 16))

    def _in_window(self, position: QPointF) -> QPoint:
        point: QPoint = self._canvas.mapTo(self._widget.window(), position.toPoint())
        return point

    def _hide(self, key: str, hidden: bool) -> None:  # positional, because signals carry no names
        self._panes.hide_study(key, hidden=hidden)
        entry = next((one for one in self._entries if one.key == key), None)
        self._entry_buttons.follow(entry, self._panes.studies.get(key), self._scene.palette)

    def _hover_entry(self, position: QPointF) -> None:
        if not self._entry_buttons.holds(position):
            entry = self._entries.at(position)
            study = self._panes.studies.get(entry.key) if entry is not None else None
            self._entry_buttons.follow(entry, study, self._scene.palette)

    def _read_studies(self, series: CandleSeries | None, bar: Bar | None) -> None:
        changed = self._entries.refresh(series, bar.slot if bar is not None else None)
        self._canvas.repaint_rects(changed)
        if self._entries.price_rows != self._scene.legend_rows:
            self._panes.make_room(self._entries.price_rows)
            self._repaint_all()
