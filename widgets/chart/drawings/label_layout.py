"""Where the texts of drawings stand: level labels in the right margin, names, notes, the figures of a price range."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF

from app.market.drawings.drawing import Drawing
from widgets.chart.drawings.drawing_set import Group
from widgets.chart.drawings.figures import View, colour_name
from widgets.chart.drawings.label_columns import LabelRow
from widgets.chart.drawings.shapes import Label, Where
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.text_cache import TextStyle

MARGIN_PX = 6.0  # between a label and the axis
BOX_PADDING_PX = 8.0
_BESIDE_PX = 5.0  # between the end of a line and its label
_NOTE_ABOVE_PX, _NOTE_LEFT_PX = 34.0, 24.0  # from a note's point to its box
_RANGE_GAP_PX = 6.0
_TEXT_REACH_PX = 100.0  # a text whose place is so far out of view may still reach into it, however short


@dataclass(slots=True)
class PlacedLabel:
    """
    A label's lines in a rectangle, in the view's logical pixels, and the drawing that it belongs to.

    ``point``: where the drawing has it, which a note's leader goes to.
    """

    drawing: Drawing
    label: Label
    lines: tuple[str, ...]
    rect: QRectF
    colour: str
    point: QPointF


def style_of(scene: Scene, where: Where) -> TextStyle:
    """Return the font of a label."""
    return scene.styles.tiny if where in (Where.MARGIN, Where.BESIDE) else scene.styles.small


MarginRow = tuple[LabelRow, float]
"""A label in the right margin, and the y of its middle."""


class MarginLabels:
    """
    The labels in the right margin; of those that would overlap, the chosen drawing's, else the topmost.

    They are laid out again only once others are in view, or elsewhere.
    """

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._rows: list[MarginRow] = []

    def rows(self, scene: Scene, groups: Sequence[Group], view: View, chosen: str | None) -> list[MarginRow]:
        """Return them; the same list as before where nothing changed."""
        found: list[tuple[Group, NDArray[np.int64], NDArray[np.float64]]] = []
        key: tuple[object, ...] = (chosen, scene.styles, view.width)
        for group in reversed(groups):
            if group.labels.in_margin.rows:
                begins, ends, ys = group.labels.in_margin.places(view)
                in_view = (ys > view.top) & (ys < view.top + view.height) & (begins < view.width) & (ends > 0)
                at = np.flatnonzero(in_view)[::-1]
                found.append((group, at, ys[at]))
                key = (*key, group.figures, at.tobytes(), ys[at].tobytes())
        if key != self._key:
            rows = [row for each in found for row in _topmost(scene, *each, chosen)]
            self._rows, self._key = _apart(rows, scene.styles.tiny.height, chosen), key
        return self._rows


def _topmost(
    scene: Scene, group: Group, at: NDArray[np.int64], ys: NDArray[np.float64], chosen: str | None
) -> list[MarginRow]:
    """Return the chosen drawing's labels, and one for each row of text, topmost first: few of a thousand."""
    rows = group.labels.in_margin.rows
    _, first = np.unique((ys // scene.styles.tiny.height).astype(np.int64), return_index=True)
    places = np.sort(first)
    if chosen:
        own = [place for place, index in enumerate(at.tolist()) if rows[index][0].id == chosen]
        places = np.array(list(dict.fromkeys([*own, *places.tolist()])), np.int64)
    return [(rows[index], y) for index, y in zip(at[places].tolist(), ys[places].tolist(), strict=True)]


def _apart(rows: list[MarginRow], height: float, chosen: str | None) -> list[MarginRow]:
    """Return the rows without those that would overlap one before them, the chosen drawing's first."""
    apart, half, room = list[MarginRow](), height / 2, int(height) + 2
    taken = dict[int, list[tuple[int, int]]]()  # tops and bottoms of labels, by the room that the top is in
    for row in sorted(rows, key=lambda row: row[0][0].id != chosen) if chosen else rows:
        top, bottom = round(row[1] - half), round(row[1] + half)
        number = top // room
        for beside in (number - 1, number, number + 1):
            if beside in taken and any(first < bottom and top < last for first, last in taken[beside]):
                break
        else:
            taken.setdefault(number, []).append((top, bottom))
            apart.append(row)
    return apart


def placed_in_margin(scene: Scene, rows: Sequence[MarginRow], view: View) -> list[PlacedLabel]:
    """Return the labels of rows in the right margin, at their places."""
    style, right = scene.styles.tiny, view.width - MARGIN_PX
    placed = []
    for (drawing, label), y in rows:
        width = style.width(label.text)
        rect = QRectF(right - width, y - style.height / 2, width, style.height)
        placed.append(PlacedLabel(drawing, label, (label.text,), rect, colour_name(drawing), QPointF(view.width, y)))
    return placed


def point_labels(scene: Scene, groups: Sequence[Group], view: View) -> list[PlacedLabel]:
    """Return the labels that move with the candles, bottom to top."""
    placed: list[PlacedLabel] = []
    left, top, right, bottom = view.box
    for group in groups:
        columns = group.labels.at_points
        if not columns.rows:
            continue
        xs, untils, ys = columns.places(view)
        # No letter is wider than a line is high, and measuring them all would take too long.
        across, down = (
            _TEXT_REACH_PX + count * scene.styles.small.height for count in (columns.lengths, columns.heights)
        )
        in_view = (
            (ys > top - down) & (ys < bottom + down) & (np.maximum(xs, untils) > left - across) & (xs < right + across)
        )
        for at in np.flatnonzero(in_view).tolist():
            drawing, label = columns.rows[at]
            placed.append(_at_point(scene, drawing, label, float(xs[at]), float(untils[at]), float(ys[at])))
    return placed


def _at_point(scene: Scene, drawing: Drawing, label: Label, x: float, until: float, y: float) -> PlacedLabel:
    lines = tuple(label.text.split("\n"))
    style, scale = style_of(scene, label.where), scene.styles.scale
    width, height = max(map(style.width, lines)), len(lines) * style.height
    if label.where is Where.POINT:
        rect = QRectF(x, y - height - 2, width, height)
    elif label.where is Where.BESIDE:
        rect = QRectF(x + _BESIDE_PX, y - height / 2, width, height)
    elif label.where is Where.INSIDE:
        room = abs(until - x) - 2 * BOX_PADDING_PX
        lines = tuple(_shortened(line, style, room) for line in lines) if width > room else lines
        width = max(map(style.width, lines))
        rect = QRectF(max(x, until) - width - BOX_PADDING_PX, y - height / 2, width, height)
    elif label.where is Where.NOTE:
        rect = QRectF(x - _NOTE_LEFT_PX, 0, width + 2 * BOX_PADDING_PX, height + BOX_PADDING_PX)
        above = y - _NOTE_ABOVE_PX * scale - rect.height()
        rect.moveTop(above if above > scene.price.rect.top() else y + _NOTE_ABOVE_PX * scale)
    else:
        rect = QRectF(x - width / 2 - BOX_PADDING_PX, 0, width + 2 * BOX_PADDING_PX, height + BOX_PADDING_PX)
        upwards = label.is_rising != scene.price.value_scale.inverted
        rect.moveTop(y - rect.height() - _RANGE_GAP_PX if upwards else y + _RANGE_GAP_PX)
    return PlacedLabel(drawing, label, lines, rect, colour_name(drawing), QPointF(x, y))


def _shortened(text: str, style: TextStyle, room: float) -> str:
    """Return a text cut to fit into ``room``, with … at its end; empty if there is no room for a letter."""
    if style.width(text) <= room:
        return text
    fits = bisect_right(range(1, len(text)), room, key=lambda end: style.width(f"{text[:end].rstrip()}…"))
    return f"{text[:fits].rstrip()}…" if fits else ""
