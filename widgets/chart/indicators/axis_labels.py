"""
Labels of the indicators' last values on the axes of their panes, each in its line's colour close to its value's height.

Texts depend on the series and change when the legend's do, positions depend on the view. `label_placement` decides
which labels are shown and where, those of alerts' lines among them; a value in view without a label has a tick in the
axis's gutter, and all have their names beside the axis the pointer is on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from app.market.indicators import Output, Shape
from app.market.series.series import CandleSeries
from widgets.chart.indicators.axis_names import NamedValue, axis_names
from widgets.chart.indicators.compare_lines import CompareLine, compare_lines
from widgets.chart.indicators.study import Study
from widgets.chart.indicators.study_layer import StudyLayer
from widgets.chart.model.label_placement import LabelKind, LabelRules, LabelWish, Span, placed_labels
from widgets.chart.model.legend import Tone
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.axes import (
    ARROW_ROOM_PX,
    LABEL_PADDING_PX,
    auto_button_rect,
    last_price_place,
    value_label_height,
)
from widgets.chart.painting.colours import text_on
from widgets.chart.painting.pane import AXIS_GUTTER_PX, AxisLabel, GutterMark, Pane, ValueFormat
from widgets.chart.painting.scene import LinesOverPrices, Scene
from widgets.chart.painting.scene_builder import value_text
from widgets.chart.scales.value_marks import decimals_of_values, format_price

_BETWEEN_PX = 2.0
_REACH_PX = 24.0  # that a label may be from its value
_MARK_REACH_PX = 2.0  # of a tick in the gutter, above and below its value


class _LabelText(NamedTuple):
    """A label without its place: its value, text, colours and name, and whether it gives way to others."""

    value: float
    text: str
    ground: QColor
    ink: QColor
    name: str
    is_second: bool


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
        """Label the last values, or none if the user turned labels off."""
        for pane in self._scene.panes:
            texts = self._texts_of(pane, series)
            lines = self._scene.alert_lines if pane.key == PRICE else None
            heights = [] if lines is None else lines.label_heights()
            taken = last_price_place(self._scene) if (texts or heights) and pane.key == PRICE else QRectF()
            scale, is_named = pane.value_scale, pane.key == self._scene.named_pane or _is_compared(self._scene, pane)
            placed_for = id(texts), scale.low, scale.high, scale.inverted, scale.auto, taken.top(), taken.height()
            if self._placed_for.get(pane.key) != (placed_for, is_named, heights):
                self._placed_for[pane.key] = placed_for, is_named, heights
                self._place(pane, texts, lines, heights, taken, is_named=is_named)

    def widest(self) -> float:
        """Return the width that the axis needs for all labels, in logical pixels; 0 without any."""
        width = self._scene.styles.small.width
        around = AXIS_GUTTER_PX + LABEL_PADDING_PX + 4.0
        return max(
            (
                width(label.text) + around + (ARROW_ROOM_PX - 4.0 if label.value_y is None else 0.0)
                for pane in self._scene.panes
                for label in pane.labels
            ),
            default=0.0,
        )

    def _texts_of(self, pane: Pane, series: CandleSeries | None) -> list[_LabelText]:
        """Return a pane's label texts; the same list as before while nothing they depend on has changed."""
        scene = self._scene
        is_own = pane.key == PRICE and scene.is_compared
        if series is None or not len(series) or not (scene.shows_axis_labels or is_own):
            return _NO_TEXTS
        basis = (series, scene.shown_revision, scene.palette, scene.symbol, *_precision(pane))
        lines = compare_lines(scene) if pane.key == PRICE else []
        basis += tuple((line, line.last_value) for line in lines)
        basis += (scene.last, scene.last_text, scene.shows_axis_labels) if is_own else ()
        before = self._texts.get(pane.key)
        if before is not None and before[0] == basis:
            return before[1]
        texts = [_own_text(scene)] if is_own and scene.last is not None else []
        if scene.shows_axis_labels:
            texts += [_label_text(scene, pane, *found) for found in _last_values(pane, len(series))]
            texts += [_compared_text(scene, pane, line) for line in lines if line.last_value is not None]
        self._texts[pane.key] = basis, texts
        return texts

    def _place(
        self,
        pane: Pane,
        texts: list[_LabelText],
        lines: LinesOverPrices | None,
        heights: list[float],
        taken: QRectF,
        *,
        is_named: bool,
    ) -> None:
        """Place the labels of texts, and those of alerts' ``lines`` at these heights."""
        pane.labels, pane.gutter_marks, pane.names = [], [], []
        axis, height = self._scene.layout.value_axis, value_label_height(self._scene)
        rules = LabelRules(height, height + _BETWEEN_PX, _REACH_PX * self._scene.styles.scale, height / 2)
        view, ys = Span(pane.rect.top(), pane.rect.bottom()), [pane.y_of(one.value) for one in texts]
        kinds = [LabelKind.SECOND if one.is_second else LabelKind.FIRST for one in texts]
        wishes = [LabelWish(y, kind) for y, kind in zip(ys, kinds, strict=True)]
        wishes += [LabelWish(y, LabelKind.ALERT) for y in heights]
        span, last = (Span(taken.top(), taken.bottom()), self._scene.last) if not taken.isEmpty() else (None, None)
        inside = pane.y_of(last.close) if last is not None else 0.0
        middles = placed_labels(wishes, rules, view, self._room(pane), span, inside) if wishes else []
        left, width = axis.left() + AXIS_GUTTER_PX, axis.width() - AXIS_GUTTER_PX
        named: list[NamedValue] = []
        for one, y, middle in zip(texts, ys, middles[: len(texts)], strict=True):
            value_y = y if view.top <= y <= view.bottom else None
            if middle is not None:
                rect = QRectF(left, middle - height / 2, width, height)
                pane.labels.append(AxisLabel(one.text, one.ground, one.ink, rect, value_y, y < view.top))
            elif value_y is not None:
                self._mark(pane, one.ground, value_y)
            named.append(NamedValue(y, one.name, one.text, one.ground, middle))
        if lines is not None:
            placed = dict(zip(heights, middles[len(texts) :], strict=True))
            lines.set_label_middles({y: middle for y, middle in placed.items() if middle is not None})
            accent = self._scene.colours.accent
            for y in (y for y, middle in placed.items() if middle is None):
                self._mark(pane, accent, y)
                if is_named:
                    named.append(NamedValue(y, *lines.name_at(y), accent, None))
        if is_named:
            pane.names = axis_names(self._scene, pane, named)

    def _mark(self, pane: Pane, colour: QColor, y: float) -> None:
        """Put a tick in the gutter at the height of a value without a label."""
        left = self._scene.layout.value_axis.left()
        area = QRectF(left, y - _MARK_REACH_PX, AXIS_GUTTER_PX, 2 * _MARK_REACH_PX)
        pane.gutter_marks.append(GutterMark(colour, area))

    def _room(self, pane: Pane) -> Span:
        """Return the part of a pane's axis that labels may use: all but the button of a stretched axis."""
        top, bottom = pane.rect.top(), pane.rect.bottom()
        button = auto_button_rect(self._scene, pane)
        if button.isEmpty():
            return Span(top, bottom)
        is_low = button.center().y() > pane.rect.center().y()
        return Span(top, button.top()) if is_low else Span(button.bottom(), bottom)


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
    return _LabelText(value, text, ground, text_on(ground), study.name_of(output), study.is_second(output))


def _own_text(scene: Scene) -> _LabelText:
    """Return the label of the chart's own symbol among those it is compared with: its line is in the accent."""
    symbol, ground, last = scene.symbol, scene.colours.tones[Tone.ACCENT], scene.last
    name = "" if symbol is None else symbol.base or symbol.display_name
    value = 0.0 if last is None else last.close
    return _LabelText(value, scene.last_text, ground, text_on(ground), name, False)


def _compared_text(scene: Scene, pane: Pane, line: CompareLine) -> _LabelText:
    value = line.last_value or 0.0
    return _LabelText(value, value_text(scene, pane, value), line.colour, text_on(line.colour), line.name, False)


def _is_compared(scene: Scene, pane: Pane) -> bool:
    """Whether names stand beside the labels at all times: those of compared symbols say which line is which."""
    return pane.key == PRICE and scene.is_compared


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
