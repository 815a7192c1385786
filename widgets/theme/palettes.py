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

    ``background``, ``panel`` and ``raised`` are grounds, from the chart's up to a button's; ``text``, ``dim`` and
    ``faint`` are texts of falling importance. ``on_accent`` is text on ``accent``.
    """

    name: str
    background: str
    panel: str
    raised: str
    line: str
    grid: str
    text: str
    dim: str
    faint: str
    rising: str
    falling: str
    accent: str
    on_accent: str
    warning: str


DARK = Palette(
    name="dark",
    background="#0e1217",
    panel="#141a21",
    raised="#1b232c",
    line="#232c36",
    grid="#1a212a",
    text="#d9e0e8",
    dim="#8593a1",
    faint="#5b6876",
    rising="#26b08a",
    falling="#ef5563",
    accent="#4c8dff",
    on_accent="#ffffff",
    warning="#e0a83a",
)

LIGHT = Palette(
    name="light",
    background="#ffffff",
    panel="#f6f8fa",
    raised="#ffffff",
    line="#e3e8ed",
    grid="#eef1f4",
    text="#1b2530",
    dim="#5d6b79",
    faint="#94a1ae",
    rising="#0f9170",
    falling="#d93a4b",
    accent="#2468e0",
    on_accent="#ffffff",
    warning="#b07b10",
)

PALETTES = {palette.name: palette for palette in (DARK, LIGHT)}
SYSTEM = "system"
GREEN_RED, BLUE_ORANGE = "green-red", "blue-orange"
_BLUE_ORANGE = {
    "dark": replace(DARK, rising="#4c8dff", falling="#f0a03c", warning="#f2e05c"),
    "light": replace(LIGHT, rising="#2468e0", falling="#c4720b", warning="#8d1f7a"),
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
