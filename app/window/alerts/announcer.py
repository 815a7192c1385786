"""
Announces firings in the window: by toasts, by the system's sound, by notifications of the desktop.

The first one is shown at once. Those that follow within a moment, less than anyone would notice, are gathered, so
that a thousand a second cost no more than a few: the newest are shown, with the number of the others. These are heard
where one of them sounds, and the newest of them that notifies is a notification. An alert that fires again while its
toast is on the screen changes the words of that one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from app.market.alerts.alert import Firing, Incident, Repeat
from app.market.alerts.stored_alert import StoredAlert
from app.market.symbol import Symbol
from app.window.alerts.alert_values import DrawingOf, no_drawing, toast_of
from app.window.alerts.desktop_notifications import DesktopNotifications
from widgets.alerts.alert_toast import AlertToast, ToastText
from widgets.window.main_window import MainWindow

_GATHER_MS = 60
_SHOWN_AT_A_TIME = 3
_BUSY = 12  # gathered ones, from which on only the newest is shown


class Fired(NamedTuple):
    """A firing to be announced."""

    alert: StoredAlert
    firing: Firing | Incident
    is_late: bool


class Announcer(QObject):
    """
    Announces in ``window``.

    ``show`` and ``pause`` are called with what a toast's button is pressed for. ``on_shown`` is called with each firing
    that got a toast.
    """

    def __init__(
        self,
        window: MainWindow,
        symbol_of: Callable[[str], Symbol | None],
        *,
        show: Callable[[Fired], object],
        pause: Callable[[Fired], object],
        drawing_of: DrawingOf = no_drawing,
    ) -> None:
        super().__init__(window)
        self.notifications = DesktopNotifications()
        self.on_shown: Callable[[Fired], object] = lambda fired: None
        self._window, self._symbol_of = window, symbol_of
        self._show, self._pause, self._drawing_of = show, pause, drawing_of
        self._gathered: list[Fired] = []
        self._left_out = list[Fired]()  # of those that follow within a moment, they get no toast
        self._toasts: dict[int, AlertToast] = {}  # by alert; some may be gone
        self._paused: dict[int, bool] = {}  # whether each alert was, when they were read last
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._announce_gathered)

    def announce(self, fired: Fired) -> None:
        """Announce a firing, now or with those that follow."""
        if not self._timer.isActive():
            self._timer.start(_GATHER_MS)
            self._announce([fired], ())
            return
        self._gathered.append(fired)
        if len(self._gathered) > _SHOWN_AT_A_TIME:
            self._left_out.append(self._gathered.pop(0))

    def follow(self, alerts: Sequence[StoredAlert], now_us: int) -> None:
        """Take off the toasts of alerts that were removed or paused since the last call, and rename the others."""
        paused = {one.alert_id: one.is_paused(now_us) for one in alerts}
        names = {one.alert_id: one.name for one in alerts}
        for alert_id, toast in list(self._toasts.items()):
            if toast not in self._window.toasts.shown:
                del self._toasts[alert_id]
            elif alert_id in names and (not paused[alert_id] or self._paused.get(alert_id, False)):
                if toast.set_name(names[alert_id]):
                    self._window.toasts.renew(toast)
            elif alert_id in self._paused:  # else it was added while these were read
                self._window.toasts.close(toast)
        self._paused = paused

    def stop(self) -> None:
        """Announce no more."""
        self._timer.stop()
        self._gathered.clear()
        self._left_out.clear()
        self.notifications.stop()

    def _announce_gathered(self) -> None:
        if not self._gathered:
            return
        gathered, left_out = self._gathered, self._left_out
        self._gathered, self._left_out = [], []
        self._timer.start(_GATHER_MS)
        if len(left_out) > _BUSY:
            left_out += gathered[:-1]
            gathered = gathered[-1:]
        self._announce(gathered, left_out)

    def _announce(self, several: Sequence[Fired], left_out: Sequence[Fired]) -> None:
        shown = {fired.alert.alert_id for fired in several}
        unsaid = [fired for fired in left_out if fired.alert.notifies and fired.alert.alert_id not in shown]
        if unsaid:
            self._notify(self._text_of(unsaid[-1], 0))
        for at, fired in enumerate(several):
            text = self._text_of(fired, len(left_out) if at == len(several) - 1 else 0)
            self._show_toast(fired, text)
            if fired.alert.notifies:
                self._notify(text)
            self.on_shown(fired)
        if any(fired.alert.sounds for fired in (*several, *left_out)):
            QApplication.beep()

    def _text_of(self, fired: Fired, more: int) -> ToastText:
        alert, firing = fired.alert, fired.firing
        symbol = self._symbol_of(firing.symbol if isinstance(firing, Incident) else alert.symbol)
        return toast_of(alert, firing, symbol, self._drawing_of(alert), late=fired.is_late, more=more)

    def _notify(self, text: ToastText) -> None:
        self.notifications.show(text.title, "\n".join(filter(None, (text.where, text.name or text.by))))

    def _show_toast(self, fired: Fired, text: ToastText) -> None:
        toasts, alert_id = self._window.toasts, fired.alert.alert_id
        can_pause = fired.alert.repeat is not Repeat.ONCE  # else it has fired for the last time
        toast = self._toasts.get(alert_id)
        if toast is not None and toast in toasts.shown:
            toast.set_text(text)
            toast.fired = fired
            toast.pause_button.setVisible(can_pause)
            toasts.renew(toast)
            return
        can_show = isinstance(fired.firing, Firing)
        toast = AlertToast(self._window, text, can_show=can_show, can_pause=can_pause)
        toast.fired = fired
        toast.show_requested.connect(lambda: self._run(self._show, toast))
        toast.pause_requested.connect(lambda: self._run(self._pause, toast))
        toasts.put(toast)
        self._toasts = {key: one for key, one in self._toasts.items() if one in toasts.shown}
        self._toasts[alert_id] = toast

    def _run(self, call: Callable[[Fired], object], toast: AlertToast) -> None:
        self._window.toasts.close(toast)
        assert isinstance(toast.fired, Fired)
        call(toast.fired)
