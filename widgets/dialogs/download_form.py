"""The fields of the download dialog, and their meaning: symbols, trades or candles, and the range."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QLayout, QSpinBox

from app.market.errors import UsageError
from app.market.interval import EXCHANGE_INTERVALS, SECOND_US, Interval
from app.market.symbol import Symbol, read_symbol
from widgets.controls.chip_entry import ChipEntry
from widgets.controls.labels import label
from widgets.dialogs.form_parts import (
    button_group,
    choice_button,
    chosen_times,
    combo,
    flow,
    set_time,
    table,
    time_edit,
    utc_day,
)
from widgets.symbols.symbols_dialog import names_in, unknown_names, unknown_sentence
from widgets.theme import style

_DAY_US = 86_400 * SECOND_US
_MINUTE_US = 60 * SECOND_US
_MOST_DAYS, _FIRST_DAYS = 10_000, 30
_DAYS_PX = 128
SETTLED_US = 61 * SECOND_US
"""Younger data is left out: its candle may not be final yet, and downloads do not wait for that."""


class Rows(Enum):
    """What is downloaded, with its name."""

    TRADES = "Trades"
    CANDLES = "Candles"


class Range(Enum):
    """The ranges to choose from, with their names."""

    VIEW = "In view"
    DAYS = "Days back"
    CHOSEN = "From … to"


class ChosenDownload(NamedTuple):
    """
    The trades of ``symbols`` in ``[start_us, end_us)``, or their candles of ``interval``; None stands for trades.

    Times are whole seconds, in UTC microseconds. A range of days begins with a whole UTC day.
    """

    symbols: tuple[str, ...]
    interval: Interval | None
    start_us: int
    end_us: int


class DownloadStart(NamedTuple):
    """
    What the form shows at first. ``visible_us``: the chart's range, if it has one; ``now_us``: the exchange's time.
    """

    symbol: str
    interval: Interval
    visible_us: tuple[int, int] | None
    now_us: int


class DownloadForm(QObject):
    """
    Builds the dialog's fields and reads them. ``symbols`` are the exchange's, as far as they are known.

    Signals:
        edited: A field has changed.
        refused: The typed text is not a symbol; carries the sentence to show.
    """

    edited = Signal()
    refused = Signal(str)

    def __init__(self, symbols: Sequence[Symbol], start: DownloadStart, parent: QObject) -> None:
        super().__init__(parent)
        self._start = start
        self._listed = {one.name: one for one in symbols}
        self.symbols = ChipEntry("Symbols", self._read_symbols, title=self.title)
        self.symbols.offer(one.written_name for one in symbols)
        self.symbols.add([start.symbol])
        self.rows = {choice: choice_button(choice.value) for choice in Rows}
        self.rows[Rows.TRADES].setChecked(True)
        self.interval = combo([one.name for one in EXCHANGE_INTERVALS], start.interval.name, "Interval")
        self.interval.setEnabled(False)
        self.ranges = {choice: choice_button(choice.value) for choice in Range}
        self.ranges[Range.VIEW].setEnabled(start.visible_us is not None)
        self.ranges[Range.DAYS].setChecked(True)
        self.days = QSpinBox()
        self.days.lineEdit().setTextMargins(6, 0, 0, 0)
        self.days.setRange(1, _MOST_DAYS)
        self.days.setValue(_FIRST_DAYS)
        self.days.setSuffix(" days")
        self.days.setAccessibleName("Days back")
        style.sized(self.days, maximum_width=_DAYS_PX)
        self.since = label("", "dim")
        start_us, end_us = start.visible_us or self._days_back(_FIRST_DAYS)
        self.start, self.end = time_edit(start_us, "From"), time_edit(end_us, "To")
        self._times = flow(self.start, label("to", "dim"), self.end)
        self._groups = [button_group(buttons.values(), self) for buttons in (self.rows, self.ranges)]
        self._connect()

    def chosen(self) -> ChosenDownload:
        """
        Return what the fields name.

        Raises:
            UsageError: If they name nothing to download; the sentence says why.
        """
        if not self.symbols.texts:
            raise UsageError("Add a symbol, such as BTCUSDT.")
        interval = None if self.rows[Rows.TRADES].isChecked() else Interval.parse(self.interval.currentText())
        start_us, end_us = self._chosen_range()
        end_us = min(end_us, self._start.now_us - SETTLED_US)
        start_us, end_us = start_us - start_us % SECOND_US, end_us - end_us % SECOND_US
        if interval is not None:
            start_us, end_us = interval.open_time_us(start_us), interval.open_time_us(end_us)
        if end_us <= start_us:
            raise UsageError("Nothing in that range is over yet: begin earlier.")
        return ChosenDownload(self.symbols.texts, interval, start_us, end_us)

    def choose_view(self) -> None:
        """Choose the trades in view."""
        self.rows[Rows.TRADES].setChecked(True)
        self.ranges[Range.VIEW].setChecked(True)
        self._on_edit()

    def set_editable(self, editable: bool) -> None:
        """Enable or disable the fields; disabled while a download runs."""
        for field in (self.symbols, self.days, self.start, self.end, *self.rows.values(), *self.ranges.values()):
            field.setEnabled(editable)
        self.interval.setEnabled(editable and self.rows[Rows.CANDLES].isChecked())
        self.ranges[Range.VIEW].setEnabled(editable and self._start.visible_us is not None)

    def layout(self) -> QLayout:
        """Return the fields."""
        rows = table()
        rows.addWidget(label("Symbols", "dim"), 0, 0)
        rows.addWidget(self.symbols, 0, 1)
        rows.addWidget(label("Data", "dim"), 1, 0)
        rows.addWidget(flow(*self.rows.values(), self.interval, spacing=4), 1, 1)
        rows.addWidget(label("Range, UTC", "dim"), 2, 0)
        rows.addWidget(flow(*self.ranges.values(), self.days, self.since, spacing=4), 2, 1)
        rows.addWidget(self._times, 3, 1)
        self._show_fields()
        return rows

    def _chosen_range(self) -> tuple[int, int]:
        if self.ranges[Range.VIEW].isChecked() and self._start.visible_us is not None:
            return self._start.visible_us
        if self.ranges[Range.DAYS].isChecked():
            return self._days_back(self.days.value())
        return chosen_times(self.start, self.end)

    def _days_back(self, days: int) -> tuple[int, int]:
        """Return the range of so many whole UTC days and of today, up to the last minute that is over."""
        now_us = self._start.now_us
        settled_us = now_us - SETTLED_US
        return now_us - now_us % _DAY_US - days * _DAY_US, settled_us - settled_us % _MINUTE_US

    def _read_symbols(self, text: str) -> list[str]:
        names = names_in(text, self._listed)
        unknown = unknown_names(names, self._listed)
        if unknown:
            raise UsageError(unknown_sentence(unknown))
        return [read_symbol(name) for name in names]

    def title(self, name: str) -> str:
        """Return a symbol's name as it is shown: “BTC/USDT” where the symbol is known."""
        known = self._listed.get(name)
        return name if known is None else known.full_name

    def _show_fields(self) -> None:
        self.interval.setEnabled(self.rows[Rows.CANDLES].isChecked() and self.rows[Rows.CANDLES].isEnabled())
        self.since.setText(f"since {utc_day(self._days_back(self.days.value())[0])}")
        for part in (self.days, self.since):
            part.setVisible(self.ranges[Range.DAYS].isChecked())
        self._times.setVisible(self.ranges[Range.CHOSEN].isChecked())

    def _on_edit(self) -> None:
        # A chosen range begins with the one chosen before.
        if not self.ranges[Range.CHOSEN].isChecked():
            start_us, end_us = self._chosen_range()
            for edit, time_us in ((self.start, start_us), (self.end, end_us)):
                edit.blockSignals(True)
                set_time(edit, time_us)
                edit.blockSignals(False)
        self._show_fields()
        self.edited.emit()

    def _connect(self) -> None:
        self.symbols.changed.connect(self._on_edit)
        self.symbols.refused.connect(self.refused)
        self.interval.currentTextChanged.connect(self._on_edit)
        self.days.valueChanged.connect(self._on_edit)
        for group in self._groups:
            group.buttonClicked.connect(self._on_edit)
        for edit in (self.start, self.end):
            edit.dateTimeChanged.connect(self._on_edit)
