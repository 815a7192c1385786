"""
The top bar: the symbol and its price, the interval bar, and the window's few commands.

Where the window is narrow, it hides its least important parts, whole.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QToolButton, QWidget

from app.market.interval import Interval
from app.market.symbol import Symbol
from widgets.controls.bar_overflow import hide_overflow
from widgets.controls.labels import SteadyLabel, label
from widgets.controls.number_format import direction, percent, price
from widgets.keys import key_text
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, PALETTES, Palette
from widgets.view_values import QuoteView
from widgets.window.interval_bar import IntervalBar
from widgets.window.menus import TextSizeMenu, ThemeMenu

HEIGHT = 48
_SPACING = 12


class SymbolButton(QPushButton):
    """The symbol's name and market; pressing it opens the symbol picker."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("symbolButton")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setToolTip(f"Choose a symbol ({key_text('symbols')})")
        self.setAccessibleName("Choose a symbol")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.name = label("", font=style.font(style.TITLE_PX, QFont.Weight.DemiBold))
        self.market = label("Binance spot", "dim", style.font(12))
        self.chevron = QLabel()
        self._layout = layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 6, 4)
        layout.setSpacing(8)
        layout.addWidget(self.name)
        layout.addWidget(self.market)
        layout.setSpacing(6)
        layout.addWidget(self.chevron)
        for part in (self.name, self.market, self.chevron):
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def set_symbol(self, symbol: Symbol) -> None:
        self.name.setText(symbol.display_name)
        self.market.setText(symbol.trouble or "Binance spot")
        style.set_tone(self.market, "warning" if symbol.trouble else "dim")
        self.setAccessibleName(f"{symbol.display_name}, choose another symbol")
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        return self._layout.sizeHint()

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class TopBar(QFrame):
    """
    The bar across the window's top.

    Signals:
        picker_requested: The symbol's button or the search button was pressed.
        export_requested: “Export…” was pressed, or chosen in the menu.
        symbols_requested, database_requested, diagnostics_requested, keys_requested: “Symbols…”, “Database…”,
            “Diagnostics” or “Keys and mouse” was chosen in the menu.
        chart_menu_requested, indicators_requested: The button of price styles, or of indicators, was pressed; carry
            the point on the screen to open their menu at.
        theme_requested: A theme was chosen in the menu, or the theme button pressed; carries the theme's name.
        candle_colours_requested: Colours for rising and falling were chosen; carries their name.
        text_percent_requested: A size of text was chosen; carries percent of the system's.
    """

    picker_requested = Signal()
    export_requested = Signal()
    database_requested = Signal()
    diagnostics_requested = Signal()
    keys_requested = Signal()
    symbols_requested = Signal()
    chart_menu_requested = Signal(QPoint)
    indicators_requested = Signal(QPoint)
    theme_requested = Signal(str)
    candle_colours_requested = Signal(str)
    text_percent_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("topBar")
        style.sized(self, fixed_height=HEIGHT)
        self.symbol = SymbolButton()
        self.price = SteadyLabel(font=style.font(style.TITLE_PX, QFont.Weight.DemiBold))
        self.price.setAccessibleName("Last price")
        self.change = SteadyLabel()
        self.change.setAccessibleName("24 h change")
        self.change.setToolTip("Change over the last 24 hours")
        self.intervals = IntervalBar()
        self.chart_button = _tool("How the chart draws", "How the chart draws")
        self.chart_button.setObjectName("chartButton")
        self.chart_button.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the arrow after the text
        self.indicators_button = _tool("Indicators", f"Add, set or remove indicators ({key_text('indicators')})")
        self.indicators_button.setText("Indicators")
        self._chart_divider = _divider()
        self.search = _tool("Search symbols", f"Search symbols ({key_text('symbols')}, or just type)")
        self.search.setText(" " + key_text("symbols").replace("+", " "))
        self.theme = _tool("Change theme", "")
        self.export_button = QPushButton("Export…")
        self.export_button.setObjectName("exportButton")
        self.export_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.export_button.setToolTip(f"Write candles to a file ({key_text('export')})")
        self.menu_button = _tool("Menu", "Menu")
        self.menu_button.setMenu(self._make_menu())
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._symbol: Symbol | None = None
        self._other_theme = ""
        self._arrange()
        self.set_palette(DARK)
        self.symbol.clicked.connect(lambda: self.picker_requested.emit())
        self.search.clicked.connect(lambda: self.picker_requested.emit())
        self.export_button.clicked.connect(lambda: self.export_requested.emit())
        self.chart_button.clicked.connect(
            lambda: self.chart_menu_requested.emit(self.chart_button.mapToGlobal(self.chart_button.rect().bottomLeft()))
        )
        self.indicators_button.clicked.connect(self.ask_for_indicators)
        self.theme.clicked.connect(lambda: self.theme_requested.emit(self._other_theme))

    def ask_for_indicators(self) -> None:
        """Emit ``indicators_requested`` for a list under its button or, when that is hidden, under the intervals."""
        button = self.indicators_button
        left = button if button.isVisible() else self.intervals
        self.indicators_requested.emit(left.mapToGlobal(QPoint(0, self.height() - left.y() + 4)))

    def set_symbol(self, symbol: Symbol) -> None:
        """Show the symbol's name, and no price until the next quote."""
        self._symbol = symbol
        self.symbol.set_symbol(symbol)
        for figure in (self.price, self.change):
            figure.setText("")
            figure.forget_width()  # another symbol's price may be much shorter
        self._fit()

    def set_quote(self, quote: QuoteView) -> None:
        """Show the last price and the 24 h change, both in the change's colour; dimmed while they are not live."""
        tone = direction(quote.change_percent) if quote.live else "faint"
        self.price.setText("" if quote.last is None else price(quote.last, quote.symbol))
        self.change.setText("" if quote.change_percent is None else percent(quote.change_percent))
        style.set_tone(self.price, tone)
        style.set_tone(self.change, tone or "dim")
        if self.minimumSizeHint().width() > self.width():
            self._fit()  # the price has become longer

    def set_interval(self, interval: Interval) -> None:
        self.intervals.set_interval(interval)
        self._fit()

    def set_price_style(self, title: str) -> None:
        """Show in which style the chart draws prices."""
        self.chart_button.setText(title)
        self.chart_button.setAccessibleName(f"{title}, choose how the chart draws")
        self._fit()

    def set_theme(self, theme: str, candle_colours: str) -> None:
        """Tick the current theme and colours in the menu."""
        self.theme_menu.tick(theme, candle_colours)

    def set_palette(self, palette: Palette) -> None:
        self._other_theme = next(name for name in PALETTES if name != palette.name)
        self.theme.setIcon(icons.icon("sun" if self._other_theme == "light" else "moon", palette.dim))
        self.theme.setToolTip(f"Change to the {self._other_theme} theme")
        self.symbol.chevron.setPixmap(icons.pixmap("chevron-down", palette.dim, 12, self.devicePixelRatioF()))
        self.search.setIcon(icons.icon("search", palette.dim))
        self.menu_button.setIcon(icons.icon("menu", palette.dim))
        self.chart_button.setIcon(icons.icon("chevron-down", palette.dim, 12))
        self.intervals.set_palette(palette)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            QTimer.singleShot(0, self, self._fit)  # after Qt has given every part its new font

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()  # before it is shown, its parts do not know their width

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setFont(style.font())
        # The keys are text only: the window makes the shortcuts, which work while the menu is closed too.
        menu.addAction("Symbols…", self.symbols_requested.emit)
        menu.addAction(f"Database…\t{key_text('database')}", self.database_requested.emit)
        menu.addAction(f"Export candles…\t{key_text('export')}", self.export_requested.emit)
        menu.addAction(f"Diagnostics\t{key_text('diagnostics')}", self.diagnostics_requested.emit)
        menu.addAction(f"Keys and mouse\t{key_text('keys')}", self.keys_requested.emit)
        menu.addSeparator()
        self.theme_menu = ThemeMenu(menu)
        self.theme_menu.theme_chosen.connect(self.theme_requested)
        self.theme_menu.colours_chosen.connect(self.candle_colours_requested)
        menu.addMenu(self.theme_menu)
        self.text_size_menu = TextSizeMenu(menu)
        self.text_size_menu.percent_chosen.connect(self.text_percent_requested)
        menu.addMenu(self.text_size_menu)
        return menu

    def _fit(self) -> None:
        parts = (
            *(self.symbol.market, self.search, self.change, self.theme),
            *(self.indicators_button, self.chart_button),
        )
        self._chart_divider.hide()
        self.intervals.fit_to(None)
        hide_overflow(self, self.width() - self._chart_divider.width() - _SPACING, parts, _SPACING)
        # The market in it was hidden or shown, of which Qt informs the bar's layout late or never.
        self.symbol.updateGeometry()
        self._chart_divider.setHidden(self.chart_button.isHidden())
        if (missing := self.minimumSizeHint().width() - self.width()) > 0:
            self.intervals.fit_to(self.intervals.minimumSizeHint().width() - missing)

    def _arrange(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 16, 0)
        layout.setSpacing(_SPACING)
        left: tuple[QWidget, ...] = (
            self.symbol,
            self.price,
            self.change,
            _divider(),
            self.intervals,
            self._chart_divider,
            self.chart_button,
            self.indicators_button,
        )
        right: tuple[QWidget, ...] = (self.search, self.theme, self.export_button, self.menu_button)
        for part in left:
            layout.addWidget(part)
        layout.addStretch(1)
        for part in right:
            layout.addWidget(part)


def _tool(name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setAccessibleName(name)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return button


def _divider() -> QFrame:
    line = QFrame()
    line.setObjectName("divider")
    line.setFixedSize(1, 24)
    return line
