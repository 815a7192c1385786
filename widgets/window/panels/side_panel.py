"""The dock at the right: the watchlist over quote, drawings and alerts; hidden, it leaves a strip to show it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QMoveEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from widgets.alerts.alerts_page import AlertsPage
from widgets.drawing_tools.drawings_list import DrawingsList
from widgets.symbols.watchlist import Watchlist
from widgets.theme import icons, style
from widgets.theme.palettes import Palette
from widgets.window.panels.panel_handle import PanelHandle
from widgets.window.panels.panel_pages import PanelPages
from widgets.window.panels.quote_panel import QuotePanel

STRIP_PX = 12
_LEAST_CHART_PX = 400  # left to the chart by a panel that opens by itself, at the usual size of text
_LEAST_LEFT_PX = 200  # left to the chart by a panel that the user opens
_WIDEST_PX = 640


class SidePanel(QDockWidget):
    """
    Holds `Watchlist`, as high as its rows, and ``pages``: `QuotePanel`, `DrawingsList`, `AlertsPage`. With less room,
    they scroll.

    The user's choice (`is_wanted`) outlives a window too narrow for it: the panel comes back with the room.

    Signals:
        open_changed: The panel was shown or hidden; carries whether it is shown.
    """

    open_changed = Signal(bool)

    WIDTH, LEAST_WIDTH = 300, 264

    def __init__(self, window: QMainWindow) -> None:
        super().__init__("Watchlist and quote", window)
        self.setObjectName("sidePanelDock")  # saved layouts find the dock by this name
        self.setFeatures(QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
        self.setTitleBarWidget(QWidget())  # no title: the panels have heads of their own
        self._window = window
        self._is_open, self._is_wanted, self._is_insisted = True, True, False
        self._width = self.WIDTH  # at the usual size of text
        self._width_before_drag = 0
        self._fitted_for = (0, 0)  # the window's width and the size of text at the last `fit`
        self.watchlist = Watchlist()
        self.quote_panel = QuotePanel()
        self.drawings = DrawingsList()
        self.alerts = AlertsPage()
        self.pages = PanelPages()
        self._strip = _Strip()
        self._strip.clicked.connect(self.toggle)
        self._strip.hide()
        self._inside = self._make_inside()
        both = QWidget()
        row = QHBoxLayout(both)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._strip)
        row.addWidget(self._inside, 1)
        self.setWidget(both)
        self.handle = PanelHandle(window)
        self.handle.drag_began.connect(self._begin_drag)
        self.handle.dragged.connect(self._drag)
        self.handle.toggle_requested.connect(self.toggle)
        window.installEventFilter(self)

    @property
    def is_open(self) -> bool:
        """Whether the panel is shown, and not only its strip."""
        return self._is_open

    @property
    def is_wanted(self) -> bool:
        """Whether the user wants the panel shown, where there is room."""
        return self._is_wanted

    def toggle(self) -> None:
        """Hide the panel, or show it as wide as it was; for the user."""
        self.ask_open(not self._is_open)

    def ask_open(self, is_open: bool) -> None:
        """Show or hide the panel; for the user, so it is shown where the room is scarce, too."""
        self._is_wanted, self._is_insisted = is_open, is_open
        self.fit()

    def fit(self) -> None:
        """Show the panel at its width if it is wanted and has room; call after the window or the text changed size."""
        self._fitted_for = room, _ = self._room()
        has_room = room - self._usual_width() >= style.px(_LEAST_CHART_PX)
        if has_room:
            self._is_insisted = False
        self._set_open(self._is_wanted and (has_room or self._is_insisted))
        if self._is_open:
            width = max(min(self._usual_width(), room - _LEAST_LEFT_PX), 1)
            self._inside.setMinimumWidth(min(style.px(self.LEAST_WIDTH), width))
            self.setMinimumWidth(0)
            self.setMaximumWidth(16777215)
            self._renew_least_size()
            self._window.resizeDocks([self], [width], Qt.Orientation.Horizontal)
        else:
            self.setFixedWidth(STRIP_PX)
        self._place_handle()

    def _renew_least_size(self) -> None:
        """Lay out now: `resizeDocks` clamps to the least size of the last layout, which a larger text had."""
        for widget in (self._inside, self.widget(), self):
            layout = widget.layout()
            if layout is not None:
                layout.activate()

    def layout_values(self) -> dict[str, Any]:
        """Return what `restore_layout` takes."""
        return {"open": self._is_wanted, "width": self._width, "page": self.pages.tabs.currentIndex()}

    def restore_layout(self, values: Mapping[str, Any]) -> None:
        """Restore the values of `layout_values`; invalid ones fall back to those of the first start."""
        width = values.get("width")
        is_width = isinstance(width, int) and self.LEAST_WIDTH <= width <= _WIDEST_PX
        self._width = width if isinstance(width, int) and is_width else self.WIDTH
        self._is_wanted, self._is_insisted = values.get("open") is not False, False
        page = values.get("page")
        if isinstance(page, int) and 0 <= page < self.pages.tabs.count():
            self.pages.tabs.setCurrentIndex(page)
        self.fit()

    def set_palette(self, palette: Palette) -> None:
        self.watchlist.set_palette(palette)
        self.quote_panel.watch_button.setIcon(icons.icon("star", palette.accent))
        self.drawings.set_palette(palette)
        self.alerts.set_palette(palette)
        self.handle.set_palette(palette)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # The edge can be dragged beside the handle, too. A width that comes from elsewhere is not the user's.
        is_dragged = bool(QApplication.mouseButtons() & Qt.MouseButton.LeftButton)
        is_same_room = self._fitted_for == self._room()
        if self._is_open and is_dragged and is_same_room and self.width() >= style.px(self.LEAST_WIDTH):
            self._width = min(usual_px(self.width()), _WIDEST_PX)
        self._place_handle()

    def moveEvent(self, event: QMoveEvent) -> None:
        super().moveEvent(event)
        self._place_handle()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.handle.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and event.type() == QEvent.Type.Resize:
            self.fit()
        return False

    def _room(self) -> tuple[int, int]:
        return self._window.width(), style.px(1000)

    def _usual_width(self) -> int:
        return style.px(self._width)

    def _set_open(self, is_open: bool) -> None:
        if is_open == self._is_open:
            return
        self._is_open = is_open
        self._strip.setVisible(not is_open)
        self._inside.setVisible(is_open)
        self.handle.set_open(is_open)
        self.open_changed.emit(is_open)

    def _begin_drag(self) -> None:
        self._width_before_drag = self.width() if self._is_open else STRIP_PX

    def _drag(self, pixels: int) -> None:
        width = self._width_before_drag + pixels
        if width < style.px(self.LEAST_WIDTH) // 2:
            self.ask_open(False)
            return
        widest = min(style.px(_WIDEST_PX), self._window.width() - _LEAST_LEFT_PX)
        width = max(min(width, widest), min(style.px(self.LEAST_WIDTH), widest))
        self._width = usual_px(width)
        self.ask_open(True)

    def _place_handle(self) -> None:
        handle, edge = self.handle, self.mapTo(self._window, QPoint(0, self.height() // 2))
        x = edge.x() - handle.width() // 2
        handle.move(min(x, self._window.width() - handle.width()), edge.y() - handle.height() // 2)

    def _make_inside(self) -> QFrame:
        rule = QFrame()
        rule.setObjectName("rule")
        rule.setFixedHeight(1)
        self.quote_scroll = _QuoteScroll(self.quote_panel)
        inside = QFrame()
        inside.setObjectName("sidePanel")
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.watchlist)
        layout.addSpacing(8)
        layout.addWidget(rule)
        self.pages.add("Quote", self.quote_scroll)
        self.pages.add("Drawings", self.drawings)
        self.pages.add("Alerts", self.alerts)
        self.pages.add_to_row(self.quote_panel.watch_button)
        layout.addWidget(self.pages, 1)
        return inside


class _QuoteScroll(QScrollArea):
    """The quote panel, which scrolls where the window is low or the text large."""

    def __init__(self, quote_panel: QuotePanel) -> None:
        super().__init__()
        self.setObjectName("quoteScroll")
        self._quote_panel = quote_panel
        self.setWidget(quote_panel)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # for the arrow keys, and the menu key
        self.setAccessibleName("Quote")

    def sizeHint(self) -> QSize:
        return self._quote_panel.sizeHint()

    def minimumSizeHint(self) -> QSize:
        # The watchlist gives way first: it scrolls well, and the quote is read at a glance.
        hint = self._quote_panel.minimumSizeHint()
        return QSize(0, min(hint.height(), self.window().height() // 2))


class _Strip(QWidget):
    """
    What a hidden panel leaves of itself.

    Signals:
        clicked: It was clicked.
    """

    clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panelStrip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(STRIP_PX)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.clicked.emit()


def usual_px(pixels: int) -> int:
    """Return the length at the usual size of text that has this many pixels at the current one."""
    return round(1000 * pixels / style.px(1000))
