"""The tone in which a widget of the window says something."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget


def tone(widget: QWidget) -> str:
    """Return ``"warning"``, ``"rising"`` or what else the stylesheet colours; empty for plain text."""
    return str(widget.property("tone") or "")
