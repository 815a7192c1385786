"""
The dialog of alerts: the list, the history of firings, and the editor.

View: it shows what `set_view` gives, and emits what the user asks for. Where there is no room for the editor beside the
list, one of them is shown at a time.
"""

from __future__ import annotations

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
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.market.alerts.stored_alert import AlertState
from widgets.alerts.alert_delegate import ROW_PX, AlertDelegate
from widgets.alerts.alert_editor import AlertEditor
from widgets.alerts.alert_views import AlertForm, AlertRow, AlertsView, FiringRow
from widgets.alerts.alerts_model import (
    COLUMNS,
    FIRING_COLUMNS,
    ROW_ROLE,
    AlertsModel,
    Column,
    FiringColumn,
    HistoryModel,
    Shelf,
)
from widgets.controls.dialog_frame import size_first
from widgets.controls.labels import ElidedLabel, label
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

_SIZE_PX = (1312, 766)
_BOTH_FROM_PX, _EDITOR_PX = 1000, 520
_HISTORY_ROW_PX = 28
_SWITCHED = (AlertState.WAITING, AlertState.PAUSED)
_WIDTHS = {Column.SYMBOL: 92, Column.DISTANCE: 88, Column.FIRED: 60, Column.ENDS: 112, Column.TELLS: 50, Column.ON: 52}
_LEAST_NAME_PX, _BESIDE_PX = 150, 32
_KEPT = (Column.ON, Column.DISTANCE, Column.SYMBOL, Column.FIRED, Column.ENDS, Column.TELLS)
"""The columns beside the names, the most needed first."""
_FIRING_WIDTHS = {FiringColumn.ALERT: 160, FiringColumn.SYMBOL: 92}


class AlertsDialog(QDialog):
    """
    Shows an `AlertsView`.

    Signals:
        edit_requested(object): edit the alert of a number, or a new one, None: give `AlertEditor.set_form` its form.
        switch_requested(int, bool): let an alert watch, or pause it.
        delete_requested(int): remove an alert.
        save_requested(AlertForm): keep an alert as it was edited.
        draft_changed(AlertForm, Rule): judge a draft.
        firing_requested(FiringRow): show a firing on the chart.
        check_requested(): prove the firings again.
        sound_requested(): let the sound be heard.
        drawings_requested(str): give the editor the drawings of that symbol.
    """

    edit_requested = Signal(object)
    switch_requested = Signal(int, bool)
    delete_requested = Signal(int)
    save_requested = Signal(object)
    draft_changed = Signal(object, object)
    firing_requested = Signal(object)
    check_requested = Signal()
    sound_requested = Signal()
    drawings_requested = Signal(str)

    def __init__(self, palette: Palette = DARK, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFont(style.font())
        self.setWindowTitle("Alerts")
        self._palette = palette
        self._chosen: int | None = None
        self._is_editing = False
        self._trouble, self._has_any = "", False
        self._proof = ""
        self._proven_us: int | None = None  # if all firings up to that time agree
        self.model, self.history_model = AlertsModel(), HistoryModel()
        self.editor = AlertEditor(palette)
        self.table, self.history = QTableView(), QTableView()
        self._delegate = AlertDelegate()
        self.shelves = {shelf: self._shelf_button(shelf) for shelf in Shelf}
        self._shelf_group = QButtonGroup(self)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find an alert")
        self.search.setAccessibleName("Find an alert")
        self.search.setClearButtonEnabled(True)
        self.new_button = QPushButton("New alert")
        self.new_button.setAutoDefault(False)
        style.sized(self.new_button, icon_size=16)
        self.check_button = QPushButton("Check again")
        self.check_button.setAutoDefault(False)
        self.proof = ElidedLabel("", "dim")
        self.proof.setAccessibleName("Proof")
        self.state = label("Reading the alerts…", "dim")
        self.state.setWordWrap(True)
        self.state.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._left, self._right = QWidget(), QWidget()
        self._set_up_tables()
        self._arrange()
        self._connect()
        size_first(self, *_SIZE_PX)
        self.set_palette(palette)
        self._fit()

    @property
    def is_editing(self) -> bool:
        """Whether the editor has a draft."""
        return self._is_editing

    def set_view(self, view: AlertsView) -> None:
        """
        List these; the row that the keys are on, or the alert that is edited, stays chosen.

        Where that row has gone, the one that takes its place is chosen.
        """
        current, place = self._current_id, self.table.currentIndex().row()
        self.model.set_rows(view.rows)
        self.history_model.set_rows(view.history)
        self._show_proof()
        self.editor.set_symbols(view.symbols)
        for shelf, button in self.shelves.items():
            button.setText(f"{shelf.value} {self.model.number(shelf)}")
        self._trouble, self._has_any = view.trouble, bool(view.rows)
        self._show_state()
        if current is not None and self.model.rows and self.model.row_of(current) is None:
            current = self.model.rows[min(place, len(self.model.rows) - 1)].alert_id
        self._choose_again(current)

    def set_proof(self, sentence: str, *, agrees: bool | None) -> None:
        """Show the outcome of the proof, of what is listed by now; ``agrees`` None: it is under way."""
        self._proof = f"✓ {sentence}" if agrees else sentence
        self._proven_us = self._newest_us if agrees else None
        self._show_proof()
        style.set_tone(self.proof, "warning" if agrees is False else "dim")
        self.check_button.setEnabled(agrees is not None)

    @property
    def _newest_us(self) -> int:
        """The time of the newest firing listed (UTC microseconds); 0 without any."""
        return max((row.time_us for row in self.history_model.rows), default=0)

    def _show_proof(self) -> None:
        is_older = self._proven_us is not None and self._newest_us > self._proven_us
        self.proof.setText(f"{self._proof}; newer ones are not checked" if is_older else self._proof)

    def edit(self, form: AlertForm, now_us: int) -> None:
        """Open the editor with this alert."""
        self._chosen, self._is_editing = form.alert_id, True
        self.editor.set_form(form, now_us)
        self._fit()
        self._choose_again()
        self.editor.focus_condition() if form.alert_id is None else None

    def end_editing(self) -> None:
        """Close the editor."""
        self._is_editing = False
        self._fit()

    def set_palette(self, palette: Palette) -> None:
        """Paint in these colours."""
        self._palette = palette
        self._delegate.set_palette(palette)
        self.model.set_palette(palette)
        self.history_model.set_palette(palette)
        self.editor.set_palette(palette)
        self.new_button.setIcon(icons.icon("plus", palette.text))
        self.table.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._is_editing:
            self.end_editing()
            return
        super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Enter opens a row, as a click does; the switch and the bin have keys, too.
        if watched is self.table and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            index = self.table.currentIndex()
            row: AlertRow | None = index.data(ROW_ROLE) if index.isValid() else None
            if row is not None and event.key() == Qt.Key.Key_Space and row.state in _SWITCHED:
                self.switch_requested.emit(row.alert_id, row.state is AlertState.PAUSED)
                return True
            if row is not None and event.key() == Qt.Key.Key_Delete:
                self.delete_requested.emit(row.alert_id)
                return True
        return super().eventFilter(watched, event)

    def _set_up_tables(self) -> None:
        for table, name, row_px in (
            (self.table, "Alerts", ROW_PX),
            (self.history, "History of firings", _HISTORY_ROW_PX),
        ):
            table.setObjectName("storedTable")
            table.setAccessibleName(name)
            table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
            table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
            table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
            table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
            table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            table.setShowGrid(False)
            table.setTabKeyNavigation(False)
            table.setWordWrap(False)
            table.verticalHeader().hide()
            table.verticalHeader().setDefaultSectionSize(style.px(row_px))
            table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            head = table.horizontalHeader()
            head.setFont(style.font(style.SMALL_PX))
            head.setHighlightSections(False)
            head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.table.setModel(self.model)
        self.table.setToolTip("Enter: change it · Space: pause or resume · Del: delete it")
        self.table.setItemDelegate(self._delegate)
        head = self.table.horizontalHeader()
        head.setSectionsClickable(True)
        head.setSortIndicatorShown(True)
        head.setSortIndicator(COLUMNS.index(Column.DISTANCE), Qt.SortOrder.AscendingOrder)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, pixels in _WIDTHS.items():
            head.resizeSection(COLUMNS.index(column), style.px(pixels))
        self.history.setModel(self.history_model)
        self.history.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        below = self.history.horizontalHeader()
        below.setStretchLastSection(True)
        below.setResizeContentsPrecision(0)  # what is in view decides
        for at, firing_column in enumerate(FIRING_COLUMNS):
            if firing_column in _FIRING_WIDTHS:
                below.resizeSection(at, style.px(_FIRING_WIDTHS[firing_column]))
            elif firing_column is not FiringColumn.WHY:  # no number is cut
                below.setSectionResizeMode(at, QHeaderView.ResizeMode.ResizeToContents)

    def _shelf_button(self, shelf: Shelf) -> QPushButton:
        button = QPushButton(shelf.value)
        button.setObjectName("choice")
        button.setCheckable(True)
        button.setAutoDefault(False)
        button.setChecked(shelf is Shelf.WATCHING)
        return button

    def _connect(self) -> None:
        for shelf, button in self.shelves.items():
            self._shelf_group.addButton(button)
            button.clicked.connect(lambda _checked=False, shelf=shelf: self._arranged(shelf=shelf))
        self.search.textChanged.connect(lambda text: self._arranged(text=text))
        self.table.horizontalHeader().sortIndicatorChanged.connect(
            lambda section, order: self._arranged(
                column=COLUMNS[section], descending=order is Qt.SortOrder.DescendingOrder
            )
        )
        self.table.installEventFilter(self)
        self.table.clicked.connect(self._on_click)
        self.table.activated.connect(self._on_activated)
        self.history.clicked.connect(self._on_firing)
        self.history.activated.connect(lambda index: self.firing_requested.emit(index.data(ROW_ROLE)))
        self.new_button.clicked.connect(lambda: self.edit_requested.emit(None))
        self.check_button.clicked.connect(self.check_requested)
        editor = self.editor
        editor.draft_changed.connect(self.draft_changed)
        editor.save_requested.connect(self.save_requested)
        editor.delete_requested.connect(self.delete_requested)
        editor.cancel_requested.connect(self.end_editing)
        editor.sound_requested.connect(self.sound_requested)
        editor.drawings_requested.connect(self.drawings_requested)

    def _arranged(
        self,
        *,
        shelf: Shelf | None = None,
        text: str | None = None,
        column: Column | None = None,
        descending: bool | None = None,
    ) -> None:
        current = self._current_id
        self.model.arrange(shelf=shelf, text=text, column=column, descending=descending)
        self._show_state()
        self._choose_again(current)

    @property
    def _current_id(self) -> int | None:
        """The number of the alert that the keys are on."""
        index = self.table.currentIndex()
        return index.data(ROW_ROLE).alert_id if index.isValid() else None

    def _show_state(self) -> None:
        """Show the table or, where it is empty or not known, a sentence why."""
        nothing = "Nothing fires yet: “New alert” adds one, or a right click on the chart."
        found = nothing if not self._has_any else "No alert is listed here."
        if self.search.text():
            found = "No alert is called so."
        self.state.setText(self._trouble or ("" if self.model.rows else found))
        style.set_tone(self.state, "warning" if self._trouble else "dim")
        self.state.setVisible(bool(self.state.text()))
        self.table.setVisible(not self.state.text())

    def _choose_again(self, current: int | None = None) -> None:
        """Select the row of the alert that is edited; without one that of ``current``, so that keys go on there."""
        row = self.model.row_of(self._chosen if self._is_editing else current)
        if row is None:
            self.table.clearSelection()
        elif self.table.currentIndex().row() != row or not self.table.selectionModel().hasSelection():
            self.table.selectRow(row)

    def _on_click(self, index: QModelIndex) -> None:
        row: AlertRow = index.data(ROW_ROLE)
        if COLUMNS[index.column()] is Column.ON and row.state in _SWITCHED:
            self.switch_requested.emit(row.alert_id, row.state is AlertState.PAUSED)
        else:
            self._on_activated(index)

    def _on_activated(self, index: QModelIndex) -> None:
        row: AlertRow = index.data(ROW_ROLE)
        self.edit_requested.emit(row.alert_id)

    def _on_firing(self, index: QModelIndex) -> None:
        row: FiringRow = index.data(ROW_ROLE)
        if FIRING_COLUMNS[index.column()] is FiringColumn.TRADE and row.trade_id is not None:
            self.firing_requested.emit(row)

    def _fit(self) -> None:
        """Show list and editor beside each other, or one of them where there is no room for both."""
        both = self.width() >= style.px(_BOTH_FROM_PX)
        self._right.setVisible(self._is_editing)
        self._left.setVisible(both or not self._is_editing)
        if both:
            self._right.setFixedWidth(style.px(_EDITOR_PX))
        else:
            self._right.setMinimumWidth(0)
            self._right.setMaximumWidth(16_777_215)
        self._fit_columns(self.width() - (style.px(_EDITOR_PX) if both and self._is_editing else 0))

    def _fit_columns(self, width: int) -> None:
        """Leave room for the names in a list so wide: where there is little, the columns needed least are hidden."""
        room = width - _BESIDE_PX - style.px(_LEAST_NAME_PX)
        for column in _KEPT:
            room -= style.px(_WIDTHS[column])
            self.table.setColumnHidden(COLUMNS.index(column), room < 0)

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(4)
        for button in self.shelves.values():
            head.addWidget(button)
        head.addStretch(1)
        style.sized(self.search, maximum_width=200)
        head.addWidget(self.search)
        head.addSpacing(4)
        head.addWidget(self.new_button)
        listed = QWidget()
        box = QVBoxLayout(listed)
        box.setContentsMargins(20, 12, 12, 0)
        box.setSpacing(8)
        box.addLayout(head)
        box.addWidget(self.table, 1)
        box.addWidget(self.state, 1)
        caption = label("HISTORY", "dim")
        caption.setFont(style.head_font())
        between = QHBoxLayout()
        between.addWidget(caption)
        between.addWidget(self.proof, 1)
        self.proof.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        between.addSpacing(8)
        between.addWidget(self.check_button)
        past = QWidget()
        below = QVBoxLayout(past)
        below.setContentsMargins(20, 10, 12, 12)
        below.setSpacing(8)
        below.addLayout(between)
        below.addWidget(self.history, 1)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(listed)
        split.addWidget(past)
        split.setSizes([style.px(380), style.px(320)])
        left = QVBoxLayout(self._left)
        left.setContentsMargins(0, 0, 0, 0)
        left.addWidget(split)
        self._arrange_editor()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._left, 1)
        row.addWidget(self._right, 1)

    def _arrange_editor(self) -> None:
        """The editor scrolls, its foot stays."""
        scroll = QScrollArea()
        scroll.setObjectName("dialogScroll")
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        body = QWidget()
        body.setObjectName("dialogBody")
        inside = QVBoxLayout(body)
        inside.setContentsMargins(20, 16, 20, 8)
        inside.addWidget(self.editor)
        scroll.setWidget(body)
        foot = QWidget()
        foot.setObjectName("dialogFoot")
        style.sized(foot, minimum_height=56)
        buttons = QHBoxLayout(foot)
        buttons.setContentsMargins(20, 0, 20, 0)
        buttons.setSpacing(8)
        buttons.addWidget(self.editor.delete_button)
        buttons.addStretch(1)
        buttons.addWidget(self.editor.cancel_button)
        buttons.addWidget(self.editor.save_button)
        edge = QFrame()
        edge.setObjectName("rule")
        edge.setFixedWidth(1)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(scroll, 1)
        column.addWidget(foot)
        row = QHBoxLayout(self._right)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(edge)
        row.addLayout(column, 1)
