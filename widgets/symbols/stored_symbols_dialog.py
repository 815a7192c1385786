"""
The dialog of stored symbols: what the database holds of each, with a calendar of its days.

At the left the list, at the right the symbol chosen; where there is no room for both, one at a time. It shows what it
is given: `set_symbols` and `set_days` answer its requests, `failed` says why they cannot be answered.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QDialog,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.market.stored_symbol import DayHeld, StoredSymbol
from widgets.controls.dialog_frame import size_first
from widgets.controls.labels import ElidedLabel, label
from widgets.controls.number_format import compact, count, data_size
from widgets.symbols.stored_symbols_model import COLUMNS, Column, Scope, StoredSymbolsModel
from widgets.symbols.symbol_page import SymbolPage
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_SIZE_PX = (1180, 700)
_LIST_PX, _BOTH_FROM_PX = 440, 1000
_ROW_PX = 32


class StoredSymbolsDialog(QDialog):
    """
    Shows what is stored of each symbol.

    Signals:
        symbols_requested: Tell by `set_symbols` what is stored, or why not by `failed`.
        days_requested: Tell by `set_days` the days of a symbol; carries its name.
        chart_requested: Show a symbol on the chart; carries its name.
        day_requested: Show a day on the chart; carries the symbol's name and the day's beginning, UTC microseconds.
    """

    symbols_requested = Signal()
    days_requested = Signal(str)
    chart_requested = Signal(str)
    day_requested = Signal(str, object)

    def __init__(self, chosen: str, *, palette: Palette = DARK, parent: QWidget | None = None) -> None:
        """``chosen``: the symbol shown first, if anything of it is stored."""
        super().__init__(parent)
        self.setFont(style.font())
        self.setWindowTitle("Stored symbols")
        self._chosen = chosen
        self._is_page_open = False
        self.model = StoredSymbolsModel()
        self.model.set_palette(palette)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find a symbol")
        self.search.setAccessibleName("Find a symbol")
        self.search.setClearButtonEnabled(True)
        self.scopes = QButtonGroup(self)
        self.table = QTableView()
        self.page = SymbolPage()
        self.page.set_palette(palette)
        self.state = label("Reading what is stored…", "dim")
        self.state.setWordWrap(True)
        self.state.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.again_button = QPushButton("Try again")
        self.again_button.setAutoDefault(False)
        self.again_button.hide()
        self.totals = ElidedLabel("", "dim")
        self.close_button = QPushButton("Close")
        self.close_button.setAutoDefault(False)
        self._list, self._right, self._empty = QWidget(), QScrollArea(), QWidget()
        self._set_up_table()
        self._arrange()
        size_first(self, *_SIZE_PX)
        self.search.textChanged.connect(lambda text: self._arranged(text=text))
        self.scopes.buttonClicked.connect(lambda button: self._arranged(scope=Scope(button.text())))
        self.page.chart_requested.connect(self.chart_requested)
        self.page.day_requested.connect(self.day_requested)
        self.page.back_requested.connect(self._go_back)
        self.again_button.clicked.connect(self.ask)
        self.close_button.clicked.connect(self.reject)
        self.search.installEventFilter(self)
        self.search.setFocus()

    def ask(self) -> None:
        """Request what is stored; call once the signals are connected."""
        self._say("Reading what is stored…", "dim")
        self.symbols_requested.emit()

    def set_symbols(self, symbols: Sequence[StoredSymbol], recorded: Collection[str]) -> None:
        """List these; ``recorded``: the names that this program records."""
        self.model.set_symbols(symbols, recorded)
        stored = [one for one in symbols if one.is_stored]
        active = sum(self.model.is_recorded(one) for one in symbols)
        trades, size = sum(one.trades for one in stored), sum(one.size_bytes for one in stored)
        ticks = sum(one.ticks.ticks for one in stored if one.ticks is not None)
        numbers = f"{count(len(stored))} {'symbol' if len(stored) == 1 else 'symbols'} stored, {count(active)} recorded"
        rows = f"{compact(trades)} trades" + (f", {compact(ticks)} ticks" if ticks else "")
        self.totals.setText(f"{numbers} · {rows}, {data_size(size)}")
        self._arranged()

    def set_days(self, name: str, days: Sequence[DayHeld] | None, trouble: str = "") -> None:
        """Show the days of the symbol ``name``, or why they cannot be read; ignored if another is chosen by now."""
        if name == self._chosen:
            self.page.set_days(days, trouble)

    def failed(self, sentence: str) -> None:
        """Show why it is not known what is stored."""
        self._say(sentence, "warning", can_retry=True)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # From the search field, the arrows move in the list and Enter opens the symbol.
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                self._move(-1 if event.key() == Qt.Key.Key_Up else 1)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._open_page()
                return True
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _set_up_table(self) -> None:
        table, head = self.table, self.table.horizontalHeader()
        table.setObjectName("storedTable")
        table.setModel(self.model)
        table.setAccessibleName("Symbols")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(style.px(_ROW_PX))
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        head.setFont(style.font(style.SMALL_PX))
        head.setHighlightSections(False)
        head.setSectionsClickable(True)
        head.setSortIndicatorShown(True)
        head.setSortIndicator(COLUMNS.index(Column.TRADES), Qt.SortOrder.DescendingOrder)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for section, pixels in ((1, 86), (2, 104), (3, 82)):
            head.resizeSection(section, style.px(pixels))
        head.sortIndicatorChanged.connect(
            lambda section, order: self._arranged(
                column=COLUMNS[section], descending=order is Qt.SortOrder.DescendingOrder
            )
        )
        table.selectionModel().currentRowChanged.connect(self._on_row)
        table.activated.connect(lambda _: self._open_page())
        table.clicked.connect(lambda _: self._open_page())

    def _arrange(self) -> None:
        choices = QHBoxLayout()
        choices.setSpacing(4)
        for scope in Scope:
            button = QPushButton(scope.value)
            button.setObjectName("choice")
            button.setCheckable(True)
            button.setAutoDefault(False)
            button.setChecked(scope is Scope.STORED)
            self.scopes.addButton(button)
            choices.addWidget(button)
        choices.addStretch(1)
        box = QVBoxLayout(self._list)
        box.setContentsMargins(20, 12, 12, 0)
        box.setSpacing(8)
        box.addWidget(self.search)
        box.addLayout(choices)
        box.addWidget(self.table, 1)
        box.addWidget(self._empty, 1)
        middle = QVBoxLayout(self._empty)
        middle.addStretch(1)
        middle.addWidget(self.state)
        middle.addWidget(self.again_button, 0, Qt.AlignmentFlag.AlignHCenter)
        middle.addStretch(1)
        self.table.hide()
        self._right.setFrameShape(QFrame.Shape.NoFrame)
        self._right.setWidgetResizable(True)
        self._right.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._right.setObjectName("dialogScroll")
        self.page.setObjectName("dialogBody")
        self._right.setWidget(self.page)
        sides = QHBoxLayout()
        sides.setSpacing(0)
        sides.addWidget(self._list)
        sides.addWidget(self._right, 1)
        foot = QWidget()
        foot.setObjectName("dialogFoot")
        style.sized(foot, minimum_height=56)
        row = QHBoxLayout(foot)
        row.setContentsMargins(20, 0, 20, 0)
        row.addWidget(self.totals, 1)
        row.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(sides, 1)
        layout.addWidget(foot)

    def _fit(self) -> None:
        """Show list and page beside each other, or one of them where there is no room for both."""
        both = self.width() >= style.px(_BOTH_FROM_PX)
        has_rows = not self.table.isHidden()
        self._right.setVisible(has_rows and (both or self._is_page_open))
        self._list.setVisible(both or not self._is_page_open)
        self.page.back_button.setVisible(not both)
        if both and has_rows:
            self._list.setFixedWidth(style.px(_LIST_PX))
        else:
            self._list.setMinimumWidth(0)
            self._list.setMaximumWidth(16_777_215)

    def _arranged(
        self,
        *,
        text: str | None = None,
        scope: Scope | None = None,
        column: Column | None = None,
        descending: bool | None = None,
    ) -> None:
        self.model.arrange(text=text, scope=scope, column=column, descending=descending)
        if not self.model.rows:
            is_filtered = bool(self.search.text())
            nothing = "Nothing is stored yet: record, import or download first."
            self._say("No symbol is named so." if is_filtered else nothing, "dim")
            return
        self._empty.hide()
        self.table.show()
        row = self.model.row_of(self._chosen)
        self._fit()
        self.table.setCurrentIndex(self.model.index(0 if row is None else row, 0))

    def _say(self, sentence: str, tone: str, *, can_retry: bool = False) -> None:
        style.set_tone(self.state, tone)
        self.state.setText(sentence)
        self._empty.show()
        self.table.hide()
        self.again_button.setVisible(can_retry)
        self._is_page_open = False
        self._fit()

    def _on_row(self, current: QModelIndex) -> None:
        if current.isValid():
            one = self.model.rows[current.row()]
            self._chosen = one.symbol.name
            self.page.set_symbol(one, is_recorded=self.model.is_recorded(one))
            self.days_requested.emit(self._chosen)

    def _move(self, rows: int) -> None:
        row = self.table.currentIndex().row() + rows
        if 0 <= row < len(self.model.rows):
            self.table.setCurrentIndex(self.model.index(row, 0))

    def _open_page(self) -> None:
        if self.table.isHidden() or not self.table.currentIndex().isValid():
            return
        self._is_page_open = True
        self._fit()
        if self._list.isHidden():
            self.page.calendar.setFocus()

    def _go_back(self) -> None:
        self._is_page_open = False
        self._fit()
        self.table.setFocus()
