"""
The quote panel: the best bid and ask, the last 24 hours, and how many trades are stored and missing.

Where trades are missing in gaps too large to fetch unasked, a row under the figures offers to download them.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.market.durations import length
from app.market.symbol import Symbol, has_live_prices
from widgets.controls.labels import ElidedLabel, label
from widgets.controls.link_label import LinkLabel
from widgets.controls.number_format import UNKNOWN, count, price, quantity
from widgets.theme import style
from widgets.view_values import DownloadView, QuoteView

_FIGURES = (
    "Spread",
    "24 h high",
    "24 h low",
    "24 h volume",
    "Recording",
    "Ticks received",
    "Stored trades",
    "Missing trades",
)
_OF_TICKS = frozenset(("Spread", "Recording", "Ticks received"))  # what a symbol without trades has
_MARKET_FIGURES = frozenset(_FIGURES[:4])  # dimmed while they are not live; the others are about the database
_PROGRESS_STEPS = 1000


class QuotePanel(QWidget):
    """
    Shows a `QuoteView`.

    Signals:
        watch_requested: Add the symbol shown to the watchlist; carries its name.
        download_requested, download_stop_requested: See `DownloadRow`.
    """

    watch_requested = Signal(str)
    download_requested = Signal()
    download_stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("quotePanel")
        self.setAccessibleName("Quote")
        self.bid = QuoteCard("Bid", "falling")
        self.ask = QuoteCard("Ask", "rising")
        self.quote: QuoteView | None = None
        self.watch_button = QToolButton(self)
        self.watch_button.setAccessibleName("Keep recording: add the symbol to the watchlist")
        self.watch_button.setToolTip(
            "Keep recording: add it to the watchlist, so that it is recorded while other symbols are shown"
        )
        self.watch_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.watch_button.clicked.connect(self._ask_to_watch)
        style.sized(self.watch_button, fixed_height=26, icon_size=16)
        # Hidden, it keeps its room: the tabs beside it must not change when it appears.
        policy = self.watch_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.watch_button.setSizePolicy(policy)
        self.watch_button.hide()
        self._rows: dict[str, QWidget] = {}
        self.figures: dict[str, QLabel] = {name: label(UNKNOWN, "faint") for name in _FIGURES[:-1]}
        self.figures["Recording"] = ElidedLabel(UNKNOWN, "faint")  # a sentence may give way, a number must not
        self.missing = LinkLabel(UNKNOWN, "faint")
        self.missing.set_link(False)
        self.figures[_FIGURES[-1]] = self.missing
        cards = QHBoxLayout()
        cards.setSpacing(8)
        cards.addWidget(self.bid, 1)
        cards.addWidget(self.ask, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(12)
        # Its tab says what it is, and beside that the side panel puts the button.
        layout.addLayout(cards)
        layout.addLayout(self._make_table())
        self.download = DownloadRow()
        self.download.download_requested.connect(self.download_requested)
        self.download.stop_requested.connect(self.download_stop_requested)
        layout.addWidget(self.download)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def set_quote(self, quote: QuoteView) -> None:
        """Show these values."""
        symbol = quote.symbol
        self.quote = quote
        self.watch_button.setVisible(not quote.watched)
        self.bid.show_side(symbol, quote.bid, quote.bid_quantity, live=quote.live)
        self.ask.show_side(symbol, quote.ask, quote.ask_quantity, live=quote.live)
        spread = quote.ask - quote.bid if quote.ask is not None and quote.bid is not None else None
        volume = quantity(quote.volume, symbol)
        texts = (
            price(spread, symbol),
            price(quote.high, symbol),
            price(quote.low, symbol),
            volume if quote.volume is None else f"{volume} {symbol.base}",
            quote.recording or UNKNOWN,
            count(quote.ticks),
            count(quote.stored_trades),
            _missing_text(quote),
        )
        for name, text in zip(_FIGURES, texts, strict=True):
            self.figures[name].setText(text)
            is_dimmed = text == UNKNOWN or (not quote.live and name in _MARKET_FIGURES)
            style.set_tone(self.figures[name], "faint" if is_dimmed else "")
        of_ticks = _OF_TICKS if has_live_prices(symbol.name) else {"Recording"}  # no current quote
        for name, row in self._rows.items():
            row.setVisible(name != "Ticks received" if symbol.has_trades else name in of_ticks)
        self.figures["Recording"].setToolTip(quote.recording)
        if symbol.trouble:
            style.set_tone(self.figures["Recording"], "warning")
        self.missing.set_link(quote.missing_trades > 0)
        self.missing.setToolTip("Show them on the chart, the newest first" if quote.missing_trades else "")
        if quote.missing_trades:
            style.set_tone(self.figures["Missing trades"], "warning")
        self.download.set_download(quote.download)

    def as_text(self) -> str:
        """Return all figures as lines of name and value with a tab between them; empty before the first quote."""
        if self.quote is None:
            return ""
        sides = [(card.caption, f"{card.price.text()} {card.quantity.text()}") for card in (self.bid, self.ask)]
        rows = [
            ("Symbol", self.quote.symbol.name),
            ("Last", price(self.quote.last, self.quote.symbol)),
            *sides,
            *((name, figure.text()) for name, figure in self.figures.items() if not self._rows[name].isHidden()),
        ]
        return "\n".join(f"{name}\t{value.strip()}" for name, value in rows)

    def _ask_to_watch(self) -> None:
        if self.quote is not None:
            self.watch_requested.emit(self.quote.symbol.name)

    def _make_table(self) -> QVBoxLayout:
        # Rows of their own, not a grid: the longest caption takes no room from the longest figure.
        table = QVBoxLayout()
        table.setSpacing(6)
        for name, figure in self.figures.items():
            caption = label(name, "dim")
            caption.setBuddy(figure)
            figure.setAccessibleName(name)
            figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            parts = self._rows[name] = QWidget()
            row = QHBoxLayout(parts)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(8)
            row.addWidget(caption)
            row.addWidget(figure, 1)
            table.addWidget(parts)
        return table


class QuoteCard(QFrame):
    """One side of the order book: caption, price, quantity."""

    def __init__(self, caption: str, tone: str) -> None:
        super().__init__()
        self.setObjectName("card")
        self.caption, self._tone = caption, tone
        self.price = ElidedLabel(UNKNOWN, "faint", style.font(style.TITLE_PX, QFont.Weight.DemiBold))
        self.quantity = ElidedLabel("", "faint", style.font(style.SMALL_PX))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 8, 8)
        layout.setSpacing(2)
        layout.addWidget(label(caption, "faint", style.font(style.SMALL_PX)))
        layout.addWidget(self.price)
        layout.addWidget(self.quantity)

    def show_side(self, symbol: Symbol, value: float | None, amount: float | None, *, live: bool = True) -> None:
        """
        Show a price and the quantity at it, dimmed while they are not live.

        A price without a quantity is not the exchange's: it comes from the spread setting, and the card says so.
        """
        self.price.setText(price(value, symbol))
        style.set_tone(self.price, self._tone if value is not None and live else "faint")
        unknown = UNKNOWN if value is None else "by spread setting" if symbol.has_trades else ""
        self.quantity.setText(unknown if amount is None else f"{quantity(amount, symbol)} {symbol.base}")
        self.setAccessibleName(f"{self.caption} {self.price.text()}, {self.quantity.text()}")


class DownloadRow(QWidget):
    """
    Offers to download missing trades, or shows the progress; hidden while there are none to download.

    Signals:
        download_requested: Fetch all missing trades.
        stop_requested: Stop fetching.
    """

    download_requested = Signal()
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_running = False
        self.text = label("", "dim", style.font(style.SMALL_PX))
        self.text.setWordWrap(True)
        self.button = QPushButton()
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self._on_clicked)
        self.bar = QProgressBar()
        self.bar.setRange(0, _PROGRESS_STEPS)
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
        """Show an offer or a progress; None hides the row."""
        self.setVisible(download is not None)
        if download is None:
            return
        self._is_running = download.is_running
        self.bar.setVisible(download.is_running)
        self.bar.setValue((download.total - download.left) * _PROGRESS_STEPS // max(download.total, 1))
        self.button.setText("Stop" if download.is_running else "Download trades")
        duration = _duration(download.minutes)
        if download.is_running:
            self.text.setText(f"{count(download.left)} to go, {duration}")
            tip = "The newest come first, those in view before all others. What was fetched stays."
        else:
            self.text.setText(f"Takes {duration}")
            tip = (
                f"{count(download.left)} trades are missing in gaps too large to be fetched unasked. "
                "The chart shows the exchange's candles there."
            )
        self.text.setToolTip(tip)
        self.button.setToolTip(tip)

    def _on_clicked(self) -> None:
        (self.stop_requested if self._is_running else self.download_requested).emit()


def _missing_text(quote: QuoteView) -> str:
    if not quote.missing_trades:
        # Until the stored trades are known, “0 missing” would be a guess.
        return UNKNOWN if quote.stored_trades is None else count(0)
    return count(quote.missing_trades) + (" · repairing" if quote.repairing else "")


def _duration(minutes: int) -> str:
    if minutes < 1:
        return "less than a minute"
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"about {minutes} min"
    return f"about {hours} h {rest} min" if hours < 10 else f"about {length(60 * minutes)}"
