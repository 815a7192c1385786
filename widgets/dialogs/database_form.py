"""
The fields of the database dialog, and their meaning: where the database is, and how to log in to it.

A form is read as libpq's keywords. Keywords that have no field here, such as ``hostaddr``, come from the settings or a
pasted URL; they are kept for as long as the host they were given for stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from app.market.errors import StoreError, UsageError
from widgets.controls.labels import label
from widgets.theme import style

LOCAL_DEFAULTS = {"host": "127.0.0.1", "port": "5432", "dbname": "cryptopipe", "user": "cryptopipe"}
"""The database that compose.yaml starts."""

_SYSTEM_AUTHORITIES = "system"  # libpq's word for the certificate authorities that the system trusts
_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
_KEYWORDS_WITH_FIELD = ("host", "port", "dbname", "user", "password", "sslmode", "sslrootcert")


class DatabaseKind(Enum):
    """Where a database runs."""

    EMBEDDED = "embedded"
    LOCAL = "local"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True)
class DatabaseChoice:
    """
    A form as filled in.

    ``parts`` are libpq's keywords without the password, empty for the embedded database. ``remember``: keep the
    password in the system's keyring.
    """

    kind: DatabaseKind
    parts: Mapping[str, str] = field(default_factory=dict)
    password: str = field(default="", repr=False)
    remember: bool = False


class DatabaseForm(QWidget):
    """
    Builds the fields and reads them.

    ``read_url`` turns a pasted URL into libpq's keywords, or raises StoreError, whose text goes to ``say``.

    Signals:
        shape_changed: Fields were shown or hidden.
        edited: The user changed a field.
    """

    shape_changed = Signal()
    edited = Signal()

    def __init__(self, read_url: Callable[[str], Mapping[str, str]], say: Callable[[str], None]) -> None:
        super().__init__()
        self._read_url = read_url
        self._say = say
        self._meanings: Mapping[DatabaseKind, str] = {}
        self._other_parts: dict[str, str] = {}
        self._local_tls: dict[str, str] = {}
        self._filled_host = ""
        self._filled_kind = DatabaseKind.EMBEDDED
        self._host_before = ""
        self._is_editable = True
        self._can_remember = False
        self.embedded = QRadioButton("Embedded")
        self.local = QRadioButton("On this machine")
        self.remote = QRadioButton("On a server")
        self.meaning = label("", "dim")
        self.meaning.setWordWrap(True)
        self.host = _line("Host", 160)
        self.host.setPlaceholderText("Name, or paste a postgresql:// URL")
        self.port = _line("Port", 72)
        self.port.setPlaceholderText("5432")
        self.database = _line("Database")
        self.user = _line("User")
        self.password = _line("Password")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setPlaceholderText("Empty: from keyring, environment or ~/.pgpass")
        self.remember = QCheckBox("Remember it in the system's keyring")
        self.tls = QComboBox()
        self.tls.setAccessibleName("Encryption")
        self.tls.addItem("Required", "require")
        self.tls.addItem("Required, certificate checked", "verify-full")
        self.tls.addItem("None: the network is safe by itself", "disable")
        self.authority = _line("Certificate authority")
        self.authority.setPlaceholderText("Empty: those this system trusts; or a file")
        self._rows: list[tuple[QLabel, QWidget]] = []
        self._details = self._arrange()
        self._connect()
        self.set_can_remember(False, "")

    def show_choice(self, choice: DatabaseChoice) -> None:
        """Fill in the fields."""
        self._fill(choice.parts)
        self.password.setText(choice.password)
        self._kinds()[choice.kind].setChecked(True)
        self._filled_kind = choice.kind
        self._show_kind()

    def choice(self) -> DatabaseChoice:
        """
        Return the form as filled in.

        Raises:
            UsageError: If a field is missing or invalid.
        """
        kind = self.kind()
        if kind is DatabaseKind.EMBEDDED:
            return DatabaseChoice(kind)
        named = {name: text for name, edit in self._edits().items() if (text := edit.text().strip())}
        if "://" in named.get("host", ""):
            raise UsageError("The URL cannot be read: write it as postgresql://user@host:5432/database.")
        if kind is DatabaseKind.REMOTE and "host" not in named:
            raise UsageError("Name the server: its host name or address, or paste its postgresql:// URL.")
        if "dbname" not in named:
            raise UsageError("Name the database on the server, such as cryptopipe.")
        # libpq takes several hosts and ports, with commas between them.
        if any(not port.isdigit() or not 0 < int(port) < 65_536 for port in named.get("port", "5432").split(",")):
            raise UsageError(f"“{named['port'][:30]}” is not a port: give a number from 1 to 65535, usually 5432.")
        # Keywords without a field belong to the host they came with. Kept for another host, hostaddr would still lead
        # to the first.
        same_host = named.get("host", "") == self._filled_host
        if kind is DatabaseKind.REMOTE:
            named["sslmode"] = str(self.tls.currentData())
            if named["sslmode"].startswith("verify"):
                named["sslrootcert"] = self.authority.text().strip() or _SYSTEM_AUTHORITIES
        elif same_host:
            named.update(self._local_tls)
        others = self._other_parts if same_host and kind is self._filled_kind else {}
        return DatabaseChoice(kind, {**others, **named}, self.password.text(), self.remember.isChecked())

    def kind(self) -> DatabaseKind:
        """Return the kind of database chosen."""
        return next((kind for kind, one in self._kinds().items() if one.isChecked()), DatabaseKind.REMOTE)

    def focus_kind(self) -> None:
        """Focus the button of the kind chosen, so that the arrow keys start from it."""
        self._kinds()[self.kind()].setFocus()

    def set_meanings(self, meanings: Mapping[DatabaseKind, str]) -> None:
        """Explain each kind in a sentence."""
        self._meanings = dict(meanings)
        self._show_kind()

    def set_can_remember(self, can: bool, why_not: str) -> None:
        """Offer to remember the password or, if not ``can``, show ``why_not`` as a tool tip."""
        self._can_remember = can
        self.remember.setToolTip("" if can else why_not)
        self._enable()

    def set_editable(self, editable: bool) -> None:
        """Enable or disable the fields; disabled while a test or a change runs."""
        self._is_editable = editable
        self._enable()

    def _kinds(self) -> dict[DatabaseKind, QRadioButton]:
        return dict(zip(DatabaseKind, (self.embedded, self.local, self.remote), strict=True))

    def _edits(self) -> dict[str, QLineEdit]:
        return {"host": self.host, "port": self.port, "dbname": self.database, "user": self.user}

    def _enable(self) -> None:
        for part in (self.embedded, self.local, self.remote, self._details):
            part.setEnabled(self._is_editable)
        self.remember.setEnabled(self._is_editable and self._can_remember and bool(self.password.text()))

    def _fill(self, parts: Mapping[str, str]) -> None:
        self._other_parts = {name: value for name, value in parts.items() if name not in _KEYWORDS_WITH_FIELD}
        # TLS has no field for this machine, where it is rarely of use; what a URL says about it is still kept.
        self._local_tls = {name: value for name, value in parts.items() if name in ("sslmode", "sslrootcert")}
        for name, edit in self._edits().items():
            edit.setText(parts.get(name, ""))
        self._host_before = self.host.text()
        self._filled_host = self.host.text().strip()
        mode = parts.get("sslmode", "require")
        if self.tls.findData(mode) < 0:
            self.tls.addItem(f"sslmode={mode}", mode)
        self.tls.setCurrentIndex(self.tls.findData(mode))
        authority = parts.get("sslrootcert", "")
        self.authority.setText("" if authority == _SYSTEM_AUTHORITIES else authority)

    def _on_host_edited(self, text: str) -> None:
        if len(text) > len(self._host_before) + 1:  # more than a key press adds: pasted
            self._take_url()
        self._host_before = self.host.text()

    def _take_url(self) -> None:
        """Read a URL typed or pasted as the host, and fill in the fields from it."""
        if "://" not in self.host.text():
            return
        try:
            parts = self._read_url(self.host.text().strip())
        except StoreError as error:
            self._say(str(error))
            return
        self._fill(parts)
        self.password.setText(parts.get("password", ""))
        self._say("")
        is_local = all(host in _LOCAL_HOSTS for host in parts.get("host", "").split(","))
        (self.local if is_local and "sslmode" not in parts else self.remote).setChecked(True)
        self._filled_kind = self.kind()

    def _show_kind(self) -> None:
        kind = self.kind()
        self.meaning.setText(self._meanings.get(kind, ""))
        self._details.setVisible(kind is not DatabaseKind.EMBEDDED)
        typed = {name: edit.text() for name, edit in self._edits().items() if edit.text()}
        if kind is DatabaseKind.LOCAL and not typed:
            self._fill(LOCAL_DEFAULTS)
        elif kind is DatabaseKind.REMOTE and typed == LOCAL_DEFAULTS:
            self._fill({})  # the values of compose.yaml are wrong for a server
        is_remote = kind is DatabaseKind.REMOTE
        checks = is_remote and str(self.tls.currentData()).startswith("verify")
        for caption, widget in self._rows:
            if widget in (self.tls, self.authority):
                shown = is_remote if widget is self.tls else checks
                caption.setVisible(shown)
                widget.setVisible(shown)
        self.shape_changed.emit()

    def _connect(self) -> None:
        # ``edited`` first: the slots connected below may report an error, which ``edited`` would clear.
        for edit in (*self._edits().values(), self.password, self.authority):
            edit.textEdited.connect(lambda _: self.edited.emit())
        for kind in self._kinds().values():
            kind.toggled.connect(lambda checked: self.edited.emit() if checked else None)
            kind.toggled.connect(lambda checked: self._show_kind() if checked else None)
        self.tls.currentIndexChanged.connect(lambda _: self.edited.emit())
        self.tls.currentIndexChanged.connect(lambda _: self._show_kind())
        # A URL is read once it is complete: pasted, or typed and left.
        self.host.textEdited.connect(self._on_host_edited)
        self.host.editingFinished.connect(self._take_url)
        self.password.textChanged.connect(lambda _: self._enable())

    def _arrange(self) -> QWidget:
        kinds = QHBoxLayout()
        kinds.setSpacing(20)
        for choice in (self.embedded, self.local, self.remote):
            kinds.addWidget(choice)
        kinds.addStretch(1)
        place = QHBoxLayout()
        place.setSpacing(8)
        place.addWidget(self.host, 1)
        place.addWidget(label("Port", "dim"))
        place.addWidget(self.port)
        details = QWidget()
        table = QGridLayout(details)
        table.setContentsMargins(0, 0, 0, 0)
        table.setHorizontalSpacing(16)
        table.setVerticalSpacing(10)
        table.setColumnStretch(1, 1)
        rows: tuple[tuple[str, QWidget | QHBoxLayout], ...] = (
            ("Host", place),
            ("Database", self.database),
            ("User", self.user),
            ("Password", self.password),
            ("", self.remember),
            ("Encryption", self.tls),
            ("Authority", self.authority),
        )
        for number, (text, part) in enumerate(rows):
            caption = label(text, "dim")
            table.addWidget(caption, number, 0)
            if isinstance(part, QWidget):
                table.addWidget(part, number, 1)
                caption.setBuddy(part)
                self._rows.append((caption, part))
            else:
                table.addLayout(part, number, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addLayout(kinds)
        layout.addWidget(self.meaning)
        layout.addWidget(details)
        return details


def _line(name: str, width: int = 0) -> QLineEdit:
    edit = QLineEdit()
    edit.setAccessibleName(name)
    edit.setFont(style.font())
    if width:
        style.sized(edit, minimum_width=width)
        if width < 100:
            style.sized(edit, fixed_width=width)
    return edit
