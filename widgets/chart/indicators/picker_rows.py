"""The rows of the list of indicators: those on the chart and those to be added, and how they are drawn."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter

from app.market.indicators import Indicator, Place
from widgets import icons, style
from widgets.chart.indicators.study import Study
from widgets.list_picker import ROW_ROLE, Index, RowDelegate, RowModel

REMOVE_PX = 40
"""How wide the part at the right of a row on the chart is where the cross stands that removes it."""
_PLACES = {Place.PRICE: "over prices", Place.VOLUME: "over volume", Place.OWN: "own pane"}


class Row(NamedTuple):
    """A study on the chart, or an indicator that can be added."""

    indicator: Indicator
    study: Study | None = None

    @property
    def title(self) -> str:
        return self.study.label if self.study is not None else self.indicator.title

    @property
    def note(self) -> str:
        if self.study is None:
            return self.indicator.about
        return f"{self.indicator.title}{', hidden' if self.study.is_hidden else ''}"

    @property
    def spoken(self) -> str:
        """What a screen reader says."""
        kind = "on the chart" if self.study is not None else f"to add, {_PLACES[self.indicator.place]}"
        return f"{self.title}, {self.note}, {kind}"


class IndicatorListModel(RowModel[Row]):
    """The indicators on the chart that match, and then all that match."""

    def title(self, row: Row) -> str:
        return row.title

    def spoken(self, row: Row) -> str:
        return row.spoken


class IndicatorDelegate(RowDelegate):
    """Draws a row: name over a line about it; on the chart, with its colour and a cross."""

    ROW_PX = 44
    GAP_PX = 2
    first_to_add = 0
    """The row above which a line parts those on the chart from those to be added."""

    def paint_row(self, painter: QPainter, rect: QRect, index: Index) -> None:
        row: Row = index.data(ROW_ROLE)
        if index.row() == self.first_to_add and index.row():
            painter.fillRect(rect.left(), rect.top() - 1, rect.width(), 2, QColor(self.palette.line))
        inner = rect.adjusted(12, style.px(5), -12, -style.px(5))
        if row.study is not None:
            self._paint_study(painter, rect, row.study)
            inner.adjust(16, 0, -REMOVE_PX + 8, 0)
        self._paint_texts(painter, inner, row)

    def _paint_texts(self, painter: QPainter, inner: QRect, row: Row) -> None:
        top, bottom = Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignBottom
        painter.setFont(style.font())
        painter.setPen(QColor(self.palette.text))
        painter.drawText(inner, top, row.title)
        painter.setFont(style.font(style.SMALL_PX))
        painter.setPen(QColor(self.palette.dim))
        metrics = painter.fontMetrics()
        painter.drawText(inner, bottom, metrics.elidedText(row.note, Qt.TextElideMode.ElideRight, inner.width()))
        if row.study is None:
            painter.setPen(QColor(self.palette.faint))
            said = f"{row.indicator.name} · {_PLACES[row.indicator.place]}"
            painter.drawText(inner, top | Qt.AlignmentFlag.AlignRight, said)

    def _paint_study(self, painter: QPainter, rect: QRect, study: Study) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(study.name_colour(self.palette))
        painter.drawRoundedRect(QRect(rect.left() + 12, rect.center().y() - 5, 4, 11), 2, 2)
        cross = icons.icon("close", self.palette.dim, 14)
        cross.paint(painter, QRect(rect.right() - REMOVE_PX + 8, rect.center().y() - 8, 16, 16))
