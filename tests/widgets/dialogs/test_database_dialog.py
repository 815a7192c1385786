"""The database dialog: its fields, errors, keys and states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from storage.postgres.database_url import parts_of
from widgets.dialogs.database_dialog import DatabaseDialog, DialogState, Fact
from widgets.dialogs.database_form import LOCAL_DEFAULTS, DatabaseChoice, DatabaseKind
from widgets.window.bars.notice_bar import NoticeAction
from widgets.window.main_window import MainWindow

MEANINGS = {kind: f"About {kind.value}." for kind in DatabaseKind}
EMBEDDED = DatabaseChoice(DatabaseKind.EMBEDDED)
REMOTE = DatabaseChoice(
    DatabaseKind.REMOTE,
    {"host": "db.example", "port": "6000", "dbname": "trades", "user": "me", "sslmode": "require", "options": "-cx=y"},
)


def shown(choice: DatabaseChoice, *, locked: str = "") -> DatabaseDialog:
    made = DatabaseDialog(choice, MEANINGS, read_url=parts_of, locked=locked)
    made.show()
    made.activateWindow()
    return made


@pytest.fixture
def dialog(qtbot: QtBot, prepared: QApplication) -> Iterator[DatabaseDialog]:
    made = shown(EMBEDDED)
    qtbot.waitExposed(made)
    yield made
    made.state = DialogState.DONE
    made.close()
    made.deleteLater()
    QApplication.processEvents()


def test_no_part_of_the_dialog_is_a_window_of_its_own_for_a_moment(
    prepared: QApplication, shown_windows: list[str]
) -> None:
    for locked in ("", "It is set by the environment."):
        made = shown(DatabaseChoice(DatabaseKind.EMBEDDED), locked=locked)
        made.close()
        made.deleteLater()
    assert shown_windows == ["DatabaseDialog"] * 2


def asked_for(dialog: DatabaseDialog, qtbot: QtBot) -> DatabaseChoice:
    with qtbot.waitSignal(dialog.apply_requested, timeout=1000) as request:
        dialog.apply_button.click()
    choice = request.args[0]
    assert isinstance(choice, DatabaseChoice)
    dialog.failed("")
    return choice


def test_the_embedded_database_has_no_fields(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    assert not dialog.form.host.isVisible()
    assert dialog.form.meaning.text() == "About embedded."
    low = dialog.height()
    assert asked_for(dialog, qtbot) == EMBEDDED
    dialog.form.local.click()
    assert dialog.form.host.isVisible()
    assert dialog.height() > low
    dialog.form.embedded.click()
    assert dialog.height() == low


def test_a_database_on_this_machine_starts_with_the_values_of_compose_yaml(
    dialog: DatabaseDialog, qtbot: QtBot
) -> None:
    dialog.form.local.click()
    assert not dialog.form.tls.isVisible()
    assert asked_for(dialog, qtbot) == DatabaseChoice(DatabaseKind.LOCAL, LOCAL_DEFAULTS)


def test_compose_yaml_matches_the_form_and_listens_on_loopback_only() -> None:
    text = (Path(__file__).parents[3] / "compose.yaml").read_text(encoding="utf-8")
    assert re.findall(r"POSTGRES_(?:USER|DB): (\S+)", text) == [LOCAL_DEFAULTS["user"], LOCAL_DEFAULTS["dbname"]]
    port = LOCAL_DEFAULTS["port"]
    assert re.findall(r'- "(.*:\d+)"', text) == [f"127.0.0.1:{port}:{port}"]
    assert "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?" in text  # from the environment, and never a default


def test_the_database_in_use_is_shown_and_returned_unchanged(qtbot: QtBot, prepared: QApplication) -> None:
    dialog = shown(REMOTE)
    qtbot.addWidget(dialog)
    assert asked_for(dialog, qtbot) == REMOTE
    local = DatabaseChoice(DatabaseKind.LOCAL, {"host": "localhost", "dbname": "x", "sslmode": "require"})
    other = shown(local)
    qtbot.addWidget(other)
    assert asked_for(other, qtbot) == local


@pytest.mark.parametrize("change", ["host", "kind"])
def test_keywords_without_a_field_do_not_follow_to_another_server(
    change: str, qtbot: QtBot, prepared: QApplication
) -> None:
    hidden = {"hostaddr": "203.0.113.7", "service": "away", "options": "-cx=y"}
    made = shown(DatabaseChoice(DatabaseKind.REMOTE, {**REMOTE.parts, **hidden}))
    assert hidden.items() <= asked_for(made, qtbot).parts.items()
    if change == "host":
        made.form.host.setText("other.example")
    else:
        made.form.local.click()
    assert not hidden.keys() & asked_for(made, qtbot).parts.keys()
    made.close()
    made.deleteLater()


def test_an_unusual_tls_mode_stays(qtbot: QtBot, prepared: QApplication) -> None:
    choice = DatabaseChoice(DatabaseKind.REMOTE, {"host": "h", "dbname": "d", "sslmode": "prefer"})
    dialog = shown(choice)
    qtbot.addWidget(dialog)
    assert asked_for(dialog, qtbot) == choice


def test_checking_the_certificate_asks_for_an_authority(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    dialog.form.remote.click()
    dialog.form.host.setText("db.example")
    dialog.form.database.setText("d")
    assert not dialog.form.authority.isVisible()
    dialog.form.tls.setCurrentIndex(dialog.form.tls.findData("verify-full"))
    assert dialog.form.authority.isVisible()
    parts = {"host": "db.example", "dbname": "d", "sslmode": "verify-full"}
    assert asked_for(dialog, qtbot).parts == {**parts, "sslrootcert": "system"}
    dialog.form.authority.setText("/etc/mine.crt")
    assert asked_for(dialog, qtbot).parts == {**parts, "sslrootcert": "/etc/mine.crt"}


def test_a_pasted_url_fills_the_form(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    dialog.form.remote.click()
    QApplication.clipboard().setText(
        " postgresql://me:s3%2Fcret@db.example:6000/trades?sslmode=verify-full&sslrootcert=system&connect_timeout=3\n"
    )
    dialog.form.host.paste()
    choice = asked_for(dialog, qtbot)
    tls = {"sslmode": "verify-full", "sslrootcert": "system"}
    place = {"host": "db.example", "port": "6000", "dbname": "trades", "user": "me"}
    assert choice.parts == {**place, **tls, "connect_timeout": "3"}
    assert choice.password == "s3/cret"
    assert "s3/cret" not in repr(choice)
    assert dialog.form.host.text() == "db.example"


def test_a_typed_url_fills_the_form_once_it_is_complete(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    dialog.form.remote.click()
    dialog.form.host.setFocus()
    qtbot.keyClicks(dialog.form.host, "postgresql://me:pass@127.0.0.1:6000/x")
    assert dialog.form.host.text() == "postgresql://me:pass@127.0.0.1:6000/x"
    with qtbot.waitSignal(dialog.apply_requested, timeout=1000) as request:
        qtbot.keyClick(dialog.form.host, Qt.Key.Key_Return)
    parts = {"host": "127.0.0.1", "port": "6000", "dbname": "x", "user": "me"}
    assert request.args[0] == DatabaseChoice(DatabaseKind.LOCAL, parts, "pass")


def test_the_values_of_compose_yaml_are_cleared_for_a_server(dialog: DatabaseDialog) -> None:
    dialog.form.local.click()
    dialog.form.remote.click()
    assert dialog.form.host.text() == ""
    dialog.form.local.click()
    assert dialog.form.host.text() == "127.0.0.1"
    dialog.form.host.setText("localhost")
    dialog.form.remote.click()
    assert dialog.form.host.text() == "localhost"  # typed, so it stays


def test_an_unreadable_url_gets_a_sentence(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    dialog.form.remote.click()
    QApplication.clipboard().setText("postgresql://me@[bad/x")
    dialog.form.host.paste()
    with qtbot.assertNotEmitted(dialog.apply_requested):
        dialog.apply_button.click()
    assert dialog.outcome.text() == "The URL cannot be read: write it as postgresql://user@host:5432/database."
    dialog.form.host.setText("postgresql://me@[bad/x")
    dialog.form.host.editingFinished.emit()
    assert dialog.outcome.text().startswith("The database URL cannot be read: write it as postgresql://")
    assert dialog.outcome.isVisible()


@pytest.mark.parametrize(
    ("host", "port", "database", "sentence"),
    [
        ("", "5432", "d", "Name the server"),
        ("h", "5432", " ", "Name the database"),
        ("h", "0", "d", "“0” is not a port"),
        ("h", "5432x", "d", "“5432x” is not a port"),
        ("h", "70000", "d", "“70000” is not a port"),
    ],
)
def test_an_invalid_field_gets_a_sentence_and_nothing_starts(
    dialog: DatabaseDialog, qtbot: QtBot, host: str, port: str, database: str, sentence: str
) -> None:
    dialog.form.remote.click()
    for edit, text in ((dialog.form.host, host), (dialog.form.port, port), (dialog.form.database, database)):
        edit.setText(text)
    for button, signal in (
        (dialog.test_button, dialog.test_requested),
        (dialog.apply_button, dialog.apply_requested),
    ):
        with qtbot.assertNotEmitted(signal):
            button.click()
        assert sentence in dialog.outcome.text()
    assert dialog.state is DialogState.EDITING


def test_the_keyring_is_offered_only_with_a_password_to_remember(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    dialog.form.local.click()
    dialog.form.password.setText("s3cret")
    dialog.form.set_can_remember(False, "There is none.")
    assert not dialog.form.remember.isEnabled()
    assert dialog.form.remember.toolTip() == "There is none."
    dialog.form.set_can_remember(True, "")
    assert dialog.form.remember.isEnabled()
    dialog.form.remember.click()
    choice = asked_for(dialog, qtbot)
    assert (choice.password, choice.remember) == ("s3cret", True)
    dialog.form.password.clear()
    assert not dialog.form.remember.isEnabled()


def test_a_test_shows_its_result_and_the_form_stays_usable(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    with qtbot.waitSignal(dialog.test_requested, timeout=1000):
        dialog.test_button.click()
    assert dialog.progress.isVisible()
    assert not dialog.apply_button.isEnabled()
    assert not dialog.form.local.isEnabled()
    dialog.tested([Fact("Server", "PostgreSQL 18.4"), Fact("Round trip", "0.1 ms", "warning")], "It works.", "rising")
    assert not dialog.progress.isVisible()
    assert dialog.apply_button.isEnabled()
    texts = [one.text() for one in dialog.facts.findChildren(QLabel)]
    assert texts == ["Server", "PostgreSQL 18.4", "Round trip", "0.1 ms"]
    assert dialog.facts.accessibleDescription() == "Server: PostgreSQL 18.4; Round trip: 0.1 ms"
    assert dialog.outcome.text() == "It works."
    dialog.test_button.click()
    assert not dialog.facts.isVisible()


def test_escape_cancels_a_test_and_its_answer_is_ignored(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    dialog.test_button.click()
    with qtbot.waitSignal(dialog.test_cancelled, timeout=1000):
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    dialog.tested([Fact("Server", "too late")], "It works.", "rising")
    dialog.failed("Too late as well.")
    assert dialog.outcome.text() == "The test was given up."
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_a_running_change_cannot_be_cancelled_and_a_failed_one_can_be_retried(
    dialog: DatabaseDialog, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(dialog.apply_requested, timeout=1000):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert dialog.state is DialogState.APPLYING
    dialog.reject()
    assert dialog.isVisible()
    dialog.failed("It is away: start it.")
    assert dialog.outcome.text() == "It is away: start it."
    assert dialog.apply_button.hasFocus()
    asked_for(dialog, qtbot)


def test_enter_presses_the_focused_button(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    dialog.test_button.setFocus()
    with qtbot.assertNotEmitted(dialog.apply_requested), qtbot.waitSignal(dialog.test_requested, timeout=1000):
        qtbot.keyClick(dialog.test_button, Qt.Key.Key_Return)
    dialog.tested([], "It works.", "rising")
    assert dialog.apply_button.hasFocus()
    dialog.cancel_button.setFocus()
    with qtbot.assertNotEmitted(dialog.apply_requested):
        qtbot.keyClick(dialog.cancel_button, Qt.Key.Key_Return)
    assert not dialog.isVisible()


def test_editing_the_form_clears_the_result_of_the_test(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    def try_it() -> None:
        dialog.test_button.click()
        dialog.tested([Fact("Server", "PostgreSQL 18.4")], "It works.", "rising")
        assert dialog.facts.isVisible()
        assert dialog.outcome.isVisible()

    dialog.form.remote.click()
    dialog.form.host.setText("db.example")
    dialog.form.database.setText("trades")
    for edit in (dialog.form.host, dialog.form.port, dialog.form.database, dialog.form.user, dialog.form.password):
        try_it()
        qtbot.keyClick(edit, Qt.Key.Key_1)
        assert not dialog.facts.isVisible()
        assert not dialog.outcome.isVisible()
    try_it()
    dialog.form.tls.setCurrentIndex(1)
    assert not dialog.facts.isVisible()
    try_it()
    dialog.form.local.click()
    assert not dialog.outcome.isVisible()


def test_the_arrow_keys_start_from_the_kind_in_use(qtbot: QtBot, prepared: QApplication) -> None:
    dialog = shown(REMOTE)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(dialog.form.remote.hasFocus)
    qtbot.keyClick(dialog.form.remote, Qt.Key.Key_Left)
    assert dialog.form.kind() is DatabaseKind.LOCAL


def test_a_server_that_demands_a_password_focuses_its_field(dialog: DatabaseDialog) -> None:
    dialog.form.local.click()
    dialog.test_button.click()
    dialog.want_password()
    assert dialog.form.password.hasFocus()
    assert dialog.outcome.text() == "The server wants a password: enter it."


def test_success_is_stated_and_enter_closes(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    dialog.apply_button.click()
    dialog.applied("PostgreSQL 18.4 is in use.")
    assert dialog.cancel_button.text() == "Close"
    with qtbot.assertNotEmitted(dialog.apply_requested):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert not dialog.isVisible()


def test_a_locked_dialog_says_why_and_changes_nothing(qtbot: QtBot, prepared: QApplication) -> None:
    dialog = shown(EMBEDDED, locked="The market is invented.")
    qtbot.addWidget(dialog)
    assert dialog.note.text() == "The market is invented."
    for part in (dialog.form.embedded, dialog.form.remote, dialog.test_button, dialog.apply_button):
        assert not part.isEnabled()
    with qtbot.assertNotEmitted(dialog.apply_requested):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert not dialog.isVisible()


def test_tab_reaches_every_field_in_reading_order(dialog: DatabaseDialog, qtbot: QtBot) -> None:
    dialog.form.remote.click()
    dialog.form.password.setText("x")
    dialog.form.set_can_remember(True, "")
    form = dialog.form
    order = [form.host, form.port, form.database, form.user, form.password, form.remember, form.tls]
    form.host.setFocus()
    seen = []
    for _ in range(len(order) + 3):
        seen.append(QApplication.focusWidget())
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert seen == [*order, dialog.test_button, dialog.cancel_button, dialog.apply_button]


def test_menu_keys_status_bar_and_notice_request_the_database_dialog(window: MainWindow, qtbot: QtBot) -> None:
    (action,) = (each for each in window.top_bar.menu_button.menu().actions() if each.text().startswith("Database…\t"))
    window.set_notice("The database is away.", (NoticeAction.RETRY_DATABASE, NoticeAction.CHOOSE_DATABASE))
    ways = (
        action.trigger,
        lambda: qtbot.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier),
        lambda: qtbot.mouseClick(window.status_bar.database, Qt.MouseButton.LeftButton),
        window.notice_bar.buttons[NoticeAction.CHOOSE_DATABASE].click,
    )
    window.status_bar.database.setText("Embedded")
    window.status_bar.database.show()
    for way in ways:
        with qtbot.waitSignal(window.requests.database_requested, timeout=1000):
            way()
