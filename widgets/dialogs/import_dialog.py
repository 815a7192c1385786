"""
The import dialog: which files, what they are, what their columns mean; then how the import goes, and its report.

Each file is listed with its detected kind, or with the reason why it cannot be used. The dialog emits requests as
signals and reads no file itself; its owner reports back through `set_file`, `set_progress`, `completed` and `failed`.
Recording continues during an import, and an import continues while the dialog is hidden. Importing the same files again
resumes a cancelled import.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.market.errors import UsageError
from app.market.ports.row_files import ReadingOptions, RowKind
from app.market.symbol import read_symbol
from widgets.controls.dialog_frame import DialogFrame
from widgets.controls.labels import label
from widgets.controls.link_label import LinkLabel
from widgets.controls.number_format import count, data_size
from widgets.dialogs.form_parts import PROGRESS_STEPS, background_button, outcome_label, progress_bar, stacked
from widgets.dialogs.import_table import ImportTable
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_WIDTH_PX = 760
_FILES_PX, _PREVIEW_PX = 150, 318
_AS_RECOGNISED = "as recognised"
_AS_IT_IS = ReadingOptions()
_KINDS = {
    RowKind.TRADES: "trades",
    RowKind.AGGTRADES: "aggregated trades",
    RowKind.KLINES: "the exchange's candles",
    RowKind.CANDLES: "candles of another source",
    RowKind.QUOTES: "quotes: bid and ask",
}


@dataclass(frozen=True, slots=True)
class ImportFileView:
    """
    A file or folder to import, as it is understood with ``options``.

    ``about`` says what it is; ``problem`` why it cannot be imported as it is, empty if it can. ``header``, ``columns``
    and ``rows`` are the first table's, ``choices`` the names that its columns can be mapped to.
    """

    path: Path
    size_bytes: int
    options: ReadingOptions = _AS_IT_IS
    about: str = ""
    problem: str = ""
    kind: RowKind | None = None
    symbol: str = ""
    header: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    rows: tuple[tuple[str, ...], ...] = ()
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportOutcomeView:
    """What became of a file or a folder; ``refused_path``: the rows that could not be used, None if there are none."""

    path: Path
    read: int
    stored: int
    held: int
    refused: int
    missing: int
    reason: str = ""
    refused_path: Path | None = None


class ImportState(Enum):
    """What the dialog is doing."""

    EDITING = auto()
    RUNNING = auto()
    CANCELLING = auto()
    DONE = auto()


class ImportDialog(QDialog):
    """
    Asks what to import, and shows how it goes.

    Signals:
        preview_requested: Tell by `set_file` what a path is; carries the `Path` and the `ReadingOptions`.
        import_requested: Import these; carries a list of (`Path`, `ReadingOptions`). End with `completed` or `failed`.
        cancel_requested: Stop after the batch in hand; answer with `completed` or `failed`.
        folder_requested: Show the folder of a file; carries its `Path`.
        palette_changed: The window's theme is another one: call `set_palette`.
    """

    preview_requested = Signal(object, object)
    import_requested = Signal(object)
    cancel_requested = Signal()
    folder_requested = Signal(object)
    palette_changed = Signal()

    def __init__(self, paths: Sequence[Path] = (), *, palette: Palette = DARK, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFont(style.font())
        self.setWindowTitle("Import")
        self.setAcceptDrops(True)
        self.state = ImportState.EDITING
        self._palette = palette
        self._files: dict[Path, ImportFileView] = {}
        self._refused: Path | None = None
        self._left_out = 0  # files that the last import began without
        self._paths = list(paths)
        self.files_button, self.folder_button = QPushButton("Add files…"), QPushButton("Add a folder…")
        self.remove_button = QPushButton("Remove")
        self.table = QTableWidget(0, 3)
        self.kind, self.symbol = QComboBox(), QLineEdit()
        self.preview = ImportTable()
        self.preview.set_palette(palette)
        self.problem = label("", "warning")
        self.problem.setWordWrap(True)
        self.outcome = outcome_label()
        self.outcome.setText("Drop files or folders here, or add them.")
        self.refused_link = LinkLabel("", "warning")
        self.refused_link.hide()
        self.progress = progress_bar()
        self.hide_button = background_button()
        self.cancel_button, self.start_button = QPushButton("Close"), QPushButton("Import")
        self.cancel_button.setAutoDefault(False)
        self._details = QWidget()
        self._arrange()
        self.start_button.setDefault(True)
        self._renew()
        self.files_button.clicked.connect(self._add_files)
        self.folder_button.clicked.connect(self._add_folder)
        self.remove_button.clicked.connect(self._remove)
        self.table.currentCellChanged.connect(lambda row, *_: self._show_details())
        self.kind.activated.connect(lambda _: self._change_options())
        self.symbol.editingFinished.connect(self._change_options)
        self.preview.mapping_changed.connect(self._change_mapping)
        self.start_button.clicked.connect(self._start)
        self.cancel_button.clicked.connect(self._cancel)
        self.hide_button.clicked.connect(self.reject)
        self.refused_link.clicked.connect(lambda: self.folder_requested.emit(self._refused))

    @property
    def is_running(self) -> bool:
        """Whether an import runs that was started here."""
        return self.state in (ImportState.RUNNING, ImportState.CANCELLING)

    def begin(self) -> None:
        """Ask what the first paths are; call once the signals are connected."""
        self.add(self._paths)

    def add(self, paths: Sequence[Path]) -> None:
        """Add files and folders; those that are listed already stay as they are. Ignored while an import runs."""
        if self.is_running:
            return
        if self.state is ImportState.DONE:
            self._set_state(ImportState.EDITING)
        for path in paths:
            if path not in self._files:
                self._files[path] = ImportFileView(path, 0, about="Looking at it…")
                self.preview_requested.emit(path, ReadingOptions())
        self._renew()

    def set_file(self, view: ImportFileView) -> None:
        """Show what a path is; ignored if it was removed, or asked for with other options, meanwhile."""
        known = self._files.get(view.path)
        if known is None or known.options != view.options:
            return
        self._files[view.path] = view
        self._renew()

    def set_progress(self, path: Path, rows: int, share: float, pace: str) -> None:
        """Show how far the import is: ``rows`` read, about ``share`` of all (0 to 1); ``pace`` how fast, how long."""
        if self.state is ImportState.RUNNING:
            self.progress.setRange(0, PROGRESS_STEPS)
            self.progress.setValue(round(share * PROGRESS_STEPS))
            self._say(" · ".join(filter(None, [path.name, f"{count(rows)} rows", pace])), "dim")

    def completed(self, outcomes: Sequence[ImportOutcomeView], stopped_because: str = "") -> None:
        """Show what became of each path; ``stopped_because``: why not all of them were imported, else empty."""
        self._set_state(ImportState.DONE)
        totals = {name: sum(getattr(one, name) for one in outcomes) for name in ("read", "stored", "held")}
        refused, missing = sum(one.refused for one in outcomes), sum(one.missing for one in outcomes)
        said = f"{count(totals['read'])} rows read: {count(totals['stored'])} stored, "
        said += f"{count(totals['held'])} held already"
        said += f", {count(refused)} refused" if refused else ""
        if missing:
            said += ". 1 id is missing inside" if missing == 1 else f". {count(missing)} ids are missing inside"
        reasons = [one.reason for one in outcomes if one.reason][:3]
        if self._left_out:
            left = "1 file was left out" if self._left_out == 1 else f"{count(self._left_out)} files were left out"
            reasons.append(f"{left}: the list says why.")
        tone = "warning" if refused or missing or reasons or stopped_because else "rising"
        self._say(" ".join(filter(None, [f"{said}.", stopped_because, *reasons])), tone)
        for one in outcomes:
            if one.path in self._files:
                about = f"{count(one.stored)} stored, {count(one.held)} held already"
                about += f", {count(one.refused)} refused" if one.refused else ""
                self._files[one.path] = replace(self._files[one.path], about=about, problem=one.reason)
        self._refused = next((one.refused_path for one in outcomes if one.refused_path is not None), None)
        self.refused_link.setText(f"{count(refused)} refused rows: {self._refused}" if self._refused else "")
        self.refused_link.setVisible(self._refused is not None)
        self._renew()

    def failed(self, sentence: str) -> None:
        """Show why nothing was imported, and let the user change the files."""
        self._set_state(ImportState.EDITING)
        self._say(sentence, "warning")

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self._palette = palette
        self.preview.set_palette(palette)
        self._renew()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.palette_changed.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() and not self.is_running:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.add([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])
        event.acceptProposedAction()

    @property
    def chosen(self) -> ImportFileView | None:
        """The file chosen in the list."""
        files, row = list(self._files.values()), self.table.currentRow()
        return files[row] if 0 <= row < len(files) else None

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        for button in (self.files_button, self.folder_button, self.remove_button):
            button.setAutoDefault(False)
            head.addWidget(button)
        head.addStretch(1)
        table = self.table
        table.setObjectName("storedTable")
        table.setAccessibleName("Files")
        table.setHorizontalHeaderLabels(["File", "What it is", "Size"])
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        table.horizontalHeader().setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        style.sized(table, minimum_height=_FILES_PX)
        self.kind.setAccessibleName("Rows are")
        self.kind.addItem(_AS_RECOGNISED, None)
        for kind, text in _KINDS.items():
            self.kind.addItem(text, kind)
        self.symbol.setAccessibleName("Symbol")
        self.symbol.setPlaceholderText("BTCUSDT")
        choices = QHBoxLayout()
        choices.setSpacing(8)
        for widget in (label("Rows are", "dim"), self.kind, label("of", "dim"), self.symbol):
            choices.addWidget(widget)
        choices.addStretch(1)
        style.sized(self.preview, minimum_height=_PREVIEW_PX)
        details = QVBoxLayout(self._details)
        details.setContentsMargins(0, 0, 0, 0)
        details.setSpacing(8)
        details.addLayout(choices)
        details.addWidget(self.preview)
        details.addWidget(self.problem)
        self._frame = DialogFrame(
            self,
            stacked(head, table, self._details, spacing=12),
            status=stacked(self.outcome, self.refused_link, self.progress, spacing=8),
            left=[self.hide_button],
            right=[self.cancel_button, self.start_button],
            width=_WIDTH_PX,
        )

    def _renew(self) -> None:
        """Show the list of files, and the details of the one chosen."""
        files, row = list(self._files.values()), max(self.table.currentRow(), 0)
        self.table.blockSignals(True)
        self.table.setRowCount(len(files))
        for number, one in enumerate(files):
            for column, text in enumerate((one.path.name, one.problem or one.about, data_size(one.size_bytes))):
                item = QTableWidgetItem(text)
                item.setToolTip(str(one.path) if column == 0 else text)
                if column == 1 and one.problem:
                    item.setForeground(QColor(self._palette.warning))
                if column == 2:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(number, column, item)
        if files:
            self.table.setCurrentCell(min(row, len(files) - 1), 0)
        self.table.blockSignals(False)
        self._show_details()

    def _show_details(self) -> None:
        one, is_editing = self.chosen, self.state is ImportState.EDITING
        # What was left out of an import can be explained after it, too.
        is_open = is_editing or (self.state is ImportState.DONE and one is not None and bool(one.problem))
        self._details.setVisible(one is not None and is_open and bool(one.header))
        self.remove_button.setEnabled(one is not None and is_editing)
        for button in (self.files_button, self.folder_button):
            button.setEnabled(not self.is_running)
        self.start_button.setEnabled(is_editing and any(not each.problem for each in self._files.values()))
        if one is not None:
            self.kind.setCurrentIndex(max(self.kind.findData(one.options.kind), 0))
            self.kind.setItemText(0, f"{_AS_RECOGNISED}: {_KINDS[one.kind]}" if one.kind else _AS_RECOGNISED)
            self.symbol.setText(one.options.symbol or one.symbol)
            self.preview.show_rows(one.header, one.rows, one.columns, one.choices)
            self.problem.setText(one.problem)
            self.problem.setVisible(bool(one.problem))
        self._frame.fit()

    def _change_options(self) -> None:
        one = self.chosen
        if one is None or self.is_running:
            return
        text = self.symbol.text().strip()
        try:
            symbol = read_symbol(text) if text and text.upper() != one.symbol else one.options.symbol
        except UsageError as error:
            self.problem.setText(str(error))
            self.problem.show()
            return
        kind = self.kind.currentData()
        columns = one.options.columns if kind == one.options.kind else None  # they have other names for another kind
        self._ask_again(one, one.options._replace(symbol=symbol, kind=kind, columns=columns))

    def _change_mapping(self) -> None:
        if (one := self.chosen) is not None:
            kind = one.options.kind or one.kind
            self._ask_again(one, one.options._replace(kind=kind, columns=self.preview.mapping() or None))

    def _ask_again(self, one: ImportFileView, options: ReadingOptions) -> None:
        if options != one.options:
            if self.state is ImportState.DONE:
                self._set_state(ImportState.EDITING)
            self._files[one.path] = replace(one, options=options)
            self.preview_requested.emit(one.path, options)

    def _start(self) -> None:
        wanted = [(one.path, one.options) for one in self._files.values() if not one.problem]
        self._left_out = len(self._files) - len(wanted)
        self._set_state(ImportState.RUNNING)
        self._say("Starting…", "dim")
        self.import_requested.emit(wanted)

    def _cancel(self) -> None:
        if not self.is_running:
            self.reject()
        elif self.state is ImportState.RUNNING:
            self.state = ImportState.CANCELLING
            self.cancel_button.setEnabled(False)
            self.progress.setRange(0, 0)
            self._say("Cancelling; what was stored stays…", "dim")
            self.cancel_requested.emit()

    def _set_state(self, state: ImportState) -> None:
        self.state = state
        is_running = state is ImportState.RUNNING
        self.progress.setRange(0, 0 if is_running else PROGRESS_STEPS)
        self.progress.setVisible(is_running)
        self.hide_button.setVisible(is_running)
        self.refused_link.hide()
        self.cancel_button.setEnabled(True)
        self.cancel_button.setText("Cancel" if is_running else "Close")
        self._show_details()
        if state is not ImportState.EDITING:
            (self.hide_button if is_running else self.cancel_button).setFocus()

    def _say(self, sentence: str, tone: str) -> None:
        style.set_tone(self.outcome, tone)
        self.outcome.setText(sentence)
        if self.state is not ImportState.RUNNING:
            self._frame.fit()  # while it runs, the dialog must not change its size all the time

    def _add_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Import files")
        if paths:
            self.add([Path(path) for path in paths])

    def _add_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "Import a folder"):
            self.add([Path(path)])

    def _remove(self) -> None:
        if (one := self.chosen) is not None:
            del self._files[one.path]
            self._renew()
