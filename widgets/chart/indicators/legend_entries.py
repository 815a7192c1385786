"""
The studies' entries in the panes' titles: each one's name in its colour, and its values at the crosshair.

In the price pane each has a row below the legend, unless they are folded; in the volume pane they follow its title, and
in panes of their own they are the title. At the right of each there is room for its buttons. Texts change when another
candle is under the crosshair; painting only draws them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPen

from app.market.indicators import Shape, Unit
from app.market.indicators.blocks import shortest_in_reach
from app.market.series.series import CandleSeries
from widgets.chart.indicators.study import Study, StudySet
from widgets.chart.indicators.study_layer import StudyLayer
from widgets.chart.model.legend import format_quantity
from widgets.chart.model.pane_layout import PRICE, VOLUME
from widgets.chart.painting.chart_overlay import LEGEND_ROW_PX as ROW_PX
from widgets.chart.painting.chart_overlay import title_middle
from widgets.chart.painting.day_shading import fill_ground
from widgets.chart.painting.device_pixels import DevicePixels
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.scene import PADDING_PX, Scene
from widgets.chart.painting.scene_builder import decimals_of
from widgets.chart.painting.scene_item import SceneItem
from widgets.chart.painting.title_row import legend_width
from widgets.chart.scales.value_marks import decimals_of_values, format_price

_BETWEEN_PX, _SPACE_PX, _REACH_PX = 16.0, 6.0, 6.0
_BUTTONS_PX = 112.0  # room for an entry's buttons where another entry follows in the same row
_MOST_OF_PANE, _MOST_RESERVED = 0.6, 0.2  # of the price pane: rows in it, and rows that prices keep clear of
_LEAST_PANE_PX = 24.0
FRAME_RADIUS_PX = 4.0
UNKNOWN = "—"

Run = tuple[str, QColor]


@dataclass(slots=True)
class LegendEntry:
    """A study's texts from left to right, its name first, and their rectangle in the view's logical pixels."""

    key: str
    pane: str
    runs: list[Run]
    rect: QRectF

    @property
    def text(self) -> str:
        return " ".join(text for text, _ in self.runs)

    @property
    def drawn(self) -> tuple[object, ...]:
        """A key that differs when the entry looks different."""
        rect = self.rect
        return rect.left(), rect.top(), rect.width(), *((text, colour.rgb()) for text, colour in self.runs)


class LegendEntries:
    """The entries of a scene. Call `refresh` when another candle is read, or studies or panes change."""

    def __init__(self, scene: Scene, studies: StudySet) -> None:
        self._scene, self._studies = scene, studies
        self._entries: list[LegendEntry] = []
        self.hovered = ""  # the key of the entry that has the buttons
        self.price_rows = 0  # rows below the legend that prices keep clear of
        self.fold_rect = QRectF()  # where the button goes that folds the rows; empty: nowhere
        self.folded_count = 0  # entries over the prices that have no row

    def __iter__(self) -> Iterator[LegendEntry]:
        return iter(self._entries)

    def at(self, position: QPointF) -> LegendEntry | None:
        """Return the entry at a position, or None."""
        return next((entry for entry in self._entries if entry.rect.contains(position)), None)

    def refresh(self, series: CandleSeries | None, slot: int | None) -> list[QRectF]:
        """Show the values of a slot's candle; return the rectangles of the view to repaint."""
        before = {entry.drawn: entry.rect for entry in self._entries}
        self._entries, self.fold_rect, self.price_rows = [], QRectF(), 0
        if series is not None and slot is not None:
            row = series.index_at_slot(slot)
            for pane in self._scene.panes:
                self._add(pane, series, row if row >= 0 and int(series.slots[row]) == slot else None)
        after = {entry.drawn: entry.rect for entry in self._entries}
        return [rect for key, rect in (before | after).items() if key not in before or key not in after]

    def _add(self, pane: Pane, series: CandleSeries, row: int | None) -> None:
        for layer in pane.layers:
            if isinstance(layer, StudyLayer):
                runs = self._runs(pane, layer.study, series, row)
                self._entries.append(LegendEntry(layer.study.key, pane.key, runs, QRectF()))
        self._lay_out(pane)

    def _runs(self, pane: Pane, study: Study, series: CandleSeries, row: int | None) -> list[Run]:
        palette, colours = self._scene.palette, self._scene.colours
        outputs = study.outputs
        if study.is_hidden:
            return [(study.label, colours.faint), ("hidden", colours.faint)]
        runs = [(study.label, study.name_colour(palette))]
        known = row is not None and row < len(study.values) and len(study.values) == len(series)
        if reason := self._reason(study, series, row if known else None):
            return [*runs, (reason, colours.dim)]
        is_plain = study.is_in_one_colour
        for output in outputs:
            value = float(study.values.column(output.name)[row]) if known and row is not None else np.nan
            colour = colours.text if is_plain else study.colour_of(palette, output.name)
            if output.shape is Shape.COLUMNS and output.name not in study.colours:
                colour = colours.rising if value >= 0 else colours.falling
            runs.append((self._value_text(pane, study, value), colour))
        return runs

    def _reason(self, study: Study, series: CandleSeries, row: int | None) -> str:
        """Return why a candle can have no values; empty if it has some, or may get some as older candles load."""
        if row is None or any(np.isfinite(study.values.column(one.name)[row]) for one in study.outputs):
            return ""
        blocks = study.values.blocks(series.interval, self._scene.open_axis)[0]  # sessions are not repeated
        if blocks.session is None or not blocks.reaches_too_far(int(series.slots[row])):
            return ""
        session, enough = blocks.session, shortest_in_reach(blocks.session)
        return f"needs candles of {enough.name} or longer this far into the {session.value}"

    def _value_text(self, pane: Pane, study: Study, value: float) -> str:
        if not np.isfinite(value):
            return UNKNOWN
        symbol = self._scene.symbol
        if study.indicator.unit is Unit.QUANTITY:
            return format_quantity(value, symbol.quantity_decimals if symbol else 2)
        if pane.key == PRICE:
            return format_price(value, decimals_of(self._scene))
        return format_price(value, decimals_of_values(pane.value_scale))

    def _lay_out(self, pane: Pane) -> None:
        """Place a pane's entries."""
        entries = [entry for entry in self._entries if entry.pane == pane.key]
        for entry in entries:
            self._cut(entry, pane.rect.width() - 2 * PADDING_PX)
        if pane.key == PRICE:
            self._lay_out_rows(pane, entries)
            return
        x, row = PADDING_PX, 0
        if pane.key == VOLUME and pane.title:
            x += legend_width(self._scene.styles, pane.title) + _BETWEEN_PX * pane.scale
        for at, entry in enumerate(entries):
            if at and self._fits(pane, row + 1):
                x, row = PADDING_PX, row + 1
            if self._fits(pane, row):
                self._place(pane, entry, x, row)
            x += self._width(entry) + _BUTTONS_PX * pane.scale

    def _lay_out_rows(self, pane: Pane, entries: list[LegendEntry]) -> None:
        """Place the entries over the prices, one below the other, and the button that folds them below the last."""
        height = pane.rect.height()
        room = max(int(height * _MOST_OF_PANE / (ROW_PX * pane.scale)), 1)
        has_fold = len(entries) > 1
        shown = 0 if self._scene.legend_folded and has_fold else min(len(entries), room - has_fold)
        if not self._fits(pane, 1):
            shown, has_fold = 0, False
        for row, entry in enumerate(entries[:shown], 1):
            self._place(pane, entry, PADDING_PX, row)
        self.folded_count = len(entries) - shown
        side = ROW_PX * pane.scale
        top = pane.rect.top() + self._middle(pane, shown + 1) - side / 2
        self.fold_rect = QRectF(PADDING_PX - _REACH_PX, top, side, side) if has_fold else QRectF()
        self.price_rows = min(shown + has_fold, int(height * _MOST_RESERVED / side))

    def _middle(self, pane: Pane, row: int) -> float:
        """Return the distance from a pane's top to the middle of a row; row 0 is that of the title."""
        return title_middle(pane) + ROW_PX * pane.scale * row

    def _fits(self, pane: Pane, row: int) -> bool:
        least = max(self._middle(pane, row) + ROW_PX * pane.scale / 2, _LEAST_PANE_PX)
        return pane.rect.height() >= least

    def _cut(self, entry: LegendEntry, room: float) -> None:
        """Leave out the last values of an entry that is too wide for its pane, whole ones."""
        while len(entry.runs) > 2 and self._width(entry) > room:
            entry.runs[-2:] = [("…", self._scene.colours.dim)]

    @property
    def _space(self) -> float:
        """The space between two texts of an entry, in logical pixels."""
        return _SPACE_PX * self._scene.styles.scale

    def _width(self, entry: LegendEntry) -> float:
        style = self._scene.styles.body
        return sum(style.width(text) for text, _ in entry.runs) + self._space * (len(entry.runs) - 1)

    def _place(self, pane: Pane, entry: LegendEntry, x: float, row: int) -> None:
        height = self._scene.styles.body.height + 4
        top = pane.rect.top() + self._middle(pane, row) - height / 2
        entry.rect = QRectF(x - _REACH_PX, top, self._width(entry) + 2 * _REACH_PX, height)


class LegendEntriesItem(SceneItem):
    """Paints `LegendEntries`, above everything else in the panes."""

    title = "the indicators' names"

    def __init__(self, scene: Scene, entries: LegendEntries) -> None:
        super().__init__(scene)
        self._entries = entries

    def _draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        exposed = [entry for entry in self._entries if self._scene.is_exposed(entry.rect) and not entry.rect.isEmpty()]
        if not exposed:
            return
        style = self._scene.styles.body
        pixels.logical()
        painter.setClipRect(self._scene.layout.panes)
        for entry in exposed:
            if entry.key == self._entries.hovered:
                self._paint_frame(painter, entry.rect)
            else:
                fill_ground(painter, self._scene, entry.rect)
            x, middle = entry.rect.left() + _REACH_PX, entry.rect.center().y()
            for text, colour in entry.runs:
                style.draw(painter, pixels, text, x, middle, colour)
                x += style.width(text) + _SPACE_PX * self._scene.styles.scale
        pixels.device()

    def _paint_frame(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the ground of the entry that has the buttons: it and they look like one panel."""
        colours = self._scene.colours
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colours.frame, 1.0))
        painter.setBrush(QColor(colours.palette.raised))
        # The buttons cover the corners at the right.
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, _REACH_PX, -0.5), FRAME_RADIUS_PX, FRAME_RADIUS_PX)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
