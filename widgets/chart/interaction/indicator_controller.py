"""
The indicators of a running chart: added, changed, hidden and removed, by the program or by the user.

The controller opens the picker and the settings, and places the buttons on a legend entry under the pointer. The
studies themselves are the pane set's; their values are computed as the panes' layers are updated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from app.market.errors import UsageError
from app.market.indicators import Placement, find
from app.market.interval import Interval
from app.market.series.series import Bar, CandleSeries
from widgets.chart.indicators.entry_buttons import EntryButtons, FoldButton
from widgets.chart.indicators.legend_entries import (
    FRAME_RADIUS_PX,
    LegendEntries,
    LegendEntriesItem,
    LegendEntry,
)
from widgets.chart.indicators.line_at import study_drawn_at
from widgets.chart.indicators.picker import IndicatorPicker
from widgets.chart.indicators.settings_panel import SettingsPanel
from widgets.chart.indicators.study import Study
from widgets.chart.model.line_style import LineStyle
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.scene import Scene
from widgets.chart.panes.pane_set import PaneSet
from widgets.keys import key_in_brackets, key_text


class IndicatorController:
    """
    The studies of one chart's panes. ``repaint``: requests a frame that paints everything. ``note``:
    called with a sentence on what was copied.

    A refresh of the readout calls `refresh_entries`, for the candle that is read.
    """

    def __init__(
        self,
        scene: Scene,
        canvas: ChartCanvas,
        panes: PaneSet,
        repaint: Callable[[], object],
        note: Callable[[str], object],
    ) -> None:
        self._scene, self._canvas, self._panes, self._repaint, self._note = scene, canvas, panes, repaint, note
        self._entries = LegendEntries(scene, panes.studies)
        canvas.add_item(LegendEntriesItem(scene, self._entries))
        self._entry_buttons: EntryButtons | None = None  # made, like the one that folds, when first shown
        self._fold: FoldButton | None = None
        self._picker: IndicatorPicker | None = None
        self.open_templates: Callable[[QPoint], object] = lambda _: None  # at a point of the screen
        self._settings_panel: SettingsPanel | None = None
        canvas.hovered.connect(self._hover_entry)
        canvas.left.connect(self._leave_entry)

    @property
    def studies(self) -> list[Study]:
        """The indicators on the chart, in the order in which they were added; change them by the methods below."""
        return list(self._panes.studies)

    @property
    def entries(self) -> LegendEntries:
        """The studies' entries in the legend and in the panes' titles, from top to bottom."""
        return self._entries

    def add(self, key: str, settings: Mapping[str, Any] | None = None) -> Study:
        """
        Add an indicator by its key, and return its study on this chart.

        Raises:
            UsageError: If the key is unknown, a parameter is out of range, or the chart is full.
        """
        indicator = find(key)
        if indicator is None:
            raise UsageError(f"there is no indicator “{key}”")
        study = self._panes.studies.make(indicator, settings)
        if not self._panes.add_study(study):
            raise UsageError("the chart has no room for more indicators: remove one first")
        return study

    def change(
        self,
        key: str,
        settings: Mapping[str, Any],
        colours: Mapping[str, str],
        styles: Mapping[str, LineStyle] | None = None,
    ) -> None:
        """
        Set a study's settings, its colours by output and, unless None, the styles of its lines by output.

        Raises:
            UsageError: If a parameter is out of range; nothing has changed then.
        """
        self._panes.change_study(key, settings, colours, styles)

    def remove(self, key: str) -> None:
        """Remove a study from the chart."""
        self.dismiss_buttons()
        self._panes.remove_study(key)

    def first_needed_slot(self, interval: Interval, slot: int) -> int:
        """Return the first slot whose candle the indicators need to have values from ``slot`` on."""
        axis = self._scene.open_axis
        blocks = (each for study in self._panes.studies for each in study.values.blocks(interval, axis))
        # An indicator that reaches further back than is ever loaded gets no values anyway.
        return min((each.first_needed(slot) for each in blocks if not each.reaches_too_far(slot)), default=slot)

    def entry_texts(self) -> list[str]:
        """Return the texts of `entries`."""
        return [entry.text for entry in self._entries]

    # By the user

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what this does for commands of `widgets.keys`, by the commands' names."""
        return {"pane_settings": self._open_chosen_settings}

    def reasons(self) -> dict[str, Callable[[], str]]:
        """Return why a command cannot run now, by the commands' names."""
        return {"pane_settings": self._why_no_settings}

    def fill_menu(self, menu: QMenu, pane: str) -> None:
        """Add the list of indicators, and a submenu for each indicator in a pane."""
        menu.addAction(f"Indicators…\t{key_text('indicators')}", lambda: self.open_picker())
        for key in [entry.key for entry in self._entries if entry.pane == pane]:
            study = self._panes.studies.get(key)
            if study is not None:
                self.fill_study_menu(menu.addMenu(study.label), key)

    def study_at(self, position: QPointF) -> Study | None:
        """Return the study whose name in the legend, or whose line, is at a position of the view; None: none."""
        entry = self._entries.at(position)
        if entry is not None:
            return self._panes.studies.get(entry.key)
        return study_drawn_at(self._scene, position)

    def fill_study_menu(self, menu: QMenu, key: str) -> None:
        """Add all that can be done with one study."""
        study = self._panes.studies.get(key)
        if study is None:
            return
        menu.addAction("Settings…", partial(self.open_settings, key))
        verb = "Show" if study.is_hidden else "Hide"
        menu.addAction(verb, partial(self._panes.hide_study, key, hidden=not study.is_hidden))
        menu.addAction("Copy values", partial(self.copy_values, key))
        menu.addAction("Duplicate", partial(self.duplicate, key))
        if study.placement is Placement.PRICE:
            fit = menu.addAction("Fit the price axis to it")
            fit.setCheckable(True)
            fit.setChecked(study.is_fitted or not self._panes.style.fits_prices_only)
            fit.setEnabled(self._panes.style.fits_prices_only)  # else the axis follows all of them
            fit.triggered.connect(lambda fitted: self._panes.fit_study(key, fitted=fitted))
        menu.addSeparator()
        place = self._place_of(study)
        for text, by in (("Move up", -1), ("Move down", 1)):
            move = menu.addAction(text, partial(self._panes.move_study, key, by))
            move.setEnabled(0 <= place.index(key) + by < len(place))
        if study.own_pane:
            back = "Move over the prices" if study.indicator.placement is Placement.PRICE else "Move over the volume"
            menu.addAction(back, partial(self._panes.set_own_pane, key, own=False))
        elif not study.has_pane:
            menu.addAction("Move to a pane of its own", partial(self._panes.set_own_pane, key, own=True))
        menu.addSeparator()
        menu.addAction("Remove", partial(self.remove, key))

    def open_study_menu(self, key: str, at: QPoint) -> None:
        """Open the menu of a study at a point of the screen."""
        menu = QMenu(self._canvas)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        study = self._panes.studies.get(key)
        if study is not None:
            menu.addAction(study.label).setEnabled(False)  # says which of two near each other was met
            menu.addSeparator()
        self.fill_study_menu(menu, key)
        menu.popup(at)

    def duplicate(self, key: str) -> None:
        """Add a study like another, in colours of its own, and open its settings."""
        study = self._panes.studies.get(key)
        made = self._panes.studies.duplicate(study) if study is not None else None
        if made is not None and self._panes.add_study(made):
            self.open_settings(made.key)

    def copy_values(self, key: str) -> None:
        """Copy a study's name and values at the candle that is read, tab-separated."""
        entry = next((one for one in self._entries if one.key == key), None)
        study = self._panes.studies.get(key)
        if entry is not None and study is not None:
            values = (text.replace(",", "").replace("−", "-") for text, _ in entry.runs[1:])
            QGuiApplication.clipboard().setText("\t".join((study.label, *values)))
            self._note(f"Copied: the values of {study.label}.")

    def toggle_fold(self) -> None:
        """Fold the rows of indicators over the prices into one, or unfold them."""
        self._scene.legend_folded = not self._scene.legend_folded
        self.dismiss_buttons()
        self._panes.note_change()

    def _place_of(self, study: Study) -> list[str]:
        """Return the keys among which a study can be moved: the panes', or those of the studies beside it."""
        if study.has_pane:
            return list(self._panes.layout.keys)
        return [one.key for one in self._panes.studies.at(study.placement)]

    def open_picker(self, at: QPoint | None = None) -> None:
        """Open the list of indicators at a point of the screen; None: at the chart's corner."""
        window = self._window
        if self._picker is None:
            self._picker = IndicatorPicker(window, lambda: self.studies)
            self._picker.add_requested.connect(self._add)
            self._picker.settings_requested.connect(self.open_settings)
            self._picker.remove_requested.connect(self.remove)
            self._picker.templates_requested.connect(lambda at: self.open_templates(at))
        self._picker.set_palette(self._scene.palette)
        self._picker.open_under(window.mapFromGlobal(at) if at is not None else self._corner())

    def open_settings(self, key: str) -> None:
        """Open a study's settings, below its entry."""
        study = self._panes.studies.get(key)
        if study is None:
            return
        if self._settings_panel is None:
            self._settings_panel = SettingsPanel(self._window)
            self._settings_panel.changed.connect(self.change)
            self._settings_panel.fitted_changed.connect(self._fit)
            self._settings_panel.remove_requested.connect(self.remove)
        entry = next((one for one in self._entries if one.key == key), None)
        below = self._corner() if entry is None else self._in_window(entry.rect.bottomLeft())
        follows_all = not self._panes.style.fits_prices_only
        self._settings_panel.open_for(study, self._scene.palette, below, axis_follows_all=follows_all)

    def _open_chosen_settings(self) -> bool:
        chosen = self._scene.chosen_pane
        if chosen is None or self._panes.studies.get(chosen) is None:
            return False
        self.open_settings(chosen)
        return True

    def _why_no_settings(self) -> str:
        has_study = self._panes.studies.get(self._scene.chosen_pane or "") is not None
        return "" if has_study else f"Choose the pane of an indicator first{key_in_brackets('next_pane')}."

    def _add(self, key: str) -> None:
        try:
            self.add(key)
        except UsageError as error:
            assert self._picker is not None
            self._picker.show_refusal(f"{str(error)[0].upper()}{str(error)[1:]}.")

    def forget_popups(self) -> None:
        """Delete the list and the settings, which belong to the window."""
        for popup in (self._picker, self._settings_panel):
            if popup is not None:
                popup.dismiss()
                popup.deleteLater()
        self._picker = self._settings_panel = None

    def dismiss_buttons(self) -> None:
        """Hide the buttons on an entry; they come back as the mouse moves."""
        if self._entry_buttons is not None:
            self._entry_buttons.dismiss()

    @property
    def _window(self) -> QWidget:
        window: QWidget = self._canvas.window()
        return window

    def _corner(self) -> QPoint:
        return self._in_window(self._scene.layout.panes.topLeft() + QPointF(16, 16))

    def _in_window(self, position: QPointF) -> QPoint:
        point: QPoint = self._canvas.mapTo(self._window, position.toPoint())
        return point

    def _fit(self, key: str, fitted: bool) -> None:  # positional, because signals have no keyword arguments
        self._panes.fit_study(key, fitted=fitted)

    def _hide(self, key: str, hidden: bool) -> None:  # positional, because signals have no keyword arguments
        self._panes.hide_study(key, hidden=hidden)
        self._show_buttons(next((one for one in self._entries if one.key == key), None))

    def _hover_entry(self, position: QPointF) -> None:
        if self._entry_buttons is None or not self._entry_buttons.holds(position):
            self._show_buttons(self._entries.at(position))

    def _leave_entry(self) -> None:
        if self._entry_buttons is not None:
            self._entry_buttons.leave()

    def _show_buttons(self, entry: LegendEntry | None) -> None:
        """Show the buttons beside an entry; None: beside none."""
        study = self._panes.studies.get(entry.key) if entry is not None else None
        if self._entry_buttons is None and study is not None:
            self._entry_buttons = buttons = EntryButtons(self._canvas)
            buttons.entry_changed.connect(self._frame_entry)
            buttons.menu_requested.connect(self.open_study_menu)
            buttons.hide_requested.connect(self._hide)
            buttons.settings_requested.connect(self.open_settings)
            buttons.remove_requested.connect(self.remove)
        if self._entry_buttons is not None:
            self._entry_buttons.follow(entry, study, self._scene.palette)

    def _keep_buttons_beside(self) -> None:
        """Move the buttons along with the end of their entry, unless the pointer is on them."""
        key = "" if self._entry_buttons is None or self._entry_buttons.underMouse() else self._entry_buttons.key
        if key:
            self._show_buttons(next((one for one in self._entries if one.key == key), None))

    def _show_fold(self) -> None:
        if self._fold is None and not self._entries.fold_rect.isEmpty():
            self._fold = FoldButton(self._canvas)
            self._fold.clicked.connect(self.toggle_fold)
        if self._fold is not None:
            self._fold.follow(self._entries, self._scene.palette, folded=self._scene.legend_folded)

    def _frame_entry(self, key: str) -> None:
        """Paint the frame around the entry that has the buttons now, and none around the one before."""
        before, self._entries.hovered = self._entries.hovered, key
        if key != before:
            changed = [entry.rect for entry in self._entries if entry.key in (before, key)]
            self._canvas.repaint_rects([rect.adjusted(0, 0, FRAME_RADIUS_PX * 2, 0) for rect in changed])

    def refresh_entries(self, series: CandleSeries | None, bar: Bar | None) -> None:
        """Show the studies' values of a candle in their entries."""
        changed = self._entries.refresh(series, bar.slot if bar is not None else None)
        self._canvas.repaint_rects(changed)
        self._keep_buttons_beside()
        self._show_fold()
        if self._entries.price_rows != self._scene.legend_rows:
            self._panes.reserve_legend_rows(self._entries.price_rows)
            self._repaint()
