"""The button that names the chart's symbol and its market; its width depends on the watchlist alone."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy

from app.market.symbol import Symbol
from widgets.controls.key_hints import set_key_tip
from widgets.controls.labels import ElidedLabel, label
from widgets.theme import icons, style
from widgets.theme.palettes import Palette

_USUAL_PX, _COMPACT_PX = 212, 112
_MARGIN_PX, _GAP_PX, _CHEVRON_PX = 8, 6, 12
_SLACK_PX = 2  # a label asks for a little more than its text's advance
_SMALLEST_NAME_PX = 9


class SymbolButton(QPushButton):
    """
    The symbol's name and market; pressing it opens the symbol picker.

    `reserve` makes it as wide as the longest of some names. A name that is longer still is drawn smaller.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("symbolButton")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._market = "Binance spot"
        self._symbol: Symbol | None = None
        self._names: tuple[str, ...] = ()
        self._is_compact = False
        self.name = label("", font=_name_font())
        self.market = ElidedLabel("", "dim", style.font(12))
        self.chevron = QLabel()
        self._layout = layout = QHBoxLayout(self)
        layout.setContentsMargins(_MARGIN_PX, 4, _MARGIN_PX - 2, 4)
        layout.setSpacing(_GAP_PX)
        for part in (self.name, self.market, self.chevron):
            layout.addWidget(part)
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        layout.addStretch(1)
        self._describe()

    def set_symbol(self, symbol: Symbol) -> None:
        self._symbol = symbol
        self.name.setText(symbol.display_name)
        self._describe()

    def set_market(self, name: str) -> None:
        """Show this name of the market beside a symbol that trades."""
        self._market = name
        self._describe()

    def set_compact(self, is_compact: bool) -> None:
        """Leave the market's name out."""
        if is_compact != self._is_compact:
            self._is_compact = is_compact
            self._fit_inside()
            self.updateGeometry()

    def reserve(self, names: Iterable[str]) -> None:
        """Make room for the longest of these names, in place of those before."""
        self._names = tuple(names)
        self.updateGeometry()

    def width_when(self, *, compact: bool) -> int:
        """Return the button's width with or without the market's name, in logical pixels."""
        metrics = QFontMetrics(_name_font())
        longest = max((metrics.horizontalAdvance(name) for name in self._names), default=0)
        needed = longest + _SLACK_PX + _GAP_PX + style.px(_CHEVRON_PX) + 2 * _MARGIN_PX
        if compact:
            return max(style.px(_COMPACT_PX), needed)
        market = QFontMetrics(style.font(12)).horizontalAdvance(self._market) + 2
        return max(style.px(_USUAL_PX), needed + _GAP_PX + market)

    def set_palette(self, palette: Palette) -> None:
        size = style.px(_CHEVRON_PX)
        self.chevron.setPixmap(icons.pixmap("chevron-down", palette.dim, size, self.devicePixelRatioF()))

    def sizeHint(self) -> QSize:
        return QSize(self.width_when(compact=self._is_compact), self._layout.sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_inside()
        self._layout.activate()  # at once: Qt paints the new size right after this

    def _describe(self) -> None:
        symbol, trouble = self._symbol, self._symbol.trouble if self._symbol is not None else ""
        market = (symbol.broker_note if symbol is not None else "") or self._market
        self.market.setText(trouble or market)
        style.set_tone(self.market, "warning" if trouble else "dim")
        name = symbol.display_name if symbol is not None else ""
        self.setAccessibleName(f"{name}, choose another symbol" if name else "Choose a symbol")
        tip = "Choose a symbol"
        set_key_tip(self, f"{name} · {trouble or market}\n{tip}" if name else tip, "symbols")
        self._fit_inside()

    def _fit_inside(self) -> None:
        """Draw the name small enough to fit, and the market's name where there is room for it."""
        room = self.width() - 2 * _MARGIN_PX - _GAP_PX - style.px(_CHEVRON_PX)
        pixels = style.TITLE_PX
        while pixels > _SMALLEST_NAME_PX and _width(self.name.text(), pixels) > room:
            pixels -= 1
        if self.name.font().pixelSize() != _name_font(pixels).pixelSize():
            self.name.setFont(_name_font(pixels))
        self.name.setMaximumWidth(max(room, 0))
        left = room - _GAP_PX - _width(self.name.text(), pixels)
        market = self.market.fontMetrics().horizontalAdvance(self.market.text())
        is_trouble = self._symbol is not None and bool(self._symbol.trouble)
        self.market.setVisible(not self._is_compact and (market <= left or (is_trouble and left > style.px(40))))


def _name_font(pixels: int = style.TITLE_PX) -> QFont:
    return style.font(pixels, QFont.Weight.DemiBold)


def _width(text: str, pixels: int) -> int:
    return QFontMetrics(_name_font(pixels)).horizontalAdvance(text) + _SLACK_PX
