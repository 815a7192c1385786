"""
The chart as the window holds it: a `ChartView`, the widgets over it, its menus, and what the window calls.

The widgets are the panel for a state without candles, the chip for a jump that loads, the list of time zones, the line
to type a date into, and the bar under the chart. Requests go up to the window as signals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QWidget

from widgets.chart.chart_view import ChartView
from widgets.chart.interaction.context_menu import ContextMenu, MenuParts, MenuRequests
from widgets.chart.interaction.template_controller import TemplateController
from widgets.chart.interaction.time_popups import DATE_ENTRY_TOP_PX, TimePopups
from widgets.chart.interaction.view_bar import ViewBar
from widgets.chart.model.chart_style import ChartStyle
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.model.time_range import TimeRange
from widgets.chart.model.view_place import ViewPlace
from widgets.chart.popups.state_display import StateDisplay
from widgets.chart.popups.state_panel import RETRY, SIMULATED_MARKET
from widgets.chart.scales.time_scale import RIGHT_MARGIN_PX
from widgets.chart.scales.zones import offset_text
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette
from widgets.view_values import DifferenceView


class ChartWidget(ChartView):
    """
    The chart with its menus and the widgets over it.

    Signals:
        those of `ChartView`;
        retry_requested(), simulated_market_requested(): a button of an error state was pressed;
        interval_requested(object): show this `Interval`: the candles begin at other minutes.
        range_requested(object): show a `TimeRange`; `ranges` does once its interval is known;
        date_requested(object, str): the user asks for a time; carries it in UTC microseconds and as text;
        undo_offered(str, object): a sentence on what was just done, and the call that undoes it; None: nothing does;
        jump_cancelled(): the user gives up the jump that is loading, or the comparison under way;
        comparison_requested(): compare the candles in view with the exchange's, and mark those that differ;
        comparison_dismissed(): the user no longer wants to see its outcome;
        download_requested(): download the trades in view that are not stored.
        alert_requested(object): set an alert at this price, a float; None: at the last one.
    """

    retry_requested = Signal()
    simulated_market_requested = Signal()
    interval_requested = Signal(object)
    range_requested = Signal(object)
    date_requested = Signal(object, str)
    undo_offered = Signal(str, object)
    jump_cancelled = Signal()
    comparison_requested = Signal()
    comparison_dismissed = Signal()
    download_requested = Signal()
    alert_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Chart")
        self._states = StateDisplay(
            self, self._scene, action_chosen=self._on_action, cancelled=self.jump_cancelled.emit
        )
        self.noted.connect(self._states.say)
        self._has_comparison = False
        self._times = TimePopups(
            self,
            self._scene,
            self.appearance,
            series=lambda: self.series,
            now_us=self._time_us,
            dated=self.date_requested.emit,
        )
        self.bar = ViewBar()
        self.bar.command_requested.connect(self._run_command)
        self.bar.automatic_requested.connect(self._make_automatic)
        self.bar.range_requested.connect(self.range_requested)
        self.bar.zone_requested.connect(self.open_zone_picker)
        self.bar.phase_requested.connect(self._ask_for_phase)
        self._box.addWidget(self.bar)
        self._show_zone()
        self.templates = TemplateController(
            self,
            self._panes,
            changed=self.appearance_changed.emit,
            say=self.undo_offered.emit,
            corner=self._entry_corner,
            before_change=self.indicators.dismiss_buttons,
        )
        self.indicators.open_templates = self.templates.open_menu
        self.keyboard.commands.update({each.command: partial(self.range_requested.emit, each) for each in TimeRange})
        self.keyboard.commands["phase_later"] = partial(self.bar.phase.step_by, 1)
        self.keyboard.commands["phase_earlier"] = partial(self.bar.phase.step_by, -1)
        self.keyboard.commands["zone"] = self.open_zone_picker
        self.keyboard.commands["compare"] = partial(self._with_trades, self.comparison_requested.emit)
        self.keyboard.commands["download_view"] = partial(self._with_trades, self.download_requested.emit)
        self.keyboard.commands["alert"] = partial(self._with_trades, self._ask_for_alert)
        self.keyboard.reasons.update(dict.fromkeys(("compare", "download_view", "alert"), self._why_no_trades))
        self.keyboard.reasons.update(dict.fromkeys(("phase_later", "phase_earlier"), self._why_no_phases))
        self._hint.download = self.download_requested.emit
        self.keyboard.add_cancel(self._dismiss_comparison)
        self.keyboard.add_cancel(self._cancel_jump)
        self._menu = ContextMenu(self, self._scene, self._menu_parts(), self._menu_requests())
        self._canvas.menu_requested.connect(self._menu.open)
        self.frame_ran.connect(self._show_view)
        self.laid_out.connect(self._place_widgets)
        self.set_palette(DARK)

    # The view, for the window

    @property
    def is_following(self) -> bool:
        """Whether the view moves on with the latest candle."""
        return self.navigator.is_following

    @property
    def slots_in_view(self) -> float:
        """The number of candles that fit side by side."""
        return self._scene.time_scale.span

    @property
    def candles_width_px(self) -> float:
        """The width that candles fill while the view follows the latest, in logical pixels."""
        width_px = self._scene.time_scale.width_px
        return width_px - min(RIGHT_MARGIN_PX, width_px / 4)

    def visible_range_us(self) -> tuple[int, int] | None:
        """Return the times at the left and right edge, UTC microseconds; None without a series."""
        return self.navigator.visible_range_us()

    def center_time_us(self) -> int | None:
        """Return the time under the centre, UTC microseconds; without a series, that of the series before."""
        return self.navigator.center_time_us()

    def show_time(self, time_us: int) -> None:
        """Put a time, UTC microseconds, under the centre, whether or not its candles are loaded."""
        self.navigator.show_time(time_us)

    def first_needed_slot(self, slot: int) -> int:
        """Return the first slot whose candle the indicators need to have values from ``slot`` on."""
        series = self.series
        return slot if series is None else self.indicators.first_needed_slot(series.interval, slot)

    @property
    def chart_style(self) -> ChartStyle:
        """How prices and volume are drawn."""
        return self.appearance.chart_style

    def appearance_values(self) -> dict[str, Any]:
        """Return the appearance and the templates as plain values, for a file and `restore_appearance`."""
        return {**self.appearance.to_values(), "templates": self.templates.templates.to_values()}

    def restore_appearance(self, values: Mapping[str, Any]) -> None:
        """Restore the values of `appearance_values`; invalid ones fall back to the defaults."""
        self.appearance.restore(values)
        self.templates.restore(values.get("templates"))

    def view_values(self) -> dict[str, Any]:
        """Return the width of candles and the view's place as plain values, for a file and `restore_view`."""
        return self.navigator.place.to_values()

    def restore_view(self, values: Mapping[str, Any]) -> None:
        """Show the first series where `view_values` was; for invalid values, follow the latest candle."""
        self.navigator.restore(ViewPlace.from_values(values))

    @property
    def trouble(self) -> str:
        """One sentence where a part of the chart cannot be drawn; empty where all can."""
        layers = (layer for pane in self._scene.panes for layer in pane.layers)
        failed = self._scene.guard.titles((*layers, *self._canvas.parts))
        return f"The chart cannot draw {_listed(failed)}: the log says why." if failed else ""

    @property
    def legend_text(self) -> str:
        """The legend as one line."""
        return " ".join(piece.text for piece in self._scene.price.title)

    def set_palette(self, palette: Palette) -> None:
        """Paint the chart and the widgets over it in a palette."""
        super().set_palette(palette)
        self._states.set_palette(palette)
        self.bar.set_palette(palette)

    def set_now(self, exchange_time_us: int) -> None:
        """Set the exchange's time, UTC microseconds, for countdown and time zone; call it a few times per second."""
        super().set_now(exchange_time_us)
        self._show_zone()

    def picture(self) -> QPixmap:
        """Return the chart in device pixels, with the time zone in its corner and without the crosshair."""
        pixmap, layout = super().picture(), self._scene.layout
        corner = QRectF(layout.value_axis.left(), layout.time_axis.top(), layout.value_axis.width(), 0)
        corner.setBottom(layout.time_axis.bottom())
        painter = QPainter(pixmap)
        painter.setFont(style.font(style.SMALL_PX))
        painter.setPen(self._scene.colours.dim)
        rules = self.appearance.time_style.zone.rules
        painter.drawText(corner, Qt.AlignmentFlag.AlignCenter, offset_text(rules, self._time_us()))
        painter.end()
        return pixmap

    def run_command(self, command: str) -> None:
        """Run one of the chart's commands of `widgets.keys`. Raises KeyError for any other."""
        self._run_command(command)

    # States and jumps

    def set_state(self, state: str, text: str = "", actions: Sequence[str] = (RETRY, SIMULATED_MARKET)) -> None:
        """Cover the chart with a state's panel, or uncover it; see `StatePanel.show_state` for the states."""
        self._states.set_state(state, text, actions)

    def set_loading(self, text: str) -> None:
        """Show the sentence while some candles in view are still on their way; an empty text: no more."""
        self._states.set_loading(text)

    def begin_jump(self, text: str) -> None:
        """Show that the candles of a jump are loading; `jump_cancelled` fires if the user gives it up."""
        self._states.begin_jump(text)

    def end_jump(self, text: str) -> None:
        """Show how the jump ended; an empty text shows nothing."""
        self._states.end_jump(text)

    @property
    def sentence(self) -> str:
        """The sentence over the chart's lower edge, on a task in progress or just done; empty: none."""
        return self._states.sentence

    def _cancel_jump(self) -> bool:
        is_loading = self._states.is_jumping
        if is_loading:
            self.jump_cancelled.emit()
        return is_loading

    def show_comparison(self, differing: Sequence[DifferenceView] | None) -> None:
        """Mark the candles that differ, and let Esc dismiss that; None: there is no comparison to dismiss."""
        self._has_comparison = differing is not None
        self.set_differences(differing or ())

    def _dismiss_comparison(self) -> bool:
        had_comparison = self._has_comparison
        if had_comparison:
            self.comparison_dismissed.emit()
        return had_comparison

    def _with_trades(self, request: Callable[[], object]) -> bool:
        """Request what only a symbol with trades offers; False where it has none."""
        if not self._panes.counts_ticks:
            request()
        return not self._panes.counts_ticks

    def _why_no_trades(self) -> str:
        return "A symbol with quotes has no trades." if self._panes.counts_ticks else ""

    def _why_no_phases(self) -> str:
        return "" if self.bar.phase.has_phases else "Candles of this interval can begin at one minute only."

    def _on_action(self, action: str) -> None:
        if action == SIMULATED_MARKET:
            self.simulated_market_requested.emit()
        else:
            self.retry_requested.emit()

    # Menus, dates and time zones

    def open_indicators(self, at: QPoint | None = None) -> None:
        """Open the list of indicators at a point of the screen; None: at the chart's corner."""
        self.indicators.open_picker(at)

    def open_templates(self, at: QPoint) -> None:
        """Open the menu of indicator templates at a point of the screen."""
        self.templates.open_menu(at)

    def open_style_menu(self, at: QPoint) -> None:
        """Open the menu of the chart's style at a point of the screen."""
        self._menu.open_style(at)

    def open_zone_picker(self) -> None:
        """Open the list of time zones above its button in the bar."""
        self._times.open_zone_picker(self.bar.zone_corner())

    def open_date_entry(self) -> None:
        """Open the entry line for a date to go to."""
        self._times.open_date_entry()

    def forget_popups(self) -> None:
        """Delete the popups over the window, which are made again when needed: the chart is about to leave it."""
        self._times.forget()
        self.indicators.forget_popups()
        self.templates.forget_popups()

    def _entry_corner(self) -> QPoint:
        return self.mapTo(self.window(), QPoint(style.px(16), style.px(DATE_ENTRY_TOP_PX)))

    def _menu_parts(self) -> MenuParts:
        return MenuParts(
            self._panes,
            self._pane_focus,
            self.navigator,
            self.appearance,
            self.drawings,
            self.indicators,
            self.templates,
            self.reading_tools,
            self.pictures,
        )

    def _menu_requests(self) -> MenuRequests:
        return MenuRequests(
            go_to_date=self.open_date_entry,
            choose_zone=self.open_zone_picker,
            compare=self.comparison_requested.emit,
            download=self.download_requested.emit,
            alert=self.alert_requested.emit,
        )

    def _ask_for_alert(self) -> None:
        cross, pane = self._scene.crosshair, self._scene.price
        is_on_price = cross is not None and pane.rect.top() <= cross.y <= pane.rect.bottom()
        at = pane.value_at(cross.y) if cross is not None and is_on_price else None
        self.alert_requested.emit(None if at is None else self._scene.on_tick(at))

    def _time_us(self) -> int:
        # Until the exchange has answered, this computer's clock is near enough.
        now_us = self._scene_update.countdown.now_us
        return time.time_ns() // 1000 if now_us is None else now_us

    # The bar, and the widgets over the chart

    def _run_command(self, command: str) -> None:
        if command == "date":
            self.open_date_entry()
        else:
            self.keyboard.commands[command]()

    def _make_automatic(self, is_automatic: bool) -> None:
        if is_automatic:
            self.navigator.reset(PRICE)
        else:
            self.navigator.stretch(PRICE, 1.0)  # as if by hand: the range in view stays

    def _ask_for_phase(self, minutes: int) -> None:
        series = self.series
        if series is not None and minutes < series.interval.phases:
            self.interval_requested.emit(series.interval.with_phase(minutes))

    def _show_view(self) -> None:
        if self.series is not None:
            self.bar.set_interval(self.series.interval)
        navigator, scale = self.navigator, self._scene.price.value_scale
        self.bar.set_range(self.ranges.current)
        self.bar.set_away(navigator.has_candles and not navigator.is_following)
        self.bar.set_scale(self._panes.style.scale_mode, automatic=scale.auto)

    def _show_zone(self) -> None:
        self.bar.set_zone(self.appearance.time_style.zone, self._time_us())

    def _place_widgets(self) -> None:
        self._show_zone()  # the style of times may be another
        self._states.place()
        self.bar.set_axis_width(self._scene.layout.value_axis.width())


def _listed(titles: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(titles[:-1]), titles[-1])))
