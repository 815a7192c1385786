"""Fields of a form, as the dialogs of this folder have them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QDateTime, Qt, QTimeZone
from PySide6.QtWidgets import QComboBox, QCompleter, QDateTimeEdit, QGridLayout, QLabel, QToolButton, QWidget

from widgets.controls.flow_layout import FlowLayout
from widgets.controls.labels import label
from widgets.theme import style


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


def choice_button(text: str) -> QToolButton:
    """Return a button that is one of a group, of which one is down."""
    button = QToolButton()
    button.setObjectName("choice")
    button.setText(text)
    button.setCheckable(True)
    button.setAutoExclusive(True)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button


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
    edit.setDateTime(QDateTime.fromMSecsSinceEpoch(time_us // 1_000, QTimeZone.utc()))
    edit.setAccessibleName(name)
    style.sized(edit, minimum_width=196)
    return edit


def utc_minute(time_us: int) -> str:
    """Return a time as “2026-11-28 22:44”, UTC, with seconds where there are any."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")
