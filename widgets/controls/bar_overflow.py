"""The overflow of a bar in a narrow window: it hides its least important parts, whole, rather than cutting each."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QWidget


def hide_overflow(bar: QWidget, room: int, parts: Sequence[QWidget], spacing: int) -> None:
    """
    Hide as many of ``parts``, least important first, as it takes for the rest of ``bar`` to fit into ``room`` pixels.

    Call it again after every change of size: parts come back as soon as there is room. ``spacing`` is the bar's, in
    pixels.
    """
    # The hint leaves hidden parts out: start from the width with all parts shown.
    missing = bar.minimumSizeHint().width() - room
    hidden = [part for part in parts if part.isHidden()]
    missing += sum(part.sizeHint().width() + spacing for part in hidden)
    for part in parts:
        part.setHidden(missing > 0)
        if missing > 0:
            missing -= part.sizeHint().width() + spacing
