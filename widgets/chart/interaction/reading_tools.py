"""
The tools to read a chart exactly: measuring, copying values, stepping the crosshair from candle to candle.

They act on the `Readout`'s pointer and measure and request a frame, which moves the crosshair and paints. Pictures are
`picture_export`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPointF
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from app.market.series.series import Bar, CandleSeries
from app.market.symbol import Symbol
from widgets.chart.frames.frame_timer import FrameTimer
from widgets.chart.interaction.navigator import Navigator
from widgets.chart.interaction.picture_export import PictureExport
from widgets.chart.interaction.readout import Readout
from widgets.chart.model.clipboard_text import candle_as_text, plain_number, price_as_text, time_as_text
from widgets.chart.model.legend import completeness
from widgets.chart.model.pane_layout import PRICE, VOLUME
from widgets.chart.painting.pane import Pane, ValueFormat
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import bar_at, missing_in, value_text
from widgets.chart.scales.time_text import full_time
from widgets.keys import key_in_brackets, key_text

_MARGIN_SLOTS = 2


class ReadingTools:
    """Reads one scene; positions are logical pixels of the view. ``note``: called with what was copied."""

    def __init__(
        self,
        scene: Scene,
        readout: Readout,
        navigator: Navigator,
        frames: FrameTimer,
        note: Callable[[str], object],
    ) -> None:
        self._scene, self._readout, self._navigator, self._frames = scene, readout, navigator, frames
        self._note = note

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what these tools do for commands of `widgets.keys`, by the commands' names."""
        return {
            "measure": self.toggle_measure,
            "copy": self.copy_value,
            "candle_before": partial(self.step_crosshair, -1),
            "candle_after": partial(self.step_crosshair, 1),
        }

    def reasons(self) -> dict[str, Callable[[], str]]:
        """Return why a command cannot run now, by the commands' names."""
        candle = dict.fromkeys(("copy", "candle_before", "candle_after"), self._why_no_candle)
        return {**candle, "measure": self._why_no_measure}

    def fill_menu(self, menu: QMenu, position: QPointF, pictures: PictureExport) -> None:
        """Add the entries for the value and the candle at a position: copying, measuring, saving a picture."""
        series, scene = self._navigator.series, self._scene
        copy = menu.addMenu("Copy")
        if series is not None and scene.layout.panes.contains(position):
            self._add_values(copy, series, position)
        if scene.measure is not None:
            copy.addAction(f"Measure\t{key_text('copy')}", self.copy_value)
        copy.addAction(f"Picture\t{key_text('copy_picture')}", pictures.copy)
        menu.addAction(f"Save picture…\t{key_text('save_picture')}", pictures.save)
        if scene.measure is None:
            menu.addAction("Measure from here\tShift+drag", partial(self.toggle_measure, position))
        else:
            menu.addAction(f"Remove the measure\t{key_text('cancel')}", self.clear_measure)

    def _add_values(self, copy: QMenu, series: CandleSeries, position: QPointF) -> None:
        scene = self._scene
        pane = scene.pane_at(position.y())
        slot = scene.time_scale.slot_at(position.x())
        rules = scene.time_style.zone.rules_for(series.interval)
        bar = bar_at(series, slot)
        if pane is not None:
            value, title = self._value_at(pane, position.y()), _pane_title(pane)
            copy.addAction(f"{title} {value}", partial(self._copy, value, f"{title} {value}"))
        time = time_as_text(series.interval.slot_open_us(slot), rules)
        copy.addAction(f"Time {time}", partial(self._copy, time, time))
        if bar is not None and scene.symbol is not None:
            # With a measure on the chart, the key copies that instead.
            keys = "" if scene.measure is not None else f"\t{key_text('copy')}"
            copy.addAction(f"Candle{keys}", partial(self._copy_candle, bar, scene.symbol, series))

    def _value_at(self, pane: Pane, y: float) -> str:
        """Return the value at a height of a pane as a plain number: prices even where the axis shows percents."""
        value = pane.value_at(y)
        if pane.value_format is ValueFormat.PRICE:
            return price_as_text(value, self._scene.symbol)
        return plain_number(value_text(self._scene, pane, value))

    # The crosshair

    def point_at(self, position: QPointF | None) -> None:
        """Put the crosshair there; None: nowhere."""
        self._readout.pointer = position
        self._frames.request()

    def step_crosshair(self, by: int) -> bool:
        """Move the crosshair by that many candles, first from the latest in view; the view follows it where it must."""
        scene, series = self._scene, self._navigator.series
        if series is None or not len(series):
            return False
        time_scale = scene.time_scale
        if scene.crosshair:
            slot = time_scale.slot_beside(scene.crosshair.slot, by)
        else:
            slot = min(int(time_scale.edges[1] - 0.5), time_scale.last)
        bar = series.bar(min(max(series.index_at_slot(slot), 0), len(series) - 1))
        beyond = time_scale.x_of(bar.slot + _MARGIN_SLOTS) - time_scale.width_px
        before = -time_scale.x_of(bar.slot - _MARGIN_SLOTS)
        if max(beyond, before) > 0:
            self._navigator.step(before if before > 0 else -beyond)
        leading = scene.leading
        y = leading.y_of(bar.close) if leading is scene.price else leading.rect.center().y()
        self.point_at(QPointF(time_scale.x_of(bar.slot), y))
        return True

    def nudge_crosshair(self, across: int, up: int) -> bool:
        """
        Move the crosshair by so many candles, and so many logical pixels up within the price pane.

        One that is nowhere comes to the latest candle in view. False without candles.
        """
        pointer, pane = self._readout.pointer, self._scene.price.rect
        if pointer is None:
            return self.step_crosshair(0)
        y = min(max(pointer.y() - up, pane.top()), pane.bottom() - 1)
        if across and not self.step_crosshair(across):
            return False
        self.point_at(QPointF((self._readout.pointer or pointer).x(), y))
        return True

    # Measuring

    def press_measure(self, position: QPointF, *, begins: bool) -> bool:
        """Take a press of the mouse: begin a measure, or fix one that follows the crosshair; False: neither."""
        tool = self._readout.measure_tool
        if begins:
            return self._request_frame_if(tool.begin(self._navigator.series, position))
        if tool.follows:
            tool.fix()
            return True
        self.clear_measure()
        return False

    def release_measure(self) -> None:
        """Take the release: a measure that was dragged is fixed; one that was only begun goes on following."""
        measure = self._scene.measure
        if measure is not None and self._readout.measure_tool.follows:
            # The frame that is due moves the measure's end to the pointer.
            self._frames.run_now()
            if self._scene.measure is not None and self._scene.measure.end != measure.start:
                self._readout.measure_tool.fix()

    def toggle_measure(self, position: QPointF | None = None) -> bool:
        """Begin a measure at a position, None: at the crosshair; or fix the one that follows the crosshair."""
        tool, cross = self._readout.measure_tool, self._scene.crosshair
        if tool.follows:
            tool.fix()
            return True
        if position is None and cross is not None:
            position = QPointF(self._scene.time_scale.x_of(cross.slot), cross.y)
        return position is not None and self._request_frame_if(tool.begin(self._navigator.series, position))

    def _why_no_candle(self) -> str:
        return "" if self._navigator.has_candles else "The chart has no candles yet."

    def _why_no_measure(self) -> str:
        if self._readout.measure_tool.follows or self._scene.crosshair is not None:
            return ""
        return self._why_no_candle() or f"Put the crosshair on a candle first{key_in_brackets('candle_before')}."

    def clear_measure(self) -> bool:
        """Remove the measure; False where there is none."""
        return self._request_frame_if(self._readout.measure_tool.clear())

    def _request_frame_if(self, changed: bool) -> bool:
        if changed:
            self._frames.request()
        return changed

    # Copying

    def copy_value(self) -> bool:
        """Copy the measure, else the candle under the crosshair, else the latest; False where there is none."""
        scene, series = self._scene, self._navigator.series
        measure, bar, symbol = scene.measure, self._readout.bar, scene.symbol
        if measure is not None and measure.lines:
            self._copy("\n".join(measure.lines), "the measure")
        elif bar is not None and symbol is not None and series is not None:
            self._copy_candle(bar, symbol, series)
        else:
            return False
        return True

    def _copy_candle(self, bar: Bar, symbol: Symbol, series: CandleSeries) -> None:
        interval, rules = series.interval, self._scene.time_style.zone.rules_for(series.interval)
        state = completeness(bar, missing_in(self._readout.gaps, bar, interval))
        when = full_time(bar.open_time_us, interval, rules)
        text = candle_as_text(bar, symbol, rules, state.text.removeprefix("✓ "))
        self._copy(text, f"the {interval} candle of {symbol.display_name}, {when}, as a row for a spreadsheet")

    def _copy(self, text: str, what: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._note(f"Copied: {what}.")


def _pane_title(pane: Pane) -> str:
    return {PRICE: "Price", VOLUME: "Volume"}.get(pane.key) or pane.layers[0].title
