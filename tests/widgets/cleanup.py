"""Closing a window at the end of a test."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QWidget


def close_and_delete(widget: QWidget) -> None:
    """Close and delete a window at once."""
    widget.close()
    widget.deleteLater()
    # Outside an event loop, processEvents deletes nothing; later tests would style and lay out this window too.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QApplication.processEvents()
