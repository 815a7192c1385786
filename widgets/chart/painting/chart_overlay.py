"""
The overlay above the bars: bands of missing trades and of differing candles, the last price's line, crosshair, measure,
legend and titles.
"""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.day_shading import fill_ground, paint_session_names
from widgets.chart.painting.device_pixels import Dashes, DevicePixels
from widgets.chart.painting.measure_painting import paint_measure
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.scene import PADDING_PX, GapMark, Scene
from widgets.chart.painting.scene_item import SceneItem
from widgets.chart.painting.text_cache import TextStyle
from widgets.chart.painting.title_row import TitleRow

LEGEND_MIDDLE_PX = 20.0
_GAP_TEXT_MIDDLE_PX = 42.0
TITLE_MIDDLE_PX = 12.0
LEGEND_ROW_PX = 20.0
_TITLE_LEAST_PX = 40.0  # a pane less high than this has no title
_HATCH_PX = 7
_NARROWEST_GAP_PX = 3.0
_DIFFERENCE_ALPHA, _DIFFERENCE_BAR_PX = 0.14, 3.0


def title_rect(scene: Scene, pane: Pane) -> QRectF:
    """Return the rectangle of a pane's title row, in the view's logical pixels."""
    height = scene.styles.body.height + 4
    return QRectF(0, pane.rect.top() + title_middle(pane) - height / 2, scene.layout.panes.width(), height)


def title_middle(pane: Pane) -> float:
    """Return the distance from the pane's top to the middle of its title, in logical pixels."""
    return (LEGEND_MIDDLE_PX if pane.key == PRICE else TITLE_MIDDLE_PX) * pane.scale


class ChartOverlay(SceneItem):
    """One item over all panes."""

    title = "the crosshair and the legend"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._dashes = Dashes()
        self._hatch: tuple[tuple[float, str], QPixmap] | None = None
        self._rows: dict[str, TitleRow] = {}

    def _draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        panes = self._scene.layout.panes
        if panes.isEmpty():
            return
        area = pixels.rect(panes)
        painter.setClipRect(area)
        for gap in self._scene.gaps:
            self._paint_gap(painter, pixels, area, gap)
        for mark in self._scene.differences:
            self._paint_difference(painter, pixels, area, mark)
        self._paint_last_line(painter, pixels, area)
        if self._scene.alert_lines is not None:
            self._scene.alert_lines.paint_lines(painter, pixels)
        self._paint_crosshair(painter, pixels, area)
        paint_measure(painter, pixels, self._scene)
        pixels.logical()
        paint_session_names(painter, pixels, self._scene)
        self._paint_gap_texts(painter, pixels)
        for pane in self._scene.panes:
            self._paint_title(painter, pixels, pane)
        pixels.device()

    def _paint_gap(self, painter: QPainter, pixels: DevicePixels, area: QRect, gap: GapMark) -> None:
        left, right = (area.left() + x * pixels.scale for x in self._gap_span(gap))
        if right <= area.left() or left >= area.left() + area.width():
            return
        hatch = self._hatch_tile(pixels.scale)
        # The pattern starts at the band's own left edge, so that it moves along with the candles.
        shift = max(0, round(area.left() - left)) % hatch.width()
        first = max(round(left), area.left())
        last = min(round(right), area.left() + area.width())
        painter.drawTiledPixmap(QRect(first, area.top(), last - first, area.height()), hatch, QPoint(shift, 0))

    def _paint_difference(self, painter: QPainter, pixels: DevicePixels, area: QRect, mark: GapMark) -> None:
        left, right = (area.left() + x * pixels.scale for x in self._gap_span(mark))
        if right <= area.left() or left >= area.left() + area.width():
            return
        first = max(round(left), area.left())
        width = max(1, min(round(right), area.left() + area.width()) - first)
        colour = self._scene.colours.warning
        faint = QColor(colour)
        faint.setAlphaF(_DIFFERENCE_ALPHA)
        painter.fillRect(QRect(first, area.top(), width, area.height()), faint)
        # A bar at both ends tells it from a gap, whatever the eye sees of colours.
        bar = round(_DIFFERENCE_BAR_PX * pixels.scale)
        for top in (area.top(), area.top() + area.height() - bar):
            painter.fillRect(QRect(first, top, width, bar), colour)

    def _gap_span(self, gap: GapMark) -> tuple[float, float]:
        left, right = self._scene.time_scale.x_of(gap.left), self._scene.time_scale.x_of(gap.right)
        widen = max(0.0, _NARROWEST_GAP_PX - (right - left)) / 2
        return left - widen, right + widen

    def _hatch_tile(self, scale: float) -> QPixmap:
        key = scale, self._scene.palette.warning
        if self._hatch is None or self._hatch[0] != key:
            self._hatch = key, _hatch_tile(round(_HATCH_PX * scale), scale, self._scene.colours.warning)
        return self._hatch[1]

    def _paint_last_line(self, painter: QPainter, pixels: DevicePixels, area: QRect) -> None:
        scene = self._scene
        if scene.last is None or scene.is_compared:
            return
        y = scene.price.y_of(scene.last.close)
        if scene.price.rect.top() <= y <= scene.price.rect.bottom():
            row, line = pixels.hairline(y * pixels.scale + pixels.dy), pixels.line
            colour = scene.colours.rising if scene.last_is_rising else scene.colours.falling
            strip = self._dashes.across(colour, (2 * line, 4 * line), line, area.width())
            painter.drawPixmap(area.left(), row, strip)

    def _paint_crosshair(self, painter: QPainter, pixels: DevicePixels, area: QRect) -> None:
        scene, cross, line = self._scene, self._scene.crosshair, pixels.line
        if cross is None:
            if scene.guide is not None:
                dash, x = (4 * line, 7 * line), scene.time_scale.x_of(scene.guide.slot)
                column = pixels.hairline(area.left() + x * pixels.scale)
                painter.drawPixmap(
                    column, area.top(), self._dashes.down(scene.colours.crosshair, dash, line, area.height())
                )
            return
        dash, colour = (4 * line, 7 * line), scene.colours.crosshair
        row = pixels.hairline(cross.y * pixels.scale + pixels.dy)
        painter.drawPixmap(area.left(), row, self._dashes.across(colour, dash, line, area.width()))
        column = pixels.hairline(area.left() + scene.time_scale.x_of(cross.slot) * pixels.scale)
        painter.drawPixmap(column, area.top(), self._dashes.down(colour, dash, line, area.height()))

    def _paint_gap_texts(self, painter: QPainter, pixels: DevicePixels) -> None:
        scene, style = self._scene, self._scene.styles.small
        pane, free_from = scene.price.rect, 0.0
        middle = pane.top() + (_GAP_TEXT_MIDDLE_PX + scene.legend_rows * LEGEND_ROW_PX) * scene.styles.scale
        for gap in sorted([*scene.gaps, *scene.differences], key=lambda mark: mark.left):
            left, right = self._gap_span(gap)
            width = style.width(gap.text)
            if right < 0 or left > pane.width() or width + 2 * PADDING_PX > pane.width():
                continue
            x = min(max((left + right - width) / 2, PADDING_PX), pane.width() - width - PADDING_PX)
            if x >= free_from:
                if self._clear_background(painter, x, middle, width, style):
                    style.draw(painter, pixels, gap.text, x, middle, scene.colours.warning)
                free_from = x + width + PADDING_PX

    def _paint_title(self, painter: QPainter, pixels: DevicePixels, pane: Pane) -> None:
        scene = self._scene
        if pane.rect.height() < _TITLE_LEAST_PX and pane.key != PRICE:
            return
        middle = pane.rect.top() + title_middle(pane)
        self._paint_chosen_mark(painter, pane, middle)
        row = self._row(pane)
        if self._clear_background(painter, PADDING_PX, middle, row.width, scene.styles.body):
            row.draw(painter, pixels, scene, middle)

    def _row(self, pane: Pane) -> TitleRow:
        """Return the pane's title laid out; laid out again only after a change."""
        row = self._rows.get(pane.key)
        if row is None or row.pieces is not pane.title or row.styles is not self._scene.styles:
            row = self._rows[pane.key] = TitleRow(self._scene.styles, pane.title)
        return row

    def _paint_chosen_mark(self, painter: QPainter, pane: Pane, middle: float) -> None:
        if pane.key == self._scene.chosen_pane:
            height = self._scene.styles.body.height
            painter.fillRect(QRectF(0, middle - height / 2, 3, height), self._scene.colours.accent)

    def _clear_background(self, painter: QPainter, x: float, middle: float, width: float, style: TextStyle) -> bool:
        """Clear a text's background, so that no line crosses its letters; False if the text need not be painted."""
        rect = QRectF(x - 4, middle - style.height / 2, width + 8, style.height)
        if width <= 0 or not self._scene.is_exposed(rect):
            return False
        fill_ground(painter, self._scene, rect)
        return True


def _hatch_tile(size: int, scale: float, colour: QColor) -> QPixmap:
    tile = QPixmap(size, size)
    tile.fill(Qt.GlobalColor.transparent)
    faint = QColor(colour)
    faint.setAlphaF(0.38)
    painter = QPainter(tile)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(faint, scale))
    for shift in (-size, 0, size):
        painter.drawLine(shift - 1, size + 1, shift + size + 1, -1)
    painter.end()
    return tile
