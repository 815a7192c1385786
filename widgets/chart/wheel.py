"""
What turning a wheel, or two fingers on a touchpad, mean: how far to pan, or by how many notches to zoom.

A touchpad's fingers never move straight. So what they do at first, pan or zoom, is all they do until they are lifted.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QWheelEvent

_NOTCH = 120.0  # angleDelta of one click of a mouse wheel
PIXELS_PER_NOTCH = 60.0


@dataclass(slots=True)
class Turn:
    """What two fingers are doing; ``pans`` is None before they have moved."""

    pans: bool | None = None


def read_wheel(event: QWheelEvent, turn: Turn) -> tuple[float, float]:
    """
    Return logical pixels to pan to the right, and notches to zoom in by; one of them is 0.

    ``turn`` is kept from event to event.
    """
    pixels = event.pixelDelta()
    x, y = float(pixels.x()), float(pixels.y())
    if pixels.isNull():
        angle = event.angleDelta()
        x, y = angle.x() / _NOTCH * PIXELS_PER_NOTCH, angle.y() / _NOTCH * PIXELS_PER_NOTCH
    if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
        return 0.0, (y or x) / PIXELS_PER_NOTCH  # with Alt, or by itself, some systems turn y into x
    if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
        return x or y, 0.0
    pans = _pans(event.phase(), x, y, turn)
    return (x, 0.0) if pans else (0.0, y / PIXELS_PER_NOTCH)


def _pans(phase: Qt.ScrollPhase, x: float, y: float, turn: Turn) -> bool:
    sideways = abs(x) > abs(y)
    if phase == Qt.ScrollPhase.NoScrollPhase:
        return sideways
    if phase == Qt.ScrollPhase.ScrollBegin:
        turn.pans = None
    if turn.pans is None and (x or y):
        turn.pans = sideways
    return bool(turn.pans)
