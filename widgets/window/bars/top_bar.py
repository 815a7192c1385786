"""
The top bar: the symbol and its price, the interval bar, and the window's few commands.

Every part has a width of its own that no price, symbol or interval changes. Where the window is narrow, whole parts
leave for the » menu, in the order of `top_bar_fit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QFont, QIcon
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QToolButton, QWidget

from app.market.interval import Interval
from app.market.symbol import Symbol
from widgets.controls.bar_fitting import BarFitting
from widgets.controls.bar_parts import ChoiceButton, OverflowMenu, divider, tool_button
from widgets.controls.figure_label import FigureLabel
from widgets.controls.key_hints import set_key_tip
from widgets.controls.number_format import direction, percent, price
from widgets.keys import key_text
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, PALETTES, Palette
from widgets.view_values import QuoteView, WatchRow
from widgets.window.bars.interval_bar import IntervalBar
from widgets.window.bars.main_menu import MainMenu
from widgets.window.bars.symbol_button import SymbolButton
from widgets.window.bars.top_bar_fit import BarFit, widest_fit

HEIGHT = 48
_MARGIN_PX = 8
_SPACING = 8
_PRICE_PX, _CHANGE_PX = 96, 68
_USUAL_PRICE, _USUAL_CHANGE = "000,000.00", "−000.00 %"
_WIDEST_LINKS, _WIDEST_LETTERS = " Linked: symbol, interval, time, crosshair", " S I T C"
_ON_BUTTON = Qt.ToolButtonStyle.ToolButtonTextBesideIcon, Qt.ToolButtonStyle.ToolButtonIconOnly


class TopBar(QFrame):
    """
    The bar across the window's top. ``menu`` and ``overflow`` have the signals of what is chosen there.

    Signals:
        picker_requested: The symbol's button or the search button was pressed.
        export_requested: “Export…” was pressed.
        chart_menu_requested, indicators_requested: The button of price styles, or of indicators, was pressed; carry
            the point on the screen to open their menu at.
        alert_requested: The button of alerts was pressed: set one.
        compare_requested, arrangement_requested, links_requested: The button that compares with other symbols, that of
            the charts' arrangement, or that of the active chart's links was pressed; carry such a point, too.
        theme_requested: The theme button was pressed; carries the theme's name.
        panel_requested: Show the side panel, or hide it; carries whether to show it.
    """

    picker_requested = Signal()
    export_requested = Signal()
    chart_menu_requested = Signal(QPoint)
    indicators_requested = Signal(QPoint)
    alert_requested = Signal()
    compare_requested = Signal(QPoint)
    arrangement_requested = Signal(QPoint)
    links_requested = Signal(QPoint)
    theme_requested = Signal(str)
    panel_requested = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("topBar")
        style.sized(self, fixed_height=HEIGHT)
        self.symbol = SymbolButton()
        self.price = FigureLabel(_PRICE_PX, font=style.font(style.TITLE_PX, QFont.Weight.DemiBold))
        self.price.setAccessibleName("Last price")
        self.change = FigureLabel(_CHANGE_PX, font=style.font())
        self.change.setAccessibleName("24 h change")
        self.change.setToolTip("Change over the last 24 hours")
        self.intervals = IntervalBar()
        self.chart_button = ChoiceButton("How the chart draws", "How the chart draws")
        self.chart_button.setObjectName("chartButton")
        self.indicators_button = tool_button("Indicators", "")
        set_key_tip(self.indicators_button, "Add, set or remove indicators", "indicators")
        self.indicators_button.setText(" Indicators")
        self.alert_button = tool_button("Alert", "")
        set_key_tip(self.alert_button, "Set an alert", "alert")
        self.alert_button.setText(" Alert")
        self.compare_button = tool_button("Compare", "")
        set_key_tip(self.compare_button, "Compare with other symbols", "compare_symbols")
        self.compare_button.setText(" Compare")
        self.arrangement = ChoiceButton("Arrange charts", "Open and arrange charts")
        self.links = ChoiceButton()
        self._link_icon: QIcon | None = None  # None: there is nothing to link
        self._link_texts = "", ""  # in words, and in letters
        self._dividers = divider(), divider(), divider()
        self.search = tool_button("Search symbols", "")
        set_key_tip(self.search, "Search symbols", "symbols", otherwise="or just type")
        self._show_search_key()
        self.theme = tool_button("Change theme", "")
        self.export_button = QPushButton("Export…")
        self.export_button.setObjectName("exportButton")
        self.export_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_key_tip(self.export_button, "Write candles to a file", "export")
        self.overflow_button = tool_button("More", "What the bar has no room for")
        self.overflow = OverflowMenu(self)
        self.overflow_button.setMenu(self.overflow)
        self.overflow_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.panel_button = tool_button("Side panel", "")
        self.panel_button.setObjectName("panelButton")
        self.panel_button.setCheckable(True)
        self.menu_button = tool_button("Menu", "")
        set_key_tip(self.menu_button, "Menu", "menu")
        self.menu = MainMenu(self)
        self.menu_button.setMenu(self.menu)
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._symbol: Symbol | None = None
        self._other_theme = ""
        self._price_style = ""
        self._prices: dict[str, str] = {}  # the first price known of each watched symbol
        self._changes: dict[str, str] = {}
        self._labelled_px: dict[QToolButton, tuple[int, int]] = {}  # with text, without
        self._palette = DARK
        self._fit_now = BarFit(len(self.intervals.favourites))
        self._fitting = BarFitting(self, self._place, self._fit_text)
        self._arrange()
        self.set_panel_open(True)
        self.set_palette(DARK)
        self._measure()
        self._connect_signals()

    def _texts_in(self, fit: BarFit) -> dict[QToolButton, bool]:
        """Return which buttons have a text beside their icon."""
        return {
            **dict.fromkeys((self.chart_button, self.indicators_button), fit.texts),
            **dict.fromkeys((self.compare_button, self.alert_button, self.search), fit.more_texts),
            self.arrangement: fit.more_texts and bool(self.arrangement.text()),
            self.links: fit.link_words or (fit.link_letters and bool(self._link_texts[1])),
        }

    @property
    def _labelled(self) -> tuple[QToolButton, ...]:
        """The buttons of what is on the chart, from left to right."""
        return self.chart_button, self.indicators_button, self.compare_button, self.alert_button

    @property
    def fit(self) -> BarFit:
        """The parts in the bar at present."""
        return self._fit_now

    def ask_for_indicators(self) -> None:
        """Emit ``indicators_requested`` for a list under its button or, when that is hidden, under the intervals."""
        button = self.indicators_button
        self.indicators_requested.emit(self._below(self.intervals if button.isHidden() else button))

    def ask_for_styles(self) -> None:
        """Emit ``chart_menu_requested`` for a menu under its button or, when that is hidden, under the intervals."""
        button = self.chart_button
        self.chart_menu_requested.emit(self._below(self.intervals if button.isHidden() else button))

    def menu_corner(self) -> QPoint:
        """Return the point of the screen at the lower right of the ☰ button."""
        return self.menu_button.mapToGlobal(self.menu_button.rect().bottomRight())

    def open_menu(self) -> None:
        """Open the ☰ menu, ready for the arrow keys."""
        size, corner = self.menu.sizeHint(), self.menu_corner()
        self.menu.popup(QPoint(corner.x() - size.width(), corner.y() + 2))
        self.menu.setActiveAction(self.menu.actions()[0])

    def set_symbol(self, symbol: Symbol) -> None:
        """Show the symbol's name, and no price until the next quote."""
        self._symbol = symbol
        self.symbol.set_symbol(symbol)
        for figure in (self.price, self.change):
            figure.setText("")

    def set_market(self, name: str) -> None:
        """Name the market beside the symbol."""
        self.symbol.set_market(name)
        self._fitting.fit()

    def set_quote(self, quote: QuoteView) -> None:
        """Show the last price and the 24 h change, both in the change's colour; dimmed while they are not live."""
        tone = direction(quote.change_percent) if quote.live else "faint"
        self.price.setText("" if quote.last is None else price(quote.last, quote.symbol))
        self.change.setText("" if quote.change_percent is None else percent(quote.change_percent))
        style.set_tone(self.price, tone)
        style.set_tone(self.change, tone or "dim")

    def set_watchlist(self, rows: Sequence[WatchRow]) -> None:
        """Make room for the longest name, price and change of the watchlist, in place of those before."""
        names = {row.symbol.name for row in rows}
        for known in (self._prices, self._changes):
            for gone in known.keys() - names:
                del known[gone]
        self._note_figures(rows)
        self.symbol.reserve(row.symbol.display_name for row in rows)
        self._reserve()

    def update_watchlist(self, rows: Iterable[WatchRow]) -> None:
        """Make room for the first price known of a row. A later one never changes the room: the bar would move."""
        if self._note_figures(rows):
            self._reserve()

    def set_interval(self, interval: Interval) -> None:
        self.intervals.set_interval(interval)
        self._offer_overflow()

    def set_price_style(self, title: str) -> None:
        """Show in which style the chart draws prices."""
        self._price_style = title
        self.chart_button.setText(f" {title}")
        self.chart_button.setAccessibleName(f"{title}, choose how the chart draws")
        self._measure()
        self._fitting.fit()

    def set_arrangement(self, text: str) -> None:
        """Show how the charts are arranged in few signs; empty for one chart."""
        if text != self.arrangement.text().strip():
            self.arrangement.setText(f" {text}" if text else "")
            self.arrangement.setAccessibleName(f"Arrange charts: {text}" if text else "Arrange charts")
            self._measure()
            self._fitting.fit()

    def set_links(self, icon: QIcon | None, words: str = "", letters: str = "") -> None:
        """
        Show what the active chart is linked in, with its group's badge; None: there is one chart only.

        ``letters`` stand for the words where these have no room.
        """
        has_changed = (icon is None) != (self._link_icon is None) or (words, letters) != self._link_texts
        self._link_icon = icon
        if icon is not None:
            self._link_texts = words, letters
            self.links.setIcon(icon)
            self.links.setAccessibleName(words)
            set_key_tip(self.links, f"{words}. Choose the group, and what it shares", "link_chart")
        if has_changed:
            self._measure()
            self._fitting.fit()

    def follow_keys(self) -> None:
        """Show the key of the search now; tool tips follow by themselves."""
        self._show_search_key()
        self._measure()
        self._fitting.fit()

    def _show_search_key(self) -> None:
        key = key_text("symbols").replace("+", " ")
        self.search.setText(f" {key}" if key else "")

    def set_panel_open(self, is_open: bool) -> None:
        """Show whether the side panel is open."""
        self.panel_button.setChecked(is_open)
        words = "Hide the side panel" if is_open else "Show the side panel"
        set_key_tip(self.panel_button, words, "side_panel")
        self.menu.tick_panel(is_open)
        self._show_panel_icon()

    def set_theme(self, theme: str, candle_colours: str) -> None:
        """Tick the current theme and colours in the menu."""
        self.menu.theme_menu.tick(theme, candle_colours)

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self._other_theme = next(name for name in PALETTES if name != palette.name)
        self.theme.setIcon(icons.icon("sun" if self._other_theme == "light" else "moon", palette.dim))
        self.theme.setToolTip(f"Change to the {self._other_theme} theme")
        self.symbol.set_palette(palette)
        self.search.setIcon(icons.icon("search", palette.dim))
        self.overflow_button.setIcon(icons.icon("more", palette.dim))
        self.arrangement.setIcon(icons.icon("grid", palette.dim))
        self._show_panel_icon()
        self.menu_button.setIcon(icons.icon("menu", palette.dim))
        for button in (self.chart_button, self.arrangement, self.links):
            button.set_palette(palette)
        self.compare_button.setIcon(icons.icon("compare", palette.dim))
        self.chart_button.setIcon(icons.icon("candles", palette.dim))
        self.indicators_button.setIcon(icons.icon("indicators", palette.dim))
        self.alert_button.setIcon(icons.icon("bell", palette.dim))
        self.intervals.set_palette(palette)
        self._offer_overflow()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())  # parts leave; the bar never widens the window

    # Room

    def _note_figures(self, rows: Iterable[WatchRow]) -> bool:
        """Remember the first price and change of each row; return whether there was one."""
        is_new = False
        for row in rows:
            name = row.symbol.name
            if row.last is not None and name not in self._prices:
                self._prices[name] = price(row.last, row.symbol)
                is_new = True
            if row.change_percent is not None and name not in self._changes:
                self._changes[name] = percent(row.change_percent)
                is_new = True
        return is_new

    def _reserve(self) -> None:
        has_changed = self.price.reserve(_USUAL_PRICE, *self._prices.values())
        has_changed |= self.change.reserve(_USUAL_CHANGE, *self._changes.values())
        self._fitting.fit()

    def _fit_text(self) -> None:
        self.set_palette(self._palette)  # icons are drawn in the text's size
        self._measure()
        self._reserve()

    def _measure(self) -> None:
        """Note how wide the buttons with icon and text are, with their text and without."""
        for button in (*self._labelled, self.search, self.arrangement):
            self._labelled_px[button] = self._px_of(button, button.text())
        # Another chart's words must not make other parts leave.
        self._labelled_px[self.links] = self._px_of(self.links, _WIDEST_LINKS)
        self._letters_px, _ = self._px_of(self.links, _WIDEST_LETTERS)

    def _px_of(self, button: QToolButton, text: str) -> tuple[int, int]:
        """Return how wide a button is with its icon and this text, and with the icon alone."""
        button.ensurePolished()
        before, text_before, px = button.toolButtonStyle(), button.text(), []
        button.setText(text)
        for style_with_or_without in _ON_BUTTON:
            button.setToolButtonStyle(style_with_or_without)
            px.append(button.sizeHint().width())
        button.setToolButtonStyle(before)
        button.setText(text_before)
        return px[0], px[1]

    def _place(self) -> None:
        """Keep in the bar what has room; the order of leaving is that of `top_bar_fit`."""
        fit = self._fit_now = widest_fit(len(self.intervals.favourites), self._width_of, self.width())
        self.symbol.set_compact(not fit.market)
        self.links.setText(f" {self._link_texts[0 if fit.link_words else 1]}")
        for button, has_text in self._texts_in(fit).items():
            button.setToolButtonStyle(_ON_BUTTON[0 if has_text else 1])
        self.price.setVisible(fit.price)
        self.change.setVisible(fit.change)
        self.intervals.fit_to(fit.intervals, with_custom=fit.custom)
        for part in (self._dividers[1], self.chart_button, self.indicators_button, self.alert_button):
            part.setVisible(fit.styles)
        self.search.setVisible(fit.search)
        self.compare_button.setVisible(fit.styles and fit.compare)
        for part in (self._dividers[2], self.arrangement):
            part.setVisible(fit.layout)
        self.links.setVisible(fit.links and self._link_icon is not None)
        self.theme.setVisible(fit.theme)
        self.export_button.setVisible(fit.export)
        self.panel_button.setVisible(fit.panel)
        self.overflow_button.setVisible(fit.has_overflow)
        self._offer_overflow()

    def _width_of(self, fit: BarFit) -> int:
        """Return the width that the bar needs for these parts, in logical pixels."""
        widths = [self.symbol.width_when(compact=not fit.market)]
        widths += [figure.slot_px() for figure, has in ((self.price, fit.price), (self.change, fit.change)) if has]
        widths += [self._dividers[0].width()] * (1 + fit.styles + fit.layout)
        widths += [self.intervals.width_of(fit.intervals, with_custom=fit.custom)]
        shown = {
            **dict.fromkeys(self._labelled, fit.styles),
            self.compare_button: fit.styles and fit.compare,
            self.search: fit.search,
            self.arrangement: fit.layout,
            self.links: fit.links and self._link_icon is not None,
        }
        texts = self._texts_in(fit)
        texts[self.links] = fit.link_words or fit.link_letters  # whatever the active chart is linked in
        widths += [self._labelled_px[button][0 if texts[button] else 1] for button, has in shown.items() if has]
        if shown[self.links] and fit.link_letters and not fit.link_words:
            widths[-1] += self._letters_px - self._labelled_px[self.links][0]
        others = [(self.theme, fit.theme), (self.export_button, fit.export)]
        others += [(self.overflow_button, fit.has_overflow), (self.panel_button, fit.panel), (self.menu_button, True)]
        widths += [part.sizeHint().width() for part, has in others if has]
        return sum(widths) + _SPACING * len(widths) + 2 * _MARGIN_PX  # one gap more: around the stretch between

    def _offer_overflow(self) -> None:
        """List in the » menu what has left the bar: same icon, text and key."""
        fit, custom, dim = self._fit_now, self.intervals.custom, self._palette.dim
        theme_icon = "sun" if self._other_theme == "light" else "moon"
        has_compare, link_icon = fit.styles and fit.compare, self._link_icon
        custom_offer = ("Custom interval", custom.name) if custom is not None else ("Type an interval…", "")
        self.overflow.clear()
        offers: tuple[tuple[bool, str, str, str, Callable[[], object]], ...] = (
            (not fit.styles, "candles", f"{self._price_style or 'Candles'}…", "", self.ask_for_styles),
            (not fit.styles, "indicators", "Indicators…", key_text("indicators"), self.ask_for_indicators),
            (not has_compare, "compare", "Compare…", key_text("compare_symbols"), self._ask_to_compare),
            (not fit.styles, "bell", "Alert…", key_text("alert"), self.alert_requested.emit),
            (not fit.custom, "clock", *custom_offer, self.intervals.request_custom),
            (not fit.search, "search", "Search symbols…", key_text("symbols"), self.picker_requested.emit),
            (not fit.layout, "grid", "Arrange charts…", "", self._ask_for_arrangement),
            (not fit.export, "export", "Export…", key_text("export"), self.export_requested.emit),
            (not fit.theme, theme_icon, f"{self._other_theme.capitalize()} theme", "", self._ask_for_theme),
            (not fit.panel, "panel", "Side panel", key_text("side_panel"), self._ask_for_panel),
        )
        for has_left, name, text, key, call in offers:
            if has_left:
                self.overflow.add(icons.icon(name, dim), text, key, call)
        if link_icon is not None and not fit.links:
            words = f"{self.links.accessibleName()}…"
            self.overflow.add(link_icon, words, key_text("link_chart"), self._ask_for_links)

    def _show_panel_icon(self) -> None:
        palette = self._palette
        self.panel_button.setIcon(icons.icon("panel", palette.accent if self.panel_button.isChecked() else palette.dim))

    # Requests

    def _ask_for_theme(self) -> None:
        self.theme_requested.emit(self._other_theme)

    def _ask_for_panel(self) -> None:
        self.panel_requested.emit(not self.panel_button.isChecked())

    def _ask_for_arrangement(self) -> None:
        button = self.arrangement
        self.arrangement_requested.emit(self._below(self.overflow_button if button.isHidden() else button))

    def _ask_to_compare(self) -> None:
        button = self.compare_button
        self.compare_requested.emit(self._below(self.overflow_button if button.isHidden() else button))

    def _ask_for_links(self) -> None:
        button = self.links
        self.links_requested.emit(self._below(self.overflow_button if button.isHidden() else button))

    def _below(self, part: QWidget) -> QPoint:
        return part.mapToGlobal(QPoint(0, self.height() - part.y() + 4))

    def _connect_signals(self) -> None:
        self.symbol.clicked.connect(lambda: self.picker_requested.emit())
        self.search.clicked.connect(lambda: self.picker_requested.emit())
        self.export_button.clicked.connect(lambda: self.export_requested.emit())
        self.chart_button.clicked.connect(lambda: self.ask_for_styles())
        self.indicators_button.clicked.connect(lambda: self.ask_for_indicators())
        self.alert_button.clicked.connect(lambda: self.alert_requested.emit())
        self.compare_button.clicked.connect(lambda: self._ask_to_compare())
        self.arrangement.clicked.connect(lambda: self._ask_for_arrangement())
        self.links.clicked.connect(lambda: self._ask_for_links())
        self.theme.clicked.connect(lambda: self._ask_for_theme())
        self.panel_button.clicked.connect(self.panel_requested)
        self.intervals.favourites_changed.connect(self._fitting.fit)

    def _arrange(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(_MARGIN_PX, 0, _MARGIN_PX, 0)
        layout.setSpacing(_SPACING)
        left: tuple[QWidget, ...] = (
            *(self.symbol, self.price, self.change, self._dividers[0], self.intervals, self._dividers[1]),
            *(*self._labelled, self._dividers[2], self.arrangement, self.links),
        )
        right = (
            *(self.search, self.theme, self.export_button, self.overflow_button, self.panel_button, self.menu_button),
        )
        for part in left:
            layout.addWidget(part)
        layout.addStretch(1)
        for part in right:
            layout.addWidget(part)
        for button in (self.theme, self.overflow_button, self.panel_button, self.menu_button):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
