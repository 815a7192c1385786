"""The offer to download the trades of a long gap, and how far such a download has come."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QProgressBar, QPushButton, QSizePolicy, QWidget

from app.market.countdown import length
from widgets import style
from widgets.labels import ElidedLabel
from widgets.numbers import count
from widgets.views import DownloadView

_HOUR_MIN = 60
_STEPS = 1000


class DownloadRow(QWidget):
    """
    Hidden where there is nothing to download.

    Signals:
        download_requested: Fetch all that is missing.
        stop_requested: Fetch no more.
    """

    download_requested = Signal()
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_running = False
        self.text = ElidedLabel("", "dim", style.font(style.SMALL_PX))
        self.button = QPushButton()
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self._on_clicked)
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setAccessibleName("Download of trades")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(10)
        layout.setVerticalSpacing(6)
        layout.addWidget(self.text, 0, 0)
        layout.addWidget(self.button, 0, 1, Qt.AlignmentFlag.AlignRight)
        layout.addWidget(self.bar, 1, 0, 1, 2)
        layout.setColumnStretch(0, 1)
        self.set_download(None)

    def set_download(self, download: DownloadView | None) -> None:
        """Show this offer, or this progress; None: neither."""
        self.setVisible(download is not None)
        if download is None:
            return
        self._is_running = download.is_running
        self.bar.setVisible(download.is_running)
        self.bar.setValue((download.total - download.left) * _STEPS // max(download.total, 1))
        self.button.setText("Stop" if download.is_running else "Download trades")
        time = _time(download.minutes)
        if download.is_running:
            self.text.setText(f"{count(download.left)} to go, {time}")
            told = "The newest come first, those in view before all others. What was fetched stays."
        else:
            self.text.setText(f"Takes {time}")
            told = (
                f"{count(download.left)} trades are missing in gaps too large to be fetched unasked. "
                "The chart shows the exchange's candles there."
            )
        self.text.setToolTip(told)
        self.button.setToolTip(told)

    def _on_clicked(self) -> None:
        (self.stop_requested if self._is_running else self.download_requested).emit()


def _time(minutes: int) -> str:
    if minutes < 1:
        return "less than a minute"
    hours, rest = divmod(minutes, _HOUR_MIN)
    if not hours:
        return f"about {minutes} min"
    return f"about {hours} h {rest} min" if hours < 10 else f"about {length(60 * minutes)}"
