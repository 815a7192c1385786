"""The controls for the look of one line: its colour, its width, and whether it is solid, dashed or dotted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QColorDialog, QComboBox, QHBoxLayout, QMenu, QPushButton, QWidget

from widgets.chart.indicators.study import COLOUR_NAMES
from widgets.chart.model.line_style import WIDTHS, LineDash, LineStyle
from widgets.chart.painting.colours import line_colour
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_SAMPLE = QSize(36, 14)
_AROUND_PX = 52  # around a sample and its text, with the arrow
_DASHES = {LineDash.SOLID: "Solid", LineDash.DASHED: "Dashed", LineDash.DOTTED: "Dotted"}


class ColourButton(QPushButton):
    """
    Shows a colour; a click offers the theme's line colours and any other.

    Signals:
        colour_chosen(str): the user chose that colour: ``#rrggbb``, ``line-3`` for the theme's third line colour, or
            empty for the one that the chart gives it.
    """

    colour_chosen = Signal(str)

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setAccessibleName(f"Colour of {title}")
        self.setFixedSize(QSize(style.px(40), style.px(28)))
        self._colour, self._palette = QColor(), DARK
        self.clicked.connect(self.open_menu)

    def show_colours(self, colours: Sequence[QColor], palette: Palette) -> None:
        """Show one colour, or two side by side."""
        self._colour, self._palette = colours[0], palette
        self.setToolTip(", ".join(colour.name() for colour in colours))
        stops = ", ".join(f"stop:{at} {(colours[-1] if at > 0.5 else colours[0]).name()}" for at in (0, 0.5, 0.501, 1))
        self.setStyleSheet(
            f"QPushButton {{ background: qlineargradient(x1:0, y1:0, x2:1, y2:0, {stops});"
            f" border: 1px solid {palette.line}; border-radius: 4px; }}"
            f"QPushButton:focus {{ border: 2px solid {palette.text}; }}"
        )

    def open_menu(self) -> None:
        """Open the list of colours below the button."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for number, name in enumerate(COLOUR_NAMES):
            icon = _filled(line_colour(self._palette, number), self.devicePixelRatioF())
            menu.addAction(icon, name, partial(self.colour_chosen.emit, f"line-{number + 1}"))
        menu.addSeparator()
        menu.addAction("Automatic", partial(self.colour_chosen.emit, ""))
        menu.addAction("Other colour…", self._open_dialog)
        menu.popup(self.mapToGlobal(self.rect().bottomLeft()))

    def _open_dialog(self) -> None:
        # open(), not exec(), whose nested event loop would hold up the program's own.
        dialog = QColorDialog(self._colour, self.window())
        dialog.setWindowTitle(self.accessibleName())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(lambda chosen: self.colour_chosen.emit(chosen.name()))
        dialog.open()


class LineControls(QWidget):
    """
    A row of colour, width and dash for one line; ``has_style``: it is a line, not columns or dots.

    Signals:
        colour_chosen(str): as `ColourButton`'s.
        style_chosen(object): the user chose that `LineStyle`.
    """

    colour_chosen = Signal(str)
    style_chosen = Signal(object)

    def __init__(self, title: str, line_style: LineStyle, *, has_style: bool) -> None:
        super().__init__()
        self.colour = ColourButton(title)
        self.width_box, self.dash_box = QComboBox(), QComboBox()
        self.width_box.setAccessibleName(f"Width of {title}")
        self.dash_box.setAccessibleName(f"Style of {title}")
        for box in (self.width_box, self.dash_box):
            box.setIconSize(_SAMPLE)
        for width in WIDTHS:
            self.width_box.addItem(f"{width:g} px", width)
        for dash, name in _DASHES.items():
            self.dash_box.addItem(name, dash.value)
        self.width_box.setCurrentIndex(WIDTHS.index(line_style.width))
        self.dash_box.setCurrentIndex(list(_DASHES).index(line_style.dash))
        for box in (self.width_box, self.dash_box):
            # Qt's own hint leaves no room for the sample within the stylesheet's padding.
            widest = max(box.fontMetrics().horizontalAdvance(box.itemText(at)) for at in range(box.count()))
            box.setMinimumWidth(widest + _SAMPLE.width() + style.px(_AROUND_PX))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.colour)
        for box in (self.width_box, self.dash_box):
            row.addWidget(box, 1)
            box.setVisible(has_style)  # as a part of this: shown before, it would be a window for a moment
            box.currentIndexChanged.connect(self._emit_style)
        if not has_style:
            row.addStretch(1)
        self.colour.colour_chosen.connect(self.colour_chosen)

    def show_colours(self, colours: Sequence[QColor], palette: Palette) -> None:
        """Show the colours in which it is drawn on the button, the first in the samples of widths and dashes, too."""
        self.colour.show_colours(colours, palette)
        colour = colours[0]
        ratio = self.devicePixelRatioF()
        width = WIDTHS[self.width_box.currentIndex()]
        for at, each in enumerate(WIDTHS):
            self.width_box.setItemIcon(at, _sample(colour, LineStyle(each), ratio))
        for at, dash in enumerate(_DASHES):
            self.dash_box.setItemIcon(at, _sample(colour, LineStyle(width, dash), ratio))

    def _emit_style(self) -> None:
        dash = LineDash(self.dash_box.currentData())
        self.style_chosen.emit(LineStyle(float(self.width_box.currentData()), dash))


def _canvas(ratio: float) -> QPixmap:
    made = QPixmap(_SAMPLE * ratio)
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    return made


def _filled(colour: QColor, ratio: float) -> QIcon:
    made = _canvas(ratio)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRoundedRect(0, 0, _SAMPLE.width(), _SAMPLE.height(), 3, 3)
    painter.end()
    return QIcon(made)


def _sample(colour: QColor, line_style: LineStyle, ratio: float) -> QIcon:
    made = _canvas(ratio)
    painter = QPainter(made)
    pen = QPen(colour, line_style.width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)
    pattern = line_style.dash.pattern(line_style.width)
    if pattern is not None:
        pen.setDashPattern([length / line_style.width for length in pattern])
    painter.setPen(pen)
    middle = _SAMPLE.height() / 2
    painter.drawLine(QPointF(0, middle), QPointF(_SAMPLE.width(), middle))
    painter.end()
    return QIcon(made)
