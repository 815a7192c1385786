"""
The bar under the chart: ranges of time, going to a date, zooming, the time zone, and how the price axis counts.

It decides nothing: a press leaves as a signal, and a button is ticked once the ``set_`` methods say so. Where the bar
is narrow, whole parts leave for its » menu, with the same icon, text and key; nothing is cut. A right click offers all
of them.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from functools import partial

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QIcon
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from app.market.interval import Interval
from widgets.chart.model.time_range import TimeRange
from widgets.chart.popups.zone_picker import ZoneButton
from widgets.chart.scales.value_scale import ScaleMode
from widgets.chart.scales.zones import Zone
from widgets.controls.bar_fitting import BarFitting
from widgets.controls.bar_parts import OverflowMenu, divider, tool_button
from widgets.controls.context_menu import pop_up
from widgets.controls.key_hints import set_key_tip
from widgets.controls.labels import label
from widgets.controls.phase_slider import PhaseSlider
from widgets.keys import key_text
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

HEIGHT = 33
_BUTTON_PX, _DIVIDER_PX = 24, 16
_SPACING = 4
_MARGIN_PX = 8
_TEXT_PX = 12
_WITH_TEXT = Qt.ToolButtonStyle.ToolButtonTextBesideIcon, Qt.ToolButtonStyle.ToolButtonIconOnly
_BEFORE_PARTS = 2  # steps of leaving: the hint, and the text of “Go to…”
_HINT = "Type a symbol or an interval: BTC, 13m"
_SCALES = {
    "percent": ("%", ScaleMode.PERCENT, "Percent axis"),
    "log": ("log", ScaleMode.LOG, "Logarithmic axis"),
}
_STEPS = {
    "zoom_out": ("minus", "Zoom out"),
    "zoom_in": ("plus", "Zoom in"),
    "fit": ("fit", "Usual zoom, automatic axes"),
    "latest": ("latest", "Latest candle"),
}


class ViewBar(QFrame):
    """
    Shows and changes what one chart has in view.

    Signals:
        command_requested(str): a button was pressed; carries the name of its command in `widgets.keys`.
        range_requested(object): show this `TimeRange`.
        automatic_requested(bool): fit the price axis to what is in view from now on, or hold its present range.
        zone_requested(): choose a time zone.
        phase_requested(int): make candles begin that many minutes later.
    """

    command_requested = Signal(str)
    range_requested = Signal(object)
    automatic_requested = Signal(bool)
    zone_requested = Signal()
    phase_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("viewBar")
        self.setAccessibleName("View")
        style.sized(self, fixed_height=HEIGHT)
        self.ranges = {time_range: self._range(time_range) for time_range in TimeRange}
        self._divider = divider(_DIVIDER_PX)
        self.date = self._button("Go to a date", "", partial(self._ask, "date"))
        set_key_tip(self.date, "Go to a date", "date")
        self.date.setText(" Go to…")
        self.hint = label(_HINT, "faint", style.font(style.SMALL_PX))
        self.steps = {command: self._step(command) for command in _STEPS}
        self.phase = PhaseSlider()
        self.phase.phase_requested.connect(self.phase_requested)
        self.zone = ZoneButton()
        self.zone.clicked.connect(lambda: self.zone_requested.emit())
        self.overflow_button = self._button("More of the view", "What the bar has no room for", None)
        self.overflow = OverflowMenu(self)
        self.overflow_button.setMenu(self.overflow)
        self.overflow_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.scales = {command: self._scale(command) for command in _SCALES}
        self.automatic = self._button("Automatic price axis", "", None)
        set_key_tip(self.automatic, "Fit the price axis to what is in view", "automatic")
        self.automatic.setText("auto")
        self.automatic.clicked.connect(lambda: self._ask_for_automatic())
        self._scale_group = QFrame()
        self._scale_group.setObjectName("scaleGroup")
        self._axis_px = 0
        self._palette = DARK
        self._can_hint = True
        self._is_away = False
        self._range_shown: TimeRange | None = None
        self._scale_mode, self._is_automatic = ScaleMode.LINEAR, True
        self._gone = 0  # of the steps in the order of leaving
        self._date_px = 0, 0  # the width of its button with text, and without
        self._fitting = BarFitting(self, self._place, self._measure)
        self._arrange()
        self._tick_scale()
        self.set_palette(DARK)

    # What is in force

    def set_range(self, time_range: TimeRange | None) -> None:
        """Tick the range in view; None: it is none of them. Cheap: call it for every frame."""
        if time_range is not self._range_shown:
            self._range_shown = time_range
            self._tick_range()
            self._offer_overflow()

    def set_scale(self, mode: ScaleMode, *, automatic: bool) -> None:
        """Tick how the price axis counts, and whether it fits what is in view. Cheap: call it for every frame."""
        if (mode, automatic) != (self._scale_mode, self._is_automatic):
            self._scale_mode, self._is_automatic = mode, automatic
            self._tick_scale()
            self._offer_overflow()

    def set_away(self, is_away: bool) -> None:
        """Show whether the latest candle is out of view. Cheap: call it for every frame."""
        if is_away != self._is_away:
            self._is_away = is_away
            self._show_latest_icon()

    def set_zone(self, zone: Zone, now_us: int) -> None:
        """Show the zone's offset from UTC at a time, UTC microseconds."""
        before = self.zone.text()
        self.zone.show_zone(zone, now_us)
        if self.zone.text() != before:
            self._fitting.fit()

    def set_interval(self, interval: Interval) -> None:
        """Show the phase of the chart's interval. Cheap: call it for every frame."""
        if self.phase.set_interval(interval):
            self._fitting.fit()

    def set_axis_width(self, pixels: float) -> None:
        """Stand the price axis's buttons under the axis, where they are no wider than that; logical pixels."""
        if round(pixels) != self._axis_px:
            self._axis_px = round(pixels)
            self._fitting.fit()

    def show_hint(self, can_hint: bool) -> None:
        """Say that one may just type a symbol or an interval, or no longer."""
        if can_hint != self._can_hint:
            self._can_hint = can_hint
            self._fitting.fit()

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.date.setIcon(icons.icon("calendar", palette.dim))
        self.zone.set_palette(palette)
        self.overflow_button.setIcon(icons.icon("more", palette.dim))
        for command, (name, _) in _STEPS.items():
            self.steps[command].setIcon(icons.icon(name, palette.dim))
        self._show_latest_icon()
        self._offer_overflow()

    def zone_corner(self) -> QPoint:
        """Return the top right corner of the zone's button, or of what stands for it, on the screen."""
        shown = self.zone if self.zone.isVisible() else self.overflow_button
        return shown.mapToGlobal(shown.rect().topRight())

    # Room

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())  # parts leave; the bar never widens the window

    def _leaving(self) -> list[tuple[QWidget, ...]]:
        """Return the parts that stand in the » menu once they have left, in the order of leaving."""
        steps = self.steps
        return [
            (steps["zoom_out"], steps["zoom_in"]),
            *([(self.phase,)] if self.phase.has_phases else []),
            (self.date,),
            (steps["fit"],),
            (self.zone,),
            (*self.ranges.values(), self._divider),
            (steps["latest"],),
            (self._scale_group,),
        ]

    def _measure(self) -> None:
        """Draw the icons in the size of text, and note the widths that depend on it."""
        self.phase.fit_text()
        self.set_palette(self._palette)
        for button in self.findChildren(QToolButton):
            button.ensurePolished()
        widths = []
        for with_or_without in _WITH_TEXT:
            self.date.setToolButtonStyle(with_or_without)
            widths.append(self.date.sizeHint().width())
        self._date_px = widths[0], widths[1]
        self._fitting.fit()

    def _place(self) -> None:
        """Keep in the bar what has room: the hint leaves first, then the text of “Go to…”, then whole parts."""
        self._scale_group.setFixedWidth(max(self._scale_group.sizeHint().width(), self._axis_px))
        self.phase.setVisible(self.phase.has_phases)
        order = self._leaving()
        steps = range(0 if self._can_hint else 1, len(order) + _BEFORE_PARTS)
        gone = self._gone = next((count for count in steps if self._width_without(count) <= self.width()), steps.stop)
        self.hint.setVisible(gone == 0)
        self.date.setToolButtonStyle(_WITH_TEXT[0 if gone <= 1 else 1])
        for place, parts in enumerate(order):
            for part in parts:
                part.setHidden(place < gone - _BEFORE_PARTS)
        self.overflow_button.setVisible(gone > _BEFORE_PARTS)
        self._offer_overflow()

    def _width_without(self, gone: int) -> int:
        """Return the width that the bar needs once so many steps of leaving are taken, in logical pixels."""
        parts = [part for parts in self._leaving()[max(gone - _BEFORE_PARTS, 0) :] for part in parts]
        widths = [part.width() if part is self._scale_group else part.sizeHint().width() for part in parts]
        if self.date in parts:
            widths[parts.index(self.date)] = self._date_px[0 if gone <= 1 else 1]
        if gone == 0:
            widths.append(self.hint.sizeHint().width())
        if gone > _BEFORE_PARTS:
            widths.append(self.overflow_button.sizeHint().width())
        return sum(widths) + _SPACING * (len(widths) + 2) + _MARGIN_PX

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = OverflowMenu(self)
        self._offer(menu, {part for parts in self._leaving() for part in parts})
        pop_up(menu, event.globalPos())

    def _offer_overflow(self) -> None:
        """List in the » menu what has left the bar."""
        self.overflow.clear()
        left = self._leaving()[: max(self._gone - _BEFORE_PARTS, 0)]
        self._offer(self.overflow, {part for parts in left for part in parts})

    def _offer(self, menu: OverflowMenu, offered: Set[QWidget]) -> None:
        """Add what these parts do to a menu."""
        dim = self._palette.dim
        if self._divider in offered:
            for each in TimeRange:
                is_on = each is self._range_shown
                call = partial(self._ask_for_range, each)
                menu.add(QIcon(), f"Show {each.words}", key_text(each.command), call, is_checked=is_on)
        if self.date in offered:
            menu.add(icons.icon("calendar", dim), "Go to…", key_text("date"), partial(self._ask, "date"))
        for command, (icon, name) in _STEPS.items():
            if self.steps[command] in offered:
                menu.add(icons.icon(icon, dim), name, key_text(command), partial(self._ask, command))
        if self.phase in offered:
            menu.add(QIcon(), "Candles a minute later", key_text("phase_later"), partial(self._ask, "phase_later"))
            menu.add(
                QIcon(), "Candles a minute earlier", key_text("phase_earlier"), partial(self._ask, "phase_earlier")
            )
        if self.zone in offered:
            name = f"{self.zone.accessibleName()}…"
            menu.add(icons.icon("clock", dim), name, "", self.zone_requested.emit)
        if self._scale_group in offered:
            for command, (_, mode, name) in _SCALES.items():
                is_on = mode is self._scale_mode
                menu.add(QIcon(), name, key_text(command), partial(self._ask, command), is_checked=is_on)
            name, key = self.automatic.accessibleName(), key_text("automatic")
            menu.add(QIcon(), name, key, self._ask_for_automatic, is_checked=self._is_automatic)

    # Parts

    def _ask(self, command: str) -> None:
        self._tick_scale()  # the press has ticked its own button
        self.command_requested.emit(command)

    def _ask_for_range(self, time_range: TimeRange) -> None:
        self._tick_range()
        self.range_requested.emit(time_range)

    def _tick_range(self) -> None:
        for time_range, button in self.ranges.items():
            button.setChecked(time_range is self._range_shown)

    def _ask_for_automatic(self) -> None:
        self._tick_scale()
        self.automatic_requested.emit(not self._is_automatic)

    def _tick_scale(self) -> None:
        for command, (_, mode, _) in _SCALES.items():
            self.scales[command].setChecked(mode is self._scale_mode)
        self.automatic.setChecked(self._is_automatic)

    def _show_latest_icon(self) -> None:
        palette = self._palette
        self.steps["latest"].setIcon(icons.icon("latest", palette.accent if self._is_away else palette.dim))

    def _button(self, name: str, tip: str, press: Callable[[], object] | None) -> QToolButton:
        button = tool_button(name, tip)
        button.setFont(style.font(_TEXT_PX))
        style.sized(button, fixed_height=_BUTTON_PX)
        if press is not None:
            button.clicked.connect(lambda: press())
        return button

    def _range(self, time_range: TimeRange) -> QToolButton:
        name = f"Show {time_range.words}"
        button = self._button(name, "", partial(self._ask_for_range, time_range))
        set_key_tip(button, name, time_range.command)
        button.setText(time_range.value)
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        return button

    def _step(self, command: str) -> QToolButton:
        _, name = _STEPS[command]
        button = self._button(name, "", partial(self._ask, command))
        set_key_tip(button, name, command)
        button.setAutoRepeat(command.startswith("zoom"))
        return button

    def _scale(self, command: str) -> QToolButton:
        text, _, name = _SCALES[command]
        button = self._button(name, "", partial(self._ask, command))
        set_key_tip(button, name, command)
        button.setText(text)
        return button

    def _arrange(self) -> None:
        inner = QHBoxLayout(self._scale_group)
        inner.setContentsMargins(3, 0, 2, 0)
        inner.setSpacing(0)
        inner.addStretch(1)
        for button in (*self.scales.values(), self.automatic):
            button.setCheckable(True)
            button.setFont(style.font(style.SMALL_PX))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            inner.addWidget(button)
        inner.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(_MARGIN_PX, 0, 0, 0)
        layout.setSpacing(_SPACING)
        for button in self.ranges.values():
            layout.addWidget(button)
        layout.addWidget(self._divider)
        layout.addWidget(self.date)
        layout.addWidget(self.hint)
        layout.addStretch(1)
        for step in self.steps.values():
            layout.addWidget(step)
        layout.addStretch(1)
        layout.addWidget(self.phase)
        layout.addWidget(self.zone)
        layout.addWidget(self.overflow_button)
        layout.addWidget(self._scale_group)
        for button in (*self.steps.values(), self.overflow_button):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        style.sized(self.zone, fixed_height=_BUTTON_PX)
        self.zone.setFont(style.font(_TEXT_PX))
