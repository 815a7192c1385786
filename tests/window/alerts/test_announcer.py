"""Announcements: the first at once, many gathered into a few."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.alerts.alert import Direction, Firing, Pause, Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import StoredAlert
from app.market.symbol import Symbol
from app.market.units import E8
from app.window.alerts.announcer import Announcer, Fired
from app.window.alerts.desktop_notifications import DesktopNotifications
from tests.widgets.cleanup import close_and_delete
from widgets.alerts.alert_toast import AlertToast
from widgets.chart.chart_widget import ChartWidget
from widgets.controls.number_format import SPACE
from widgets.window.main_window import MainWindow

BTC = Symbol("BTCUSDT", "BTC", "USDT", E8 // 100)
ALERT = StoredAlert(1, "BTCUSDT", read_rule("price crosses 100"), Repeat.EVERY, "", "", None, 1, 1, 1)


def fired(trade_id: int, alert_id: int = 0) -> Fired:
    """Return a firing of an alert, of another one for each trade if none is named."""
    alert = replace(ALERT, alert_id=alert_id or trade_id)
    return Fired(
        alert, Firing(alert.alert_id, trade_id, trade_id * 1_000_000, 100 * E8, Direction.UP, "99, then 100"), False
    )


class Shown:
    """A window with an announcer, and what got a toast."""

    def __init__(self) -> None:
        self.window = MainWindow(ChartWidget())
        self.window.show()
        self.went: list[Fired] = []
        self.paused: list[Fired] = []
        self.announcer = Announcer(self.window, lambda name: BTC, show=self.went.append, pause=self.paused.append)
        self.announcer.notifications.problem = "This is a test."
        self.seen: list[int] = []
        self.announcer.on_shown = lambda one: self.seen.append(one.firing.trade_id)  # type: ignore[union-attr]  # because all are firings

    @property
    def toasts(self) -> list[AlertToast]:
        return [one for one in self.window.toasts.shown if isinstance(one, AlertToast)]


@pytest.fixture
def shown(qtbot: QtBot) -> Iterator[Shown]:
    made = Shown()
    yield made
    made.announcer.stop()
    made.window.allow_close()
    close_and_delete(made.window)


def test_the_first_is_shown_at_once_and_has_buttons(shown: Shown) -> None:
    one = fired(7)
    shown.announcer.announce(one)
    (toast,) = shown.toasts
    assert [line.text() for line in toast.lines[:2]] == ["BTC/USDT above 100.00", "100.00 at 00:00:07.000 UTC"]
    assert toast.accessibleName() == toast.spoken
    assert "trade 7" in toast.spoken
    toast.show_button.click()
    assert (shown.went, shown.toasts) == ([one], [])
    shown.announcer.announce(fired(8))


def test_a_thousand_in_a_moment_are_a_few_toasts(shown: Shown, qtbot: QtBot) -> None:
    for number in range(1, 1_001):
        shown.announcer.announce(fired(number))
    assert shown.seen == [1]
    qtbot.waitUntil(lambda: len(shown.seen) > 1)
    assert shown.seen == [1, 1_000]
    assert "and 998 more" in shown.toasts[-1].spoken
    assert len(shown.toasts) <= 3


def test_an_alert_that_fires_again_changes_its_toast(shown: Shown, qtbot: QtBot) -> None:
    for number in (5, 6, 7):
        shown.announcer.announce(fired(number, alert_id=3))
    qtbot.waitUntil(lambda: len(shown.seen) == 3)
    (toast,) = shown.toasts
    assert toast.times == 3
    assert toast.lines[2].text().startswith(f"trade{SPACE}7 · ")
    assert toast.lines[2].text().endswith(f" · 3{SPACE}times")
    toast.show_button.click()
    assert shown.went == [fired(7, alert_id=3)]


def test_a_few_in_a_moment_are_each_shown(shown: Shown, qtbot: QtBot) -> None:
    for number in (1, 2, 3, 4):
        shown.announcer.announce(fired(number))
    qtbot.waitUntil(lambda: len(shown.seen) == 4)
    assert shown.seen == [1, 2, 3, 4]
    assert len(shown.toasts) == 3
    shown.toasts[-1].pause_button.click()
    assert shown.paused == [fired(4)]


def test_what_gets_no_toast_is_heard_and_notified_all_the_same(
    shown: Shown, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    beeps, notified = list[int](), list[str]()
    monkeypatch.setattr(QApplication, "beep", lambda: beeps.append(1))
    monkeypatch.setattr(shown.announcer.notifications, "show", lambda title, text: notified.append(text))
    for number in range(1, 9):
        alert = replace(ALERT, alert_id=number, notifies=number in (3, 4), sounds=number == 3)
        shown.announcer.announce(fired(number)._replace(alert=alert))
    qtbot.waitUntil(lambda: len(shown.seen) == 4)
    assert shown.seen == [1, 6, 7, 8]
    assert [text.partition("\n")[0] for text in notified] == ["100.00 at 00:00:04.000 UTC"]
    assert beeps == [1]


def test_one_that_fires_once_cannot_be_paused_any_more(shown: Shown) -> None:
    once = fired(7)._replace(alert=replace(ALERT, alert_id=7, repeat=Repeat.ONCE))
    shown.announcer.announce(once)
    (toast,) = shown.toasts
    assert toast.pause_button.isHidden()
    assert not toast.show_button.isHidden()


def test_the_toast_of_an_alert_that_is_paused_or_removed_goes_and_a_new_name_is_shown(shown: Shown) -> None:
    alerts = [replace(ALERT, alert_id=number) for number in (1, 2, 3)]
    shown.announcer.follow(alerts, 0)
    for one in (1, 2, 3):
        shown.announcer._announce([fired(one)], ())
    assert len(shown.toasts) == 3
    shown.announcer.follow([replace(alerts[0], name="Mine"), replace(alerts[1], pauses=(Pause(1),))], 0)
    (toast,) = shown.toasts
    assert toast.lines[3].text() == "“Mine”"
    assert toast.accessibleName().endswith(". Mine")
    shown.announcer._announce([fired(9)], ())
    shown.announcer.follow([alerts[0]], 0)  # read before the new one was added
    assert len(shown.toasts) == 2


def test_a_desktop_without_notifications_is_noted_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, qtbot: QtBot
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/at/all")
    notifications = DesktopNotifications()
    with caplog.at_level(logging.WARNING):
        notifications.show("BTC/USDT above 100", "100.00 at 00:00:07 UTC")
        qtbot.waitUntil(lambda: bool(notifications.problem), timeout=20_000)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    notifications.show("again", "")
    notifications.stop()


DESKTOP = """
import asyncio, sys
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_method

class Notifications(ServiceInterface):
    def __init__(self):
        super().__init__("org.freedesktop.Notifications")
        self.shown = []
    @dbus_method()
    def Notify(
        self, app: 's', replaces: 'u', icon: 's', title: 's', text: 's', actions: 'as', hints: 'a{sv}', ms: 'i'
    ) -> 'u':
        self.shown.append((app, title, text))
        return len(self.shown)
    @dbus_method()
    def CloseNotification(self, number: 'u'):
        pass
    @dbus_method()
    def GetCapabilities(self) -> 'as':
        return ["body"]
    @dbus_method()
    def GetServerInformation(self) -> 'ssss':
        return ["test", "test", "1", "1.2"]

async def main():
    desktop = Notifications()
    bus = await MessageBus().connect()
    bus.export("/org/freedesktop/Notifications", desktop)
    await bus.request_name("org.freedesktop.Notifications")
    from app.window.alerts.desktop_notifications import DesktopNotifications
    notifications = DesktopNotifications()
    notifications.show("BTC/USDT above 100", "100.00 at 00:00:07 UTC")
    notifications.show("and again", "")
    async with asyncio.timeout(20):
        while len(desktop.shown) < 2:
            assert not notifications.problem, notifications.problem
            await asyncio.sleep(0.01)
    await asyncio.to_thread(notifications.stop)
    print(desktop.shown)

asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="D-Bus is Linux's")
def test_the_desktop_gets_the_notification_over_its_bus() -> None:
    command = ["dbus-run-session", "--", sys.executable, "-c", DESKTOP]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("dbus-run-session is not installed")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(
        "[('cryptopipe', 'BTC/USDT above 100', '100.00 at 00:00:07 UTC'), ('cryptopipe', 'and again', '')]"
    )
