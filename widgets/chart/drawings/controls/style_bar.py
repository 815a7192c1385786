"""The bar of 32 pixels beside the chosen drawing: its colour, width and line, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QMouseEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from app.market.drawings.drawing import Dash, Drawing
from widgets.chart.drawings.controls.drawing_menu import (
    DrawingChanges,
    fill_colour_menu,
    fill_dash_menu,
    fill_drawing_menu,
    fill_width_menu,
)
from widgets.chart.drawings.figures import colour_name
from widgets.chart.drawings.kinds import KINDS
from widgets.chart.drawings.line_painting import colour_of
from widgets.chart.model.line_style import LineDash
from widgets.controls.context_menu import context_menu, pop_up
from widgets.controls.key_hints import set_key_tip
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

HEIGHT = 32
_BUTTON_PX = 26
_GAP_PX = 10.0  # between the bar and the drawing
_EDGE_PX = 8.0  # between the bar and the pane's edge


class StyleBar(QFrame):
    """
    Shows one drawing's style over the canvas, and changes it. The user may drag it by its grip.

    Signals:
        released(): the user has put it elsewhere, where it stays until another drawing is chosen.
    """

    released = Signal()

    def __init__(self, canvas: QWidget, changes: DrawingChanges) -> None:
        super().__init__(canvas)
        self.setObjectName("styleBar")
        self.setAccessibleName("Style of the drawing")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self._changes, self._palette = changes, DARK
        self._drawing: Drawing | None = None
        self._shown: tuple[object, ...] = ()
        self._is_placed_by_hand = False
        self._grip = _Grip(self, canvas)
        self._grip.released.connect(self._on_dragged)
        self.colour = self._menu_button("Colour", fill_colour_menu)
        self.width_button = self._menu_button(
            "Width", lambda menu, changes, one, _: fill_width_menu(menu, changes, one)
        )
        self.dash = self._menu_button("Line", lambda menu, changes, one, _: fill_dash_menu(menu, changes, one))
        self.fill = self._button("Fill", "", self._turn_fill)
        self.text = self._button("Text", "edit_drawing", lambda one: self._changes.edit_text(one))
        self.alert = self._button("Alert", "alert_drawing", lambda one: self._changes.ask_for_alert(one))
        self.lock = self._button("Lock", "lock_drawing", lambda one: self._changes.change(one, locked=not one.locked))
        self.copy = self._button("Duplicate", "duplicate_drawing", lambda one: self._changes.duplicate(one))
        self.more = self._menu_button("More", fill_drawing_menu)
        self.remove = self._button("Remove", "remove_drawing", lambda one: self._changes.remove(one))
        self._styling = (self.colour, self.width_button, self.dash, self.fill, self.text)
        self._left_out: list[QWidget] = []  # for want of room
        self._room = 0.0
        self.fill.setCheckable(True)
        self.lock.setCheckable(True)
        self.width_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 2, 4, 2)
        row.setSpacing(2)
        for part in (self._grip, *self._styling, self.alert, self.lock, self.copy, self.more, self.remove):
            row.addWidget(part)
        self.hide()

    def show_drawing(self, drawing: Drawing | None, palette: Palette, alerts: int = 0) -> None:
        """Show a drawing's style, and whether ``alerts`` wait for it; None hides the bar."""
        shown = drawing, palette, style.px(HEIGHT), alerts
        if shown == self._shown:
            return  # most frames
        self._shown = shown
        self._bring_back()
        before, self._drawing = self._drawing, drawing
        if drawing is None:
            self.hide()
            self._is_placed_by_hand = False
            return
        if before is None or before.id != drawing.id:
            self._is_placed_by_hand = False
        self._set_palette(palette)
        info, look = KINDS[drawing.kind], drawing.style
        colour = colour_of(palette, colour_name(drawing))
        self.colour.setIcon(_swatch(colour, self.devicePixelRatioF()))
        self.width_button.setIcon(_line(colour, look.width, Dash.SOLID, self.devicePixelRatioF()))
        self.width_button.setText(f" {look.width} px")
        self.dash.setIcon(_line(QColor(palette.dim), 2, look.dash, self.devicePixelRatioF()))
        self.fill.setChecked(look.filled)
        self.lock.setChecked(drawing.locked)
        self.lock.setIcon(
            icons.icon("lock" if drawing.locked else "lock-open", palette.dim, checked_color=palette.accent)
        )
        self.alert.setIcon(icons.icon("bell", palette.accent if alerts else palette.dim))
        self._name(self.alert, f"Alert ({alerts} set)" if alerts else "Alert", "alert_drawing")
        self._name(self.lock, "Unlock" if drawing.locked else "Lock", "lock_drawing")
        for part in self._styling:
            part.setVisible(not drawing.locked)
        self.remove.setVisible(not drawing.locked)
        for part in (self.width_button, self.dash):
            part.setVisible(not drawing.locked and info.has_lines)
        self.fill.setVisible(not drawing.locked and info.can_fill)
        self.alert.setVisible(info.has_lines)
        self.setAccessibleDescription(f"{info.title}: {look.width} pixels, {look.dash}")
        self.adjustSize()

    def place_beside(self, drawing: QRectF, pane: QRectF) -> None:
        """Stand where the bar covers neither the drawing nor its handles: below it, else above, else in a corner."""
        if self._drawing is None:
            return
        self._fit(pane.width() - 2 * _EDGE_PX)
        self.show()
        self.raise_()
        if not self._is_placed_by_hand:
            self.move(bar_place(self.size(), drawing, pane))

    def _fit(self, room: float) -> None:
        """Leave out what the menu has, too, where a narrow pane has no room for all of the bar."""
        if room != self._room:
            self._bring_back()
            self._room = room
        if self._left_out or self.sizeHint().width() <= room:
            return
        for part in (self.copy, self.dash, self.fill, self.text, self.width_button, self.lock):
            if self.sizeHint().width() > room and part.isVisibleTo(self):
                part.hide()
                self._left_out.append(part)
        self.adjustSize()

    def _bring_back(self) -> None:
        for part in self._left_out:
            part.show()
        self._left_out.clear()
        self.adjustSize()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # the chart below takes no part in it

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def _on_dragged(self) -> None:
        self._is_placed_by_hand = True
        self.released.emit()

    def _turn_fill(self, drawing: Drawing) -> None:
        self._changes.change_style(drawing, filled=not drawing.style.filled)

    def _button(self, name: str, command: str, press: Callable[[Drawing], object]) -> QToolButton:
        button = QToolButton()
        self._name(button, name, command)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        style.sized(button, icon_size=16, fixed_height=_BUTTON_PX)
        button.clicked.connect(lambda: self._with_drawing(press))
        return button

    def _menu_button(self, name: str, fill: Callable[[QMenu, DrawingChanges, Drawing, Palette], object]) -> QToolButton:
        button = self._button(name, "", lambda _: None)

        def open_menu(drawing: Drawing) -> None:
            menu = context_menu(self)
            fill(menu, self._changes, drawing, self._palette)
            pop_up(menu, button.mapToGlobal(button.rect().bottomLeft()))

        button.clicked.connect(lambda: self._with_drawing(open_menu))
        return button

    def _with_drawing(self, call: Callable[[Drawing], object]) -> None:
        if self._drawing is not None:
            call(self._drawing)

    @staticmethod
    def _name(button: QToolButton, name: str, command: str) -> None:
        button.setAccessibleName(f"{name} of the drawing" if not command else f"{name} the drawing")
        if command:
            set_key_tip(button, name, command)
        else:
            button.setToolTip(name)

    def _set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.setStyleSheet(
            f"#styleBar {{ background: {palette.raised}; border: 1px solid {palette.edge}; border-radius: 6px; }}"
            f"QToolButton {{ background: transparent; color: {palette.text}; border: 1px solid transparent;"
            " border-radius: 4px; padding: 0 4px; }"
            f"QToolButton:hover {{ background: {palette.line}; }}"
            f"QToolButton:checked {{ background: {palette.line}; }}"
            f"QToolButton:focus {{ border-color: {palette.accent}; }}"
        )
        for button, name in (
            (self.fill, "fill"),
            (self.text, "draw-text"),
            (self.copy, "copy"),
            (self.more, "dots"),
            (self.remove, "trash"),
        ):
            button.setIcon(icons.icon(name, palette.dim, checked_color=palette.accent))
        self._grip.setPixmap(icons.pixmap("grip", palette.faint, style.px(16), self.devicePixelRatioF()))
        self.width_button.setFont(style.font(style.SMALL_PX))


class _Grip(QLabel):
    """
    What the bar is dragged by.

    Signals:
        released(): the bar was dragged.
    """

    released = Signal()

    def __init__(self, bar: QWidget, canvas: QWidget) -> None:
        super().__init__(bar)
        self._bar, self._canvas = bar, canvas
        self._from: QPoint | None = None
        self.setCursor(Qt.CursorShape.SizeAllCursor)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._from = event.globalPosition().toPoint() - self._bar.pos()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._from is not None:
            at = event.globalPosition().toPoint() - self._from
            room = self._canvas.rect().adjusted(0, 0, -self._bar.width(), -self._bar.height())
            self._bar.move(max(0, min(at.x(), room.right())), max(0, min(at.y(), room.bottom())))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._from is not None:
            self._from = None
            self.released.emit()


def bar_place(size: QSize, drawing: QRectF, pane: QRectF) -> QPoint:
    """Return where a bar of a size stands beside a drawing's rectangle: below, above, or in a free corner. Pure."""
    free = pane.adjusted(_EDGE_PX, _EDGE_PX, -_EDGE_PX, -_EDGE_PX)
    x = min(max(drawing.center().x() - size.width() / 2, free.left()), max(free.right() - size.width(), free.left()))
    below, above = max(drawing.bottom() + _GAP_PX, free.top()), drawing.top() - _GAP_PX - size.height()
    if below + size.height() <= free.bottom():
        return QPoint(round(x), round(below))
    if above >= free.top():
        return QPoint(round(x), round(above))
    left, right = free.left(), max(free.right() - size.width(), free.left())
    top, bottom = free.top(), free.bottom() - size.height()
    corners = [QPoint(round(cx), round(cy)) for cy in (bottom, top) for cx in (left, right)]
    apart = [corner for corner in corners if not QRectF(QRect(corner, size)).intersects(drawing)]
    return (apart or corners)[0]


def _swatch(colour: QColor, ratio: float) -> QIcon:
    side = style.px(16)
    pixmap = _blank(side, side, ratio)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRoundedRect(QRectF(1, 1, side - 2, side - 2), 3, 3)
    painter.end()
    return QIcon(pixmap)


def _line(colour: QColor, width: int, dash: Dash, ratio: float) -> QIcon:
    side = style.px(16)
    pixmap = _blank(side, side, ratio)
    painter = QPainter(pixmap)
    pen = QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)
    pattern = LineDash(dash.value).pattern(width)
    if pattern is not None:
        pen.setDashPattern([max(part * 0.6, 1.0) / width for part in pattern])
    painter.setPen(pen)
    painter.drawLine(0, side // 2, side, side // 2)
    painter.end()
    return QIcon(pixmap)


def _blank(width: int, height: int, ratio: float) -> QPixmap:
    pixmap = QPixmap(round(width * ratio), round(height * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    return pixmap
