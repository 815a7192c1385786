"""The ☰ menu with its submenus."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from app.market.file_format import FileFormat
from widgets.controls.key_hints import set_key_entry
from widgets.theme import style
from widgets.theme.palettes import BLUE_ORANGE, GREEN_RED, SYSTEM

_THEMES = {
    SYSTEM: ("Like the system", "theme_system"),
    "dark": ("Dark", "theme_dark"),
    "light": ("Light", "theme_light"),
}
_COLOURS = {
    GREEN_RED: ("Green and red", "green_red"),
    BLUE_ORANGE: ("Blue and orange (colour-blind safe)", "blue_orange"),
}
_COPIES = (
    (FileFormat.TSV, "Table for a spreadsheet", "copy_table"),
    (FileFormat.CSV, "CSV", "copy_csv"),
    (FileFormat.JSON, "JSON", "copy_json"),
)
_TEXT_PERCENTS = (80, 90, 100, 110, 125, 150, 175, 200)


class MainMenu(QMenu):
    """
    The ☰ menu.

    Its keys are text only: the window makes the shortcuts, which work while the menu is closed too.

    Signals:
        symbols_requested, stored_symbols_requested, database_requested, import_requested, download_dialog_requested,
        alerts_requested, export_requested, diagnostics_requested, palette_requested, keys_requested,
        change_keys_requested, about_requested: Open that dialog or panel.
        templates_requested: Open the menu of indicator templates.
        copy_candles_requested: Put the candles in view on the clipboard; carries the `FileFormat` of the text.
        serving_requested: Serve the data to other programs, or no longer; carries whether to.
        copy_requested: Put a text on the clipboard; carries it.
        panel_requested: Show the side panel, or hide it; carries whether to show it.
        full_screen_requested: Fill the screen, or no longer.
        market_requested: Go to the simulated market, or back to the live one.
        theme_requested, candle_colours_requested: A theme, or colours for rising and falling, were chosen; carry their
            name.
        text_percent_requested: A size of text was chosen; carries percent of the system's.
        quit_requested: Close the window.
    """

    alerts_requested = Signal()
    symbols_requested = Signal()
    stored_symbols_requested = Signal()
    database_requested = Signal()
    import_requested = Signal()
    download_dialog_requested = Signal()
    export_requested = Signal()
    copy_candles_requested = Signal(object)
    diagnostics_requested = Signal()
    serving_requested = Signal(bool)
    copy_requested = Signal(str)
    keys_requested = Signal()
    palette_requested = Signal()
    change_keys_requested = Signal()
    about_requested = Signal()
    templates_requested = Signal()
    panel_requested = Signal(bool)
    full_screen_requested = Signal()
    market_requested = Signal()
    theme_requested = Signal(str)
    candle_colours_requested = Signal(str)
    text_percent_requested = Signal(int)
    quit_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFont(style.font())
        self._add("Symbols…", "edit_symbols", self.symbols_requested.emit)
        self._add("Stored symbols…", "stored_symbols", self.stored_symbols_requested.emit)
        self._add("Database…", "database", self.database_requested.emit)
        self._add("Alerts…", "alerts", self.alerts_requested.emit)
        self._add("Indicator templates…", "templates", self.templates_requested.emit)
        self._add("Import…", "import", self.import_requested.emit)
        self._add("Download…", "download", self.download_dialog_requested.emit)
        self._add("Export…", "export", self.export_requested.emit)
        copies = self.addMenu("Copy the candles in view as")
        copies.setFont(style.font())
        for file_format, text, command in _COPIES:
            call = partial(self.copy_candles_requested.emit, file_format)
            set_key_entry(copies.addAction(text, call), text, command)
        self._serving = self._add("Serve data to other programs", "serve")
        self._serving.setCheckable(True)
        self._serving.triggered.connect(self.serving_requested)
        self._address = self.addAction("", lambda: self.copy_requested.emit(self._url))
        self._market = self._add("", "market", self.market_requested.emit)
        self.addSeparator()
        self._panel = self._add("Side panel", "side_panel")
        self._panel.setCheckable(True)
        self._panel.triggered.connect(self.panel_requested)
        self._full_screen = self._add("Full screen", "full_screen")
        self._full_screen.setCheckable(True)
        self._full_screen.triggered.connect(lambda: self.full_screen_requested.emit())
        self.theme_menu = ThemeMenu(self)
        self.theme_menu.theme_chosen.connect(self.theme_requested)
        self.theme_menu.colours_chosen.connect(self.candle_colours_requested)
        self.addMenu(self.theme_menu)
        self.text_size_menu = TextSizeMenu(self)
        self.text_size_menu.percent_chosen.connect(self.text_percent_requested)
        self.addMenu(self.text_size_menu)
        self.addSeparator()
        self._add("Diagnostics", "diagnostics", self.diagnostics_requested.emit)
        self._add("Find a command…", "palette", self.palette_requested.emit)
        self._add("Keys and mouse", "keys", self.keys_requested.emit)
        self._add("Change keys…", "change_keys", self.change_keys_requested.emit)
        self._add("About cryptopipe", "about", self.about_requested.emit)
        self.addSeparator()
        self._add("Quit", "quit", self.quit_requested.emit)
        self.set_simulated(False)
        self.set_serving("")

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what its entries do for commands of `widgets.keys`, by the commands' names."""
        sizes = self.text_size_menu
        return {
            "edit_symbols": self.symbols_requested.emit,
            "templates": self.templates_requested.emit,
            **{command: partial(self.copy_candles_requested.emit, each) for each, _, command in _COPIES},
            "serve": lambda: self.serving_requested.emit(not self._url),
            **{command: partial(self.theme_requested.emit, name) for name, (_, command) in _THEMES.items()},
            **{command: partial(self.candle_colours_requested.emit, name) for name, (_, command) in _COLOURS.items()},
            "text_larger": lambda: self.text_percent_requested.emit(sizes.beside(1)),
            "text_smaller": lambda: self.text_percent_requested.emit(sizes.beside(-1)),
            "change_keys": self.change_keys_requested.emit,
            "about": self.about_requested.emit,
        }

    def _add(self, text: str, command: str, call: Callable[[], object] | None = None) -> QAction:
        action = set_key_entry(self.addAction(text), text, command)
        if call is not None:
            action.triggered.connect(lambda: call())
        return action

    def set_simulated(self, is_simulated: bool) -> None:
        """Offer the other market."""
        set_key_entry(self._market, "Go to the live market" if is_simulated else "Open the simulated market", "market")

    def set_serving(self, url: str) -> None:
        """Show whether the data is served, and offer to copy its address; an empty text for not."""
        self._url = url
        self._serving.setChecked(bool(url))
        self._address.setText(f"Copy {url}")
        self._address.setVisible(bool(url))

    def tick_panel(self, is_open: bool) -> None:
        """Show whether the side panel is open."""
        self._panel.setChecked(is_open)

    def tick_full_screen(self, is_full: bool) -> None:
        """Show whether the window fills the screen."""
        self._full_screen.setChecked(is_full)


class ThemeMenu(QMenu):
    """
    Themes, and colours of rising and falling; ticks the current ones.

    Signals:
        theme_chosen, colours_chosen: The user chose one; carry its name.
    """

    theme_chosen = Signal(str)
    colours_chosen = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Theme", parent)
        self.setFont(style.font())
        self._themes = self._group(_THEMES, self.theme_chosen.emit)
        self.addSeparator()
        self._colours = self._group(_COLOURS, self.colours_chosen.emit)

    def tick(self, theme: str, colours: str) -> None:
        """Tick these as the current ones."""
        self._themes[theme].setChecked(True)
        self._colours[colours].setChecked(True)

    def _group(self, titles: dict[str, tuple[str, str]], choose: Callable[[str], object]) -> dict[str, QAction]:
        group, made = QActionGroup(self), {}
        for name, (title, command) in titles.items():
            action = made[name] = set_key_entry(self.addAction(title), title, command)
            action.setCheckable(True)
            group.addAction(action)
            action.triggered.connect(lambda _checked=False, name=name: choose(name))
        return made


class TextSizeMenu(QMenu):
    """
    Sizes of text; ticks the current one, which need not be one of the usual ones.

    Signals:
        percent_chosen: The user chose a size; carries percent of the system's.
    """

    percent_chosen = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Text size", parent)
        self.setFont(style.font())
        self._group = QActionGroup(self)
        self._sizes: dict[int, QAction] = {}
        for percent in _TEXT_PERCENTS:
            self._add(percent)
        self.tick(100)

    def beside(self, by: int) -> int:
        """Return the next larger size (1) or smaller one (-1) of the menu; the current one where there is none."""
        now = self.percent
        sizes = sorted(each for each in self._sizes if (each > now if by > 0 else each < now))
        return (sizes[0] if by > 0 else sizes[-1]) if sizes else now

    @property
    def percent(self) -> int:
        """The current size."""
        return next((percent for percent, action in self._sizes.items() if action.isChecked()), 100)

    def tick(self, percent: int) -> None:
        """Tick this as the current size; add it to the menu if it is not one of the usual ones."""
        # No entry is ever removed: it may be the very one whose signal led here.
        if percent not in self._sizes:
            self._add(percent)
        self._sizes[percent].setChecked(True)

    def _add(self, percent: int) -> None:
        action = QAction(f"{percent} %" if percent != 100 else "100 % (like the system)", self._group)
        action.setCheckable(True)
        action.triggered.connect(lambda: self.percent_chosen.emit(percent))
        larger = min((each for each in self._sizes if each > percent), default=None)
        if larger is None:
            self.addAction(action)
        else:
            self.insertAction(self._sizes[larger], action)
        self._sizes[percent] = action
