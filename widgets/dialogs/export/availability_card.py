"""How much of each file is stored, to be fetched, or unavailable: a bar and a figure per file, and a legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel

from app.market.availability import Origin, Stretch
from widgets.controls.labels import ElidedLabel, label
from widgets.controls.number_format import count, counted
from widgets.dialogs.availability_bar import ORIGIN_WORDS, QUOTE_WORDS, AvailabilityBar, OriginLegend
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

MOST_BARS = 6
"""How many files get a bar; more would fill the dialog."""


class FileAvailability(NamedTuple):
    """
    The stretches of one file's candles; none: not known yet, or no candle is in the range.

    ``name`` is “BTC/USDT 1m”, ``ends`` are those of the range, as text.
    """

    name: str
    stretches: Sequence[Stretch]
    ends: tuple[str, str]
    are_of_quotes: bool = False

    @property
    def words(self) -> Mapping[Origin, str]:
        """The names of its candles' origins."""
        return QUOTE_WORDS if self.are_of_quotes else ORIGIN_WORDS


class _Row(NamedTuple):
    name: ElidedLabel
    bar: AvailabilityBar
    figure: QLabel

    def set_visible(self, visible: bool) -> None:
        for part in self:
            part.setVisible(visible)


class AvailabilityCard(QFrame):
    """A row for each of the first files, the ends of their range, and a legend of the origins shown."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self._palette = DARK
        self.rows: list[_Row] = []
        small = style.font(style.SMALL_PX)
        self.more = label("", "faint", small)
        self.start, self.end = label("", "faint", small), label("", "faint", small)
        self.end.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.legend = OriginLegend()
        self._grid = layout = QGridLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setHorizontalSpacing(12)
        layout.setVerticalSpacing(6)
        layout.setColumnStretch(1, 1)
        ends = QHBoxLayout()
        ends.setSpacing(12)
        ends.addWidget(self.start)
        ends.addStretch(1)
        ends.addWidget(self.end)
        layout.addLayout(ends, MOST_BARS, 0, 1, 3)
        layout.addWidget(self.more, MOST_BARS + 1, 0, 1, 3)
        layout.addWidget(self.legend, MOST_BARS + 2, 0, 1, 3)
        self._add_row()

    def show_files(self, files: Sequence[FileAvailability]) -> None:
        """Show the first of these, and how many more there are."""
        shown = files[:MOST_BARS]
        while len(self.rows) < len(shown):
            self._add_row()
        for row in self.rows[len(shown) :]:
            row.set_visible(False)
        for row, one in zip(self.rows, shown, strict=False):
            _show(row, one)
        words = QUOTE_WORDS if files and all(one.are_of_quotes for one in files) else ORIGIN_WORDS
        self.legend.show_origins({stretch.origin for one in files for stretch in one.stretches}, words)
        # Texts of times sort as times do.
        self.start.setText(min((one.ends[0] for one in files), default=""))
        self.end.setText(max((one.ends[1] for one in files), default=""))
        more = len(files) - len(shown)
        self.more.setText(f"and {counted(more, 'more file')}" if more else "")
        self.more.setVisible(bool(more))

    def set_done(self, file: int, candles: int) -> None:
        """Show so many candles of that file (from 0) as delivered, and the files before it as whole."""
        for number, row in enumerate(self.rows):
            if number <= file and not row.bar.isHidden():
                row.bar.set_done(candles if number == file else row.bar.total)

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self._palette = palette
        for row in self.rows:
            row.bar.set_palette(palette)
        self.legend.set_palette(palette)

    def _add_row(self) -> None:
        row = _Row(ElidedLabel(), AvailabilityBar(), label("", "dim"))
        row.figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.bar.set_palette(self._palette)
        for column, part in enumerate(row):
            self._grid.addWidget(part, len(self.rows), column)
        self.rows.append(row)


def candles_by_origin(stretches: Sequence[Stretch]) -> dict[Origin, int]:
    """Return how many candles have each origin."""
    return {origin: sum(one.candles for one in stretches if one.origin is origin) for origin in Origin}


def _show(row: _Row, one: FileAvailability) -> None:
    row.set_visible(True)
    row.name.setText(one.name)
    row.bar.set_stretches(one.stretches)
    candles = candles_by_origin(one.stretches)
    row.figure.setText(_figure(candles))
    said = ", ".join(f"{one.words[origin].lower()}: {count(candles[origin])}" for origin in Origin if candles[origin])
    row.bar.setAccessibleDescription(f"{one.name}, {one.ends[0]} to {one.ends[1]}: {said or 'not known yet'}")


def _figure(candles: dict[Origin, int]) -> str:
    total = sum(candles.values())
    if not total:
        return ""
    if candles[Origin.FETCH]:
        return f"{count(candles[Origin.FETCH])} to fetch"
    # Rounded down: nothing that lacks a candle is 100 %.
    return f"{int((total - candles[Origin.NOWHERE]) * 10_000 / total) / 100:.2f} %".replace("100.00", "100")
