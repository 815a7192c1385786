"""The menu of one drawing: its style, its text, its order, copies, and its end."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QColorDialog, QInputDialog, QMenu, QWidget

from app.market.drawings.drawing import MOST_LEVEL, MOST_LEVELS, WIDTHS, Dash, Drawing, Extend
from widgets.chart.drawings.figures import colour_name
from widgets.chart.drawings.kinds import KINDS
from widgets.chart.drawings.line_painting import colour_of
from widgets.chart.drawings.shapes import levels_of
from widgets.chart.indicators.study import COLOUR_NAMES
from widgets.chart.painting.colours import line_colour
from widgets.controls.menu_entries import add_choices, add_toggle
from widgets.keys import key_text
from widgets.theme import style
from widgets.theme.palettes import Palette

DASHES = {Dash.SOLID: "Solid", Dash.DASHED: "Dashed", Dash.DOTTED: "Dotted"}
_LEVELS = "Levels, with spaces between them; none: the usual ones"
EXTENDS = {Extend.NONE: "Not extended", Extend.RIGHT: "To the right", Extend.BOTH: "Both ways"}


class DrawingChanges(Protocol):
    """What the menu can do with a drawing; `ChartDrawings` does it."""

    def change(self, drawing: Drawing, **changes: object) -> None: ...
    def change_style(self, drawing: Drawing, **changes: object) -> None: ...
    def edit_text(self, drawing: Drawing) -> None: ...
    def duplicate(self, drawing: Drawing) -> None: ...
    def copy(self, drawing: Drawing) -> None: ...
    def bring_to_front(self, drawing: Drawing) -> None: ...
    def send_to_back(self, drawing: Drawing) -> None: ...
    def remove(self, drawing: Drawing) -> None: ...
    def ask_for_alert(self, drawing: Drawing) -> None: ...


def fill_drawing_menu(menu: QMenu, changes: DrawingChanges, drawing: Drawing, palette: Palette) -> None:
    """Add what can be done with a drawing. A locked one can only be unlocked, hidden, ordered and copied."""
    info = KINDS[drawing.kind]
    menu.setFont(style.font())
    if not drawing.locked:
        menu.addAction(f"Text…\t{key_text('edit_drawing')}", partial(changes.edit_text, drawing))
        fill_style_menus(menu, changes, drawing, palette)
        menu.addSeparator()
    if info.has_lines:
        menu.addAction(f"Alert…\t{key_text('alert_drawing')}", partial(changes.ask_for_alert, drawing))
        menu.addSeparator()
    menu.addAction(f"Copy\t{key_text('copy_drawing')}", partial(changes.copy, drawing))
    menu.addAction(f"Duplicate\t{key_text('duplicate_drawing')}", partial(changes.duplicate, drawing))
    menu.addAction(f"Bring to front\t{key_text('drawing_to_front')}", partial(changes.bring_to_front, drawing))
    menu.addAction(f"Send to back\t{key_text('drawing_to_back')}", partial(changes.send_to_back, drawing))
    menu.addSeparator()
    add_toggle(
        menu,
        f"Locked\t{key_text('lock_drawing')}",
        on=drawing.locked,
        turn=lambda on: changes.change(drawing, locked=on),
    )
    add_toggle(
        menu,
        f"Hidden\t{key_text('hide_drawing')}",
        on=drawing.hidden,
        turn=lambda on: changes.change(drawing, hidden=on),
    )
    menu.addSeparator()
    remove = menu.addAction(
        f"Remove {info.title.lower()}\t{key_text('remove_drawing')}", partial(changes.remove, drawing)
    )
    remove.setEnabled(not drawing.locked)


def fill_style_menus(menu: QMenu, changes: DrawingChanges, drawing: Drawing, palette: Palette) -> None:
    """Add colour, width and dash, and where the kind has them, extension and fill."""
    info, look = KINDS[drawing.kind], drawing.style
    fill_colour_menu(menu.addMenu("Colour"), changes, drawing, palette)
    if info.has_lines:
        fill_width_menu(menu.addMenu("Width"), changes, drawing)
        fill_dash_menu(menu.addMenu("Line"), changes, drawing)
    if info.can_extend:
        extends = [
            (text, extend is look.extend, partial(changes.change_style, drawing, extend=extend))
            for extend, text in EXTENDS.items()
        ]
        add_choices(menu.addMenu("Extended"), extends)
    if info.has_levels:
        menu.addAction("Levels…", partial(_open_levels, menu.parentWidget(), changes, drawing))
    if info.can_fill:
        add_toggle(menu, "Filled", on=look.filled, turn=lambda on: changes.change_style(drawing, filled=on))


def fill_width_menu(menu: QMenu, changes: DrawingChanges, drawing: Drawing) -> None:
    """Add the widths of lines."""
    look = drawing.style
    add_choices(
        menu,
        [(f"{width} px", width == look.width, partial(changes.change_style, drawing, width=width)) for width in WIDTHS],
    )


def fill_dash_menu(menu: QMenu, changes: DrawingChanges, drawing: Drawing) -> None:
    """Add solid, dashed and dotted."""
    look = drawing.style
    add_choices(
        menu,
        [(text, dash is look.dash, partial(changes.change_style, drawing, dash=dash)) for dash, text in DASHES.items()],
    )


def fill_colour_menu(menu: QMenu, changes: DrawingChanges, drawing: Drawing, palette: Palette) -> None:
    """Add the theme's line colours, and the kind's own."""
    for number, name in enumerate(COLOUR_NAMES):
        choice = f"line:{number + 1}"
        is_chosen = drawing.style.colour == choice
        action = menu.addAction(
            swatch(line_colour(palette, number)), name, partial(changes.change_style, drawing, colour=choice)
        )
        action.setCheckable(True)
        action.setChecked(is_chosen)
    menu.addSeparator()
    menu.addAction("Other colour…", partial(_open_colours, menu.parentWidget(), changes, drawing, palette))
    usual = menu.addAction("Usual colour", partial(changes.change_style, drawing, colour=""))
    usual.setCheckable(True)
    usual.setChecked(not drawing.style.colour)


def _open_colours(parent: QWidget | None, changes: DrawingChanges, drawing: Drawing, palette: Palette) -> None:
    # open(), not exec(), whose nested event loop would hold up the program's own.
    dialog = QColorDialog(colour_of(palette, colour_name(drawing)), parent.window() if parent is not None else None)
    dialog.setWindowTitle(f"Colour of the {KINDS[drawing.kind].title.lower()}")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.colorSelected.connect(lambda chosen: changes.change_style(drawing, colour=chosen.name()))
    dialog.open()


def _open_levels(parent: QWidget | None, changes: DrawingChanges, drawing: Drawing) -> None:
    dialog = QInputDialog(parent.window() if parent is not None else None)
    dialog.setWindowTitle(f"Levels of the {KINDS[drawing.kind].title}")
    dialog.setLabelText(_LEVELS)
    dialog.setTextValue(" ".join(f"{level:g}" for level in levels_of(drawing)))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.textValueChanged.connect(lambda text: dialog.setLabelText(_wrong_levels(text) or _LEVELS))
    dialog.textValueSelected.connect(lambda text: changes.change_style(drawing, levels=levels_in(text)))
    dialog.open()


def levels_in(text: str) -> tuple[float, ...]:
    """Return the levels that a user typed, each once, in the order typed; what is no number is left out."""
    found = (_level(word) for word in _words(text))
    return tuple(dict.fromkeys(level for level in found if level is not None))[:MOST_LEVELS]


def _wrong_levels(text: str) -> str:
    """Return a sentence on the first word that is no level; empty where all are."""
    wrong = [word for word in _words(text) if _level(word) is None]
    return f"“{wrong[0][:20]}” is not a number up to {MOST_LEVEL:,.0f} and is left out." if wrong else ""


def _words(text: str) -> list[str]:
    return text.replace(",", " ").replace(";", " ").split()


def _level(word: str) -> float | None:
    try:
        level = float(word)
    except ValueError:
        return None
    return level if abs(level) <= MOST_LEVEL else None


def swatch(colour: QColor) -> QIcon:
    """Return an icon of one colour."""
    pixmap = QPixmap(style.px(14), style.px(14))
    pixmap.fill(colour)
    return QIcon(pixmap)
