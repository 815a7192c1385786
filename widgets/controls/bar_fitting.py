"""
When a bar fits its parts into its width: after every change of its size or of its text's, and once at a time.

To show a part, Qt lays out the window first, which may resize the bar in the middle of its own fitting. A fitting that
began then would end before the first one, which would show again what the second has hidden.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget

_MOST_FITS = 3  # in a row, should each change the bar's width


class BarFitting(QObject):
    """
    Fits one bar by itself whenever its size or its font changes or it is shown; `fit` does so when a part has changed.

    ``place`` shows and hides the bar's parts for its present width. ``measure``, if given, notes what depends on the
    size of text, and ends in `fit`; it is called once the bar is shown and after each change of its font.
    """

    def __init__(self, bar: QWidget, place: Callable[[], None], measure: Callable[[], None] | None = None) -> None:
        super().__init__(bar)
        self._place, self._measure = place, measure or self.fit
        self._is_fitting = self._is_due = False
        bar.installEventFilter(self)

    def fit(self) -> None:
        """Place the parts. Called while that is under way, it is done again afterwards."""
        self._is_due = True
        if self._is_fitting:
            return
        self._is_fitting = True
        try:
            for _ in range(_MOST_FITS):
                if self._is_due:
                    self._is_due = False
                    self._place()
        finally:
            self._is_fitting = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.Resize:
            self.fit()
        elif kind == QEvent.Type.Show:
            self._measure()  # before it is shown, its parts do not know their width
        elif kind == QEvent.Type.FontChange:
            QTimer.singleShot(0, self, self._measure)  # after Qt has given every part its new font
        return False
