"""The fields of the export dialog, and their meaning: symbol, interval, range, file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import QDateTime, Qt, QTimeZone
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QDateTimeEdit,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from app.market.errors import UsageError
from app.market.interval import MENU_INTERVALS, Interval
from app.market.symbol import Symbol
from widgets.controls.labels import label
from widgets.controls.number_format import utc_time
from widgets.symbols.symbol_search import search_key
from widgets.theme import style

_DAY_US = 86_400_000_000
_Range = tuple[int | None, int | None]


class ExportForm:
    """
    Builds the dialog's fields and reads them.

    The ``chosen_`` methods return values, or raise UsageError with the sentence to show. The suggested name of the file
    follows the other fields until the user types one.
    """

    def __init__(
        self,
        symbols: Sequence[Symbol],
        symbol: Symbol,
        interval: Interval,
        visible_us: tuple[int, int] | None,
        folder: Path,
        dialog: QDialog,
    ) -> None:
        self._symbols = {search_key(offered.name): offered for offered in (*symbols, symbol)}
        self._visible_us = visible_us
        self._folder = folder
        self._path_is_typed = False
        self.symbol = _combo(
            [offered.display_name for offered in self._symbols.values()], symbol.display_name, "Symbol"
        )
        self.interval = _combo([offered.name for offered in MENU_INTERVALS], interval.name, "Interval")
        self.visible = QRadioButton("Visible")
        self.chosen = QRadioButton("From … to")
        self.everything = QRadioButton("All stored")
        until_us = visible_us[1] if visible_us else int(datetime.now(UTC).timestamp()) * 1_000_000
        self.start = _time_edit(visible_us[0] if visible_us else until_us - _DAY_US, "From")
        self.end = _time_edit(until_us, "To")
        self.path = QLineEdit()
        self.path.setAccessibleName("File")
        style.sized(self.path, minimum_width=360)
        self.browse_button = QPushButton("Browse…")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(8)
        self.progress.setAccessibleName("Progress")
        self.outcome = label("", "dim")
        self.outcome.setWordWrap(True)
        self.cancel_button = QPushButton("Cancel")
        self.start_button = QPushButton("Export")
        self.start_button.setDefault(True)
        self._arrange(dialog)
        self._connect()
        (self.visible if visible_us else self.everything).setChecked(True)
        self.visible.setEnabled(visible_us is not None)
        self.progress.hide()
        self._suggest_path()

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

    def chosen_range(self) -> _Range:
        """
        Return start and end in UTC microseconds, the end exclusive; None: as far as candles are stored.

        Raises:
            UsageError: If the range ends before it begins.
        """
        if self.visible.isChecked() and self._visible_us is not None:
            return self._visible_us
        if self.everything.isChecked():
            return None, None
        start_us, end_us = (edit.dateTime().toMSecsSinceEpoch() * 1_000 for edit in (self.start, self.end))
        if end_us <= start_us:
            raise UsageError("The range ends before it begins: choose a later end.")
        return start_us, end_us

    def chosen_path(self) -> Path:
        """
        Return the file to write.

        Raises:
            UsageError: If there is no file name, or no such folder.
        """
        text = self.path.text().strip()
        path = Path(text).expanduser()
        if not text or path.is_dir():
            raise UsageError("Name the file to write, such as candles.csv.")
        if not path.parent.is_dir():
            raise UsageError(f"The folder “{path.parent}” does not exist: choose another or create it.")
        return path

    def set_path(self, path: str) -> None:
        """Use this file, and suggest no other from now on."""
        self._path_is_typed = True
        self.path.setText(path)

    def set_editable(self, editable: bool) -> None:
        """Enable or disable the fields; disabled while an export runs."""
        for field in (self.symbol, self.interval, self.chosen, self.everything, self.path, self.browse_button):
            field.setEnabled(editable)
        self.visible.setEnabled(editable and self._visible_us is not None)
        self.start_button.setEnabled(editable)
        self._enable_times()

    def show_progress(self, text: str, fraction: float | None) -> None:
        """Show a progress bar, filled to ``fraction``; for None, one that only moves."""
        self.progress.setRange(0, 0 if fraction is None else 1000)
        self.progress.setValue(0 if fraction is None else round(max(0.0, min(1.0, fraction)) * 1000))
        self.progress.show()
        self._say(text, "dim")

    def show_outcome(self, text: str, tone: str) -> None:
        """Show a sentence in place of the progress bar."""
        self.progress.hide()
        self._say(text, tone)

    def _say(self, text: str, tone: str) -> None:
        self.outcome.setText(text)
        style.set_tone(self.outcome, tone)

    def _suggest_path(self) -> None:
        if self._path_is_typed:
            return
        try:
            name = f"{self.chosen_symbol().name}-{self.chosen_interval()}"
            start_us, end_us = self.chosen_range()
        except UsageError:
            return  # the error is shown when the user starts the export
        if start_us is not None and end_us is not None:
            name += f"-{_stamp(start_us)}-{_stamp(end_us)}"
        self.path.setText(str(self._folder / f"{name}.csv"))

    def _enable_times(self) -> None:
        for edit in (self.start, self.end):
            edit.setEnabled(self.chosen.isChecked() and self.chosen.isEnabled())

    def _connect(self) -> None:
        self.symbol.currentTextChanged.connect(self._suggest_path)
        self.interval.currentTextChanged.connect(self._suggest_path)
        for choice in (self.visible, self.chosen, self.everything):
            choice.toggled.connect(self._suggest_path)
        for edit in (self.start, self.end):
            edit.dateTimeChanged.connect(self._suggest_path)
        self.chosen.toggled.connect(self._enable_times)
        # textEdited, not textChanged: a suggestion is no typing.
        self.path.textEdited.connect(lambda text: self.set_path(text))

    def _arrange(self, dialog: QDialog) -> None:
        table = QGridLayout()
        table.setHorizontalSpacing(16)
        table.setVerticalSpacing(10)
        table.setColumnStretch(1, 1)
        rows: tuple[tuple[str, QWidget | QHBoxLayout], ...] = (
            ("Symbol", self.symbol),
            ("Interval", self.interval),
            ("Range, UTC", _row(self.visible, label(self._visible_text(), "dim"))),
            ("", _row(self.chosen, self.start, self.end)),
            ("", self.everything),
            ("File", _row(self.path, self.browse_button)),
        )
        for number, (caption, field) in enumerate(rows):
            table.addWidget(label(caption, "dim"), number, 0)
            if isinstance(field, QWidget):
                table.addWidget(field, number, 1)
            else:
                table.addLayout(field, number, 1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.start_button)
        layout = QVBoxLayout(dialog)
        layout.setContentsMargins(20, 20, 20, 16)
        layout.setSpacing(12)
        layout.addLayout(table)
        layout.addWidget(self.progress)
        layout.addWidget(self.outcome)
        layout.addStretch(1)
        layout.addLayout(buttons)

    def _visible_text(self) -> str:
        if self._visible_us is None:
            return "nothing is shown yet"
        # Without seconds and “UTC”, which the caption says.
        start, end = (utc_time(time_us)[:-7] for time_us in self._visible_us)
        return f"{start} to {end}"


def _combo(texts: Sequence[str], current: str, name: str) -> QComboBox:
    combo = QComboBox()
    combo.setEditable(True)
    combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    combo.addItems(list(texts))
    combo.setCurrentText(current)
    combo.setMaxVisibleItems(16)
    combo.setAccessibleName(name)
    completer = QCompleter(list(texts), combo)
    completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
    completer.setFilterMode(Qt.MatchFlag.MatchStartsWith)
    popup = completer.popup()
    assert popup is not None
    popup.setObjectName("completions")
    combo.setCompleter(completer)
    return combo


def _time_edit(time_us: int, name: str) -> QDateTimeEdit:
    edit = QDateTimeEdit()
    edit.setTimeZone(QTimeZone.utc())
    edit.setDisplayFormat("yyyy-MM-dd HH:mm:ss")
    edit.setCalendarPopup(True)
    edit.setDateTime(QDateTime.fromMSecsSinceEpoch(time_us // 1_000, QTimeZone.utc()))
    edit.setAccessibleName(name)
    edit.setEnabled(False)  # until “From … to” is chosen
    style.sized(edit, minimum_width=196)
    return edit


def _row(*parts: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    for part in parts:
        row.addWidget(part)
    if not any(isinstance(part, QLineEdit) for part in parts):
        row.addStretch(1)
    return row


def _stamp(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us // 1_000_000, UTC):%Y%m%dT%H%M}"
