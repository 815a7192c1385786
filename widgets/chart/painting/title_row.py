"""Layout of a pane's title or the legend in one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen

from widgets.chart.model.legend import Piece, Tone, fitting
from widgets.chart.painting.device_pixels import DevicePixels
from widgets.chart.painting.scene import PADDING_PX, Scene
from widgets.chart.painting.text_cache import TextStyle, TextStyles

_FIELD_SPACE_PX, _VALUE_SPACE_PX = 12.0, 5.0
_OVERHANG_PX = 4.0  # by which a letter may stand out of its text


class _Run(NamedTuple):
    """Texts of one tone, each with the distances of its ends from the row's left end."""

    style: TextStyle
    tone: Tone
    texts: list[tuple[str, float, float]]


class TitleRow:
    """Pieces laid out once, to be drawn in many frames; ``width`` in logical pixels."""

    def __init__(self, styles: TextStyles, pieces: list[Piece]) -> None:
        self.styles, self.pieces = styles, pieces
        self.width = 0.0
        self._runs: list[_Run] = []
        for piece, left, right in _places(styles, pieces):
            self._run_of(piece.tone).texts.append((piece.text, left, right))
            self.width = right

    def _run_of(self, tone: Tone) -> _Run:
        for run in self._runs:
            if run.tone is tone:
                return run
        self._runs.append(_Run(_style_of(self.styles, tone), tone, []))
        return self._runs[-1]

    def draw(self, painter: QPainter, pixels: DevicePixels, scene: Scene, middle: float) -> None:
        """
        Paint the row at the panes' left end, vertically centred on ``middle``; only texts that are exposed.

        The painter is in logical pixels.
        """
        height = self.styles.body.height
        exposed = scene.exposed_part(QRectF(0, middle - height / 2, PADDING_PX + self.width, height))
        first, last = exposed.left() - _OVERHANG_PX - PADDING_PX, exposed.right() + 1 + _OVERHANG_PX - PADDING_PX
        for style, tone, texts in self._runs:
            places = [(text, PADDING_PX + left, middle) for text, left, right in texts if left < last and right > first]
            if not places:
                continue
            style.draw_all(painter, pixels, places, scene.colours.tones[tone])
            if tone is Tone.LINK:
                painter.setPen(QPen(scene.colours.tones[tone], 1.0, Qt.PenStyle.DotLine))
                for text, x, _ in places:
                    y = middle + style.height / 2 - 1
                    painter.drawLine(QPointF(x, y), QPointF(x + style.width(text), y))


def legend_width(styles: TextStyles, pieces: Sequence[Piece]) -> float:
    """Return the legend's width in logical pixels."""
    places = _places(styles, pieces)
    return places[-1][2] if places else 0.0


def field_rect(styles: TextStyles, pieces: Sequence[Piece], field: str, middle: float) -> QRectF:
    """Return the rectangle of a field in a row centred on ``middle``, in logical pixels; empty without it."""
    places = [(left, right) for piece, left, right in _places(styles, pieces) if piece.field == field]
    if not places:
        return QRectF()
    height = styles.body.height
    return QRectF(PADDING_PX + places[0][0], middle - height / 2, places[-1][1] - places[0][0], height)


def fitted_legend(scene: Scene, pieces: list[Piece]) -> list[Piece]:
    """Return the pieces of the legend that fit in the pane; at least the title, elided if need be."""
    styles, room = scene.styles, scene.layout.panes.width() - 2 * PADDING_PX
    kept = fitting(pieces, room, lambda some: legend_width(styles, some))
    if len(kept) == 1 and styles.bold.width(kept[0].text) > room:
        metrics = QFontMetricsF(styles.bold.font)
        return [kept[0]._replace(text=metrics.elidedText(kept[0].text, Qt.TextElideMode.ElideRight, max(room, 0.0)))]
    return kept


def fitted_title(scene: Scene, pieces: list[Piece]) -> list[Piece]:
    """Return a pane's title; its figure alone, whole, where there is no room for the caption before it."""
    room = scene.layout.panes.width() - 2 * PADDING_PX
    return pieces[1:] if len(pieces) > 1 and legend_width(scene.styles, pieces) > room else pieces


def _places(styles: TextStyles, pieces: Sequence[Piece]) -> list[tuple[Piece, float, float]]:
    """Return each piece with its left and right end."""
    places: list[tuple[Piece, float, float]] = []
    right, field_before = 0.0, None
    for piece in pieces:
        text, tone, field, _ = piece
        space = 0.0 if field_before is None else _VALUE_SPACE_PX if field == field_before else _FIELD_SPACE_PX
        left = right + space * styles.scale
        right, field_before = left + _style_of(styles, tone).width(text), field
        places.append((piece, left, right))
    return places


def _style_of(styles: TextStyles, tone: Tone) -> TextStyle:
    return styles.bold if tone is Tone.TITLE else styles.body
