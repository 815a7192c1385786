"""One row per symbol of a download: a bar of its range, which fills as rows arrive, and the piece being fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel

from app.market.availability import Origin, Stretch
from widgets.controls.labels import ElidedLabel, label
from widgets.dialogs.availability_bar import AvailabilityBar, OriginLegend
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_WORDS = {
    Origin.TRADES: "Trades, stored",
    Origin.KLINES: "Candles, stored",
    Origin.FETCH: "To be fetched",
    Origin.NOWHERE: "Not to be had",
}


class SymbolRow(NamedTuple):
    """
    One symbol. ``stretches``: the seconds of the range, none while they are not known; ``figure``: how much is to be
    fetched, or done; ``work``: what is being fetched.
    """

    title: str
    stretches: Sequence[Stretch] = ()
    figure: str = ""
    work: str = ""


class _Row:
    """The widgets of one row, at line ``line`` of a grid and the one below."""

    def __init__(self, grid: QGridLayout, line: int) -> None:
        self.name, self.bar, self.figure = label(""), AvailabilityBar(), label("", "dim")
        self.work = ElidedLabel("", "faint", style.font(style.SMALL_PX))
        self.figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for column, widget in enumerate((self.name, self.bar, self.figure)):
            grid.addWidget(widget, line, column)
            widget.show()  # at once: a layout that is measured now leaves out what is not shown yet
        grid.addWidget(self.work, line + 1, 1, 1, 2)

    def show(self, row: SymbolRow, palette: Palette) -> None:
        self.bar.set_palette(palette)
        self.bar.set_stretches(row.stretches)
        self.bar.setAccessibleDescription(", ".join(filter(None, (row.title, row.figure, row.work))))
        for widget, text in ((self.name, row.title), (self.figure, row.figure), (self.work, row.work)):
            widget.setText(text)
        self.work.setVisible(bool(row.work))

    def widgets(self) -> tuple[AvailabilityBar | QLabel, ...]:
        return self.name, self.bar, self.figure, self.work


class DownloadRows(QFrame):
    """The rows, the ends of their common range, and a legend of the origins shown."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self._palette = DARK
        self._rows: list[_Row] = []
        small = style.font(style.SMALL_PX)
        self.start, self.end = label("", "faint", small), label("", "faint", small)
        self.end.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.legend = OriginLegend(_WORDS)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        ends = QGridLayout()
        ends.addWidget(self.start, 0, 0)
        ends.addWidget(self.end, 0, 1)
        outer = QGridLayout(self)
        outer.setContentsMargins(12, 10, 12, 10)
        outer.setVerticalSpacing(8)
        outer.addLayout(self._grid, 0, 0)
        outer.addLayout(ends, 1, 0)
        outer.addWidget(self.legend, 2, 0)

    def figures(self) -> list[str]:
        """Return the figures shown, from the top."""
        return [row.figure.text() for row in self._rows]

    def show_rows(self, rows: Sequence[SymbolRow], ends: tuple[str, str]) -> bool:
        """Show these; ``ends`` are the range's, as text. Return whether the card has another height now."""
        before = len(self._rows), [row.work.isHidden() for row in self._rows]
        while len(self._rows) < len(rows):
            self._rows.append(_Row(self._grid, 2 * len(self._rows)))
        while len(self._rows) > len(rows):
            for widget in self._rows.pop().widgets():
                self._grid.removeWidget(widget)
                widget.hide()
                widget.deleteLater()
        for widgets, row in zip(self._rows, rows, strict=True):
            widgets.show(row, self._palette)
        self.start.setText(ends[0])
        self.end.setText(ends[1])
        self.legend.show_origins({stretch.origin for row in rows for stretch in row.stretches})
        return before != (len(self._rows), [row.work.isHidden() for row in self._rows])

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self._palette = palette
        self.legend.set_palette(palette)
        for row in self._rows:
            row.bar.set_palette(palette)
