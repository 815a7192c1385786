"""What is stored of one symbol: its facts, its days as a calendar, the day chosen, and a table of its series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.market.candle import CandleSource
from app.market.stored_symbol import DayHeld, StoredCandles, StoredSymbol, StoredTrade
from app.market.symbol import Symbol, broker_title
from app.market.units import format_e8
from widgets.controls.bar_parts import tool_button
from widgets.controls.flow_layout import FlowLayout
from widgets.controls.labels import ElidedLabel, label
from widgets.controls.number_format import UNKNOWN, count, data_size
from widgets.symbols.completeness_calendar import CompletenessCalendar, day_in_words, day_sentence, paint_day
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_SWATCH_PX = 12
_SOURCES = {
    CandleSource.TRADES: "Candles from trades",
    CandleSource.KLINE: "Exchange's candles",
    CandleSource.AGGTRADES: "Aggregated candles",
    CandleSource.TICKS: "Candles from ticks",
    CandleSource.MIXED: "Exchange's, aggregated",
}
_LEGEND = (
    ("Every trade", DayHeld(0, trades=1)),
    ("Trades missing", DayHeld(0, trades=1, missing=1)),
    ("Candles alone", DayHeld(0, has_klines=True)),
    ("Nothing", DayHeld(0)),
)


class SymbolPage(QWidget):
    """
    Shows one symbol.

    Signals:
        chart_requested: Show the symbol on the chart; carries its name.
        day_requested: Show a day of it on the chart; carries its name and the day's beginning, UTC microseconds.
        back_requested: Go back to the list, where that is hidden.
    """

    chart_requested = Signal(str)
    day_requested = Signal(str, object)
    back_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._symbol: Symbol | None = None
        self._swatches: list[_Swatch] = []
        self.back_button = QPushButton("‹ All symbols")
        self.name = label("", "", style.font(style.TITLE_PX))
        self.about = ElidedLabel("", "dim")
        self.chart_button = QPushButton("Open chart")
        self.calendar = CompletenessCalendar()
        self.earlier = tool_button("The year before", "The year before (Page Up)")
        self.earlier.setText("‹")
        self.later = tool_button("The year after", "The year after (Page Down)")
        self.later.setText("›")
        self.year = label("")
        self.day_name, self.day_text = label("", "", style.font(style.BODY_PX)), label("", "dim")
        self.day_text.setWordWrap(True)
        self.day_button = QPushButton("Go there")
        self.note = label("", "dim")
        self.note.setWordWrap(True)
        for button in (self.back_button, self.chart_button, self.day_button):
            button.setAutoDefault(False)
        self._facts = {name: label("") for name in ("Tick", "Lot", "First stored", "Last stored")}
        self._table = QWidget()
        self._table.setObjectName("dialogBody")
        self._series = QGridLayout(self._table)
        self._table_scroll = _WideScroll(self._table, self._series)
        self._arrange()
        self.back_button.clicked.connect(self.back_requested)
        self.chart_button.clicked.connect(self._request_chart)
        self.day_button.clicked.connect(lambda: self._request_day(self.calendar.chosen.day_us))
        self.earlier.clicked.connect(lambda: self.calendar.turn(-1))
        self.later.clicked.connect(lambda: self.calendar.turn(1))
        self.calendar.day_chosen.connect(lambda _: self._show_day())
        self.calendar.day_activated.connect(self._request_day)

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self.calendar.set_palette(palette)
        for swatch in self._swatches:
            swatch.set_palette(palette)

    def set_symbol(self, one: StoredSymbol, *, is_recorded: bool) -> None:
        """Show this symbol; its days follow by `set_days`."""
        symbol, self._symbol = one.symbol, one.symbol
        self.name.setText(symbol.display_name)
        status = (symbol.trouble or "trading").lower() if symbol.status else ""
        words = [broker_title(symbol.name), status, "recorded now" if is_recorded else ""]
        self.about.setText(", ".join(filter(None, words)))
        is_described = bool(symbol.base)  # by the exchange
        tick, lot = f"{_amount(symbol.tick_size_e8)} {symbol.quote}", f"{_amount(symbol.step_size_e8)} {symbol.base}"
        self._facts["Tick"].setText(tick if is_described else UNKNOWN)
        self._facts["Lot"].setText(lot if is_described else UNKNOWN)
        ticks_us = (None, None) if one.ticks is None else (one.ticks.first_us, one.ticks.last_us)
        ends = zip(("First stored", "Last stored"), (one.first, one.last), ticks_us, strict=True)
        for name, trade, tick_us in ends:
            time_us = tick_us if trade is None else trade.time_us
            self._facts[name].setText(UNKNOWN if time_us is None else _moment(time_us))
            self._facts[name].setToolTip("" if trade is None else f"Trade {count(trade.trade_id)}")
        self._show_series(one)
        self.set_days(None)

    def set_days(self, days: Sequence[DayHeld] | None, trouble: str = "") -> None:
        """Show the days; None while they are being read, or where they cannot be, with the reason in ``trouble``."""
        self.calendar.set_days({day.day_us: day for day in days or ()})
        self.calendar.setEnabled(days is not None)
        has_trades = self._symbol is None or self._symbol.has_trades
        none = "No day is stored." if has_trades else "Days are listed for trades, not for ticks."
        self.note.setText(trouble or ("Reading the days…" if days is None else "" if days else none))
        style.set_tone(self.note, "warning" if trouble else "dim")
        self.note.setVisible(bool(self.note.text()))
        self._show_day()

    def _show_day(self) -> None:
        day = self.calendar.chosen
        first, last = self.calendar.years
        self.year.setText(str(self.calendar.year))
        self.earlier.setEnabled(self.calendar.year > first)
        self.later.setEnabled(self.calendar.year < last)
        self.day_name.setText(day_in_words(day.day_us))
        self.day_text.setText(day_sentence(day))
        style.set_tone(self.day_text, "warning" if day.missing else "dim")

    def _request_chart(self) -> None:
        if self._symbol is not None:
            self.chart_requested.emit(self._symbol.name)

    def _request_day(self, day_us: int) -> None:
        if self._symbol is not None:
            self.day_requested.emit(self._symbol.name, day_us)

    def _show_series(self, one: StoredSymbol) -> None:
        while (item := self._series.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        rows: list[tuple[str, str, str, str, str]] = []
        if one.first is not None:
            ends = _time_of(one.first), _time_of(one.last)
            rows.append(("Trades", *ends, count(one.trades), data_size(one.trades_bytes)))
        if one.ticks is not None:
            ticks = one.ticks
            ends = _minute(ticks.first_us), _minute(ticks.last_us)
            rows.append(("Ticks", *ends, count(ticks.ticks), data_size(ticks.size_bytes)))
        for candles in one.candles:
            about = "" if candles.is_exact else "≈ "
            rows.append(
                (
                    f"{_source(candles, one.symbol)}, {candles.interval}",
                    _minute(candles.first_us),
                    _minute(candles.last_us),
                    f"{about}{count(candles.rows)}",
                    data_size(candles.size_bytes),
                )
            )
        small = style.font(style.SMALL_PX)
        for row, texts in enumerate([("Stored", "First", "Last", "Rows", "Size"), *rows]):
            for column, text in enumerate(texts):
                tone = "faint" if row == 0 else "" if column in (0, 3) else "dim"
                cell = label(text, tone, small if row == 0 else None)
                if column >= 3:
                    cell.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self._series.addWidget(cell, row, column)
                cell.show()  # or the layout leaves it out until the next event
        self._series.setColumnStretch(0, 1)
        self._table_scroll.fit()

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.back_button)
        head.addWidget(self.name)
        head.addWidget(self.about, 1)
        head.addWidget(self.chart_button)
        facts = QWidget()
        small = style.font(style.SMALL_PX)
        entries = []
        for name, value in self._facts.items():
            entry = QWidget()
            box = QVBoxLayout(entry)
            box.setContentsMargins(0, 0, 24, 0)
            box.setSpacing(2)
            box.addWidget(label(name, "faint", small))
            box.addWidget(value)
            value.setAccessibleName(name)
            entries.append(entry)
        facts.setLayout(FlowLayout.of(*entries, spacing=8))
        years = QHBoxLayout()
        years.setSpacing(4)
        years.addWidget(label("Completeness by day", "faint", style.head_font()), 1)
        for widget in (self.earlier, self.year, self.later):
            years.addWidget(widget)
        legend = QWidget()
        legend.setLayout(FlowLayout.of(*(self._entry(text, day) for text, day in _LEGEND), spacing=16))
        card = QFrame()
        card.setObjectName("card")
        grid = QGridLayout(card)
        grid.setContentsMargins(12, 10, 12, 10)
        grid.addWidget(self.day_name, 0, 0)
        grid.addWidget(self.day_text, 1, 0)
        grid.addWidget(self.day_button, 0, 1, 2, 1)
        grid.setColumnStretch(0, 1)
        self._series.setContentsMargins(0, 0, 0, 4)
        self._series.setHorizontalSpacing(20)
        self._series.setVerticalSpacing(6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 12, 20, 12)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(facts)
        layout.addLayout(years)
        layout.addWidget(self.calendar)
        layout.addWidget(legend)
        layout.addWidget(self.note)
        layout.addWidget(card)
        layout.addWidget(self._table_scroll)
        layout.addStretch(1)

    def _entry(self, text: str, day: DayHeld) -> QWidget:
        entry = QWidget()
        row = QHBoxLayout(entry)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        swatch = _Swatch(day)
        self._swatches.append(swatch)
        row.addWidget(swatch)
        row.addWidget(label(text, "dim", style.font(style.SMALL_PX)))
        return entry


def _source(candles: StoredCandles, symbol: Symbol) -> str:
    """Return in words what the candles were made of."""
    is_brokers = candles.source is CandleSource.KLINE and not symbol.has_trades
    return "Broker's candles" if is_brokers else _SOURCES[candles.source]


class _WideScroll(QScrollArea):
    """As high as its content, which may be wider: the rest of the page need not scroll sideways with it."""

    def __init__(self, content: QWidget, layout: QLayout) -> None:
        super().__init__()
        self._layout = layout
        self.setObjectName("dialogScroll")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def fit(self) -> None:
        """Take the height that the content needs now."""
        self._layout.invalidate()
        self.setFixedHeight(self._layout.minimumSize().height() + self.horizontalScrollBar().sizeHint().height())


class _Swatch(QWidget):
    def __init__(self, day: DayHeld) -> None:
        super().__init__()
        self._day = day
        self._palette = DARK
        self.setFixedSize(_SWATCH_PX, _SWATCH_PX)

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_day(painter, QRectF(self.rect()), self._day, self._palette)
        painter.end()


def _amount(amount_e8: int) -> str:
    return format_e8(amount_e8).rstrip("0").rstrip(".")


def _moment(time_us: int) -> str:
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return f"{moment.day} {moment:%b} {moment.year} {moment:%H:%M:%S}"


def _time_of(trade: StoredTrade | None) -> str:
    return UNKNOWN if trade is None or trade.time_us is None else _minute(trade.time_us)


def _minute(time_us: int) -> str:
    return _moment(time_us)[:-3]


def texts_of(page: SymbolPage) -> list[str]:
    """Return all that the page says, as a reader of the screen would hear it."""
    return [one.text() for one in page.findChildren(QLabel) if one.text()]
