"""The dock at the right: the watchlist over the quote panel."""

from __future__ import annotations

from PySide6.QtWidgets import QDockWidget, QFrame, QVBoxLayout, QWidget

from widgets.symbols.watchlist import Watchlist
from widgets.theme import style
from widgets.window.quote_panel import QuotePanel


class SidePanel(QDockWidget):
    """Holds `Watchlist`, as high as its rows, and `QuotePanel`. Where there is less room, the watchlist scrolls."""

    WIDTH = 300

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Watchlist and quote", parent)
        self.setObjectName("sidePanelDock")  # saved layouts find the dock by this name
        self.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetClosable)
        self.setTitleBarWidget(QWidget())  # no title: the panels have heads of their own
        self.watchlist = Watchlist()
        self.quote_panel = QuotePanel()
        rule = QFrame()
        rule.setObjectName("rule")
        rule.setFixedHeight(1)
        inside = QFrame()
        inside.setObjectName("sidePanel")
        style.sized(inside, minimum_width=264)
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.watchlist)
        layout.addSpacing(8)
        layout.addWidget(rule)
        layout.addWidget(self.quote_panel)
        layout.addStretch(1)
        self.setWidget(inside)
