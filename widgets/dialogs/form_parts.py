"""Parts that the dialogs of this folder share: captions and fields of a form, and what stands below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QDateTime, QObject, Qt, QTimeZone
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QComboBox,
    QCompleter,
    QDateTimeEdit,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.market.errors import UsageError
from widgets.controls.flow_layout import FlowLayout
from widgets.controls.labels import label
from widgets.theme import style

PROGRESS_STEPS = 1000
_BAR_PX = 8


def table() -> QGridLayout:
    """Return a layout for rows of a caption and a field."""
    rows = QGridLayout()
    rows.setHorizontalSpacing(16)
    rows.setVerticalSpacing(10)
    rows.setColumnStretch(1, 1)
    rows.setColumnMinimumWidth(0, style.px(76))
    return rows


def top_caption(text: str) -> QLabel:
    """Return the caption of a field that may have several lines, to be added at the top of its row."""
    caption = label(text, "dim")
    caption.setContentsMargins(0, style.px(6), 0, 0)
    return caption


def flow(*widgets: QWidget, spacing: int = 8) -> QWidget:
    """Return a widget that lays these out in a line, and in more where they do not fit."""
    holder = QWidget()
    holder.setLayout(FlowLayout.of(*widgets, spacing=spacing))
    return holder


def captioned(text: str, field: QWidget) -> QWidget:
    """Return a widget that has a caption before the field, so that both go into the next line together."""
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    row.addWidget(label(text, "dim"))
    row.addWidget(field)
    return holder


def stacked(*parts: QWidget | QLayout, spacing: int) -> QWidget:
    """Return a widget that holds these, one below the other, without margins."""
    holder = QWidget()
    box = QVBoxLayout(holder)
    box.setContentsMargins(0, 0, 0, 0)
    box.setSpacing(spacing)
    for part in parts:
        if isinstance(part, QLayout):
            box.addLayout(part)
        else:
            box.addWidget(part)
    return holder


def choice_button(text: str) -> QToolButton:
    """Return a button that is one of a group, of which one is down."""
    button = QToolButton()
    button.setObjectName("choice")
    button.setText(text)
    button.setCheckable(True)
    button.setAutoExclusive(True)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button


def button_group(buttons: Iterable[QAbstractButton], parent: QObject) -> QButtonGroup:
    """Return a group of these buttons, of which one is down."""
    group = QButtonGroup(parent)
    for button in buttons:
        group.addButton(button)
    return group


def combo(texts: Sequence[str], current: str, name: str) -> QComboBox:
    """Return a field to choose one of the texts in, or to type it; ``name`` is read out."""
    box = QComboBox()
    box.setEditable(True)
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(5)
    box.addItems(list(texts))
    box.setCurrentText(current)
    box.setMaxVisibleItems(16)
    box.setAccessibleName(name)
    completer = QCompleter(list(texts), box)
    completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
    completer.setFilterMode(Qt.MatchFlag.MatchStartsWith)
    popup = completer.popup()
    assert popup is not None
    popup.setObjectName("completions")
    box.setCompleter(completer)
    return box


def time_edit(time_us: int, name: str) -> QDateTimeEdit:
    """Return a field for a time (UTC microseconds at first); ``name`` is read out."""
    edit = QDateTimeEdit()
    edit.setTimeZone(QTimeZone.utc())
    edit.setDisplayFormat("yyyy-MM-dd HH:mm:ss")
    edit.setCalendarPopup(True)
    set_time(edit, time_us)
    edit.setAccessibleName(name)
    style.sized(edit, minimum_width=196)
    return edit


def set_time(edit: QDateTimeEdit, time_us: int) -> None:
    """Show a time, UTC microseconds, in a `time_edit`."""
    edit.setDateTime(QDateTime.fromMSecsSinceEpoch(time_us // 1_000, QTimeZone.utc()))


def chosen_times(start: QDateTimeEdit, end: QDateTimeEdit) -> tuple[int, int]:
    """
    Return the range between two times, UTC microseconds.

    Raises:
        UsageError: If it ends before it begins.
    """
    start_us, end_us = (edit.dateTime().toMSecsSinceEpoch() * 1_000 for edit in (start, end))
    if end_us <= start_us:
        raise UsageError("The range ends before it begins: choose a later end.")
    return start_us, end_us


def outcome_label(tone: str = "dim", name: str = "Outcome") -> QLabel:
    """Return an empty label for sentences, which wrap and can be selected; ``name`` is read out."""
    outcome = label("", tone)
    outcome.setWordWrap(True)
    outcome.setAccessibleName(name)
    outcome.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return outcome


def progress_bar() -> QProgressBar:
    """Return a hidden progress bar without text, of `PROGRESS_STEPS`."""
    bar = QProgressBar()
    bar.setRange(0, PROGRESS_STEPS)
    bar.setTextVisible(False)
    bar.setFixedHeight(_BAR_PX)
    bar.setAccessibleName("Progress")
    bar.hide()
    return bar


def background_button() -> QPushButton:
    """Return a hidden button that hides a dialog whose work goes on."""
    button = QPushButton("In background")
    button.setAutoDefault(False)
    button.hide()
    return button


def utc_minute(time_us: int) -> str:
    """Return a time as “2026-11-28 22:44”, UTC, with seconds where there are any."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")


def utc_day(time_us: int) -> str:
    """Return the UTC day of a time as “2026-11-28”."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%d")
