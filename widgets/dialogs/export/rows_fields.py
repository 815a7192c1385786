"""The row fields of the export dialog: which rows, their symbols, intervals, range and price."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QLayout, QWidget

from app.market.candle_request import ONE_MINUTE
from app.market.errors import UsageError
from app.market.export_plan import RowsRequest
from app.market.file_columns import Rows, RowsOf
from app.market.interval import MENU_INTERVALS, Interval
from app.market.quotes.tick import PriceSide
from app.market.symbol import Symbol, bare_name
from widgets.controls.chip_entry import ChipEntry
from widgets.controls.labels import label
from widgets.dialogs.export.range_fields import RangeFields
from widgets.dialogs.form_parts import button_group, captioned, choice_button, flow, table, top_caption
from widgets.symbols.symbol_search import search_key
from widgets.theme.palettes import Palette


class RowKind(Enum):
    """What is exported, with its name."""

    CANDLES = "Candles"
    TRADES = "Trades"
    QUOTES = "Quotes"
    GAPS = "Gaps"
    SESSIONS = "Sessions"
    SESSION_GAPS = "Session gaps"


_OTHER_ROWS = {
    RowKind.TRADES: RowsOf.TRADES,
    RowKind.QUOTES: RowsOf.QUOTES,
    RowKind.GAPS: RowsOf.GAPS,
    RowKind.SESSIONS: RowsOf.SESSIONS,
    RowKind.SESSION_GAPS: RowsOf.SESSION_GAPS,
}
_OF_QUOTES = (RowKind.QUOTES, RowKind.SESSIONS, RowKind.SESSION_GAPS)
"""Offered where a symbol has quotes."""

_PRICES = {PriceSide.MID: "Mid", PriceSide.BID: "Bid", PriceSide.ASK: "Ask"}


class FormStart(NamedTuple):
    """
    What the dialog shows at first. ``visible_us``: the chart's range, if it has one; ``now_us``: the exchange's time;
    ``indicators``: those of the chart, as text; ``price``: the one of quotes that the chart shows.
    """

    symbol: Symbol
    interval: Interval
    visible_us: tuple[int, int] | None
    now_us: int
    folder: Path
    indicators: str = ""
    price: PriceSide = PriceSide.MID


class RowsFields(QObject):
    """
    Builds these fields and reads them.

    The ``chosen_`` methods return values, or raise UsageError with the sentence to show.

    Signals:
        edited: A field has changed.
    """

    edited = Signal()

    def __init__(self, symbols: Sequence[Symbol], start: FormStart, parent: QObject) -> None:
        super().__init__(parent)
        self._interval = start.interval
        self._symbols = {search_key(offered.name): offered for offered in (*symbols, start.symbol)}
        self.kinds = {choice: choice_button(choice.value) for choice in RowKind}
        self._group = button_group(self.kinds.values(), self)
        self.kinds[RowKind.CANDLES].setChecked(True)
        if all(offered.has_trades for offered in self._symbols.values()):
            for kind in _OF_QUOTES:
                self.kinds[kind].hide()
        self.symbols = ChipEntry("Symbols", lambda text: [self._symbol(part).written_name for part in _parts(text)])
        self.symbols.offer(offered.written_name for offered in self._symbols.values())
        self.symbols.add([start.symbol.written_name])
        self.intervals = ChipEntry("Intervals", lambda text: [Interval.parse(part).name for part in _parts(text)])
        self.intervals.offer(offered.name for offered in MENU_INTERVALS)
        self.intervals.add([start.interval.name])
        self.range = RangeFields(start.visible_us, start.now_us, self)
        self.fetch = QCheckBox("Fetch what is not stored")
        self.fetch.setChecked(True)
        self.include_open = QCheckBox("Include the open candle")
        self.rolling = QCheckBox("Rolling: one for every minute")
        self.rolling.setToolTip("Candles of this length for every minute, each with its minute index.")
        self.price = QComboBox()
        self.price.addItems([_PRICES[side] for side in PriceSide])
        self.price.setCurrentText(_PRICES[start.price])
        self.price.setAccessibleName("Price of quotes")
        self.price.setToolTip("Which price of quotes their candles are of.")
        self._price_field = captioned("Price", self.price)
        self._unplaced = QWidget()  # until they are laid out: shown by themselves, they would be windows
        for part in (self.rolling, self._price_field):
            part.setParent(self._unplaced)
        self._group.buttonClicked.connect(lambda _: self.edited.emit())
        for entry in (self.symbols, self.intervals):
            entry.changed.connect(self.edited)
            entry.typed.connect(self.edited)
        self.range.edited.connect(self._on_range)
        for box in (self.fetch, self.include_open, self.rolling):
            box.toggled.connect(lambda _: self.edited.emit())
        self.price.currentIndexChanged.connect(lambda _: self.edited.emit())

    @property
    def chosen_kind(self) -> RowKind:
        return next(choice for choice, button in self.kinds.items() if button.isChecked())

    @property
    def are_candles(self) -> bool:
        return self.chosen_kind is RowKind.CANDLES

    @property
    def are_of_quotes(self) -> bool:
        """Whether the first symbol has quotes, not trades: the columns offered are those of its file."""
        first = next(iter(self._known_symbols()), None)
        return first is not None and not first.has_trades

    @property
    def can_roll(self) -> bool:
        """Whether the intervals are whole minutes, and longer than one."""
        return self.are_candles and all(one.phases > 1 and not one.phase for one in self._known_intervals())

    @property
    def is_rolling(self) -> bool:
        """Whether a candle for every minute is wanted."""
        return self.rolling.isChecked() and self.can_roll

    @property
    def chosen_price(self) -> PriceSide:
        """The price of the candles of quotes."""
        return list(PriceSide)[self.price.currentIndex()]

    def chosen_symbols(self) -> list[Symbol]:
        """
        Return the symbols, each once.

        Raises:
            UsageError: If there is none, or a text is not one of them.
        """
        values = self.symbols.meant()
        if not values:
            raise UsageError("Choose a symbol.")
        return [self._symbol(value) for value in values]

    def chosen_rows(self) -> list[Rows]:
        """
        Return the rows of each symbol.

        Raises:
            UsageError: If candles are chosen and no interval, or a text is none.
        """
        other = _OTHER_ROWS.get(self.chosen_kind)
        if other is not None:
            return [other]
        values = self.intervals.meant()
        if not values:
            raise UsageError("Choose an interval.")
        return [Interval.parse(value) for value in values]

    def chosen_files(self) -> tuple[RowsRequest, ...]:
        """
        Return the rows of each file.

        Raises:
            UsageError: If a field is wrong.
        """
        kinds, is_rolling = self.chosen_rows(), self.is_rolling
        include_open = self.include_open.isChecked() and not is_rolling
        ranges = {}
        for kind in kinds:
            # Trades, quotes and gaps are those of the chart's candles.
            interval = kind if isinstance(kind, Interval) else self._interval
            interval = ONE_MINUTE if is_rolling else interval
            ranges[kind] = self.range.range_of(interval, include_open=include_open)
        return tuple(
            RowsRequest(one.name, kind, *ranges[kind], is_rolling) for one in self.chosen_symbols() for kind in kinds
        )

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self.symbols.set_palette(palette)
        self.intervals.set_palette(palette)

    def set_editable(self, editable: bool) -> None:
        """Enable or disable the fields; disabled while an export runs."""
        for field in (self.symbols, *self.kinds.values()):
            field.setEnabled(editable)
        self.intervals.setEnabled(editable and self.are_candles)
        self.include_open.setEnabled(editable and self.are_candles and not self.is_rolling)
        self.rolling.setEnabled(editable)
        self.rolling.setVisible(self.can_roll)
        # Quotes, and so candles of quotes, are read from the database alone.
        known = self._known_symbols()
        can_fetch = not known or any(one.has_trades for one in known)
        self.fetch.setEnabled(editable and self.are_candles and can_fetch)
        self.range.set_editable(editable)
        self.price.setEnabled(editable)
        if known or not self.are_candles:  # while a symbol is being typed it stays as it is
            self._price_field.setVisible(self.are_candles and not all(one.has_trades for one in known))

    def layout_fields(self) -> QLayout:
        """Return the fields, laid out, but for `kinds` and `boxes`."""
        rows: QGridLayout = table()
        pair = QHBoxLayout()
        pair.setSpacing(8)
        pair.addWidget(self.symbols, 3, Qt.AlignmentFlag.AlignTop)
        pair.addWidget(top_caption("Intervals"), 0, Qt.AlignmentFlag.AlignTop)
        pair.addWidget(self.intervals, 2, Qt.AlignmentFlag.AlignTop)
        rows.addWidget(top_caption("Symbols"), 0, 0, Qt.AlignmentFlag.AlignTop)
        rows.addLayout(pair, 0, 1)
        rows.addWidget(label("Range, UTC", "dim"), 1, 0)
        for number, widget in enumerate(self.range.widgets(), start=1):
            rows.addWidget(widget, number, 1)
        return rows

    def boxes(self) -> QWidget:
        """Return what is to be ticked."""
        return flow(self._price_field, self.fetch, self.include_open, self.rolling, spacing=20)

    def _known_intervals(self) -> list[Interval]:
        """Return the intervals, none while a text is not one."""
        try:
            return [one for one in self.chosen_rows() if isinstance(one, Interval)]
        except UsageError:
            return []

    def _known_symbols(self) -> list[Symbol]:
        """Return the symbols, none while a text is not one of them."""
        try:
            return self.chosen_symbols()
        except UsageError:
            return []

    def _symbol(self, text: str) -> Symbol:
        found = self._symbols.get(search_key(text))
        if found is None:
            # Without its broker, where only one has it.
            same = [one for one in self._symbols.values() if search_key(bare_name(one.name)) == search_key(text)]
            found = same[0] if len(same) == 1 else None
        if found is None:
            raise UsageError(f"“{text.strip()[:30]}” is not a symbol here: choose one from the list.")
        return found

    def _on_range(self) -> None:
        try:
            first = next((one for one in self.chosen_rows() if isinstance(one, Interval)), self._interval)
        except UsageError:
            first = self._interval
        self.range.fill_in(ONE_MINUTE if self.is_rolling else first)
        self.edited.emit()


def _parts(text: str) -> list[str]:
    """Return the texts between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
