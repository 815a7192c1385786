"""The window's colours, as data. Colour means rising, falling, selected or missing; the rest is grey."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """One theme's colours, as ``#rrggbb``."""

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
