"""The buttons over the legend: those of the entry under the pointer, and the one that folds the rows of indicators."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from widgets.chart.indicators.legend_entries import FRAME_RADIUS_PX, LegendEntries, LegendEntry
from widgets.chart.indicators.study import Study
from widgets.chart.painting.colours import frame_colour
from widgets.theme import icons, style
from widgets.theme.palettes import Palette

_ICON_PX = 14


class EntryButtons(QFrame):
    """
    A row of buttons over the canvas, at the right of one entry at a time; hidden until `follow` gets an entry.

    It begins where the entry's values end, in a row that nothing else uses there: it covers no other entry.

    Signals:
        hide_requested(str, bool): hide or show the study of that key.
        settings_requested(str): open the settings of the study of that key.
        menu_requested(str, QPoint): open the menu of the study of that key at a point of the screen.
        remove_requested(str): remove the study of that key.
        entry_changed(str): the buttons are at the entry of that key now; empty: at none.
    """

    hide_requested = Signal(str, bool)
    settings_requested = Signal(str)
    menu_requested = Signal(str, QPoint)
    remove_requested = Signal(str)
    entry_changed = Signal(str)

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self.key = ""
        self._is_hidden_study = False
        self._palette: Palette | None = None
        self._icon_px = 0
        self.setObjectName("entryButtons")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        box = QHBoxLayout(self)
        box.setContentsMargins(2, 1, 2, 1)
        box.setSpacing(0)
        self.eye, self.settings, self.more, self.remove = (QToolButton() for _ in range(4))
        self._all = (self.eye, self.settings, self.more, self.remove)
        for button in self._all:
            style.sized(button, icon_size=_ICON_PX)
            # The focus stays with the chart; the keyboard reaches all of this in the list of indicators.
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            box.addWidget(button)
        self.eye.clicked.connect(lambda: self.hide_requested.emit(self.key, not self._is_hidden_study))
        self.settings.clicked.connect(lambda: self.settings_requested.emit(self.key))
        self.more.clicked.connect(self._ask_for_menu)
        self.remove.clicked.connect(lambda: self.remove_requested.emit(self.key))
        self.hide()

    def follow(self, entry: LegendEntry | None, study: Study | None, palette: Palette) -> None:
        """Move beside the entry; None hides the buttons."""
        if entry is None or study is None:
            self.leave()
            return
        if (palette, style.px(_ICON_PX)) != (self._palette, self._icon_px):
            self._apply_palette(palette)
            self._update_names(study)
        if entry.key != self.key or study.is_hidden != self._is_hidden_study or self.isHidden():
            self.key, self._is_hidden_study = entry.key, study.is_hidden
            self._update_names(study)
        top, bottom = round(entry.rect.top()), round(entry.rect.bottom())
        for button in self._all:
            button.setFixedSize(bottom - top, bottom - top - 2)
        self.adjustSize()
        right = min(round(entry.rect.right()), self._canvas.width() - self.width())
        self.setGeometry(right, top, self.width(), bottom - top)
        self.show()
        self.raise_()
        self.entry_changed.emit(self.key)

    def leave(self) -> None:
        """Hide, unless the pointer is on the buttons."""
        if not self.underMouse():
            self.dismiss()

    def dismiss(self) -> None:
        self.key = ""
        self.hide()
        self.entry_changed.emit("")

    def holds(self, position: QPointF) -> bool:
        """Whether the buttons cover a position of the canvas."""
        return self.isVisible() and self.geometry().contains(position.toPoint())

    def _apply_palette(self, palette: Palette) -> None:
        self._palette, self._icon_px = palette, style.px(_ICON_PX)
        self.setStyleSheet(
            f"#entryButtons {{ background: {palette.raised}; border: 1px solid {frame_colour(palette).name()};"
            f" border-top-right-radius: {FRAME_RADIUS_PX:g}px; border-bottom-right-radius: {FRAME_RADIUS_PX:g}px; }}"
            "QToolButton { background: transparent; border: 0; border-radius: 3px; padding: 0; }"
            f"QToolButton:hover {{ background: {palette.line}; }}"
        )
        self.settings.setIcon(icons.icon("sliders", palette.dim, _ICON_PX))
        self.more.setIcon(icons.icon("dots", palette.dim, _ICON_PX))
        self.remove.setIcon(icons.icon("close", palette.dim, _ICON_PX))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        # On the buttons, too, a right click is about the indicator, not about the chart below them.
        self.menu_requested.emit(self.key, event.globalPos())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.dismiss()

    def _ask_for_menu(self) -> None:
        self.menu_requested.emit(self.key, self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _update_names(self, study: Study) -> None:
        verb = "Show" if study.is_hidden else "Hide"
        for button, text in (
            (self.eye, verb),
            (self.settings, "Settings of"),
            (self.more, "More for"),
            (self.remove, "Remove"),
        ):
            button.setAccessibleName(f"{text} {study.label}")
            button.setToolTip(f"{text} {study.label}")
        if self._palette is not None:
            icon = "eye-off" if study.is_hidden else "eye"
            self.eye.setIcon(icons.icon(icon, self._palette.dim, _ICON_PX))


class FoldButton(QToolButton):
    """Folds the rows of indicators over the prices, and unfolds them; hidden while there are fewer than two."""

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.setObjectName("foldButton")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        style.sized(self, icon_size=_ICON_PX)
        self._shown: tuple[object, ...] = ()
        self._palette: Palette | None = None
        self.hide()

    def follow(self, entries: LegendEntries, palette: Palette, *, folded: bool) -> None:
        """Take its place below the last row. Cheap where nothing changed: call it at every refresh."""
        rect, hidden = entries.fold_rect, entries.folded_count
        shown = rect.left(), rect.top(), rect.height(), hidden, folded, palette
        if shown == self._shown:
            return
        self._shown = shown
        self.setVisible(not rect.isEmpty())
        if rect.isEmpty():
            return
        if palette is not self._palette:
            self._apply_palette(palette)
        text = f"{hidden} indicators" if folded else f"{hidden} more" if hidden else ""
        self.setText(text)
        self.setIcon(icons.icon("chevron-down" if folded else "chevron-up", palette.dim, _ICON_PX))
        name = "Show the indicators' names" if folded else "Fold the indicators' names"
        self.setAccessibleName(f"{name}: {text}" if text else name)
        self.setToolTip(name)
        self.setGeometry(round(rect.left()), round(rect.top()), self.sizeHint().width(), round(rect.height()))

    def _apply_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.ensurePolished()  # else the first size is that of an unstyled button
        self.setStyleSheet(
            f"QToolButton {{ color: {palette.dim}; background: {palette.background}; border: 1px solid transparent;"
            " border-radius: 4px; padding: 0 3px; }"
            f"QToolButton:hover {{ color: {palette.text}; background: {palette.raised}; }}"
            f"QToolButton:focus {{ border-color: {palette.accent}; }}"
        )
