"""The range fields of the export dialog: a length, the range in view, all that is stored, or from … to."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.market.candle_request import whole_candles
from app.market.interval import Interval
from widgets.controls.labels import label
from widgets.dialogs.form_parts import button_group, choice_button, chosen_times, flow, set_time, time_edit

_DAY_US = 86_400_000_000


class Range(Enum):
    """The ranges to choose from, with their names."""

    VIEW = "In view"
    DAY = "1D"
    WEEK = "1W"
    MONTH = "1M"
    YEAR = "1Y"
    STORED = "All stored"
    CHOSEN = "From … to"


_LENGTHS_US = {
    Range.DAY: _DAY_US,
    Range.WEEK: 7 * _DAY_US,
    Range.MONTH: 30 * _DAY_US,
    Range.YEAR: 365 * _DAY_US,
}


class RangeFields(QObject):
    """
    Builds these fields and reads them. ``visible_us``: the chart's range, None if it has none; ``now_us``: the
    exchange's time.

    Signals:
        edited: Another range is chosen.
    """

    edited = Signal()

    def __init__(self, visible_us: tuple[int, int] | None, now_us: int, parent: QObject) -> None:
        super().__init__(parent)
        self._visible_us, self._now_us = visible_us, now_us
        self.buttons = {choice: choice_button(choice.value) for choice in Range}
        self._group = button_group(self.buttons.values(), self)
        start_us, end_us = visible_us or (now_us - _DAY_US, now_us)
        self.start, self.end = time_edit(start_us, "From"), time_edit(end_us, "To")
        self.buttons[Range.VIEW].setEnabled(visible_us is not None)
        self.buttons[Range.VIEW if visible_us else Range.DAY].setChecked(True)
        self.choices = flow(*self.buttons.values(), spacing=4)
        self.times = flow(self.start, label("to", "dim"), self.end)
        self.times.setVisible(False)
        self._before = self.chosen
        self._group.buttonClicked.connect(self._on_choice)
        for edit in (self.start, self.end):
            edit.dateTimeChanged.connect(lambda _: self.edited.emit())

    @property
    def chosen(self) -> Range:
        return next(one for one, button in self.buttons.items() if button.isChecked())

    def range_of(self, interval: Interval, *, include_open: bool) -> tuple[int | None, int | None]:
        """
        Return the range, for candles of that interval, in UTC microseconds, the end exclusive; None: all stored.

        It consists of whole candles, unless both ends were typed.

        Raises:
            UsageError: If it ends before it begins.
        """
        if self.chosen is Range.STORED:
            return None, None
        if self.chosen is Range.CHOSEN:
            return chosen_times(self.start, self.end)
        return self._whole(self.chosen, interval, include_open=include_open)

    def fill_in(self, interval: Interval) -> None:
        """Begin a typed range with the one that was chosen before, in candles of that interval."""
        if self.chosen is Range.CHOSEN and self._before not in (Range.CHOSEN, Range.STORED):
            ends_us = self._whole(self._before, interval, include_open=False)
            for edit, time_us in zip((self.start, self.end), ends_us, strict=True):
                set_time(edit, time_us)
        self._before = self.chosen

    def set_editable(self, editable: bool) -> None:
        """Enable or disable the fields."""
        for choice, button in self.buttons.items():
            button.setEnabled(editable and (choice is not Range.VIEW or self._visible_us is not None))
        for edit in (self.start, self.end):
            edit.setEnabled(editable)

    def widgets(self) -> tuple[QWidget, QWidget]:
        """Return the choices, and the two times that are shown for the last of them."""
        return self.choices, self.times

    def _whole(self, choice: Range, interval: Interval, *, include_open: bool) -> tuple[int, int]:
        now_us = self._now_us
        if choice is Range.VIEW and self._visible_us is not None:
            return whole_candles(interval, *self._visible_us, now_us, include_open=include_open)
        start_us = now_us - _LENGTHS_US.get(choice, _DAY_US)
        return whole_candles(interval, start_us, now_us + 1, now_us, include_open=include_open)

    def _on_choice(self) -> None:
        self.times.setVisible(self.chosen is Range.CHOSEN)
        self.edited.emit()
