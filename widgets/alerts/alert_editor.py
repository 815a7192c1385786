"""
The editor of an alert: its fields, and what it would have done on the stored trades.

View: it emits the draft as it is typed, and shows what it is given by `set_draft`. It reads the condition itself, so
that a sentence says at once what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.market.alerts.alert import Repeat, Rule
from app.market.alerts.language import read_rule
from app.market.errors import UsageError
from app.market.symbol import Symbol
from widgets.alerts.alert_views import AlertForm, DraftView, DrawingChoice
from widgets.alerts.draft_chart import DraftChart
from widgets.alerts.when_fields import WhenFields
from widgets.alerts.when_form import WhenKind
from widgets.controls.labels import label
from widgets.dialogs.form_parts import button_group, choice_button, flow, table, time_edit, top_caption
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

ALL = "All recorded symbols"
_JUDGE_AFTER_MS = 250  # somebody who types is not interrupted by each letter
_REPEATS = {Repeat.ONCE: "Once", Repeat.CANDLE: "Once per candle", Repeat.EVERY: "Every time"}
_DAY_US = 86_400_000_000


class AlertEditor(QWidget):
    """
    Edits an `AlertForm`.

    Signals:
        draft_changed(AlertForm, Rule): judge this draft; after a pause in typing, and only where it is a condition.
        save_requested(AlertForm), delete_requested(int), cancel_requested(): a button of the foot.
        sound_requested(): let the sound be heard.
        drawings_requested(str): give `set_drawings` those of that symbol.
    """

    draft_changed = Signal(object, object)
    save_requested = Signal(object)
    delete_requested = Signal(int)
    cancel_requested = Signal()
    sound_requested = Signal()
    drawings_requested = Signal(str)

    def __init__(self, palette: Palette = DARK) -> None:
        super().__init__()
        self._form = AlertForm(None, "", "")
        self._symbols: dict[str, Symbol] = {}
        self._can_save = True
        self._draft = DraftView()
        self._reason = ""  # why it cannot be saved
        self.name = QLineEdit()
        self.name.setAccessibleName("Name")
        self.symbol = QComboBox()
        self.symbol.setAccessibleName("Symbol")
        self.when = WhenFields()
        self.repeats = {repeat: choice_button(text) for repeat, text in _REPEATS.items()}
        self._repeat_group = button_group(self.repeats.values(), self)
        self.expires = QCheckBox("at")
        self.expires.setAccessibleName("Ends")
        self.end = time_edit(0, "Ends at, UTC")
        self.notifies = QCheckBox("notification")
        self.sounds = QCheckBox("sound")
        self.play = QToolButton()
        self.play.setText("Play")
        self.play.setAccessibleName("Play the sound")
        self.note = QPlainTextEdit()
        self.note.setAccessibleName("Note")
        self.note.setTabChangesFocus(True)
        style.sized(self.note, fixed_height=52)
        self.chart = DraftChart()
        self.span = label("", "dim")
        self.outcome = label("")
        self.outcome.setWordWrap(True)
        self.outcome.setAccessibleName("Outcome")
        self.delete_button = QPushButton("Delete")
        self.cancel_button = QPushButton("Cancel")
        self.save_button = QPushButton("Save")
        for button in (self.delete_button, self.cancel_button):
            button.setAutoDefault(False)
        for part in (self.play, self.delete_button):
            style.sized(part, icon_size=16)
        self.save_button.setDefault(True)
        self._judge_timer = QTimer(self)
        self._judge_timer.setSingleShot(True)
        self._judge_timer.setInterval(_JUDGE_AFTER_MS)
        self._judge_timer.timeout.connect(self._judge)
        self._arrange()
        self._connect()
        self.set_palette(palette)

    @property
    def form(self) -> AlertForm:
        """The alert as it is in the fields."""
        repeat = next(repeat for repeat, button in self.repeats.items() if button.isChecked())
        expires = self.end.dateTime().toMSecsSinceEpoch() * 1_000 if self.expires.isChecked() else None
        return AlertForm(
            self._form.alert_id,
            str(self.symbol.currentData() or ""),
            self.when.text,
            repeat,
            self.name.text().strip(),
            self.note.toPlainText().strip(),
            expires,
            self.notifies.isChecked(),
            self.sounds.isChecked(),
        )

    @property
    def chosen_symbol(self) -> Symbol:
        """The symbol that is chosen; a nameless one for all."""
        return self._symbols.get(str(self.symbol.currentData() or ""), Symbol("", "", ""))

    def set_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Offer these; the one that is chosen stays, also where it is not among them."""
        chosen = self.symbol.currentData()
        offered = {one.name: one for one in symbols}
        if chosen and chosen not in offered:
            offered[chosen] = self.chosen_symbol
        if self.symbol.count() and offered == self._symbols:
            return  # an open list stays as it is
        self._symbols = offered
        self.symbol.blockSignals(True)
        self.symbol.clear()
        for one in offered.values():
            self.symbol.addItem(one.full_name if one.base else one.name, one.name)
        self.symbol.addItem(ALL, "")
        self._choose_symbol(str(chosen or ""))
        self.symbol.blockSignals(False)

    def set_form(self, form: AlertForm, now_us: int) -> None:
        """Edit this alert. ``now_us``: UTC microseconds, from which an end is offered."""
        self._form, self._draft = form, DraftView()
        self.name.setText(form.name)
        self.symbol.setEnabled(form.alert_id is None)
        if form.symbol and form.symbol not in self._symbols:
            self._symbols[form.symbol] = Symbol(form.symbol, "", "")
            self.symbol.addItem(form.symbol, form.symbol)
        self._choose_symbol(form.symbol)
        self.drawings_requested.emit(form.symbol)
        self.when.set_text(form.when)
        self.repeats[form.repeat].setChecked(True)
        self.expires.setChecked(form.expires_us is not None)
        self.end.setEnabled(form.expires_us is not None)
        end = datetime.fromtimestamp((form.expires_us or now_us + 7 * _DAY_US) // 1_000_000, UTC)
        end = end if form.expires_us else end.replace(hour=0, minute=0, second=0)
        self.end.setDateTime(self.end.dateTime().fromSecsSinceEpoch(int(end.timestamp()), self.end.timeZone()))
        self.notifies.setChecked(form.notifies)
        self.sounds.setChecked(form.sounds)
        self.note.setPlainText(form.note)
        self.delete_button.setVisible(form.alert_id is not None)
        self._check()
        self._judge()

    def set_drawings(self, symbol: str, drawings: Sequence[DrawingChoice]) -> None:
        """Offer the drawings of a symbol, if that is the one chosen."""
        if symbol == str(self.symbol.currentData() or ""):
            self.when.set_drawings(drawings)

    def set_can_save(self, *, can_save: bool) -> None:
        """Whether the database takes changes."""
        self._can_save = can_save
        self._check()

    def set_draft(self, view: DraftView) -> None:
        """Show what the draft would have done."""
        self._draft = view
        self._show_draft()

    def set_palette(self, palette: Palette) -> None:
        """Paint in these colours."""
        self.chart.set_palette(palette)
        self.when.set_icon_colour(palette.dim)
        self.play.setIcon(icons.icon("speaker", palette.accent))
        self.delete_button.setIcon(icons.icon("trash", palette.falling))

    def focus_condition(self) -> None:
        """Put the focus where the condition's value is typed."""
        self.when.focus_value()

    def _choose_symbol(self, name: str) -> None:
        self.symbol.setCurrentIndex(max(self.symbol.findData(name), 0))

    def _connect(self) -> None:
        self.when.changed.connect(self._on_change)
        self.symbol.currentIndexChanged.connect(self._on_symbol)
        self._repeat_group.buttonToggled.connect(self._on_change)
        self.expires.toggled.connect(self.end.setEnabled)
        self.expires.toggled.connect(self._on_change)
        self.end.dateTimeChanged.connect(self._on_change)
        self.save_button.clicked.connect(lambda: self.save_requested.emit(self.form))
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.delete_button.clicked.connect(lambda: self.delete_requested.emit(self._form.alert_id))
        self.play.clicked.connect(self.sound_requested)
        self.chart.level_moved.connect(self._on_level)

    def _on_level(self, at: int, price: float) -> None:
        self.when.set_level(at, price)

    def _on_symbol(self) -> None:
        self.drawings_requested.emit(str(self.symbol.currentData() or ""))
        self._on_change()

    def _on_change(self) -> None:
        self._check()
        self._judge_timer.start()

    def _rule(self) -> Rule | str:
        """Return the condition, or a sentence on what is missing."""
        if self.when.lacks_drawings:
            name = self.chosen_symbol.display_name or "This symbol"
            return f"{name} has no drawing that a price can cross: draw one on its chart."
        if not self.when.is_filled:
            return "Fill in the condition."
        try:
            rule = read_rule(self.when.text)
        except UsageError as error:
            return str(error)
        if rule.is_of_trades and not self.symbol.currentData():
            return "Choose a symbol: only troubles are watched on all."
        if self.expires.isChecked() and self.end.dateTime().toMSecsSinceEpoch() <= datetime.now(UTC).timestamp() * 1000:
            return "The end is in the past: choose a later one."
        return rule

    def _check(self) -> None:
        """Allow to save what is a condition, or say why not."""
        rule = self._rule()
        has_candle = not (isinstance(rule, Rule) and not rule.is_of_trades)
        self.when.set_candle_shown(shown=has_candle)
        reason = rule if isinstance(rule, str) else "" if self._can_save else "The database may only be read."
        self.save_button.setEnabled(not reason)
        self.save_button.setToolTip(reason)
        self._reason = reason
        self._show_draft()

    def _show_draft(self) -> None:
        view = self._draft
        self.span.setText(view.span)
        self.chart.set_view(view, self.chosen_symbol)
        trouble = self._reason or view.trouble
        style.set_tone(self.outcome, "warning" if trouble else "")
        said = "Judging the stored trades…" if view.is_under_way else f"{view.sentence} {view.detail}"
        self.outcome.setText(trouble or said)

    def _judge(self) -> None:
        self._judge_timer.stop()
        rule = self._rule()
        if isinstance(rule, Rule):
            self.draft_changed.emit(self.form, rule)

    def _arrange(self) -> None:
        rows = table()
        often = flow(*self.repeats.values(), self.when.candle, spacing=4)
        ends = flow(self.expires, self.end)
        channels = flow(self.notifies, self.sounds, self.play, spacing=12)
        parts: list[tuple[str, QWidget]] = [
            ("Name", self.name),
            ("Symbol", self.symbol),
            ("When", self.when),
            ("How often", often),
            ("Ends", ends),
            ("Tell by", channels),
            ("Note", self.note),
        ]
        for row, (caption, field) in enumerate(parts):
            rows.addWidget(top_caption(caption), row, 0, Qt.AlignmentFlag.AlignTop)
            rows.addWidget(field, row, 1)
        head = QHBoxLayout()
        title = label("ON THE STORED TRADES", "dim")
        title.setFont(style.head_font())
        head.addWidget(title)
        head.addStretch(1)
        head.addWidget(self.span)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(10)
        box.addLayout(rows)
        box.addLayout(head)
        self.chart.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        box.addWidget(self.chart, 1)
        box.addWidget(self.outcome)

    def kinds(self) -> Sequence[WhenKind]:
        """What it may wait for, in the order offered."""
        return self.when.kinds
