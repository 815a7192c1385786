"""The diagnostics dock's work: samples the metrics each second, and shows them and the log while the dock is open."""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, QUrl
from PySide6.QtGui import QDesktopServices

from app.observability.metric_history import MetricHistory
from app.observability.monitoring import Monitor
from app.observability.recent_log import RecentLog
from widgets.window.main_window import MainWindow

_SAMPLE_MS = 1000


class DiagnosticsController(QObject):
    """
    Feeds the window's diagnostics dock from ``monitor`` until `stop`; ``log_folder`` has the log files.

    It samples and collects log lines while the dock is closed, too, so the minutes before a trouble are there.
    """

    def __init__(self, monitor: Monitor, window: MainWindow, log_folder: Path) -> None:
        super().__init__(window)
        self._dock = window.diagnostics
        self._log_folder = log_folder
        self._sampler = MetricHistory(monitor.metrics)
        self._log = RecentLog()
        self._lines_shown = 0
        logging.getLogger().addHandler(self._log)
        self._dock.set_note(*_note(monitor))
        self._dock.opened.connect(self._show)
        self._dock.log.folder_requested.connect(self._open_folder)
        self._timer = QTimer(self)
        self._timer.setInterval(_SAMPLE_MS)
        self._timer.timeout.connect(self._on_second)
        self._timer.start()
        if self._dock.isVisible():
            self._show()

    def stop(self) -> None:
        """Stop sampling; the dock keeps its last figures."""
        self._timer.stop()
        logging.getLogger().removeHandler(self._log)
        self._dock.opened.disconnect(self._show)

    def _on_second(self) -> None:
        self._sampler.sample()
        if self._dock.isVisible():
            self._show()

    def _show(self) -> None:
        self._dock.metrics.set_views(self._sampler.views())
        lines, self._lines_shown = self._log.since(self._lines_shown)
        self._dock.log.add(lines)

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._log_folder)))


def _note(monitor: Monitor) -> tuple[str, str]:
    if monitor.problem:
        return monitor.problem, "warning"
    return (f"Metrics for Prometheus at {monitor.url}" if monitor.url else ""), "faint"
