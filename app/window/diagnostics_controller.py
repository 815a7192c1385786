"""
Feeds the diagnostics dock: samples the metrics every second, and shows them and the log while the dock is open.

`app.observability` measures and keeps the values; the dock draws them.
"""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, QUrl
from PySide6.QtGui import QDesktopServices

from app.observability.metric_history import MetricHistory
from app.observability.metrics import Metrics
from app.observability.recent_log import RecentLog
from app.serving.serving_engine import ServedEngine
from widgets.controls.number_format import counted
from widgets.window.main_window import MainWindow

_SAMPLE_MS = 1000


class DiagnosticsController(QObject):
    """
    Feeds the window's diagnostics dock from ``metrics`` until `stop`; ``log_folder`` has the log files.

    It also samples and collects log lines while the dock is closed, so that whoever opens it sees what led to a fault.
    """

    def __init__(self, metrics: Metrics, served: ServedEngine, window: MainWindow, log_folder: Path) -> None:
        super().__init__(window)
        self._dock = window.diagnostics
        self._log_folder = log_folder
        self._history = MetricHistory(metrics)
        self._recent_log = RecentLog()
        self._lines_shown = 0
        logging.getLogger().addHandler(self._recent_log)
        self._served = served
        self._show_note()
        self._dock.opened.connect(self._update_dock)
        self._dock.log.folder_requested.connect(self._open_folder)
        self._timer = QTimer(self)
        self._timer.setInterval(_SAMPLE_MS)
        self._timer.timeout.connect(self._sample)
        self._timer.start()
        if self._dock.isVisible():
            self._update_dock()

    def stop(self) -> None:
        """Stop sampling and collecting log lines; the dock keeps its last figures."""
        self._timer.stop()
        logging.getLogger().removeHandler(self._recent_log)
        self._dock.opened.disconnect(self._update_dock)

    def _sample(self) -> None:
        self._history.sample()
        if self._dock.isVisible():
            self._update_dock()

    def _update_dock(self) -> None:
        self._show_note()
        self._dock.metrics.set_views(self._history.views())
        lines, self._lines_shown = self._recent_log.since(self._lines_shown)
        self._dock.log.add(lines)

    def _show_note(self) -> None:
        served = self._served
        if served.problem:
            self._dock.set_note(served.problem, "warning")
        elif served.url:
            use = f"{counted(served.clients, 'client')}, {counted(served.requests, 'request')}"
            self._dock.set_note(f"Server: {use} at {served.url}", copied=served.url)  # its end is elided first
        elif served.metrics_url:
            self._dock.set_note(f"Metrics for Prometheus at {served.metrics_url}", copied=served.metrics_url)
        else:
            self._dock.set_note("")

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._log_folder)))
