"""The layout fields of the export dialog: format, preset, time zone, columns and indicators."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QComboBox, QLayout

from app.market.errors import UsageError
from app.market.file_columns import ROLLING_PRESETS, Rows, row_layout
from app.market.file_format import FileFormat, FileLayout, Preset, named_zone
from app.market.indicators.chosen import ChosenIndicator, read_indicators
from app.market.interval import Interval
from widgets.controls.chip_entry import ChipEntry
from widgets.controls.labels import label
from widgets.dialogs.export.column_chooser import ColumnChooser
from widgets.dialogs.form_parts import captioned, combo, flow, table, top_caption
from widgets.theme.palettes import Palette

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


class LayoutFields(QObject):
    """
    Builds these fields and reads them; ``indicators``: the text of those offered as columns.

    The ``chosen_`` methods return values, or raise UsageError with the sentence to show.

    Signals:
        edited: A field has changed.
    """

    edited = Signal()

    def __init__(self, indicators: str, parent: QObject) -> None:
        super().__init__(parent)
        self._kinds: Sequence[Rows] = ()
        self._are_of_quotes = self._are_rolling = False
        self.format = _choice(list(_FORMATS.values()), "Format")
        self.preset = _choice(list(_PRESETS.values()), "Columns for")
        self.zone = combo(_ZONES, "UTC", "Time zone of text")
        self.indicators = ChipEntry("Indicators", _indicator_texts, hint="Add, such as sma:20")
        self.indicators.setToolTip("Candles before the range are read for them: values do not depend on its beginning.")
        self.indicators.add(_indicator_texts(indicators) if indicators else ())
        self.columns = ColumnChooser()
        self.format.currentTextChanged.connect(self._on_edit)
        self.preset.currentTextChanged.connect(self._on_preset)
        self.zone.currentTextChanged.connect(self._on_edit)
        self.indicators.changed.connect(self._on_edit)
        self.indicators.typed.connect(self._on_edit)
        self.columns.changed.connect(self.edited)

    @property
    def chosen_format(self) -> FileFormat:
        return list(_FORMATS)[self.format.currentIndex()]

    @property
    def chosen_preset(self) -> Preset:
        """The preset; the default one for rows that are no candles."""
        return list(_PRESETS)[self.preset.currentIndex()] if self._are_candles else Preset.DEFAULT

    def chosen_indicators(self) -> tuple[ChosenIndicator, ...]:
        """
        Return the indicators whose values become columns; none for other rows than candles.

        Raises:
            UsageError: If the text names one that is none, or a value that is not allowed.
        """
        texts = self.indicators.meant() if self._are_candles else []
        return read_indicators(",".join(texts)) if texts else ()

    def chosen_layout(self) -> FileLayout:
        """
        Return how rows stand in the file.

        Raises:
            UsageError: If the zone is none, no column is chosen, or as `chosen_indicators`.
        """
        zone = named_zone(self.zone.currentText())
        return FileLayout(self.chosen_preset, zone, self.columns.chosen(), _columns_of(self.chosen_indicators()))

    def set_kinds(self, kinds: Sequence[Rows], *, are_of_quotes: bool, are_rolling: bool = False) -> None:
        """
        Offer the columns of these rows.

        ``are_of_quotes``: of a symbol that has quotes, not trades; ``are_rolling``: a candle for every minute.
        """
        self._kinds, self._are_of_quotes, self._are_rolling = kinds, are_of_quotes, are_rolling
        self._offer_columns()

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self.indicators.set_palette(palette)

    def set_editable(self, editable: bool) -> None:
        """Enable or disable the fields."""
        for field in (self.format, self.zone):
            field.setEnabled(editable)
        for of_candles in (self.preset, self.indicators):
            of_candles.setEnabled(editable and self._are_candles)
        self.columns.set_editable(editable)

    def layout_fields(self) -> QLayout:
        """Return the fields, laid out."""
        rows = table()
        rows.addWidget(label("Format", "dim"), 0, 0)
        rows.addWidget(
            flow(self.format, captioned("for", self.preset), captioned("Times in", self.zone)),
            0,
            1,
        )
        rows.addWidget(top_caption("Columns"), 1, 0, Qt.AlignmentFlag.AlignTop)
        rows.addWidget(self.columns, 1, 1)
        rows.addWidget(top_caption("Indicators"), 2, 0, Qt.AlignmentFlag.AlignTop)
        rows.addWidget(self.indicators, 2, 1)
        return rows

    @property
    def _are_candles(self) -> bool:
        return all(isinstance(one, Interval) for one in self._kinds)

    def _offer_columns(self) -> None:
        if not self._kinds:
            return
        try:
            extras = _columns_of(self.chosen_indicators())
        except UsageError:
            return  # it is not typed to its end
        preset = self.chosen_preset
        if self._are_rolling and preset not in ROLLING_PRESETS:
            return  # the form says that the preset is for other candles
        layout = FileLayout(preset, is_of_quotes=self._are_of_quotes, is_rolling=self._are_rolling)
        columns = row_layout(self._kinds[0], layout, self.chosen_format).columns
        self.columns.offer([column.name for column in columns], extras)

    def _on_edit(self) -> None:
        self._offer_columns()
        self.edited.emit()

    def _on_preset(self) -> None:
        if self.chosen_preset is Preset.FREQTRADE and self.chosen_format is FileFormat.CSV:
            self.format.setCurrentText(_FORMATS[FileFormat.FEATHER])  # what freqtrade reads
        self._on_edit()


def format_filter(chosen: FileFormat) -> str:
    """Return the filter of a file dialog for that format: ``Parquet files (*.parquet)``."""
    return f"{_FORMATS[chosen]} files (*.{chosen});;All files (*)"


def _columns_of(indicators: Sequence[ChosenIndicator]) -> tuple[str, ...]:
    return tuple(name for one in indicators for name in one.columns)


def _indicator_texts(text: str) -> list[str]:
    """Return the texts of the indicators that ``text`` names, as they are shown. Raises UsageError."""
    read_indicators(text)
    return ["".join(part.split()).lower() for part in text.split(",") if part.strip()]


def _choice(texts: Sequence[str], name: str) -> QComboBox:
    """Return a field to choose one of the texts in; ``name`` is read out."""
    box = QComboBox()
    box.addItems(list(texts))
    box.setAccessibleName(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return box
