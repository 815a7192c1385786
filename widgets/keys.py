"""
Every key and mouse gesture, in one table: the program dispatches by it, F1, the palette and docs/keys.md show it.

A `KeyBinding` names its command; `command_of` returns the command of a key press. The table has the usual keys, which
users may change: `current_keys` has those in force, and all functions but `key_texts` speak of them.

The keys of `WINDOW_WIDE` groups work wherever the focus is (`window.keyboard`), those of `FOCUSED` groups while their
own part has the focus, such as the watchlist's rows, all others while the chart has it (`chart.interaction.keyboard`).
A command may have no key: then it is for the mouse and the command palette. Gestures of the mouse alone, and typing,
have no command and are only listed. A key of two steps, ``"Ctrl+K, S"``, works wherever the focus is.

To add a command, write a row here and give its call to a `widgets.commands.CommandPart` under the same name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

from widgets.key_map import KeyMap, Scope, steps_of


class CommandGroup(Enum):
    """The section a binding is listed in; the value is its heading."""

    MOVING = "Moving about"
    CHART = "The chart"
    DRAWINGS = "Drawings"
    DRAWING = "The chosen drawing"
    PANES = "Panes"
    CHARTS = "Several charts"
    WATCHLIST = "The watchlist"
    LISTS = "The watchlist's tabs"
    WINDOW = "The window"
    MENU = "The menu"


WINDOW_WIDE = frozenset({CommandGroup.CHARTS, CommandGroup.WINDOW, CommandGroup.MENU})
"""The groups whose keys work wherever the focus is."""
FOCUSED = frozenset({CommandGroup.WATCHLIST, CommandGroup.LISTS, CommandGroup.DRAWING})
"""The groups whose keys count while their own part has the focus; elsewhere the same keys may mean something else."""


@dataclass(frozen=True, slots=True)
class KeyBinding:
    """
    A command, and the keys that give it: any one of ``keys``, as `QKeySequence` reads them.

    ``text`` says in words what the command does, as it would follow “to”; it is understood by itself. ``mouse`` says
    what else does it, or what alone does where ``keys`` are empty.
    """

    group: CommandGroup
    command: str
    keys: tuple[str, ...]
    text: str
    mouse: str = ""


_ROWS: dict[CommandGroup, tuple[tuple[str, ...], ...]] = {
    CommandGroup.MOVING: (
        ("", "", "pan; let go while moving to glide on", "drag"),
        ("earlier", "Left", "go a little earlier", "Shift+wheel, two fingers sideways"),
        ("later", "Right", "go a little later"),
        ("half_earlier", "Shift+Left", "go half a screen earlier"),
        ("half_later", "Shift+Right", "go half a screen later"),
        ("screen_earlier", "Ctrl+Left PgUp", "go a screen earlier"),
        ("screen_later", "Ctrl+Right PgDown", "go a screen later"),
        ("zoom_in", "+ =", "zoom in", "wheel, pinch, Ctrl+two fingers"),
        ("zoom_out", "-", "zoom out"),
        ("", "", "zoom to a band, or to a rectangle", "Ctrl+drag"),
        ("fit", "Alt+F", "go back to usual width and automatic axes", "double click"),
        ("first", "Home", "go to the first candle loaded"),
        ("latest", "End", "go to the latest candle and stay with it", "→| below the chart"),
        ("range_day", "Alt+1", "show the last day, in candles that fit", "1D below the chart"),
        ("range_week", "Alt+2", "show the last week", "1W"),
        ("range_month", "Alt+3", "show the last month", "1M"),
        ("range_year", "Alt+4", "show the last year", "1Y"),
        ("range_all", "Alt+5", "show all candles there are", "All"),
        ("back", "Alt+Left Backspace", "go back to the view before", "the mouse's back button"),
        ("forward", "Alt+Right Shift+Backspace", "undo going back", "the mouse's forward button"),
    ),
    CommandGroup.CHART: (
        ("log", "Alt+L", "turn a logarithmic price axis on or off", "log below the chart"),
        ("percent", "Alt+P", "turn percents on or off", "% below the chart"),
        ("invert", "Alt+I", "turn the price axis upside down, or back"),
        ("candle_before", ",", "move the crosshair to the candle before"),
        ("candle_after", ".", "move the crosshair to the candle after"),
        ("phase_later", "Alt+.", "let candles begin a minute later: 09:01, 10:01 …", "the slider below the chart"),
        ("phase_earlier", "Alt+,", "let candles begin a minute earlier"),
        ("price_side", "Alt+Q", "show mid, bid or ask of quotes in turn", "context menu"),
        ("spread_band", "Alt+B", "show the spread of quotes as a band, or no longer", "context menu"),
        ("price_snap", "Alt+S", "snap the crosshair to prices, or no longer"),
        ("measure", "Alt+M", "measure from the crosshair on, and again: keep it", "Shift+drag"),
        ("copy", "Ctrl+C", "copy what is measured, else the candle", "context menu"),
        ("copy_picture", "Ctrl+Shift+C", "copy the chart as a picture", "context menu"),
        ("save_picture", "Ctrl+S", "save a picture of the chart as PNG", "context menu"),
        ("alert", "Alt+N", "set an alert at the crosshair or last price", "context menu"),
        ("compare", "Alt+C", "compare what is in view with the exchange's candles", "context menu"),
        ("download_view", "Alt+D", "download the trades in view that are not stored", "context menu"),
        ("taller", "Alt+Up", "stretch the axis of prices, or of the chosen pane", "drag the axis, wheel on it"),
        ("flatter", "Alt+Down", "press the axis of the chosen pane together"),
        ("automatic", "Alt+A", "fit the axis to what is in view again", "double click on the axis, auto"),
        ("zone", "", "choose the chart's time zone", "the zone below the chart"),
    ),
    CommandGroup.DRAWINGS: (
        ("draw_trend_line", "Alt+T", "draw a trend line", "the tools beside the chart"),
        ("draw_ray", "Alt+Y", "draw a ray"),
        ("draw_arrow", "Alt+W", "draw an arrow"),
        ("draw_parallel_channel", "Alt+K", "draw a parallel channel"),
        ("draw_regression_channel", "Alt+Z", "draw a regression channel"),
        ("draw_horizontal_line", "Alt+H", "draw a horizontal line"),
        ("draw_vertical_line", "Alt+V", "draw a vertical line"),
        ("draw_fibonacci_retracement", "Alt+O", "draw a Fibonacci retracement"),
        ("draw_fibonacci_extension", "Alt+X", "draw a Fibonacci extension"),
        ("draw_rectangle", "Alt+R", "draw a rectangle"),
        ("draw_price_range", "Alt+J", "draw a price range"),
        ("draw_text", "Alt+E", "write a text"),
        ("draw_note", "Alt+Shift+E", "write a note"),
        ("draw_freehand", "Alt+U", "draw freehand, with the mouse"),
        ("", "", "straighten what is placed or dragged", "Shift"),
        ("", "", "put the tool down", "right click"),
        ("keep_tool", "Alt+Shift+K", "keep the tool after each drawing, or no longer"),
        ("next_drawing", "Alt+PgDown", "choose the next drawing"),
        ("previous_drawing", "Alt+PgUp", "choose the drawing before"),
        ("paste_drawing", "Ctrl+V", "paste drawings"),
        ("hide_drawings", "Alt+Shift+H", "hide all drawings of the chart, or show them"),
        ("lock_drawings", "Alt+Shift+L", "lock all drawings of the chart, or no longer"),
    ),
    CommandGroup.DRAWING: (
        ("place_point", "Space", "place the next point of a drawing at the crosshair", "click"),
        ("drawing_point", "Shift+Space", "move only the drawing's next point by keys", "drag its handle"),
        ("drawing_left", "Left", "move the drawing or point a candle left", "drag"),
        ("drawing_right", "Right", "move the drawing or point a candle right"),
        ("drawing_up", "Up", "move the drawing or point up"),
        ("drawing_down", "Down", "move the drawing or point down"),
        ("drawing_far_left", "Shift+Left", "move the drawing or point ten candles left"),
        ("drawing_far_right", "Shift+Right", "move the drawing or point ten candles right"),
        ("drawing_far_up", "Shift+Up", "move the drawing or point far up"),
        ("drawing_far_down", "Shift+Down", "move the drawing or point far down"),
        ("edit_drawing", "F2", "type the drawing's text", "double click"),
        ("drawing_menu", "Return", "open the drawing's menu", "right click"),
        ("alert_drawing", "Alt+Shift+N", "set an alert on the drawing", "the bell beside it"),
        ("copy_drawing", "Ctrl+C", "copy the drawing, as JSON"),
        ("cut_drawing", "Ctrl+X", "cut the drawing out"),
        ("duplicate_drawing", "Ctrl+Shift+U", "duplicate the drawing", "Ctrl+drag"),
        ("lock_drawing", "Ctrl+Shift+L", "lock the drawing, or no longer", "the list of drawings"),
        ("hide_drawing", "Ctrl+H", "hide the drawing, or show it", "the list of drawings"),
        ("drawing_to_front", "Shift+PgUp", "bring the drawing to the front"),
        ("drawing_to_back", "Shift+PgDown", "send the drawing to the back"),
        ("remove_drawing", "Del Backspace", "remove the drawing"),
    ),
    CommandGroup.PANES: (
        ("next_pane", "F6", "choose the next pane"),
        ("previous_pane", "Shift+F6", "choose the pane before"),
        ("maximise_pane", "Alt+Return", "give a pane all the room, or show all again", "double click on its title"),
        ("grow_pane", "Ctrl+Up", "make the chosen pane higher", "drag the line between panes"),
        ("shrink_pane", "Ctrl+Down", "make the chosen pane lower"),
        ("pane_up", "Ctrl+Shift+Up", "move the chosen pane up"),
        ("pane_down", "Ctrl+Shift+Down", "move the chosen pane down"),
        ("close_pane", "Del", "close the chosen pane, and remove its indicator"),
        ("pane_settings", "Return", "open the settings of the chosen pane's indicator"),
        ("cancel", "Esc", "choose no pane, give up a band, remove the measure"),
    ),
    CommandGroup.CHARTS: (
        ("split_right", "Ctrl+R", "open another chart to the right", "⊞ in the top bar, a head's menu"),
        ("split_below", "Ctrl+Shift+R", "open another chart below", "⊞, a head's menu"),
        ("next_chart", "Ctrl+F6", "go to the next chart", "click on it"),
        ("previous_chart", "Ctrl+Shift+F6", "go to the chart before"),
        ("maximise_chart", "Ctrl+Return", "give a chart all the room, or show all again", "double click on its head"),
        ("detach_chart", "Ctrl+Shift+N", "give a chart a window of its own, or bring it back", "⊞, its head's menu"),
        ("close_chart", "Ctrl+W", "close a chart", "× in its head"),
        ("compare_symbols", "Ctrl+U", "compare with other symbols, as lines in percent", "the top bar, a head's menu"),
        (
            "link_chart",
            "Ctrl+L",
            "link a chart: symbol, interval, time, crosshair",
            "the top bar, its head's square",
        ),
        ("looks_by_symbol", "", "keep indicators, panes and style for each symbol, or no longer", "⊞"),
        ("chart_wider", "Alt+Shift+Right", "make a chart wider", "drag the line between charts"),
        ("chart_narrower", "Alt+Shift+Left", "make a chart narrower", "double click on the line: equal parts"),
        ("chart_higher", "Alt+Shift+Down", "make a chart higher"),
        ("chart_lower", "Alt+Shift+Up", "make a chart lower"),
        ("new_workspace", "Ctrl+T", "open another workspace", "+ beside the workspaces"),
        ("next_workspace", "Ctrl+PgDown", "go to the next workspace", "click on its tab"),
        ("previous_workspace", "Ctrl+PgUp", "go to the workspace before"),
        ("rename_workspace", "Ctrl+F2", "give a workspace another name", "double click on its tab"),
        ("duplicate_workspace", "Ctrl+Shift+T", "open a copy of a workspace", "its tab's menu"),
        ("reset_workspace", "", "let a workspace be one plain chart again", "its tab's menu"),
        ("delete_workspace", "", "delete a workspace", "its tab's menu"),
        ("export_workspace", "", "export a workspace to a file", "its tab's menu"),
        ("import_workspace", "", "import workspaces from a file", "its tab's menu"),
    ),
    CommandGroup.WATCHLIST: (
        ("", "", "sort by it, the other way round, no longer", "click on a head"),
        ("show_row", "Return", "show the chosen symbol on the chart", "click"),
        ("row_up", "Ctrl+Shift+Up", "move the chosen symbol up", "drag"),
        ("row_down", "Ctrl+Shift+Down", "move the chosen symbol down", "drag"),
        ("add_symbols", "", "add symbols to the watchlist", "+ over the list"),
        ("remove_row", "Del Backspace", "take the chosen symbol off the list", "context menu"),
    ),
    CommandGroup.LISTS: (
        ("", "", "open another list", "click, or the arrow keys"),
        ("new_list", "", "make a new list", "+ beside the tabs"),
        ("rename_list", "F2", "give the open list another name", "double click"),
        ("list_left", "Ctrl+Shift+Left", "move the open list to the left", "drag"),
        ("list_right", "Ctrl+Shift+Right", "move the open list to the right", "drag"),
        ("remove_list", "Del", "delete the open list; what is recorded stays", "context menu"),
    ),
    CommandGroup.WINDOW: (
        ("", "", "pick an interval: 13m, 90s, 1M", "type digits"),
        ("", "", "pick a symbol", "type letters"),
        ("palette", "Ctrl+Shift+P", "find any command and run it", "menu ☰"),
        ("symbols", "Ctrl+K", "open the symbol picker"),
        ("date", "Ctrl+G Alt+G", "go to a date", "context menu"),
        ("indicators", "Ctrl+I", "add, set or remove indicators"),
        ("alerts", "Ctrl+Shift+A", "see, set and change alerts", "“alerts watching”"),
        ("missing", "Ctrl+M", "go to missing trades, and again: to those before", "“trades missing”"),
        ("undo", "Ctrl+Z", "undo the last change that can be undone"),
        ("list_drawings", "Alt+Shift+D", "show the list of drawings", "the tools"),
        ("list_alerts", "Alt+Shift+A", "show the list of alerts", "Alerts in the side panel"),
        ("undo_drawing", "Ctrl+Alt+Z", "undo the last change of a drawing", "the tools"),
        ("redo_drawing", "Ctrl+Y Ctrl+Shift+Z", "redo the change of a drawing that was undone", "the tools"),
        ("import", "Ctrl+O", "import files of trades or candles", "drop files on the window"),
        ("download", "Ctrl+J", "download past trades or candles"),
        ("export", "Ctrl+E", "export candles"),
        ("database", "Ctrl+D", "see to the database"),
        ("stored_symbols", "Ctrl+Shift+K", "see what is stored of each symbol, day by day"),
        ("diagnostics", "Ctrl+Shift+D", "open or close the diagnostics"),
        ("side_panel", "Ctrl+B", "show or hide the side panel", "its handle: drag, double click"),
        ("full_screen", "F11", "fill the screen; F11 or Esc ends it"),
        ("menu", "F10", "open the menu ☰"),
        ("context_menu", "Shift+F10", "open the context menu of what has the focus", "the menu key"),
        ("keys", "F1 ?", "show these keys"),
        ("quit", "Ctrl+Q", "quit; what was received is stored first"),
    ),
    CommandGroup.MENU: (
        ("chart_styles", "", "choose how the chart draws", "the top bar, context menu"),
        ("edit_symbols", "", "edit the watchlist as a text", "menu ☰"),
        ("templates", "", "use, save or delete indicator templates", "menu ☰"),
        ("copy_table", "", "copy the candles in view for a spreadsheet", "menu ☰"),
        ("copy_csv", "", "copy the candles in view as CSV", "menu ☰"),
        ("copy_json", "", "copy the candles in view as JSON", "menu ☰"),
        ("serve", "", "serve data to other programs, or no longer", "menu ☰"),
        ("market", "", "go to the simulated market, or back", "menu ☰"),
        ("theme_dark", "", "use the dark theme", "menu ☰, the top bar"),
        ("theme_light", "", "use the light theme", "menu ☰, the top bar"),
        ("theme_system", "", "use the system's theme", "menu ☰"),
        ("green_red", "", "draw candles in green and red", "menu ☰"),
        ("blue_orange", "", "draw candles in blue and orange, colour-blind safe", "menu ☰"),
        ("text_larger", "", "make all text larger", "menu ☰"),
        ("text_smaller", "", "make all text smaller", "menu ☰"),
        ("change_keys", "", "change keys", "menu ☰"),
        ("about", "", "show the version and the licences", "menu ☰"),
    ),
}
"""By section: command, keys with spaces between them, text, and the mouse where it does the same."""

KEY_BINDINGS = tuple(
    KeyBinding(group, command, tuple(keys.split()), text, *mouse)
    for group, rows in _ROWS.items()
    for command, keys, text, *mouse in rows
)
"""All of them, by section, in the order shown."""

_BY_COMMAND = {binding.command: binding for binding in KEY_BINDINGS if binding.command}
_PORTABLE = QKeySequence.SequenceFormat.PortableText
COMMAND_MODIFIERS = (
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
)
_MODIFIERS = (
    Qt.KeyboardModifier.ShiftModifier
    | Qt.KeyboardModifier.ControlModifier
    | Qt.KeyboardModifier.AltModifier
    | Qt.KeyboardModifier.MetaModifier
)


def command_of(event: QKeyEvent, within: CommandGroup | None = None) -> str | None:
    """
    Return the command that a key press gives, or None.

    ``within``: the group of `FOCUSED` that has the focus; None: any other part.
    """
    found = current_keys.command_of(_pressed(event, event.modifiers()), within)
    if found is None and _is_sign(event):
        found = current_keys.command_of(_pressed(event, event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier), within)
    return found


def key_of(event: QKeyEvent) -> str:
    """Return the key that was pressed, as the table writes it."""
    without = Qt.KeyboardModifier.ShiftModifier if _is_sign(event) else Qt.KeyboardModifier.NoModifier
    return _pressed(event, event.modifiers() & ~without)


def same_key(key: str) -> str:
    """
    Return a key as the table writes it, which is equal for equal keys; empty for a text that is none.

    Of two steps, the first must be one that types nothing.
    """
    steps = combinations_of(key)
    is_key = len(steps) == 1 or (len(steps) == 2 and can_begin(steps[0]))
    return QKeySequence(key).toString(_PORTABLE) if is_key else ""


def combinations_of(key: str) -> list[QKeyCombination]:
    """Return the steps of a key, each with its modifiers; none for a text that is no key."""
    sequence = QKeySequence(key)
    found: list[QKeyCombination] = [sequence[at] for at in range(sequence.count())]  # type: ignore[index]  # because the stubs lack it
    return [] if any(each.key() in (Qt.Key.Key_unknown, Qt.Key(0)) for each in found) else found


def can_begin(step: QKeyCombination) -> bool:
    """Return whether a key can be the first of two steps: it types nothing and moves nothing in a field."""
    return bool(step.keyboardModifiers() & COMMAND_MODIFIERS) or Qt.Key.Key_F1 <= step.key() <= Qt.Key.Key_F35


def binding_of(command: str) -> KeyBinding:
    """
    Return a command's row of the table, with its usual keys.

    Raises:
        KeyError: If there is no such command.
    """
    return _BY_COMMAND[command]


def keys_of(command: str) -> tuple[str, ...]:
    """
    Return the keys of a command now, as `QKeySequence` reads them.

    Raises:
        KeyError: If there is no such command.
    """
    return current_keys.keys_of(command)


def key_text(command: str) -> str:
    """
    Return the first key of a command as this system writes it, for a menu or tool tip; empty if it has none.

    Raises:
        KeyError: If there is no such command.
    """
    return next(iter(texts_of(keys_of(command))), "")


def key_in_brackets(command: str) -> str:
    """
    Return the first key of a command for the end of a sentence, such as " (F6)"; empty if it has none.

    Raises:
        KeyError: If there is no such command.
    """
    text = key_text(command)
    return f" ({text})" if text else ""


def key_texts(binding: KeyBinding, *, native: bool = True) -> list[str]:
    """Return a binding's usual keys for display: as this system writes them, or the same on every system."""
    return texts_of(binding.keys, native=native)


def texts_of(keys: Iterable[str], *, native: bool = True) -> list[str]:
    """Return keys for display: as this system writes them, or the same on every system."""
    form, keys = QKeySequence.SequenceFormat.NativeText if native else _PORTABLE, list(keys)
    # “=” is “+” without Shift: it works, but to list it beside “+” would only puzzle.
    return [_text_of(key, form) for key in keys if key != "=" or "+" not in keys]


def bindings_by_group() -> dict[CommandGroup, list[KeyBinding]]:
    """Return all bindings by their sections."""
    return {group: [binding for binding in KEY_BINDINGS if binding.group is group] for group in CommandGroup}


def _text_of(key: str, form: QKeySequence.SequenceFormat) -> str:
    return ", ".join(_with_arrow(QKeySequence(step).toString(form)) for step in steps_of(key))


def _with_arrow(keys: str) -> str:
    for name, sign in (("Left", "←"), ("Right", "→"), ("Up", "↑"), ("Down", "↓")):
        if keys == name or keys.endswith(f"+{name}"):
            keys = keys.removesuffix(name) + sign
    return keys


def _pressed(event: QKeyEvent, modifiers: Qt.KeyboardModifier) -> str:
    # The keypad's modifier is left out: its keys mean the same.
    return QKeySequence(QKeyCombination(modifiers & _MODIFIERS, Qt.Key(event.key()))).toString(_PORTABLE)


def _is_sign(event: QKeyEvent) -> bool:
    """Return whether the key types a sign such as “+” or “?”, which on many keyboards takes Shift."""
    text = event.text()
    return bool(text) and text.isprintable() and not text.isalnum()


def _scope_of(group: CommandGroup) -> Scope:
    return Scope(group if group in FOCUSED else None, everywhere=group in WINDOW_WIDE)


current_keys = KeyMap(
    {command: tuple(map(same_key, binding.keys)) for command, binding in _BY_COMMAND.items()},
    {command: _scope_of(binding.group) for command, binding in _BY_COMMAND.items()},
)
"""The keys in force, in the whole program. Who changes them calls `widgets.controls.key_hints.follow_keys` then."""
