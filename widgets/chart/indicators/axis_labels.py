"""
Labels of the indicators' last values on the axes of their panes, each in its indicator's colour at its value's height.

Texts depend on the series, positions on the view. Overlapping labels are moved apart, and all of them give way to the
last price's label, which stays at its price.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from app.market.indicators import Output, Shape
from app.market.series.series import CandleSeries
from widgets.chart.indicators.study import Study
from widgets.chart.indicators.study_layer import StudyLayer
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.axes import auto_button_rect, last_price_rect, value_label_height
from widgets.chart.painting.device_pixels import contrast
from widgets.chart.painting.pane import AxisLabel, Pane, ValueFormat
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import value_text
from widgets.chart.scales.value_marks import decimals_of_values, format_price

_BETWEEN_PX = 1.0
_INKS = QColor("#ffffff"), QColor("#0e1217")


class _LabelText(NamedTuple):
    """A label without its place: its value, text and colours."""

    value: float
    text: str
    ground: QColor
    ink: QColor


_NO_TEXTS: list[_LabelText] = []  # one object, as `refresh` compares lists by identity


class AxisLabels:
    """
    Sets the labels of one scene's axes. Call `refresh` in each frame, once the value ranges are known.

    Call `invalidate` when studies, panes or the layout have changed; other changes are noticed.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._texts: dict[str, tuple[tuple[object, ...], list[_LabelText]]] = {}  # by pane, after what they depend on
        self._placed_for: dict[str, tuple[object, ...]] = {}  # by pane, what the placement depends on

    def invalidate(self) -> None:
        """Rebuild all labels in the next frame."""
        self._texts.clear()
        self._placed_for.clear()

    def refresh(self, series: CandleSeries | None) -> None:
        """Label the last values in view, or none if the user turned labels off."""
        for pane in self._scene.panes:
            texts = self._texts_of(pane, series)
            taken = last_price_rect(self._scene) if texts and pane.key == PRICE else QRectF()
            scale = pane.value_scale
            placed_for = id(texts), scale.low, scale.high, scale.inverted, scale.auto, taken.top(), taken.height()
            if self._placed_for.get(pane.key) != placed_for:
                self._placed_for[pane.key] = placed_for
                pane.labels = self._placed(pane, texts, taken) if texts else []

    def widest(self) -> float:
        """Return the width of the widest text, in logical pixels; 0 without labels."""
        width = self._scene.styles.small.width
        return max((width(label.text) for pane in self._scene.panes for label in pane.labels), default=0.0)

    def _texts_of(self, pane: Pane, series: CandleSeries | None) -> list[_LabelText]:
        """Return a pane's label texts; the same list as before while nothing they depend on has changed."""
        scene = self._scene
        if series is None or not len(series) or not scene.shows_axis_labels:
            return _NO_TEXTS
        basis = (series, series.revision, scene.palette, scene.symbol, *_precision(pane))
        before = self._texts.get(pane.key)
        if before is not None and before[0] == basis:
            return before[1]
        texts = [_label_text(scene, pane, *found) for found in _last_values(pane, len(series))]
        self._texts[pane.key] = basis, texts
        return texts

    def _placed(self, pane: Pane, texts: list[_LabelText], taken: QRectF) -> list[AxisLabel]:
        top, bottom = pane.rect.top(), pane.rect.bottom()
        in_view = [(y, one) for one in texts if top <= (y := pane.y_of(one.value)) <= bottom]
        if not (button := auto_button_rect(self._scene, pane)).isEmpty():
            is_low = button.center().y() > pane.rect.center().y()
            top, bottom = (top, button.top()) if is_low else (button.bottom(), bottom)
        axis, height = self._scene.layout.value_axis, value_label_height(self._scene)
        span = (taken.top() - _BETWEEN_PX, taken.bottom() + _BETWEEN_PX) if not taken.isEmpty() else None
        tops = apart([y - height / 2 for y, _ in in_view], height + _BETWEEN_PX, (top, bottom + _BETWEEN_PX), span)
        left, width = axis.left(), axis.width()
        return [
            AxisLabel(one.text, one.ground, one.ink, QRectF(left, place, width, height))
            for (_, one), place in zip(in_view, tops, strict=True)
            if place is not None
        ]


def _precision(pane: Pane) -> tuple[object, ...]:
    """Return the parts of a pane's state that the texts of values depend on."""
    scale = pane.value_scale
    if pane.value_format is ValueFormat.NUMBER:
        return pane.value_format, decimals_of_values(scale)
    return pane.value_format, scale.base if pane.value_format is ValueFormat.PRICE and scale.is_percent else None


def _label_text(scene: Scene, pane: Pane, study: Study, output: Output, value: float) -> _LabelText:
    ground = _ground(scene, study, output, value)
    is_number = pane.value_format is ValueFormat.NUMBER
    text = format_price(value, decimals_of_values(pane.value_scale)) if is_number else value_text(scene, pane, value)
    return _LabelText(value, text, ground, max(_INKS, key=lambda one: contrast(one, ground)))


def _last_values(pane: Pane, count: int) -> Iterator[tuple[Study, Output, float]]:
    """Yield the pane's known values for the last of ``count`` candles, of indicators that use its axis."""
    for layer in pane.layers:
        if isinstance(layer, StudyLayer) and layer.is_on_axis and not layer.study.is_hidden:
            values = layer.study.values
            for output in layer.study.outputs if len(values) == count else ():
                value = float(values.column(output.name)[-1])
                if math.isfinite(value):
                    yield layer.study, output, value


def _ground(scene: Scene, study: Study, output: Output, value: float) -> QColor:
    if output.shape is Shape.COLUMNS and output.name not in study.colours:
        return scene.colours.rising if value >= 0 else scene.colours.falling
    return study.colour_of(scene.palette, output.name)


def apart(
    tops: Sequence[float], height: float, room: tuple[float, float], taken: tuple[float, float] | None = None
) -> list[float | None]:
    """
    Return the tops of labels of one height such that none overlap, each close to its wanted top in ``tops``.

    Labels stay within ``room`` and off ``taken``, on their side of it if there is room, else on the other side. Labels
    without any room get None, the last in ``tops`` first. Pure.
    """
    low, high = room
    spans = [(low, high)] if taken is None else [(low, taken[0]), (taken[1], high)]
    most = [max(0, math.floor((end - start) / height + 1e-9)) for start, end in spans]
    order = sorted(range(min(len(tops), sum(most))), key=lambda at: tops[at])
    above = len(order)
    if taken is not None:
        middle = (taken[0] + taken[1] - height) / 2
        above = sum(tops[at] < middle for at in order)
        above = min(max(above, len(order) - most[1]), most[0])
    placed: list[float | None] = [None] * len(tops)
    for (start, end), part in zip(spans, (order[:above], order[above:]), strict=False):
        for at, top in zip(part, _stacked([tops[at] for at in part], height, start, end), strict=True):
            placed[at] = top
    return placed


def _stacked(wanted: list[float], height: float, low: float, high: float) -> list[float]:
    """Return ascending tops at least ``height`` apart; labels that meet are stacked about their mean wanted top."""
    groups: list[tuple[float, int]] = []  # of touching labels: top of the first, count
    for top in wanted:
        groups.append((_within(top, 1, height, low, high), 1))
        while len(groups) > 1 and groups[-2][0] + groups[-2][1] * height > groups[-1][0]:
            (second, more), (first, count) = groups.pop(), groups.pop()
            mean = (first * count + (second - count * height) * more) / (count + more)
            groups.append((_within(mean, count + more, height, low, high), count + more))
    return [first + at * height for first, count in groups for at in range(count)]


def _within(top: float, count: int, height: float, low: float, high: float) -> float:
    return max(min(top, high - count * height), low)


def changed_labels(before: Sequence[AxisLabel], after: Sequence[AxisLabel]) -> list[QRectF]:
    """Return the rectangles to repaint when ``after`` replaces ``before``."""
    if len(before) == len(after) and all(one == other for one, other in zip(before, after, strict=True)):
        return []
    gone = [label.rect for label in before if label not in after]
    return gone + [label.rect for label in after if label not in before]
