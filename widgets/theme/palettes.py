"""
The window's colours, as data. Colour means rising, falling, selected or missing; everything else is grey.

Colour-blind eyes can tell blue from orange. With those two, missing data is yellow or purple, unlike either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Palette:
    """
    One theme's colours, as ``#rrggbb``.

    - ``background``, ``panel``, ``raised``: grounds, from the chart's up to a button's. Every text has a contrast of
      4.5 on them. ``hover``, ``selected``: grounds of rows in lists, for ``text``, ``dim`` and ``warning`` alone.
    - ``line`` divides and ``edge`` frames: fields, buttons, menus, dialogs. Only ``text`` stands on either.
    - ``text``, ``dim``, ``faint``: texts of falling importance.
    - ``accent``: lines, links, focus, icons. ``fill``: what carries text, which is ``on_fill``.
    """

    name: str
    background: str
    panel: str
    raised: str
    hover: str
    selected: str
    line: str
    edge: str
    grid: str
    text: str
    dim: str
    faint: str
    rising: str
    falling: str
    accent: str
    fill: str
    on_fill: str
    warning: str


DARK = Palette(
    name="dark",
    background="#0e1217",
    panel="#141a21",
    raised="#1b232c",
    hover="#252e37",
    selected="#22324a",
    line="#232c36",
    edge="#3b4754",
    grid="#1a212a",
    text="#d9e0e8",
    dim="#9aa7b4",
    faint="#7f8d9b",
    rising="#26b08a",
    falling="#ef5563",
    accent="#4c8dff",
    fill="#2f6fe0",
    on_fill="#ffffff",
    warning="#e0a83a",
)

LIGHT = Palette(
    name="light",
    background="#ffffff",
    panel="#f6f8fa",
    raised="#ffffff",
    hover="#f1f2f3",
    selected="#e5edfb",
    line="#e3e8ed",
    edge="#c3ccd5",
    grid="#eef1f4",
    text="#1b2530",
    dim="#515e6b",
    faint="#64717e",
    rising="#0a7d61",
    falling="#c92b3d",
    accent="#2468e0",
    fill="#2468e0",
    on_fill="#ffffff",
    warning="#8f630c",
)

PALETTES = {palette.name: palette for palette in (DARK, LIGHT)}
SYSTEM = "system"
GREEN_RED, BLUE_ORANGE = "green-red", "blue-orange"
_BLUE_ORANGE = {
    "dark": replace(DARK, rising="#4c8dff", falling="#f0a03c", warning="#f2e05c"),
    "light": replace(LIGHT, rising="#2468e0", falling="#a85d00", warning="#8d1f7a"),
}


def palette_of(theme: str, colours: str, *, system_is_dark: bool) -> Palette:
    """
    Return the palette of a theme (``"dark"``, ``"light"`` or ``"system"``) with these colours for rising and falling.

    ``colours`` is `GREEN_RED` or `BLUE_ORANGE`.

    Raises:
        KeyError: If there is no such theme.
    """
    name = ("dark" if system_is_dark else "light") if theme == SYSTEM else theme
    return (_BLUE_ORANGE if colours == BLUE_ORANGE else PALETTES)[name]
