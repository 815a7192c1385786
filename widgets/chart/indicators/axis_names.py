"""
The names beside an axis's value labels while the pointer is on that axis.

Each stands beside its label. Names of values whose labels found no room stand between these, in order of value, and say
the value as well; so do those of values out of view. No label moves for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from widgets.chart.model.label_placement import Span, stacked, within
from widgets.chart.painting.device_pixels import DevicePixels
from widgets.chart.painting.pane import AxisName, Pane
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_item import SceneItem

_HEIGHT_PX, _RADIUS_PX = 20.0, 4.0
_SPACE_PX = 6.0  # between swatch, name and value, and around them
_SWATCH_PX = 8.0
_FROM_AXIS_PX = 6.0
_LABELLED_WEIGHT = 1e6  # keeps a name beside its label where others crowd it


class NamedValue(NamedTuple):
    """A value at height ``y``, with its name, text and colour, and the middle of its label; None: it has none."""

    y: float
    name: str
    text: str
    colour: QColor
    label_middle: float | None


def axis_names(scene: Scene, pane: Pane, values: Sequence[NamedValue]) -> list[AxisName]:
    """Return the names of a pane's values in order of height, as many as the pane has room for."""
    height = _HEIGHT_PX * scene.styles.scale
    # Where there is no room for all, those beside labels stay.
    most = max(int(pane.rect.height() // height), 0)
    kept = sorted(values, key=lambda one: one.label_middle is None)[:most]
    room = Span(pane.rect.top() + height / 2, pane.rect.bottom() - height / 2)
    wanted = sorted(
        (min(max(one.y, room.top), room.bottom) if one.label_middle is None else one.label_middle, one.y, at)
        for at, one in enumerate(kept)
    )
    weights = [1.0 if kept[at].label_middle is None else _LABELLED_WEIGHT for _, _, at in wanted]
    middles = within(stacked([middle for middle, _, _ in wanted], height, weights), height, room)
    return [
        _axis_name(scene, pane, kept[at], middle, height) for (_, _, at), middle in zip(wanted, middles, strict=True)
    ]


def _axis_name(scene: Scene, pane: Pane, value: NamedValue, middle: float, height: float) -> AxisName:
    detail = "" if value.label_middle is not None else value.text
    if value.y < pane.rect.top():
        detail = "above the view"
    elif value.y > pane.rect.bottom():
        detail = "below the view"
    width = _SPACE_PX + _SWATCH_PX
    for text in filter(None, (value.name, detail)):
        width += _SPACE_PX + scene.styles.small.width(text)
    right = scene.layout.value_axis.left() - _FROM_AXIS_PX
    area = QRectF(right - width - _SPACE_PX, middle - height / 2, width + _SPACE_PX, height)
    return AxisName(value.colour, value.name, detail, area)


class AxisNamesItem(SceneItem):
    """Paints the names of the axis that the pointer is on, above everything else in the panes."""

    title = "the names beside the axis"

    def _draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        names = [name for pane in self._scene.panes for name in pane.names if self._scene.is_exposed(name.area)]
        if not names:
            return
        colours, style = self._scene.colours, self._scene.styles.small
        pixels.logical()
        painter.setClipRect(self._scene.layout.panes)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for name in names:
            self._paint_ground(painter, name)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for name in names:
            x, middle = name.area.left() + 2 * _SPACE_PX + _SWATCH_PX, name.area.center().y()
            style.draw(painter, pixels, name.text, x, middle, colours.text)
            x += style.width(name.text) + _SPACE_PX
            style.draw(painter, pixels, name.detail, x, middle, colours.dim)
        pixels.device()

    def _paint_ground(self, painter: QPainter, name: AxisName) -> None:
        colours = self._scene.colours
        painter.setPen(QPen(colours.frame, 1.0))
        painter.setBrush(QColor(colours.palette.raised))
        painter.drawRoundedRect(name.area.adjusted(0.5, 1, -0.5, -1), _RADIUS_PX, _RADIUS_PX)
        swatch = QRectF(0, 0, _SWATCH_PX, _SWATCH_PX)
        swatch.moveCenter(name.area.center())
        swatch.moveLeft(name.area.left() + _SPACE_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(name.colour)
        painter.drawRoundedRect(swatch, 2, 2)
