"""
The database dialog: which database to use, a test of it, and the change to it.

It checks that the form is complete and knows nothing of servers. Requests leave as signals
(`DatabaseDialog.test_requested`, ``apply_requested``); answers come in by ``tested``, ``applied`` and ``failed``. It
never blocks, and the user can close it while a test runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QFrame, QGridLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.market.errors import UsageError
from widgets.controls.dialog_frame import DialogFrame
from widgets.controls.labels import label
from widgets.dialogs.database_form import DatabaseChoice, DatabaseForm, DatabaseKind
from widgets.theme import style

_WIDTH = 560


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a test's result. ``tone`` as in `style.set_tone`."""

    caption: str
    text: str
    tone: str = ""


class DialogState(Enum):
    """What the dialog is doing."""

    EDITING = auto()
    TESTING = auto()
    APPLYING = auto()
    DONE = auto()


class DatabaseDialog(QDialog):
    """
    Asks for a database, and shows how the test of it and the change to it go.

    Signals:
        test_requested: Test the database; carries a complete `DatabaseChoice`. Answer with `tested` or `failed`.
        apply_requested: Use the database; carries a complete `DatabaseChoice`. Answer with `applied` or `failed`.
        test_cancelled: The test was cancelled; no answer is expected any more.
    """

    test_requested = Signal(object)
    apply_requested = Signal(object)
    test_cancelled = Signal()

    def __init__(
        self,
        choice: DatabaseChoice,
        meanings: Mapping[DatabaseKind, str],
        *,
        read_url: Callable[[str], Mapping[str, str]],
        note: str = "",
        locked: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """
        Show ``choice`` at first.

        ``meanings`` explain each kind of database. ``note`` is a sentence above the form. ``locked`` is such a sentence
        too: it says why nothing can be changed, and disables the form. ``read_url``: see `DatabaseForm`.
        """
        super().__init__(parent)
        self.setFont(style.font())
        self.setWindowTitle("Database")
        self.state = DialogState.EDITING
        self._locked = locked
        self.form = DatabaseForm(read_url, lambda text: self._say(text, "warning"))
        self.note = label(locked or note, "warning")
        self.note.setWordWrap(True)
        if not self.note.text():
            self.note.hide()
        self.facts = QFrame()
        self.facts.setObjectName("card")
        self.facts.hide()
        self._facts_layout = QGridLayout(self.facts)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        self.progress.setRange(0, 0)
        self.progress.setAccessibleName("Working")
        self.progress.hide()
        self.outcome = label("", "dim")
        self.outcome.setWordWrap(True)
        self.outcome.setAccessibleName("Outcome")
        self.outcome.hide()
        self.test_button = QPushButton("Test connection")
        self.cancel_button = QPushButton("Cancel")
        self.apply_button = QPushButton("Use this database")
        self._arrange()
        self.apply_button.setDefault(True)  # only now is it a part of the dialog, which otherwise takes the first one
        self.form.shape_changed.connect(self._fit)
        self.form.set_meanings(meanings)
        self.form.show_choice(choice)
        self.form.edited.connect(self._clear_result)
        self.test_button.clicked.connect(self._test)
        self.apply_button.clicked.connect(self._apply)
        self.cancel_button.clicked.connect(self.reject)
        self._set_state(DialogState.EDITING)
        if locked:
            self._offer_close()
        else:
            self.form.focus_kind()

    def tested(self, facts: Sequence[Fact], sentence: str, tone: str) -> None:
        """Show a test's result line by line, and its conclusion in a sentence."""
        if self.state is not DialogState.TESTING:
            return  # the answer to a test that was cancelled
        self._set_state(DialogState.EDITING)
        self._show_facts(facts)
        self._say(sentence, tone)
        # So Enter does the likely next thing: use the database, or test again.
        (self.apply_button if tone == "rising" else self.test_button).setFocus()

    def failed(self, sentence: str) -> None:
        """Show why the test or the change failed, and let the user correct the form."""
        if self.state not in (DialogState.TESTING, DialogState.APPLYING):
            return
        pressed = self.test_button if self.state is DialogState.TESTING else self.apply_button
        self._set_state(DialogState.EDITING)
        self._say(sentence, "warning")
        pressed.setFocus()

    def want_password(self) -> None:
        """Ask for the password that the server demands."""
        self.failed("The server wants a password: enter it.")
        self.form.password.setFocus()

    def applied(self, sentence: str, tone: str = "rising") -> None:
        """Show that the database is in use now, with ``sentence``, and offer to close."""
        self._set_state(DialogState.DONE)
        self._say(sentence, tone)
        self._offer_close()

    def reject(self) -> None:
        """Cancel a running test or, where none runs, close. A change cannot be cancelled: half of it would remain."""
        if self.state is DialogState.APPLYING:
            return
        if self.state is DialogState.TESTING:
            self._set_state(DialogState.EDITING)
            self._say("The test was given up.", "dim")
            self.test_cancelled.emit()
            return
        super().reject()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()  # only now: until the styles are applied, hidden parts count towards the height

    def _clear_result(self) -> None:
        """Clear the test's result: the form has changed since."""
        if self.state is DialogState.EDITING:
            self._show_facts(())
            self._say("", "dim")

    def _test(self) -> None:
        self._begin(DialogState.TESTING, "Connecting…", self.test_requested.emit)

    def _apply(self) -> None:
        self._begin(DialogState.APPLYING, "Changing over; nothing received is lost…", self.apply_requested.emit)

    def _begin(self, state: DialogState, sentence: str, request: Callable[[DatabaseChoice], None]) -> None:
        if self._locked:
            return
        try:
            choice = self.form.choice()
        except UsageError as error:
            self._say(str(error), "warning")
            return
        self._show_facts(())
        self._set_state(state)
        self._say(sentence, "dim")
        request(choice)

    def _set_state(self, state: DialogState) -> None:
        self.state = state
        editing = state is DialogState.EDITING and not self._locked
        self.form.set_editable(editing)
        self.test_button.setEnabled(editing)
        self.apply_button.setEnabled(editing)
        self.cancel_button.setEnabled(state is not DialogState.APPLYING)
        self.progress.setVisible(state in (DialogState.TESTING, DialogState.APPLYING))

    def _offer_close(self) -> None:
        """Turn Cancel into Close: nothing is left to cancel."""
        self.cancel_button.setText("Close")
        self.cancel_button.setDefault(True)
        self.cancel_button.setFocus()

    def _say(self, text: str, tone: str) -> None:
        self.outcome.setText(text)
        self.outcome.setVisible(bool(text))
        style.set_tone(self.outcome, tone)
        self._fit()
        if text:
            self._frame.reveal(self.outcome)

    def _show_facts(self, facts: Sequence[Fact]) -> None:
        while (item := self._facts_layout.takeAt(0)) is not None:
            if widget := item.widget():
                widget.hide()  # deleted only later, it would be drawn over the new rows until then
                widget.deleteLater()
        for row, fact in enumerate(facts):
            text = label(fact.text, fact.tone)
            text.setWordWrap(True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            caption = label(fact.caption, "dim")
            self._facts_layout.addWidget(caption, row, 0, Qt.AlignmentFlag.AlignTop)
            self._facts_layout.addWidget(text, row, 1)
        self.facts.setVisible(bool(facts))
        self.facts.setAccessibleDescription("; ".join(f"{fact.caption}: {fact.text}" for fact in facts))
        self._fit()

    def _fit(self) -> None:
        """Make the dialog as high as its visible parts need."""
        self._frame.fit()

    def _arrange(self) -> None:
        self._facts_layout.setContentsMargins(12, 10, 12, 10)
        self._facts_layout.setHorizontalSpacing(16)
        self._facts_layout.setVerticalSpacing(6)
        self._facts_layout.setColumnStretch(1, 1)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        for part in (self.note, self.form, self.facts, self.progress, self.outcome):
            layout.addWidget(part)
        layout.addStretch(1)
        self._frame = DialogFrame(
            self, body, left=[self.test_button], right=[self.cancel_button, self.apply_button], width=_WIDTH
        )
