"""
The window's alerts: read from the database, shown as lines, list and count, changed as the user asks, announced.

What another program changes is seen too: the engine's keeper notices. All work of the database is done in threads; a
change is shown once the database has taken it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks, first_of
from app.live.engine import Engine
from app.market.alerts.alert import Firing, Incident, Rule
from app.market.alerts.stored_alert import StoredAlert
from app.market.drawings.drawing import Drawing
from app.market.errors import StoreError
from app.market.symbol import BROKER, Symbol, broker_of
from app.market.units import E8
from app.window.alerts import alert_values as values
from app.window.alerts import alert_words as words
from app.window.alerts.alert_changes import AlertChanges
from app.window.alerts.announcer import Announcer, Fired
from app.window.alerts.drawing_alerts import DrawingAlerts
from widgets.alerts.alert_views import AlertForm, AlertsView, DraftView, FiringRow
from widgets.chart.alert_lines.alert_line import AlertLine
from widgets.chart.chart_widget import ChartWidget
from widgets.controls.number_format import count
from widgets.window.main_window import MainWindow

if TYPE_CHECKING:  # lines and toasts are shown without
    from app.window.alerts.draft_judge import DraftJudge
    from widgets.alerts.alert_list import AlertList
    from widgets.alerts.alerts_dialog import AlertsDialog

logger = logging.getLogger(__name__)

_READ_AGAIN_S = 0.2  # after a firing: several firings are read at once
_READ_SHARE = 20.0  # of the time that reading takes, before it is done again: where there are a million firings
_READ_AGAIN_MOST_S = 5.0  # one read may have waited for a database that hung
_MOST_FIRINGS = 100  # of each alert, that the history shows
_RENEWALS_PER_SECOND = 4
ShownCharts = Callable[[], Sequence[tuple[ChartWidget, str]]]


class AlertController(QObject):
    """
    Connects the alerts of the engine's database to ``window``.

    ``charts`` returns the charts with the symbols they show. ``go_to`` is called with a symbol, a time (UTC
    microseconds) and that place in words. Call `renew` a few times a second.

    Signals:
        fired(str): an alert fired; carries its symbol.
    """

    fired = Signal(str)

    def __init__(
        self, engine: Engine, window: MainWindow, charts: ShownCharts, go_to: Callable[[str, int, str], object]
    ) -> None:
        super().__init__(window)
        self.drawings = DrawingAlerts(engine.drawings, engine.clock, self._symbol_of, self._offer_drawings)
        self.announcer = Announcer(
            window,
            self._symbol_of,
            show=self._show_fired,
            pause=lambda fired: self._changes.pause_for_an_hour(fired),
            drawing_of=self.drawings.drawing_of,
        )
        self.dialog: AlertsDialog | None = None
        self._engine, self._window, self._charts, self._go_to = engine, window, charts, go_to
        self._alerts: Sequence[StoredAlert] = ()
        self._trouble = "Reading the alerts…"
        self._counts: Mapping[int, int] = {}
        self._lines: dict[str, list[AlertLine]] = {}  # of the alerts that wait, by symbol
        self._read_s = 0.0  # how long it took the last time
        self._tasks = Tasks("alerts")
        self._changes = AlertChanges(
            engine,
            self._tasks,
            window.toasts,
            self.drawings.settled,
            on_changed=self._read_at_once,
            on_refused=lambda: self._show_lines(again=True),
        )
        self._reading: asyncio.Task[None] | None = None
        self._urgent = asyncio.Event()  # the user waits for what is read
        self._is_stale = True
        self._renewals = 0
        self._page = window.side_panel.alerts
        self._list: AlertList | None = None
        self._listed_symbol = ""
        self._drafts: DraftJudge | None = None  # while the dialog is open
        engine.alerts.on_firing = self._on_firing
        engine.alerts.on_change = lambda total: self.read()

    @property
    def alerts(self) -> Sequence[StoredAlert]:
        """The alerts as they were read last."""
        return self._alerts

    async def stop(self) -> None:
        """Stop reading and announcing."""
        self._engine.alerts.on_firing = None
        self._engine.alerts.on_change = None
        self.announcer.stop()
        self.drawings.stop()
        await self._tasks.end()

    def read(self, after_s: float = 0.0) -> None:
        """Read the alerts again, soon; changes that come while that is under way are read as well."""
        self._is_stale = True
        if self._reading is None or self._reading.done():
            self._reading = self._tasks.begin(self._read(after_s))

    def renew(self) -> None:
        """Show what depends on the time, the prices, and on which charts there are."""
        self._renewals += 1
        is_second = self._renewals % _RENEWALS_PER_SECOND == 0
        if is_second or self._shown_symbol != self._listed_symbol:
            self._show_rows()
        if is_second and any(one.expires_us is not None or one.pauses for one in self._alerts):
            self._find_watching()
        self._show_lines()

    # The side panel

    def open_list(self) -> None:
        """Fill the list in the side panel; call it when its page comes into view."""
        if self._list is None:
            self._list = self._page.list
            self._list.edit_requested.connect(self._edit_from_list)
            self._list.switch_requested.connect(self.switch)
            self._list.delete_requested.connect(self._delete)
            self.read()
        self._show_rows()

    def switch(self, alert_id: int, is_on: bool) -> None:
        """Let an alert watch, or pause it."""
        alert = self._with_id(alert_id)
        if alert is not None:
            self._changes.switch(alert, is_on)

    def _edit_from_list(self, alert_id: int | None) -> None:
        if alert_id is not None or self._can_add(self._shown_symbol):
            self.open()
            self._edit(alert_id)

    # The dialog

    def open(self, alert_id: int | None = None) -> AlertsDialog:
        """Open the dialog, with that alert in the editor if one is named; return it."""
        dialog = self.dialog
        if dialog is None or not isValid(dialog):
            from app.window.alerts.draft_judge import DraftJudge
            from widgets.alerts.alerts_dialog import AlertsDialog

            now_us = self._engine.exchange_clock.now_us
            self._drafts = DraftJudge(self._changes.book, self._tasks, now_us, self.drawings.settled)
            dialog = self.dialog = AlertsDialog(self._window.colours, self._window)
            dialog.edit_requested.connect(self._edit)
            dialog.switch_requested.connect(self.switch)
            dialog.delete_requested.connect(self._delete)
            dialog.save_requested.connect(self._save)
            dialog.draft_changed.connect(self._judge)
            dialog.firing_requested.connect(self._show_firing)
            dialog.check_requested.connect(self._check)
            dialog.sound_requested.connect(QApplication.beep)
            dialog.drawings_requested.connect(self._offer_drawings)
            dialog.finished.connect(self._on_closed)
            dialog.editor.set_can_save(can_save=self._changes.can_change)
            self._show_rows()
            dialog.open()
            self.read()
            self._check()
        if alert_id is not None:
            self._edit(alert_id)
        return dialog

    def open_new(self, symbol: str, price: float | None = None) -> None:
        """Open the dialog with a new alert on a symbol, at a price or the last one; a toast says if none can be."""
        if self._can_add(symbol):
            self._edit_new(symbol, price)

    def _edit_new(self, symbol: str, price: float | None = None) -> None:
        dialog = self.open()
        if price is None and (last_e8 := self._last_e8(symbol)) is not None:
            price = last_e8 / E8
        when = "" if price is None else f"price crosses {price:.8f}".rstrip("0").rstrip(".")
        name = symbol if broker_of(symbol) == BROKER else ""
        dialog.edit(AlertForm(None, name, when), self._engine.exchange_clock.now_us())

    def _can_add(self, symbol: str) -> bool:
        """Whether alerts may be on a symbol; a toast says if not."""
        if broker_of(symbol) == BROKER:
            return True
        self._window.toasts.show(f"Alerts are judged by trades: {symbol} has quotes alone.")
        return False

    def open_on_drawing(self, drawing: Drawing) -> None:
        """Open the dialog with a new alert on a drawing."""
        if not self._can_add(drawing.symbol):
            return
        form = AlertForm(None, drawing.symbol, f"price crosses drawing {drawing.id}")
        self.open().edit(form, self._engine.exchange_clock.now_us())

    def set_palette(self) -> None:
        """Draw the dialog in the window's colours."""
        if self.dialog is not None:
            self.dialog.set_palette(self._window.colours)

    def _on_closed(self) -> None:
        dialog, self.dialog = self.dialog, None
        if self._drafts is not None:
            self._drafts.cancel()
        if dialog is not None:
            dialog.deleteLater()

    def _show_rows(self) -> None:
        """Show the alerts in the dialog and in the side panel, where these are open."""
        dialog, panel, self._listed_symbol = self.dialog, self._list, self._shown_symbol
        if dialog is None and (panel is None or not panel.isVisible()):
            return
        now_us, fired = self._engine.exchange_clock.now_us(), values.fired_counts(self._alerts, self._counts)
        rows = [
            values.row_of(
                one,
                self._symbol_of(one.symbol),
                self._last_e8(one.symbol),
                fired[one.alert_id],
                now_us,
                self.drawings.drawing_of(one),
            )
            for one in self._alerts
            if one.replaced_by is None
        ]
        if panel is not None:
            panel.set_view(rows, self._symbol_of(self._listed_symbol), self._trouble)
        if dialog is None:
            return
        history = values.history_of(self._alerts, self._symbol_of, now_us, self.drawings.drawing_of)
        names = [name for name in self._engine.recorded if broker_of(name) == BROKER]
        symbols = [self._engine.symbol(name) for name in names]
        dialog.set_view(AlertsView(rows, history, symbols, self._trouble))

    def _edit(self, alert_id: int | None) -> None:
        alert, dialog = self._with_id(alert_id), self.dialog
        if alert is not None and dialog is not None:
            dialog.edit(values.form_of(alert), self._engine.exchange_clock.now_us())
        elif dialog is not None and alert_id is None:
            self._edit_new(self._shown_symbol)

    def _offer_drawings(self, symbol: str) -> None:
        if self.dialog is not None:
            self.dialog.editor.set_drawings(symbol, self.drawings.choices(symbol))

    def _judge(self, form: AlertForm, rule: Rule) -> None:
        dialog = self.dialog
        if dialog is None or self._drafts is None:
            return

        def show(view: DraftView) -> None:
            if isValid(dialog):  # it may have been closed meanwhile
                dialog.editor.set_draft(view)

        self._drafts.judge(form, rule, show)

    # Changes

    def _save(self, form: AlertForm) -> None:
        self._changes.save(form, self._on_saved)

    def _on_saved(self) -> None:
        if self.dialog is not None:
            self.dialog.end_editing()

    def _delete(self, alert_id: int) -> None:
        alert = self._with_id(alert_id)
        if alert is not None:
            title = words.title_of(alert, self._symbol_of(alert.symbol), self.drawings.drawing_of(alert))
            self._changes.delete(alert, title, self._on_saved)

    def _on_moved(self, line: AlertLine, price: float) -> None:
        alert = self._with_id(line.alert_id)
        if alert is not None:
            self._changes.move(alert, line, price)

    # Reading

    def _read_at_once(self) -> None:
        self._urgent.set()
        self.read()

    @property
    def _pause_s(self) -> float:
        """How long to wait before the alerts are read again."""
        return min(max(_READ_AGAIN_S, _READ_SHARE * self._read_s), _READ_AGAIN_MOST_S)

    async def _read(self, after_s: float) -> None:
        if after_s:
            await first_of(self._engine.clock.sleep(after_s), self._urgent.wait())
        is_again = False
        while self._is_stale:
            if is_again:
                await first_of(self._engine.clock.sleep(self._pause_s), self._urgent.wait())
            self._urgent.clear()
            self._is_stale, is_again = False, True
            try:
                began_s = self._engine.clock.monotonic_s()
                found = await in_background(partial(self._changes.book().overview, _MOST_FIRINGS), "read-alerts")
                self._read_s = self._engine.clock.monotonic_s() - began_s
            except StoreError as error:
                self._trouble = str(error)
                self._show_rows()
                return
            self._alerts, self._counts, self._trouble = found.alerts, found.counts, ""
            self.announcer.follow(found.alerts, self._engine.exchange_clock.now_us())
            self._find_watching()
            self._show_lines()
            self._show_rows()

    def _check(self) -> None:
        if self.dialog is not None:
            self.dialog.set_proof("Judging the stored trades again…", agrees=None)
            self._tasks.begin(self._prove(self.dialog))

    async def _prove(self, dialog: AlertsDialog) -> None:
        try:
            agrees, sentence = await in_background(self._changes.book().proof_in_words, "verify-alerts")
        except StoreError as error:
            agrees, sentence = False, str(error)
        if isValid(dialog):
            dialog.set_proof(sentence, agrees=agrees)

    # Lines

    def _find_watching(self) -> None:
        watching = values.watching(self._alerts, self._engine.exchange_clock.now_us())
        self._window.side_panel.pages.set_count(self._page, len(watching))
        self._window.status_bar.set_alerts(len(watching), has_any=bool(self._alerts))
        by_symbol: dict[str, list[StoredAlert]] = {}
        for one in watching:
            by_symbol.setdefault(one.symbol, []).append(one)
        self._lines = {symbol: values.lines_of(several) for symbol, several in by_symbol.items()}
        self.drawings.set_watching(watching)

    def _show_lines(self, *, again: bool = False) -> None:
        self.drawings.show_bells([chart for chart, _ in self._charts()])
        for chart, symbol in self._charts():
            found = self._lines.get(symbol, [])
            if not found and not chart.has_alert_lines:
                continue
            lines = chart.alert_lines
            if again:
                lines.set_lines(symbol, [])
            lines.can_move = self._changes.can_change
            lines.set_lines(symbol, found)
            lines.moved, lines.chosen = self._on_moved, lambda line: self.open(line.alert_id)

    # Firings

    def _on_firing(self, alert: StoredAlert, firing: Firing | Incident, *, late: bool) -> None:
        self.announcer.announce(Fired(alert, firing, late))
        self.fired.emit(alert.symbol)
        self.read(self._pause_s)

    def _show_fired(self, fired: Fired) -> None:
        if isinstance(fired.firing, Firing):
            self._go(fired.alert.symbol, fired.firing.time_us, fired.firing.trade_id)

    def _show_firing(self, row: FiringRow) -> None:
        if row.symbol is not None and row.trade_id is not None:
            if self.dialog is not None:
                self.dialog.accept()
            self._go(row.symbol.name, row.time_us, row.trade_id)

    def _go(self, symbol: str, time_us: int, trade_id: int) -> None:
        self._go_to(symbol, time_us, f"trade {count(trade_id)}")

    # Look-ups

    @property
    def _shown_symbol(self) -> str:
        """The name of the active chart's symbol; empty without one."""
        charts = self._charts()
        return charts[0][1] if charts else ""

    def _with_id(self, alert_id: int | None) -> StoredAlert | None:
        return next((one for one in self._alerts if one.alert_id == alert_id), None)

    def _symbol_of(self, name: str) -> Symbol | None:
        return self._engine.symbol(name) if name else None

    def _last_e8(self, name: str) -> int | None:
        return self._engine.market_snapshot.latest(name).last_price_e8 if name else None
