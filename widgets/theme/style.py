"""
How the window looks: fonts, Qt's colours and the stylesheet, all from one `Palette`.

Widgets carry an object name or a *tone*; ``resources/style/window.qss`` says how those look, and this module fills in
the palette's colours. So a theme is one value, and one call changes it while the program runs. Fonts are set on
widgets, not in the stylesheet: only `QFont` can ask for tabular figures, without which prices shift sideways as their
digits change. Lengths that grow with the text are set on widgets too, by `sized`.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from importlib import resources
from string import Template

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from widgets.theme import icons, text_size
from widgets.theme.palettes import Palette
from widgets.theme.text_size import BODY_PX as BODY_PX
from widgets.theme.text_size import SMALL_PX as SMALL_PX
from widgets.theme.text_size import fixed_font as fixed_font
from widgets.theme.text_size import font as font
from widgets.theme.text_size import head_font as head_font
from widgets.theme.text_size import px as px
from widgets.theme.text_size import sized as sized

TITLE_PX = 16


def prepare_application(application: QApplication, text_percent: int = 100) -> None:
    """
    Set the application's base style, font and icon. Call once, before any window.

    Text has the system's size where that is larger than the usual one, times ``text_percent``.
    """
    application.setStyle("Fusion")  # the one style that follows our colours on every platform
    text_size.prepare(application, text_percent)
    application.setWindowIcon(icons.application_icon())
    application.setDesktopFileName("cryptopipe")


def set_tone(widget: QWidget, tone: str) -> None:
    """
    Colour a label: ``"dim"``, ``"faint"``, ``"rising"``, ``"falling"``, ``"warning"``, or ``""`` for plain text.

    A tone equal to the one before costs nothing, so call it with every new value.
    """
    if (widget.property("tone") or "") != tone:
        widget.setProperty("tone", tone)
        widget.style().unpolish(widget)  # Qt does not look at properties again by itself
        widget.style().polish(widget)
        widget.update()


def qt_palette(palette: Palette) -> QPalette:
    """Return the colours of everything that the stylesheet leaves to the base style."""
    roles = {
        QPalette.ColorRole.Window: palette.panel,
        QPalette.ColorRole.WindowText: palette.text,
        QPalette.ColorRole.Base: palette.background,
        QPalette.ColorRole.AlternateBase: palette.panel,
        QPalette.ColorRole.Text: palette.text,
        QPalette.ColorRole.PlaceholderText: palette.faint,
        QPalette.ColorRole.Button: palette.raised,
        QPalette.ColorRole.ButtonText: palette.text,
        QPalette.ColorRole.BrightText: palette.falling,
        QPalette.ColorRole.ToolTipBase: palette.raised,
        QPalette.ColorRole.ToolTipText: palette.text,
        QPalette.ColorRole.Highlight: palette.fill,
        QPalette.ColorRole.HighlightedText: palette.on_fill,
        QPalette.ColorRole.Accent: palette.accent,
        QPalette.ColorRole.Link: palette.accent,
    }
    qt_palette = QPalette()
    for role, color in roles.items():
        qt_palette.setColor(role, QColor(color))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        qt_palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(palette.faint))
    return qt_palette


def stylesheet(palette: Palette) -> str:
    """
    Return the stylesheet of the window and everything in it.

    It is ``resources/style/window.qss``, whose ``$`` names are the fields of `Palette` and keys of `_icon_paths` and
    `_lengths`. Those are of the present size of text: ask again when that changes.

    Raises:
        KeyError: If the sheet names anything else.
        ValueError: If a ``$`` is not followed by a name.
    """
    return _sheet().substitute(asdict(palette), **_icon_paths(), **_lengths())


@lru_cache(maxsize=1)
def _sheet() -> Template:
    return Template(resources.files("resources").joinpath("style", "window.qss").read_text(encoding="utf-8"))


def _lengths() -> dict[str, int]:
    """Return the lengths of parts that are no widgets, such as tick marks, so `sized` cannot reach them."""
    mark, dot = px(12), px(6)
    ring = (mark - dot) // 2 + 1  # a radio button has a border of 1 pixel while it is not chosen
    return {
        "mark": mark,
        "mark_radius": mark // 2 + 1,
        "dot": mark + 2 - 2 * ring,
        "ring": ring,
        "arrow": px(16),
        "side": px(24),
    }


def _icon_paths() -> dict[str, str]:
    """Return the icons that the sheet names, as file paths."""
    return {
        "check_icon": icons.path("check"),
        "down_arrow_icon": icons.path("field-arrow"),
        "up_arrow_icon": icons.path("field-arrow-up"),
    }
