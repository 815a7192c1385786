"""The fields of the export dialog, and their meaning: symbol, interval, range, what to fetch, file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QDateTime, QObject, QTimeZone, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLayout,
    QLineEdit,
    QPushButton,
)

from app.market.availability import StoredTimes
from app.market.candle_request import CandleRequest, candle_file_name, file_name
from app.market.errors import UsageError
from app.market.file_format import Preset, freqtrade_name
from app.market.interval import MENU_INTERVALS, Interval
from app.market.symbol import Symbol
from widgets.controls.labels import label
from widgets.dialogs.export_file_fields import FileFields, Rows, check_same_format
from widgets.dialogs.form_parts import choice_button, combo, flow, table, time_edit
from widgets.symbols.symbol_search import search_key

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


class FormStart(NamedTuple):
    """
    What the form shows at first. ``visible_us``: the chart's range, if it has one; ``now_us``: the exchange's time;
    ``indicators``: those of the chart, as text.
    """

    symbol: Symbol
    interval: Interval
    visible_us: tuple[int, int] | None
    now_us: int
    folder: Path
    indicators: str = ""


class ExportForm(QObject):
    """
    Builds the dialog's fields and reads them.

    The ``chosen_`` methods return values, or raise UsageError with the sentence to show. The suggested name of the file
    follows the other fields until the user types one.

    Signals:
        edited: A field has changed.
    """

    edited = Signal()

    def __init__(self, symbols: Sequence[Symbol], start: FormStart, parent: QObject) -> None:
        super().__init__(parent)
        self._symbols = {search_key(offered.name): offered for offered in (*symbols, start.symbol)}
        self._start = start
        self._stored = StoredTimes()
        self._path_is_typed = False
        self.symbol = combo(
            [offered.display_name for offered in self._symbols.values()], start.symbol.display_name, "Symbol"
        )
        self.interval = combo([offered.name for offered in MENU_INTERVALS], start.interval.name, "Interval")
        self.ranges = {choice: choice_button(choice.value) for choice in Range}
        self._group = QButtonGroup(self)
        for button in self.ranges.values():
            self._group.addButton(button)
        until_us = start.visible_us[1] if start.visible_us else start.now_us
        self.start = time_edit(start.visible_us[0] if start.visible_us else until_us - _DAY_US, "From")
        self.end = time_edit(until_us, "To")
        self.file = FileFields(start.indicators, self)
        self.fetch = QCheckBox("Fetch what is not stored")
        self.fetch.setChecked(True)
        self.include_open = QCheckBox("Include the open candle")
        self.path = QLineEdit()
        self.path.setAccessibleName("File")
        self.browse_button = QPushButton("Browse…")
        self.browse_button.setAutoDefault(False)
        self.ranges[Range.VIEW].setEnabled(start.visible_us is not None)
        self.ranges[Range.VIEW if start.visible_us else Range.DAY].setChecked(True)
        self._connect()
        self._on_edit()

    def chosen_symbol(self) -> Symbol:
        """
        Return the symbol.

        Raises:
            UsageError: If the text is not one of the symbols.
        """
        text = self.symbol.currentText()
        found = self._symbols.get(search_key(text))
        if found is None:
            raise UsageError(f"“{text.strip()[:30]}” is not a symbol here: choose one from the list.")
        return found

    def chosen_interval(self) -> Interval:
        """
        Return the interval.

        Raises:
            UsageError: If the text is not an interval.
        """
        return Interval.parse(self.interval.currentText())

    def chosen_range(self) -> tuple[int, int]:
        """
        Return start and end in UTC microseconds, the end exclusive.

        Raises:
            UsageError: If the range ends before it begins, or nothing is stored to begin with.
        """
        choice = next(one for one, button in self.ranges.items() if button.isChecked())
        now_us = self._start.now_us
        if choice is Range.VIEW and self._start.visible_us is not None:
            start_us, end_us = self._start.visible_us
            whole_us = self._until_now(start_us, min(end_us, now_us))
            return whole_us if end_us >= now_us else (whole_us[0], end_us)
        if choice in _LENGTHS_US:
            return self._until_now(now_us - _LENGTHS_US[choice], now_us)
        if choice is Range.STORED:
            if self._stored.first_us is None:
                raise UsageError("Nothing of this symbol is stored: choose another range.")
            return self._until_now(self._stored.first_us, now_us)
        start_us, end_us = (edit.dateTime().toMSecsSinceEpoch() * 1_000 for edit in (self.start, self.end))
        if end_us <= start_us:
            raise UsageError("The range ends before it begins: choose a later end.")
        return start_us, end_us

    def chosen_request(self) -> CandleRequest:
        """
        Return the candles that the fields name.

        Raises:
            UsageError: If they name none.
        """
        start_us, end_us = self.chosen_range()
        request = CandleRequest(
            self.chosen_symbol().name,
            self.chosen_interval(),
            start_us,
            end_us,
            self.fetch.isChecked(),
            self.include_open.isChecked(),
        )
        request.check()
        return request

    def chosen_path(self) -> Path:
        """
        Return the file to write.

        Raises:
            UsageError: If there is no file name, or no such folder.
        """
        text = self.path.text().strip()
        path = Path(text).expanduser()
        chosen = self.file.chosen_format
        if not text or path.is_dir():
            raise UsageError(f"Name the file to write, such as candles.{chosen}.")
        check_same_format(path.name, chosen)
        if not path.parent.is_dir():
            raise UsageError(f"The folder “{path.parent}” does not exist: choose another or create it.")
        return path

    @property
    def path_is_typed(self) -> bool:
        """Whether the user named the file; otherwise it gets the name of the range that is in it."""
        return self._path_is_typed

    def set_path(self, path: str) -> None:
        """Use this file, and suggest no other from now on."""
        self._path_is_typed = True
        self.path.setText(path)

    def set_stored(self, stored: StoredTimes) -> None:
        """Take in what is stored of the symbol: it says where “All stored” begins."""
        self._stored = stored
        self._suggest_path()

    def set_editable(self, editable: bool) -> None:
        """Enable or disable the fields; disabled while an export runs."""
        for field in (self.symbol, self.path, self.browse_button):
            field.setEnabled(editable)
        for of_candles in (self.interval, self.fetch, self.include_open):
            of_candles.setEnabled(editable and self.file.chosen_rows is Rows.CANDLES)
        self.file.set_editable(editable)
        for choice, button in self.ranges.items():
            button.setEnabled(editable and (choice is not Range.VIEW or self._start.visible_us is not None))
        for edit in (self.start, self.end):
            edit.setEnabled(editable)

    def layout_above(self) -> QLayout:
        """Return the fields that say which candles, to stand above their availability."""
        rows = table()
        pair = QHBoxLayout()
        pair.setSpacing(8)
        pair.addWidget(self.symbol, 3)
        pair.addWidget(label("Interval", "dim"))
        pair.addWidget(self.interval, 2)
        rows.addWidget(label("Symbol", "dim"), 0, 0)
        rows.addLayout(pair, 0, 1)
        rows.addWidget(label("Range, UTC", "dim"), 1, 0)
        rows.addWidget(flow(*self.ranges.values(), spacing=4), 1, 1)
        self._times = flow(self.start, label("to", "dim"), self.end)
        rows.addWidget(self._times, 2, 1)
        self._times.setVisible(self.ranges[Range.CHOSEN].isChecked())
        return rows

    def layout_below(self) -> QLayout:
        """Return the fields that say how the candles get into which file."""
        rows = table()
        rows.addWidget(flow(self.fetch, self.include_open, spacing=20), 0, 1)
        rows.addLayout(self.file.layout_fields(), 1, 0, 1, 2)
        file = QHBoxLayout()
        file.setSpacing(8)
        file.addWidget(self.path, 1)
        file.addWidget(self.browse_button)
        rows.addWidget(label("File", "dim"), 2, 0)
        rows.addLayout(file, 2, 1)
        return rows

    def _until_now(self, start_us: int, now_us: int) -> tuple[int, int]:
        """Return whole candles of the chosen interval, the last of them the newest there can be."""
        try:
            interval = self.chosen_interval()
        except UsageError:
            return start_us, now_us
        end_us = interval.next_open_us(now_us) if self.include_open.isChecked() else interval.open_time_us(now_us)
        return min(interval.open_time_us(start_us), interval.open_time_us(end_us - 1)), end_us

    def _suggest_path(self) -> None:
        if self._path_is_typed:
            return
        try:
            name = self._file_name()
        except UsageError:
            return  # the error is shown when the user starts the export
        self.path.setText(str(self._start.folder / name))

    def _on_file_edit(self) -> None:
        self.set_editable(True)
        self._on_edit()

    def _file_name(self) -> str:
        symbol, chosen = self.chosen_symbol(), self.file.chosen_format
        if self.file.chosen_rows is Rows.TRADES:
            return file_name(symbol.name, "trades", *self.chosen_range(), chosen)
        interval = self.chosen_interval()
        if self.file.chosen_layout().preset is Preset.FREQTRADE:
            return freqtrade_name(symbol.name, interval, chosen, (symbol.base, symbol.quote) if symbol.quote else None)
        return candle_file_name(symbol.name, interval, *self.chosen_range(), chosen)

    def _on_edit(self) -> None:
        self._suggest_path()
        self.edited.emit()

    def _on_range(self) -> None:
        """Begin a chosen range with the one chosen before."""
        if not self.ranges[Range.CHOSEN].isChecked():
            start_us, end_us = self._known_range()
            for edit, time_us in ((self.start, start_us), (self.end, end_us)):
                edit.setDateTime(QDateTime.fromMSecsSinceEpoch(time_us // 1_000, QTimeZone.utc()))
        self._times.setVisible(self.ranges[Range.CHOSEN].isChecked())
        self._on_edit()

    def _known_range(self) -> tuple[int, int]:
        try:
            return self.chosen_range()
        except UsageError:
            return self._start.now_us - _DAY_US, self._start.now_us

    def _connect(self) -> None:
        self.file.edited.connect(self._on_file_edit)
        self.symbol.currentTextChanged.connect(self._on_edit)
        self.interval.currentTextChanged.connect(self._on_edit)
        self._group.buttonClicked.connect(self._on_range)
        for edit in (self.start, self.end):
            edit.dateTimeChanged.connect(self._on_edit)
        for box in (self.fetch, self.include_open):
            box.toggled.connect(self._on_edit)
        # textEdited, not textChanged: a suggestion is no typing.
        self.path.textEdited.connect(lambda text: self.set_path(text))


def utc_minute(time_us: int) -> str:
    """Return a time as “2026-11-28 22:44”, UTC, with seconds where there are any."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")
