"""The fields of the export dialog that say which rows, and how they stand in the file."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QButtonGroup, QComboBox, QLayout, QLineEdit

from app.market.errors import UsageError
from app.market.file_format import FileFormat, FileLayout, Preset, named_zone
from app.market.indicators.chosen import ChosenIndicator, read_indicators
from widgets.controls.labels import label
from widgets.dialogs.form_parts import choice_button, combo, flow, table

_FORMATS = {
    FileFormat.CSV: "CSV",
    FileFormat.CSV_GZ: "CSV, compressed",
    FileFormat.TSV: "TSV",
    FileFormat.PARQUET: "Parquet",
    FileFormat.FEATHER: "Feather",
    FileFormat.JSON: "JSON",
    FileFormat.JSONL: "JSON lines",
    FileFormat.XLSX: "Excel",
}
_PRESETS = {
    Preset.DEFAULT: "cryptopipe",
    Preset.CCXT: "ccxt",
    Preset.FREQTRADE: "freqtrade",
    Preset.VECTORBT: "vectorbt, backtesting.py",
    Preset.BINANCE: "Binance klines",
    Preset.TRADINGVIEW: "TradingView",
}
_ZONES = "UTC Europe/London Europe/Berlin America/New_York Asia/Tokyo Asia/Singapore Asia/Kolkata".split()


class Rows(Enum):
    """What is exported, with its name."""

    CANDLES = "Candles"
    TRADES = "Trades"


class FileFields(QObject):
    """
    Builds these fields and reads them; ``indicators``: the text of those offered as columns.

    The ``chosen_`` methods return values, or raise UsageError with the sentence to show.

    Signals:
        edited: A field has changed.
    """

    edited = Signal()

    def __init__(self, indicators: str, parent: QObject) -> None:
        super().__init__(parent)
        self.rows = {choice: choice_button(choice.value) for choice in Rows}
        self._group = QButtonGroup(self)
        for button in self.rows.values():
            self._group.addButton(button)
        self.rows[Rows.CANDLES].setChecked(True)
        self.format = _choice(list(_FORMATS.values()), "Format")
        self.preset = _choice(list(_PRESETS.values()), "Columns for")
        self.zone = combo(_ZONES, "UTC", "Time zone of text")
        self.indicators = QLineEdit(indicators)
        self.indicators.setAccessibleName("Indicators")
        self.indicators.setPlaceholderText("sma:20, rsi:14")
        self._group.buttonClicked.connect(self._on_rows)
        self.format.currentTextChanged.connect(self.edited)
        self.preset.currentTextChanged.connect(self._on_preset)
        self.zone.currentTextChanged.connect(self.edited)
        self.indicators.textEdited.connect(self.edited)

    @property
    def chosen_rows(self) -> Rows:
        return next(choice for choice, button in self.rows.items() if button.isChecked())

    @property
    def chosen_format(self) -> FileFormat:
        return list(_FORMATS)[self.format.currentIndex()]

    def chosen_indicators(self) -> tuple[ChosenIndicator, ...]:
        """
        Return the indicators whose values become columns; none for trades.

        Raises:
            UsageError: If the text names one that is none, or a value that is not allowed.
        """
        text = self.indicators.text().strip(" ,")
        return read_indicators(text) if text and self.chosen_rows is Rows.CANDLES else ()

    def chosen_layout(self) -> FileLayout:
        """
        Return how rows stand in the file.

        Raises:
            UsageError: If the zone is none, or as `chosen_indicators`.
        """
        preset = list(_PRESETS)[self.preset.currentIndex()] if self.chosen_rows is Rows.CANDLES else Preset.DEFAULT
        names = tuple(name for one in self.chosen_indicators() for name in one.columns)
        return FileLayout(preset, named_zone(self.zone.currentText()), indicators=names)

    def set_editable(self, editable: bool) -> None:
        """Enable or disable the fields."""
        is_candles = self.chosen_rows is Rows.CANDLES
        for field in (self.format, self.zone, *self.rows.values()):
            field.setEnabled(editable)
        for field in (self.preset, self.indicators):
            field.setEnabled(editable and is_candles)

    def layout_fields(self) -> QLayout:
        """Return the fields that say how rows stand in the file."""
        rows = table()
        rows.addWidget(label("Format", "dim"), 0, 0)
        rows.addWidget(flow(self.format, label("for", "dim"), self.preset), 0, 1)
        rows.addWidget(label("Times in", "dim"), 1, 0)
        rows.addWidget(flow(self.zone), 1, 1)
        rows.addWidget(label("Indicators", "dim"), 2, 0)
        rows.addWidget(self.indicators, 2, 1)
        return rows

    def _on_rows(self) -> None:
        self.set_editable(True)
        self.edited.emit()

    def _on_preset(self) -> None:
        if list(_PRESETS)[self.preset.currentIndex()] is Preset.FREQTRADE and self.chosen_format is FileFormat.CSV:
            self.format.setCurrentText(_FORMATS[FileFormat.FEATHER])  # what freqtrade reads
        self.edited.emit()


def format_filter(chosen: FileFormat) -> str:
    """Return the filter of a file dialog for that format: ``Parquet files (*.parquet)``."""
    return f"{_FORMATS[chosen]} files (*.{chosen});;All files (*)"


def _choice(texts: Sequence[str], name: str) -> QComboBox:
    """Return a field to choose one of the texts in; ``name`` is read out."""
    box = QComboBox()
    box.addItems(list(texts))
    box.setAccessibleName(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return box


def check_same_format(name: str, chosen: FileFormat) -> None:
    """Check that a typed file name has the ending of the format. Raises UsageError."""
    if not name.lower().endswith(f".{chosen}"):
        raise UsageError(f"“{name}” is not the name of a file of this format: let it end in .{chosen}.")
