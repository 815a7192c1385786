"""The buttons beside a study's legend entry while the pointer is on it: hide or show, settings, remove."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from widgets.chart.indicators.legend_entries import LegendEntry
from widgets.chart.indicators.study import Study
from widgets.theme import icons
from widgets.theme.palettes import Palette

_ICON_PX, _SIDE_PX = 14, 20


class EntryButtons(QFrame):
    """
    A row of buttons over the canvas, at the right of one entry at a time; hidden until `follow` gets an entry.

    Signals:
        hide_requested(str, bool): hide or show the study of that key.
        settings_requested(str): open the settings of the study of that key.
        remove_requested(str): remove the study of that key.
    """

    hide_requested = Signal(str, bool)
    settings_requested = Signal(str)
    remove_requested = Signal(str)

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self.key = ""
        self._is_hidden_study = False
        self._palette: Palette | None = None
        self.setObjectName("entryButtons")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        self.eye, self.settings, self.remove = QToolButton(), QToolButton(), QToolButton()
        for button in (self.eye, self.settings, self.remove):
            button.setFixedSize(_SIDE_PX, _SIDE_PX)
            button.setIconSize(QSize(_ICON_PX, _ICON_PX))
            # The focus stays with the chart; the keyboard reaches all of this in the list of indicators.
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            box.addWidget(button)
        self.eye.clicked.connect(lambda: self.hide_requested.emit(self.key, not self._is_hidden_study))
        self.settings.clicked.connect(lambda: self.settings_requested.emit(self.key))
        self.remove.clicked.connect(lambda: self.remove_requested.emit(self.key))
        self.hide()

    def follow(self, entry: LegendEntry | None, study: Study | None, palette: Palette) -> None:
        """Move beside the entry; None hides the buttons."""
        if entry is None or study is None:
            self.leave()
            return
        if palette is not self._palette:
            self._apply_palette(palette)
        if entry.key != self.key or study.is_hidden != self._is_hidden_study or self.isHidden():
            self.key, self._is_hidden_study = entry.key, study.is_hidden
            self._update_names(study)
        self.adjustSize()
        right = min(entry.rect.right(), self._canvas.width() - self.width())
        self.move(QPoint(round(right), round(entry.rect.center().y() - self.height() / 2)))
        self.show()
        self.raise_()

    def leave(self) -> None:
        """Hide, unless the pointer is on the buttons."""
        if not self.underMouse():
            self.dismiss()

    def dismiss(self) -> None:
        self.key = ""
        self.hide()

    def holds(self, position: QPointF) -> bool:
        """Whether the buttons cover a position of the canvas."""
        return self.isVisible() and self.geometry().contains(position.toPoint())

    def _apply_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.setStyleSheet(
            f"#entryButtons {{ background: {palette.raised}; border: 1px solid {palette.line}; border-radius: 4px; }}"
            "QToolButton { background: transparent; border: 0; border-radius: 3px; padding: 0; }"
            f"QToolButton:hover {{ background: {palette.line}; }}"
        )
        self.settings.setIcon(icons.icon("sliders", palette.dim, _ICON_PX))
        self.remove.setIcon(icons.icon("close", palette.dim, _ICON_PX))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.dismiss()

    def _update_names(self, study: Study) -> None:
        verb = "Show" if study.is_hidden else "Hide"
        for button, text in ((self.eye, verb), (self.settings, "Settings of"), (self.remove, "Remove")):
            button.setAccessibleName(f"{text} {study.label}")
            button.setToolTip(f"{text} {study.label}")
        if self._palette is not None:
            icon = "eye-off" if study.is_hidden else "eye"
            self.eye.setIcon(icons.icon(icon, self._palette.dim, _ICON_PX))
