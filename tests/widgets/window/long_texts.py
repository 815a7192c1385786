"""The longest texts that the window must have room for, and searches for text that has too little."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit, QWidget

from app.market.interval import Interval
from app.market.ports.exchange import FeedState
from tests.widgets.conftest import BTCUSDT, IDRT, SATS
from widgets.controls.labels import ElidedLabel
from widgets.symbols import watchlist_delegate
from widgets.view_values import QuoteView, StatusView, WatchRow
from widgets.window.main_window import MainWindow

LONG_QUOTE = QuoteView(
    SATS,
    0.00000012,
    -12.5,
    0.00000012,
    1.2e12,
    0.00000013,
    98765.0,
    0.00000014,
    1e-7,
    5.2e12,
    1_234_567_890,
    204_000,
    True,
)
LONG_STATUS = StatusView(
    FeedState.LIVE,
    "",
    1234,
    20000,
    "Embedded PostgreSQL 18.4",
    "",
    20000,
    20000,
    204,
    True,
    3,
    1_723_162_523_000_000,
    True,
)


def fill_with_long_texts(window: MainWindow) -> None:
    """Show the longest texts that the panels must have room for."""
    window.set_symbol(SATS)
    window.set_interval(Interval.parse("181m"))
    window.set_watchlist(
        [
            WatchRow(SATS, 0.00000012, -12.5, 0.00000012, 0.00000013, 12345),
            WatchRow(IDRT, 1234567.89, 1234.5, 1234567.88, 1234567.89, 999),
            WatchRow(BTCUSDT),
        ]
    )
    window.set_quote(LONG_QUOTE)
    window.set_status(LONG_STATUS)


def cut_off(window: MainWindow) -> list[str]:
    """Return the texts of visible labels and buttons that are too narrow or stick out of the window."""
    found = []
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or not isinstance(widget, QLabel | QAbstractButton):
            continue
        if isinstance(widget, ElidedLabel):
            short = window.quote_panel.isAncestorOf(widget) and widget.is_elided()
        else:
            short = not getattr(widget, "wordWrap", bool)() and widget.width() < widget.minimumSizeHint().width()
        right = widget.mapTo(window, widget.rect().topRight()).x()
        if short or right >= window.width():
            found.append(widget.text() or widget.accessibleName())
    return found


def too_low(window: MainWindow) -> list[str]:
    """Return the texts of visible labels, buttons and fields that are less high than their font."""
    return [
        widget.text() or widget.accessibleName()
        for widget in window.findChildren(QWidget)
        if isinstance(widget, QLabel | QAbstractButton | QLineEdit)
        and widget.isVisible()
        and widget.text()
        and widget.contentsRect().height() < widget.fontMetrics().height()
    ]


def elided_in_the_watchlist(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the texts that the watchlist had to shorten."""
    elided: list[str] = []
    original = watchlist_delegate._draw_elided

    def note(painter, rect, text, metrics) -> None:
        if metrics.horizontalAdvance(text) > rect.width():
            elided.append(text)
        original(painter, rect, text, metrics)

    monkeypatch.setattr(watchlist_delegate, "_draw_elided", note)
    window.watchlist.view.grab()
    return elided
