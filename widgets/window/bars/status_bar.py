"""
The status bar: the state of the feed and of the database, in one line.

While all is well it shows figures. Where something is wrong, the sentence that says why takes their place: elided to
fit, and in full in the tool tip. After the first step of a key of two steps, what may follow takes the whole bar.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QStatusBar, QToolButton, QWidget

from app.market.durations import in_words, length, with_retry
from app.market.ports.exchange import FeedState
from widgets.controls.bar_fitting import BarFitting
from widgets.controls.bar_overflow import hide_overflow
from widgets.controls.key_hints import set_key_tip
from widgets.controls.labels import ElidedLabel, SteadyLabel, label
from widgets.controls.link_label import LinkLabel
from widgets.controls.number_format import SPACE, count, counted, rate, utc_time
from widgets.theme import style
from widgets.view_values import StatusView

HEIGHT = 28
_SPACING = 20
_SIMULATED = (
    "All prices and trades here are invented.",
    "They are stored in a data directory of their own;",
    "your live data stay as they are.",
)
_READING_ONLY = "Reading only: not recording"
_SHOWN_SKEW_S = 1.0  # a smaller difference is not worth the reader's attention
_FRAME_PX = 8  # Qt leaves that free around the inside of a status bar

_FEED_STATES = {
    FeedState.IDLE: ("Idle", "faint"),
    FeedState.CONNECTING: ("Connecting", "warning"),
    FeedState.LIVE: ("Live", "rising"),
    FeedState.STALE: ("Silent, reconnecting", "warning"),
    FeedState.BACKING_OFF: ("Waiting to reconnect", "warning"),
    FeedState.REFUSED: ("Refused", "falling"),
    FeedState.CLOSING: ("Closing", "faint"),
    FeedState.CLOSED: ("Closed", "faint"),
}


class StatusBar(QStatusBar):
    """
    Shows a `StatusView`.

    Where it is narrow, whole entries leave, least important first. A sentence is elided; a figure never is.

    Signals:
        database_clicked: The database's part of the bar was clicked.
        live_market_requested: “Go to the live market” was chosen in the badge's menu.
    """

    database_clicked = Signal()
    live_market_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        style.sized(self, fixed_height=HEIGHT)
        self.setAccessibleName("Status")
        small = style.font(12)
        self.status = StatusView()
        self.dot = QLabel()
        self.dot.setObjectName("dot")
        self.dot.setFixedSize(8, 8)
        self.feed = _Entry("", "dim", small)
        self.rate = SteadyLabel("", "dim", small)
        self.database = LinkLabel("", "dim", small, is_underlined=False)
        self.database.clicked.connect(self.database_clicked)
        self.queue = SteadyLabel("", "dim", small)
        self.spool = label("", "warning", small)
        self.missing = LinkLabel("", "warning", small)
        self.malformed = label("", "warning", small)
        self.contradictions = label("", "warning", small)
        self.alerts = LinkLabel("", "dim", small, is_underlined=False)
        self.badge = self._make_badge()
        self.time = SteadyLabel("", "dim", small)
        self._was_clock_wrong = False
        self._is_due: dict[QWidget, bool] = {self.alerts: False}  # of the entries that are not always there
        self._inside = self._arrange()
        self._fitting = BarFitting(self, self._place)
        self.addWidget(self._inside, 1)
        self.hint = ElidedLabel("", "", small)
        self.hint.setContentsMargins(12, 0, 12, 0)
        self.hint.setAccessibleName("Keys that may follow")
        self.addWidget(self.hint, 1)
        self.hint.hide()
        self._name_parts()
        self.set_status(StatusView())

    def set_status(self, status: StatusView) -> None:
        """Show these values."""
        self.status = status
        self._show_feed(status)
        self._show_database(status)
        self._is_due[self.rate] = not status.history_only
        self.rate.setText(f"{rate(status.trades_per_s)} {status.counted}/s")
        style.set_tone(self.rate, "dim" if status.feed_state is FeedState.LIVE else "faint")
        self.queue.setText(f"Queue {count(status.queued)}")
        self.queue.setToolTip(f"{status.counted.capitalize()} waiting to be written")
        self._show_spool(status)
        repairing = " · repairing" if status.repairing else ""
        self.missing.setText(f"{counted(status.missing_trades, 'trade')} missing{repairing}")
        self._is_due[self.missing] = status.missing_trades > 0
        self.malformed.setText(f"{counted(status.malformed, 'message')} unreadable")
        self._is_due[self.malformed] = status.malformed > 0
        self.contradictions.setText(f"{counted(status.contradictions, 'trade')} refused")
        self._is_due[self.contradictions] = status.contradictions > 0
        self._is_due[self.badge] = status.simulated
        self._show_time(status)
        self._fitting.fit()

    def as_text(self) -> str:
        """Return the entries that are due, those that do not fit into the bar included, in one line."""
        parts = (self.feed, self.rate, self.database, self.queue, self.spool, self.missing, self.malformed)
        texts = [part.text() for part in (*parts, self.contradictions, self.time) if self._is_due.get(part, True)]
        return " | ".join(text for text in texts if text)

    def set_alerts(self, watching: int, *, has_any: bool) -> None:
        """Show how many alerts wait; nothing while there are none at all."""
        self.alerts.setText(f"{counted(watching, 'alert')} watching")
        self._is_due[self.alerts] = has_any
        self._fitting.fit()

    def set_simulated(self, is_simulated: bool) -> None:
        """Show the badge of the simulated market, or not."""
        self._is_due[self.badge] = is_simulated
        self._fitting.fit()

    def set_hint(self, text: str) -> None:
        """Show which keys may follow, in place of all entries; these again with an empty text."""
        self.hint.setText(text)
        self.hint.setToolTip(text)
        self.hint.setVisible(bool(text))
        self._inside.setVisible(not text)
        if text:
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.hint, text))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())  # entries leave; the bar never widens the window

    def _place(self) -> None:
        """Keep in the bar what has room: the least important entries leave first."""
        order: list[QWidget] = [self.queue, self.rate, self.time, self.malformed, self.contradictions, self.spool]
        # A figure of the database leaves early; what is wrong with it stays to the last.
        order.insert(len(order) if self.database.is_sentence else 1, self.database)
        order += [self.alerts, self.missing, self.badge]
        due = [part for part in order if self._is_due.get(part, True)]
        for part in order:
            if part not in due:
                part.hide()
        # Not the width of the inside: that is never less than its parts need, so it hangs over the bar's edge.
        hide_overflow(self._inside, self.width() - _FRAME_PX, due, _SPACING)

    def _show_feed(self, status: StatusView) -> None:
        word, tone = _FEED_STATES[status.feed_state]
        reason = status.feed_reason or status.history_reason
        left_s = status.retry_in_s
        is_partly_live = status.feed_state is FeedState.LIVE and status.connections_down > 0
        if status.history_only:
            word, tone, reason = "History only", "faint", ""
        # Countdowns come first: a sentence that does not fit loses its end.
        if is_partly_live:
            word, tone = _partly_live(status), "warning"
        elif left_s is not None and status.feed_state is FeedState.BACKING_OFF:
            word = f"Reconnecting {in_words(left_s)}"
        elif left_s is not None and status.history_reason:
            word = f"{word} · history {in_words(left_s)}"
        if reason:
            text = f"{word} · {reason}"
        elif status.feed_state is FeedState.LIVE and status.delay_ms is not None:
            text = f"{word} · {_delay(status.delay_ms)}"
        else:
            text = word
        text = f"{status.broker} · {text}" if status.broker else text
        self.feed.is_sentence = bool(reason)
        self.feed.setText(text)
        full = reason if left_s is None or not reason else with_retry(reason, left_s)
        age = "How old the exchange's messages are when they arrive"
        self.feed.setToolTip(full or (f"The connection to {status.broker}" if status.broker else age))
        style.set_tone(self.feed, (tone if status.feed_reason else "warning") if reason else "dim")
        style.set_tone(self.dot, tone)

    def _show_time(self, status: StatusView) -> None:
        time = "" if status.exchange_time_us is None else utc_time(status.exchange_time_us)
        skew_s = status.skew_s or 0.0
        is_wrong = abs(skew_s) >= _SHOWN_SKEW_S
        if self._was_clock_wrong and not is_wrong:
            self.time.forget_width()
        self._was_clock_wrong = is_wrong
        self.time.setText(f"{time} · clock {length(skew_s)} {'slow' if skew_s > 0 else 'fast'}" if is_wrong else time)
        meaning = "The exchange's clock, by which candles open and close"
        if is_wrong:
            side = "behind" if skew_s > 0 else "ahead"
            meaning += f". This computer's is {length(skew_s)} {side}: turn on time synchronisation"
        self.time.setToolTip(meaning)
        style.set_tone(self.time, "warning" if is_wrong else "dim")

    def _show_database(self, status: StatusView) -> None:
        recording = _READING_ONLY if status.read_only_reason else f"{rate(status.rows_per_s)} rows/s"
        detail = status.database_reason or recording
        self.database.setText(f"{status.database} · {detail}" if status.database else status.database_reason)
        self._is_due[self.database] = bool(self.database.text())
        self.database.is_sentence = bool(status.database_reason)
        meaning = status.read_only_reason or f"{status.counted.capitalize()} written to the database each second"
        self.database.setToolTip(status.database_reason or meaning)
        style.set_tone(self.database, "warning" if status.database_reason else "dim")

    def _show_spool(self, status: StatusView) -> None:
        full = " · takes no more" if status.spool_reason else ""
        self.spool.setText(f"On disk {count(status.spooled)}{full}")
        self.spool.setToolTip(status.spool_reason or "Trades that wait on disk until the database takes them")
        self._is_due[self.spool] = bool(status.spooled or status.spool_reason)

    def _arrange(self) -> QWidget:
        inside = QWidget()
        layout = QHBoxLayout(inside)
        layout.setContentsMargins(12, 0, 12, 0)
        layout.setSpacing(_SPACING)
        state = QHBoxLayout()
        state.setSpacing(7)
        state.addWidget(self.dot)
        state.addWidget(self.feed)
        layout.addLayout(state)
        for part in (
            self.rate,
            self.database,
            self.queue,
            self.spool,
            self.missing,
            self.malformed,
            self.contradictions,
        ):
            layout.addWidget(part)
        layout.addStretch(1)
        layout.addWidget(self.alerts)
        layout.addWidget(self.badge)
        layout.addWidget(self.time)
        return inside

    def _make_badge(self) -> QToolButton:
        badge = QToolButton()
        badge.setObjectName("badge")
        badge.setText("Simulated market")
        badge.setAccessibleName("Simulated market: what it is, and the way back")
        badge.setFont(style.font(style.SMALL_PX))
        badge.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        badge.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(badge)
        menu.setFont(style.font())
        for sentence in _SIMULATED:
            menu.addAction(sentence).setEnabled(False)
        menu.addSeparator()
        menu.addAction("Go to the live market", self.live_market_requested.emit)
        badge.setMenu(menu)
        return badge

    def _name_parts(self) -> None:
        self.feed.setAccessibleName("Feed")
        self.rate.setAccessibleName("Trades a second")
        self.database.setAccessibleName("Database")
        self.queue.setAccessibleName("Trades waiting to be written")
        self.queue.setToolTip("Trades waiting to be written")
        self.spool.setAccessibleName("Trades waiting on disk")
        self.alerts.setAccessibleName("Alerts: see, set and change them")
        set_key_tip(self.alerts, "See, set and change alerts", "alerts")
        self.missing.setAccessibleName("Missing trades: show them on the chart")
        set_key_tip(self.missing, "Show them on the chart, the newest first", "missing")
        self.malformed.setAccessibleName("Unreadable messages")
        self.malformed.setToolTip("Messages of the exchange that could not be read and were skipped; see the log file")
        self.contradictions.setAccessibleName("Refused trades")
        self.contradictions.setToolTip(
            "They differ from the stored trade of the same id, which stands; they are kept in the table refused_trades"
        )
        self.badge.setToolTip("Invented prices, kept in a data directory of their own")
        self.time.setAccessibleName("Exchange time")


class _Entry(ElidedLabel):
    """A label that is elided only while it holds a sentence; part of a figure would be another figure."""

    is_sentence = False

    def minimumSizeHint(self) -> QSize:
        return super().minimumSizeHint() if self.is_sentence else self.sizeHint()


def _delay(milliseconds: float) -> str:
    return f"{count(round(milliseconds))}{SPACE}ms" if milliseconds < 10_000 else length(milliseconds / 1000)


def _partly_live(status: StatusView) -> str:
    doing = "refused" if status.connections_refused else "reconnecting"
    when = "" if status.retry_in_s is None else f" {in_words(status.retry_in_s)}"
    return f"Live, {status.connections_down} of {status.connections} connections {doing}{when}"
