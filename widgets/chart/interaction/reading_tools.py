"""What the user does to read a chart exactly: measure, copy values and pictures, go from candle to candle by keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPointF, QStandardPaths
from PySide6.QtGui import QGuiApplication, QPixmap
from PySide6.QtWidgets import QFileDialog, QMenu, QMessageBox

from widgets.chart.interaction.menus import copy_text, fill_reading_menu
from widgets.chart.interaction.view_part import ViewPart
from widgets.chart.model.clipboard_text import candle_as_text, time_as_text

_MARGIN_SLOTS = 2


class ReadingTools(ViewPart):
    """The tools to read a `ChartView` with."""

    def reading_commands(self) -> dict[str, Callable[[], object]]:
        """Return what the commands of `widgets.keys` that are about reading do."""
        return {
            "measure": self.toggle_measure,
            "magnet": self.toggle_magnet,
            "copy": self.copy_value,
            "copy_picture": self.copy_picture,
            "save_picture": self.save_picture,
            "candle_before": partial(self.step_crosshair, -1),
            "candle_after": partial(self.step_crosshair, 1),
        }

    # Measuring

    def press_measure(self, position: QPointF, *, begins: bool) -> bool:
        """Take a press of the mouse: begin, or end a measure that follows the crosshair; False: it was for neither."""
        tool = self._reader.measuring
        if begins:
            return self._changed_measure(tool.begin(self._series, position))
        if tool.follows:
            tool.fix()
            return True
        self.clear_measure()
        return False

    def release_measure(self) -> None:
        """Take the release: a measure that was dragged stays; one that was only begun goes on following."""
        measure = self._scene.measure
        if measure is not None and self._reader.measuring.follows:
            self.frame_now()
            if self._scene.measure is not None and self._scene.measure.end != measure.start:
                self._reader.measuring.fix()

    def toggle_measure(self, position: QPointF | None = None) -> bool:
        """Begin to measure at a place, or where the crosshair is; let a measure that follows it stay as it is."""
        tool, cross = self._reader.measuring, self._scene.crosshair
        if tool.follows:
            tool.fix()
            return True
        if position is None and cross is not None:
            position = QPointF(self._scene.time_scale.x_of(cross.slot), cross.y)
        return position is not None and self._changed_measure(tool.begin(self._series, position))

    def clear_measure(self) -> bool:
        """Take the measure away; False where there is none."""
        return self._changed_measure(self._reader.measuring.clear())

    def _changed_measure(self, changed: bool) -> bool:
        if changed:
            self._frames.request()
        return changed

    def toggle_magnet(self) -> None:
        """Have the crosshair drawn to candles' prices, or no longer."""
        self._scene.price_snap = not self._scene.price_snap
        self.look_changed.emit()
        self._frames.request()

    # Copying

    def copy_value(self) -> bool:
        """Copy what is measured, else the candle under the crosshair, else the latest."""
        measure, bar, symbol = self._scene.measure, self._reader.bar, self._scene.symbol
        if measure is not None and measure.lines:
            copy_text("\n".join(measure.lines))
        elif bar is not None and symbol is not None and self._series is not None:
            copy_text(candle_as_text(bar, symbol, self._scene.time_style.zone.rules_for(self._series.interval)))
        else:
            return False
        return True

    def picture(self) -> QPixmap:
        """Return the chart as it is shown, in device pixels, without the crosshair."""
        pointer, self._reader.pointer = self._reader.pointer, None
        self._run_frame()
        pixmap: QPixmap = self._canvas.grab()
        self._draw_corner(pixmap)
        self._reader.pointer = pointer
        self._run_frame()
        return pixmap

    def copy_picture(self) -> None:
        """Copy the chart as a picture."""
        QGuiApplication.clipboard().setPixmap(self.picture())

    def save_picture(self) -> None:
        """Ask for a file and save the chart there, as PNG."""
        pixmap = self.picture()
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        path, _ = QFileDialog.getSaveFileName(
            self._widget, "Save the picture", str(Path(folder) / self._picture_name()), "PNG pictures (*.png)"
        )
        if path and not pixmap.save(path if path.lower().endswith(".png") else f"{path}.png", "PNG"):
            text = f"The picture could not be written to {path}: choose a folder that you may write to."
            QMessageBox.warning(self._widget, "Save the picture", text)

    def _picture_name(self) -> str:
        series, last = self._series, self._scene.last
        if series is None or last is None:
            return "chart.png"
        stamp = (
            time_as_text(last.open_time_us, self._scene.time_style.zone.rules)[:16].replace(":", "").replace("T", " ")
        )
        return f"{series.symbol} {series.interval} {stamp}.png"

    # By keys

    def step_crosshair(self, by: int) -> bool:
        """Move the crosshair by that many candles, from the latest in view on; the view follows where it must."""
        scene, series = self._scene, self._series
        if series is None or not len(series):
            return False
        slot = (
            scene.crosshair.slot + by
            if scene.crosshair
            else min(int(scene.time_scale.right - 0.5), scene.time_scale.last)
        )
        bar = series.bar(min(max(series.index_at_slot(slot), 0), len(series) - 1))
        beyond = scene.time_scale.x_of(bar.slot + _MARGIN_SLOTS) - scene.time_scale.width_px
        before = -scene.time_scale.x_of(bar.slot - _MARGIN_SLOTS)
        if max(beyond, before) > 0:
            self.step(before if before > 0 else -beyond)
        self.point_at(QPointF(scene.time_scale.x_of(bar.slot), scene.price.y_of(bar.close)))
        return True

    # What the view leaves to its parts

    def _fill_reading_menu(self, menu: QMenu, position: QPointF) -> None:
        fill_reading_menu(menu, self, self._scene, self._series, position)

    def _draw_corner(self, pixmap: QPixmap) -> None:
        """Draw on a picture what stands beside the canvas. To be extended."""
