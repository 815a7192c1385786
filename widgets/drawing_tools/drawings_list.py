"""The list of the drawings of one symbol, in the side panel, with undo, redo and where the drawings are kept."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout

from app.market.drawings.drawing import Drawing
from widgets.controls.key_hints import set_key_tip
from widgets.controls.labels import ElidedLabel, label
from widgets.drawing_tools.drawing_rows import RowDelegate, RowsView
from widgets.drawing_tools.drawings_model import DrawingsModel
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette


class DrawingsList(QFrame):
    """
    The list with undo, redo and a line on where the drawings are kept below it.

    Signals:
        chosen(str): the user chose the drawing of that id.
        shown_requested(object): take the chart to that `Drawing`.
        hidden_requested(object, bool), locked_requested(object, bool): hide or lock a `Drawing`, or no longer.
        remove_requested(object): remove that `Drawing`.
        menu_requested(object, QPoint): open the menu of that `Drawing` at a point of the screen.
        undo_requested(), redo_requested(): undo the last change, or redo it.
    """

    chosen = Signal(str)
    shown_requested = Signal(object)
    hidden_requested = Signal(object, bool)
    locked_requested = Signal(object, bool)
    remove_requested = Signal(object)
    menu_requested = Signal(object, QPoint)
    undo_requested = Signal()
    redo_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("drawingsList")
        self.model = DrawingsModel()
        self.model.hidden_requested.connect(self.hidden_requested)
        self.model.locked_requested.connect(self.locked_requested)
        self._chosen = ""
        self._delegate = RowDelegate(self)
        self.view = RowsView(self.model)
        self.view.setItemDelegate(self._delegate)
        self.view.setAccessibleName("Drawings")
        self.view.selectionModel().currentRowChanged.connect(self._on_current)
        self.view.activated.connect(lambda index: self.shown_requested.emit(self.model.drawings[index.row()]))
        self.view.remove_requested.connect(self.remove_requested)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._open_menu)
        self.undo_button = self._make_button("Undo", "undo_drawing")
        self.redo_button = self._make_button("Redo", "redo_drawing")
        self.undo_button.clicked.connect(lambda: self.undo_requested.emit())
        self.redo_button.clicked.connect(lambda: self.redo_requested.emit())
        self._empty = label("Draw with the tools at the left of the chart.", "faint", style.font(style.SMALL_PX))
        self._empty.setWordWrap(True)
        self._kept = ElidedLabel("", "faint")
        self._kept.setFont(style.font(style.SMALL_PX))
        self._arrange()
        self.set_drawings((), "")
        self.set_history(can_undo=False, can_redo=False)
        self.set_palette(DARK)

    def set_drawings(self, drawings: Sequence[Drawing], symbol: str, decimals: int | None = None) -> None:
        """
        Show the drawings of a symbol, given in the order of painting.

        ``symbol``: its name for the user. ``decimals``: those of its prices; None: not known.
        """
        self.model.decimals = decimals
        self.view.selectionModel().blockSignals(True)
        self.model.set_drawings(drawings)
        self.view.selectionModel().blockSignals(False)
        self._select(self._chosen)
        self._empty.setVisible(not drawings)
        self.view.setVisible(bool(drawings))
        self._kept.setText(f"{symbol}, on every desktop" if symbol else "")

    def set_chosen(self, drawing_id: str) -> None:
        """Show which drawing is chosen on the chart; empty: none."""
        if drawing_id != self._chosen:
            self._chosen = drawing_id
            self._select(drawing_id)

    def set_history(self, *, can_undo: bool, can_redo: bool) -> None:
        """Say whether there is anything to undo or redo."""
        self.undo_button.setEnabled(can_undo)
        self.redo_button.setEnabled(can_redo)
        self._draw_icons()

    def set_palette(self, palette: Palette) -> None:
        """Draw the icons in a palette, and in the present size of text."""
        self._delegate.palette = palette
        self._draw_icons()
        self.view.fit()
        self.view.viewport().update()

    def _draw_icons(self) -> None:
        palette = self._delegate.palette
        for button, name in ((self.undo_button, "undo"), (self.redo_button, "redo")):
            button.setIcon(icons.icon(name, palette.dim if button.isEnabled() else palette.edge))

    def _select(self, drawing_id: str) -> None:
        row = next((at for at, one in enumerate(self.model.drawings) if one.id == drawing_id), -1)
        selection = self.view.selectionModel()
        selection.blockSignals(True)
        if row < 0:
            selection.clear()
        elif self.view.currentIndex().row() != row or not selection.hasSelection():
            self.view.setCurrentIndex(self.model.index(row, max(self.view.currentIndex().column(), 0)))
        selection.blockSignals(False)
        self.view.viewport().update()

    def _on_current(self, index: QModelIndex) -> None:
        if index.isValid():
            self._chosen = self.model.drawings[index.row()].id
            self.chosen.emit(self._chosen)

    def _open_menu(self, point: QPoint) -> None:
        index = self.view.indexAt(point)
        if index.isValid():
            self.menu_requested.emit(self.model.drawings[index.row()], self.view.viewport().mapToGlobal(point))

    def _make_button(self, name: str, command: str) -> QToolButton:
        button = QToolButton()
        button.setAccessibleName(f"{name} the last change of a drawing")
        set_key_tip(button, name, command)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        style.sized(button, icon_size=16, fixed_height=28)
        return button

    def _arrange(self) -> None:
        foot = QHBoxLayout()
        foot.setContentsMargins(8, 4, 16, 8)
        foot.addWidget(self.undo_button)
        foot.addWidget(self.redo_button)
        foot.addWidget(self._kept, 1)
        self._kept.setAlignment(Qt.AlignmentFlag.AlignRight)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        self._empty.setContentsMargins(16, 8, 16, 8)
        column.addWidget(self._empty)
        column.addWidget(self.view, 1)
        column.addLayout(foot)
        column.addStretch(0)
