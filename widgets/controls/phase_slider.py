"""
The slider under the chart that makes its candles begin some minutes later: hours from 09:05 instead of 09:00.

It decides nothing: once a moved slider rests, it emits a signal, and `PhaseSlider.set_interval` shows the phase in
force.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QSlider, QWidget

from app.market.interval import Interval
from widgets.controls.labels import label
from widgets.theme import style

_SLIDER_PX = 72
_REST_MS = 150  # before candles are loaded for a slider that is being moved
_LOADED_MS = 5000  # within which the chart shows a requested phase; else the slider goes back to the one in force
_GAP_PX = 4


class PhaseSlider(QWidget):
    """
    A slider over the phases of one interval, with the minutes as a number; its owner hides it where there are none.

    Signals:
        phase_requested(int): make candles begin that many minutes later.
    """

    phase_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._interval: Interval | None = None
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("phaseSlider")
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.slider.setRange(0, 0)
        self.number = label("", "dim", style.font(style.SMALL_PX))
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._ask)
        self._requested: int | None = None  # the phase that the chart has yet to show
        self._loading = QTimer(self)
        self._loading.setSingleShot(True)
        self._loading.setInterval(_LOADED_MS)
        self._loading.timeout.connect(self._show_in_force)
        self.slider.valueChanged.connect(self._on_moved)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(_GAP_PX)
        layout.addWidget(self.slider)
        layout.addWidget(self.number)
        self._name()
        self.fit_text()

    @property
    def has_phases(self) -> bool:
        """Whether the interval can begin later."""
        return self._interval is not None and self._interval.phases > 1

    def set_interval(self, interval: Interval) -> bool:
        """Show the phase of the chart's interval; return whether its width changed. Cheap if it is the same."""
        if interval == self._interval:
            return False
        had = 0 if self._interval is None else self._interval.phases
        self._interval = interval
        is_late = self._requested not in (None, interval.phase)
        if (self._rest.isActive() or is_late) and had == interval.phases:
            return False  # the slider was moved on meanwhile
        self._show_in_force()
        self.fit_text()
        return had != interval.phases

    def step_by(self, by: int) -> None:
        """Move the slider by minutes; the last phase is followed by the first."""
        if self.has_phases:
            self.slider.setValue((self.slider.value() + by) % (self.slider.maximum() + 1))

    def fit_text(self) -> None:
        """Fit the width to the text in its present size."""
        self.slider.setFixedWidth(style.px(_SLIDER_PX))
        longest = f"+{self.slider.maximum()}m"
        self.number.ensurePolished()
        self.number.setFixedWidth(self.number.fontMetrics().horizontalAdvance(longest) + 2)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        width = self.slider.maximumWidth() + _GAP_PX + self.number.maximumWidth()
        return QSize(width, super().sizeHint().height())

    def _on_moved(self) -> None:
        self._name()
        self._rest.start()

    def _ask(self) -> None:
        phase = self.slider.value()
        if self._interval is not None and phase != self._interval.phase:
            self._requested = phase
            self._loading.start()
        self.phase_requested.emit(phase)

    def _show_in_force(self) -> None:
        """Show the phase of the chart's interval."""
        self._rest.stop()
        self._loading.stop()
        self._requested = None
        if self._interval is not None:
            self.slider.blockSignals(True)
            self.slider.setRange(0, self._interval.phases - 1)
            self.slider.setPageStep(max(1, self._interval.phases // 12))
            self.slider.setValue(self._interval.phase)
            self.slider.blockSignals(False)
            self._name()

    def _name(self) -> None:
        minutes = self.slider.value()
        self.number.setText(f"+{minutes}m")
        words = "1 minute" if minutes == 1 else f"{minutes:,} minutes"
        self.slider.setAccessibleName("Phase: candles begin later")
        self.slider.setAccessibleDescription(f"{words} later")
        self.setToolTip(f"Phase: candles begin {words} later than usual")
