"""
Paints the lines of alerts: dashed in the accent colour, a chip that says what is waited for, a bell on the axis.

A line that is dragged has its chip at the pointer, with the distance to the last price. The place that it came from is
fainter. Labels on the axis are placed together with those of indicators, by `AxisLabels`: one that has to stand beside
its line's end has a leader from there, and a line whose label finds no room has none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPen

from widgets.chart.alert_lines.alert_line import AlertLine, Drag
from widgets.chart.painting.axes import LABEL_PADDING_PX, last_price_place, value_label_height
from widgets.chart.painting.device_pixels import Dashes, DevicePixels, mixed
from widgets.chart.painting.pane import AXIS_GUTTER_PX
from widgets.chart.painting.scene import PADDING_PX, Scene
from widgets.chart.painting.scene_builder import value_text
from widgets.theme.bell import paint_bell
from widgets.theme.palettes import Palette

_RADIUS_PX, _BELL_PX, _GAP_PX = 4.0, 10.0, 6.0
_DASH = (5, 9)  # hairlines: the length of a dash, and from one to the next
_FAINT = 0.4
_BESIDE_PX = 1.0  # of a label's middle from its line's end, from which on it has a leader
_LEADER_PX = 1.0
_MOST_NEAR = 4  # labels wanted within the height of one; more of them could not stand within their reach


class _Inks:
    """The colours of alerts in one palette."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette
        self.accent, self.fill, self.on_fill = (QColor(one) for one in (palette.accent, palette.fill, palette.on_fill))
        self.ground, self.raised = QColor(palette.background), QColor(palette.raised)
        self.text, self.dim = QColor(palette.text), QColor(palette.dim)
        self.before = mixed(palette.background, palette.accent, _FAINT)


class LinePainting:
    """
    Paints ``lines`` and ``drag`` of one scene, whenever the chart's overlay and value axis are painted.

    ``symbol``: the name of the symbol that the lines are of; the scene may show another one by now.
    """

    def __init__(self, scene: Scene) -> None:
        self.symbol = ""
        self.lines: Sequence[AlertLine] = ()
        self.drag: Drag | None = None
        self.hovered: AlertLine | None = None
        self._scene = scene
        self._dashes = Dashes()
        self._visible_for: tuple[object, ...] = ()
        self._visible: list[tuple[AlertLine, float]] = []
        self._inks = _Inks(scene.palette)
        self._middles: dict[float, float] = {}
        self.on_labels_moved: Callable[[], object] = lambda: None

    def label_heights(self) -> list[float]:
        """
        Return the heights at which lines want labels: one in each row of pixels, the nearest to the last price first.

        Where lines are crowded, the farther ones are left out, so that a thousand cost little.
        """
        last, visible = self._scene.last, self.visible()
        if last is None or not visible:
            return []
        ys, last_y, height = [y for _, y in visible], self._scene.price.y_of(last.close), self._label_height()
        middle, found, near = bisect_left(ys, last_y), list[float](), Counter[int]()
        for side in (reversed(ys[:middle]), ys[middle:]):
            row = None
            for y in side:
                place = int(y // height)
                if round(y) != row and near[place] < _MOST_NEAR:
                    row = round(y)
                    near[place] += 1
                    found.append(y)
        return found

    def name_at(self, height: float) -> tuple[str, str]:
        """Return what the line at that height waits for, and its price as text."""
        line = next(line for line, y in self.visible() if y == height)
        return line.text, value_text(self._scene, self._scene.price, line.price)

    def set_label_middles(self, middles: dict[float, float]) -> None:
        """Put labels there, each by its line's height; no other line has a label."""
        if middles != self._middles:
            self._middles = middles
            self.on_labels_moved()

    def y_of(self, price: float) -> float | None:
        """Return a price's height in the view, None where that is outside of the prices' pane."""
        y = self._scene.price.y_of(price)
        return y if self._scene.price.rect.top() <= y <= self._scene.price.rect.bottom() else None

    def areas(self) -> list[QRectF]:
        """Return the labels' rectangles on the value axis, which keep the grid's labels away."""
        return [self._label_rect(y) for _, y in self._labelled()]

    def labelled_at(self, position: QPointF) -> AlertLine | None:
        """Return the line whose label on the axis is at a position."""
        return next((line for line, y in self._labelled() if self._label_rect(y).contains(position)), None)

    def paint_lines(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint lines and chips; the painter is in device pixels before and after."""
        if not self.lines or self._scene.last is None:
            return
        if self._inks.palette is not self._scene.palette:
            self._inks = _Inks(self._scene.palette)
        drag, inks = self.drag, self._inks
        visible = self.visible()
        last_row = None
        for line, y in visible:
            is_dragged = drag is not None and drag.has_moved and line is drag.line
            row = round(y * pixels.scale)
            if row == last_row and not is_dragged:
                continue  # hundreds may be a tick apart
            last_row = row
            self._paint_line(painter, pixels, y, inks.before if is_dragged else inks.accent)
        free_from = self._first_chip_y()
        pixels.logical()
        for line, y in visible:
            if drag is not None and drag.has_moved and line is drag.line:
                self._paint_before(painter, pixels, y)
            elif y - self._label_height() / 2 >= free_from:
                self._paint_chip(painter, pixels, line, y)
                free_from = y + self._label_height() / 2 + 2
        pixels.device()
        if drag is not None and drag.has_moved and (y_now := self.y_of(drag.price)) is not None:
            self._paint_line(painter, pixels, y_now, inks.fill)
            pixels.logical()
            self._paint_drag(painter, pixels, drag, y_now)
            pixels.device()

    def paint_labels(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint the prices on the axis, each with a bell; the painter is in logical pixels before and after."""
        if not self.lines or self._scene.last is None:
            return
        drag = self.drag if self.drag is not None and self.drag.has_moved else None
        for line, y in self._labelled():
            if drag is None or line is not drag.line:
                self._paint_label(painter, pixels, line.price, y, filled=False)
        if drag is not None and (y_now := self.y_of(drag.price)) is not None:
            self._paint_label(painter, pixels, drag.price, y_now, filled=True)

    def visible(self) -> list[tuple[AlertLine, float]]:
        """Return the lines in view with their heights, in logical pixels, from the top down."""
        shown, pane = self._scene.symbol, self._scene.price
        if not self.lines or shown is None or shown.name != self.symbol or self._scene.last is None:
            return []
        scale, rect = pane.value_scale, pane.rect
        visible_for = (self.lines, *scale.ends, scale.inverted, scale.mode, rect.top(), rect.height())
        # A thousand lines would cost more than all candles, if each paint looked for those in view.
        if visible_for != self._visible_for:
            found = ((line, self.y_of(line.price)) for line in self.lines)
            self._visible = sorted(((line, y) for line, y in found if y is not None), key=lambda one: one[1])
            self._visible_for = visible_for
        return self._visible

    def _labelled(self) -> list[tuple[AlertLine, float]]:
        """Return the lines with labels: one at each of their heights."""
        first_at = {y: line for line, y in reversed(self.visible()) if y in self._middles}
        return [(line, y) for y, line in first_at.items()]

    def _label_height(self) -> float:
        return value_label_height(self._scene)

    def _first_chip_y(self) -> float:
        """Return the height below the legend from which chips stand."""
        rows = 1 + self._scene.legend_rows
        return self._scene.price.rect.top() + (10.0 + 20.0 * rows) * self._scene.styles.scale

    def _label_rect(self, y: float) -> QRectF:
        """Return the label of a line at that height; the one that is dragged covers others, but not the last price."""
        axis, height, middle = self._scene.layout.value_axis, self._label_height(), self._middles.get(y)
        if middle is not None:
            indent = AXIS_GUTTER_PX if abs(middle - y) > _BESIDE_PX else 0.0
            return QRectF(axis.left() + indent, middle - height / 2, axis.width() - indent, height)
        rect = QRectF(axis.left(), y - height / 2, axis.width(), height)
        last, pane = last_price_place(self._scene), self._scene.price
        if not last.isEmpty() and last.intersects(rect) and self._scene.last is not None:
            # On its own side of the last price, whose block does not stand around it evenly.
            is_above = y < pane.y_of(self._scene.last.close)
            has_room = (
                last.top() - height >= pane.rect.top() if is_above else last.bottom() + height <= pane.rect.bottom()
            )
            rect.moveTop(last.top() - height if is_above == has_room else last.bottom())
        elif rect.top() < pane.rect.top():
            rect.moveTop(pane.rect.top())
        return rect

    def _paint_line(self, painter: QPainter, pixels: DevicePixels, y: float, colour: QColor) -> None:
        panes = self._scene.layout.panes
        if not self._scene.is_exposed(QRectF(panes.left(), y - 1, panes.width(), 2)):
            return
        area, line = pixels.rect(panes), pixels.line
        row = pixels.hairline(y * pixels.scale + pixels.dy)
        dash = _DASH[0] * line, _DASH[1] * line
        painter.drawPixmap(area.left(), row, self._dashes.across(colour, dash, line, area.width()))

    def _paint_chip(self, painter: QPainter, pixels: DevicePixels, line: AlertLine, y: float) -> None:
        """Paint what a line waits for at its left end, in a frame of the accent."""
        style, inks = self._scene.styles.tiny, self._inks
        text = f"{line.text} · {line.detail}" if line.detail else line.text
        bell = _BELL_PX * self._scene.styles.scale
        width = style.width(text) + bell + _GAP_PX + 2 * LABEL_PADDING_PX
        rect = QRectF(PADDING_PX / 2, y - self._label_height() / 2, width, self._label_height())
        if rect.right() > self._scene.layout.panes.right() or not self._scene.is_exposed(rect):
            return
        is_hovered = line == self.hovered
        self._round(painter, rect, inks.fill if is_hovered else inks.ground, inks.fill if is_hovered else inks.accent)
        ink = inks.on_fill if is_hovered else inks.accent
        paint_bell(painter, QPointF(rect.left() + LABEL_PADDING_PX + bell / 2, y), bell, ink)
        style.draw(painter, pixels, text, rect.left() + LABEL_PADDING_PX + bell + _GAP_PX, y, ink)

    def _paint_before(self, painter: QPainter, pixels: DevicePixels, y: float) -> None:
        style, text = self._scene.styles.tiny, "before"
        right = self._scene.layout.panes.right() - PADDING_PX
        rect = QRectF(right - style.width(text) - 4, y - style.height / 2, style.width(text) + 8, style.height)
        painter.fillRect(rect, self._inks.ground)
        style.draw(painter, pixels, text, rect.left() + 4, y, self._inks.dim)

    def _paint_drag(self, painter: QPainter, pixels: DevicePixels, drag: Drag, y: float) -> None:
        """Paint the chip at the pointer: what and where in the fill colour, then how far from the last price."""
        scene, inks = self._scene, self._inks
        style, strong = scene.styles.small, scene.styles.small_bold
        last = scene.last.close if scene.last is not None else 0.0
        percent = 100 * (drag.price - last) / last if last else 0.0
        what, where = drag.line.text, value_text(scene, scene.price, drag.price)
        distance = f"{'+' if percent >= 0 else '−'}{abs(percent):.2f} %"
        rest = f"from last, was {value_text(scene, scene.price, drag.line.price)}"
        bell, pad, height = _BELL_PX * scene.styles.scale, LABEL_PADDING_PX, self._label_height()
        first = pad + bell + _GAP_PX + strong.width(what) + _GAP_PX + style.width(where) + pad
        second = pad + strong.width(distance) + _GAP_PX + style.width(rest) + pad
        left = min(
            max(drag.x - first / 2, PADDING_PX / 2), scene.layout.panes.right() - first - second - PADDING_PX / 2
        )
        whole = QRectF(max(left, 0.0), y - height / 2, first + second, height)
        self._round(painter, whole, inks.raised, QColor(inks.palette.edge))
        filled = QRectF(whole.left(), whole.top(), first, height)
        self._round(painter, filled, inks.fill, inks.fill)
        x = filled.left() + pad
        paint_bell(painter, QPointF(x + bell / 2, y), bell, inks.on_fill)
        x += bell + _GAP_PX
        strong.draw(painter, pixels, what, x, y, inks.on_fill)
        style.draw(painter, pixels, where, x + strong.width(what) + _GAP_PX, y, inks.on_fill)
        x = filled.right() + pad
        strong.draw(painter, pixels, distance, x, y, inks.text)
        style.draw(painter, pixels, rest, x + strong.width(distance) + _GAP_PX, y, inks.dim)

    def _paint_label(self, painter: QPainter, pixels: DevicePixels, price: float, y: float, *, filled: bool) -> None:
        scene, inks, rect = self._scene, self._inks, self._label_rect(y)
        if not scene.is_exposed(rect):
            return
        if rect.left() > scene.layout.value_axis.left():
            self._paint_leader(painter, y, rect)
        self._round(painter, rect, inks.fill if filled else inks.ground, inks.fill if filled else inks.accent)
        ink, style = inks.on_fill if filled else inks.accent, scene.styles.small
        bell = _BELL_PX * scene.styles.scale
        text = value_text(scene, scene.price, price)
        right = rect.right() - LABEL_PADDING_PX
        middle = rect.center().y()
        if style.width(text) + bell + 7 + LABEL_PADDING_PX <= rect.width():
            paint_bell(painter, QPointF(rect.left() + 5 + bell / 2, middle), bell, ink)
        style.draw(painter, pixels, text, right - style.width(text), middle, ink)

    def _paint_leader(self, painter: QPainter, y: float, label: QRectF) -> None:
        """Paint the line in the gutter from a line's end to its label."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._inks.accent, _LEADER_PX))
        painter.drawLine(QPointF(self._scene.layout.value_axis.left(), y), QPointF(label.left(), label.center().y()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _round(self, painter: QPainter, rect: QRectF, ground: QColor, edge: QColor) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(edge, 1.0))
        painter.setBrush(ground)
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS_PX, _RADIUS_PX)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
