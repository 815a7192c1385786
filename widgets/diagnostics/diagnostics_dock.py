"""
The dock under the chart: the program's metrics and its log.

It needs values only while it is visible, and asks for the newest by `DiagnosticsDock.opened`. The window's layout
remembers whether it is open; `DiagnosticsDock.layout_values` returns the rest that is worth remembering.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QSplitter,
    QToolButton,
    QWidget,
)

from widgets.controls.key_hints import set_key_tip
from widgets.controls.labels import label
from widgets.controls.link_label import LinkLabel
from widgets.diagnostics.diagnostics_log import LogPanel
from widgets.diagnostics.metric_tile import MetricTile
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette
from widgets.view_values import MetricView

_TILE_INTERVAL_MS = 20  # values come every second, and seventeen tiles take a third of one
_SPLITTER_UNITS = 2000  # QSplitter takes sizes, and scales them to its width
_MIN_SHARE = 0.05
_CLOSE_PX = 12


class MetricGrid(QScrollArea):
    """The tiles, in as many columns as fit; the arrow keys scroll it too."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("metricGrid")
        self.setAccessibleName("Metrics of the last ten minutes")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.tiles: list[MetricTile] = []
        self._palette = DARK
        self._columns = 0
        self._pending: list[tuple[MetricTile, MetricView]] = []
        self._tile_timer = QTimer(self)
        self._tile_timer.setInterval(_TILE_INTERVAL_MS)
        self._tile_timer.timeout.connect(self._show_next)
        inside = QWidget()
        inside.setObjectName("metricGridInside")
        self._grid = QGridLayout(inside)
        self._grid.setContentsMargins(4, 4, 4, 4)
        self._grid.setSpacing(0)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setWidget(inside)

    def set_views(self, views: Sequence[MetricView]) -> None:
        """
        Show these, in this order. Every call must bring the same number.

        The tiles are updated in turn, a timer's tick each, so that no frame of the chart waits for all of them.
        """
        if not self.tiles:
            self.tiles = [MetricTile(view) for view in views]
            for tile in self.tiles:
                tile.set_palette(self._palette)
            self._arrange_tiles()
        # Replaces what is left of the views before: a tile that is still due gets the newest values.
        self._pending = list(zip(self.tiles, views, strict=True))[::-1]
        self._tile_timer.start()

    def _show_next(self) -> None:
        if self._pending:
            tile, view = self._pending.pop()
            tile.set_view(view)
        if not self._pending:
            self._tile_timer.stop()

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        for tile in self.tiles:
            tile.set_palette(palette)

    def minimumSizeHint(self) -> QSize:
        tile = self.tiles[0].minimumSizeHint().width() if self.tiles else 0
        margins = self._grid.contentsMargins()
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(max(180, tile + margins.left() + margins.right() + bar), 80)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange_tiles()  # first: Qt resizes the inside by what the tiles need
        super().resizeEvent(event)

    def _arrange_tiles(self) -> None:
        if not self.tiles:
            return
        columns = max(1, (self.viewport().width() - 8) // self.tiles[0].minimumSizeHint().width())
        if columns == self._columns and self._grid.count() == len(self.tiles):
            return
        # Columns that are no longer used would keep their share of the width.
        for column in range(self._columns):
            self._grid.setColumnStretch(column, 0)
        self._columns = columns
        for number, tile in enumerate(self.tiles):
            self._grid.addWidget(tile, number // columns, number % columns)
        for column in range(columns):
            self._grid.setColumnStretch(column, 1)


class DiagnosticsDock(QDockWidget):
    """
    Holds `MetricGrid` and `LogPanel`; hidden at first.

    Signals:
        opened: It became visible and needs the newest values.
        copy_requested: Put a text on the clipboard; carries it.
    """

    opened = Signal()
    copy_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Diagnostics", parent)
        self.setObjectName("diagnosticsDock")  # saved layouts find the dock by this name
        self.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetClosable)
        self.setAllowedAreas(Qt.DockWidgetArea.BottomDockWidgetArea)
        self.metrics = MetricGrid()
        self.log = LogPanel()
        self._copied = ""
        self.note = LinkLabel("", "faint", style.font(style.SMALL_PX), is_underlined=False)
        self.note.is_sentence = True
        self.note.set_link(False)
        self.note.clicked.connect(lambda: self.copy_requested.emit(self._copied))
        self.close_button = QToolButton()
        self.close_button.setAccessibleName("Close the diagnostics")
        set_key_tip(self.close_button, "Close the diagnostics", "diagnostics")
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        style.sized(self.close_button, icon_size=_CLOSE_PX)
        self.close_button.clicked.connect(lambda: self.close())
        self.setTitleBarWidget(self._make_title())
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.metrics)
        self.splitter.addWidget(self.log)
        for part in range(2):
            self.splitter.setStretchFactor(part, 1)
        self._share = 0.5  # of the width, for the plots; as the user left it
        self._divide(self._share)
        self.splitter.splitterMoved.connect(self._on_divided)
        self.setWidget(self.splitter)
        self.hide()

    def layout_values(self) -> dict[str, Any]:
        """Return the division of the dock and the log's filter as JSON values, for `restore_layout`."""
        return {"plots_share": round(self._share, 4), **self.log.filter_values()}

    def restore_layout(self, values: Mapping[str, Any]) -> None:
        """Restore what `layout_values` returned. Invalid values are ignored."""
        share = values.get("plots_share")
        if isinstance(share, float) and _MIN_SHARE <= share <= 1 - _MIN_SHARE:
            self._share = share
            self._divide(share)
        self.log.restore_filter(values)

    def _divide(self, share: float) -> None:
        self.splitter.setSizes([round(share * _SPLITTER_UNITS), round((1 - share) * _SPLITTER_UNITS)])

    def _on_divided(self) -> None:
        plots, log = self.splitter.sizes()
        if plots + log:
            self._share = min(max(plots / (plots + log), _MIN_SHARE), 1 - _MIN_SHARE)

    def set_note(self, text: str, tone: str = "faint", *, copied: str = "") -> None:
        """Show a sentence in the title; a click on it copies ``copied``, unless that is empty."""
        self.note.setText(text)
        self.note.setToolTip(f"{text}\nClick to copy {copied}" if copied else text)
        self.note.set_link(bool(copied))
        self._copied = copied
        style.set_tone(self.note, tone)

    def set_palette(self, palette: Palette) -> None:
        self.close_button.setIcon(icons.icon("close", palette.dim, _CLOSE_PX))
        self.metrics.set_palette(palette)
        self.log.set_palette(palette)

    def sizeHint(self) -> QSize:
        return QSize(900, 260)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.opened.emit()

    def _make_title(self) -> QWidget:
        title = QFrame()
        title.setObjectName("dockTitle")
        layout = QHBoxLayout(title)
        layout.setContentsMargins(14, 4, 8, 4)
        layout.setSpacing(14)
        layout.addWidget(label("Diagnostics", "faint", style.head_font()))
        layout.addWidget(self.note, 1)
        layout.addWidget(self.close_button)
        return title
