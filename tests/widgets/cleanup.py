"""How the tests of widgets end with a window."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QWidget


def close_and_delete(widget: QWidget) -> None:
    """Close and delete a window."""
    widget.close()
    widget.deleteLater()
    # By processEvents alone nothing is deleted outside of a loop, and all later tests style and lay out what is left.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QApplication.processEvents()
