"""
The legend's words on how much of a candle is known: explained by a tool tip, and where trades are missing a link.

A click on the link brings the whole gap into view, where it is repaired before others, and says when it was. Where no
trade of the candle was ever stored, a click downloads those in view.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt

from app.market.series.series import Bar
from widgets.chart.interaction.navigator import Navigator
from widgets.chart.interaction.readout import Readout
from widgets.chart.model.legend import COMPLETENESS, completeness_of, lacks_trades
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.chart_overlay import title_middle
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import gaps_in, missing_in
from widgets.chart.painting.title_row import field_rect
from widgets.chart.scales.time_text import full_time
from widgets.view_values import GapBand

_DOWNLOAD = "Click to download the trades in view."
_ROOM_SHARE = 0.5  # beside a gap that is brought into view, on either side, as a share of it


class CompletenessHint:
    """
    The words of one chart. ``note``: called with a sentence on what a click did.

    ``download`` is called for a click on a candle whose trades are not stored.
    """

    def __init__(
        self, canvas: ChartCanvas, scene: Scene, readout: Readout, navigator: Navigator, note: Callable[[str], object]
    ) -> None:
        self._canvas, self._scene, self._readout = canvas, scene, readout
        self._navigator, self._note = navigator, note
        self._is_pressed = False
        self.download: Callable[[], object] = lambda: None

    @property
    def rect(self) -> QRectF:
        """Where the words are, in the view's logical pixels; empty where the legend has no room for them."""
        pane = self._scene.price
        return field_rect(self._scene.styles, pane.title, COMPLETENESS, pane.rect.top() + title_middle(pane))

    def point_at(self, position: QPointF) -> bool:
        """Show what the pointer can do there, and explain the words; False where they are not."""
        series, bar, symbol = self._navigator.series, self._readout.bar, self._scene.symbol
        if series is None or bar is None or symbol is None or not self.rect.contains(position):
            self._canvas.setToolTip("")
            return False
        missing = missing_in(self._readout.gaps, bar, series.interval)
        explanation, is_link = completeness_of(symbol, bar, missing).explanation, self._can_download(bar)
        self._canvas.setToolTip(explanation if missing or not is_link else f"{explanation} {_DOWNLOAD}")
        shape = Qt.CursorShape.PointingHandCursor if missing or is_link else Qt.CursorShape.ArrowCursor
        self._canvas.setCursor(shape)
        return True

    def press_at(self, position: QPointF) -> None:
        """Note where a press of the mouse began."""
        self._is_pressed = self.rect.contains(position)

    def release_at(self, position: QPointF) -> None:
        """Follow the link, if the mouse was pressed and released on it."""
        if self._is_pressed and self.rect.contains(position):
            bar = self._readout.bar
            if not self.show_missing() and bar is not None and self._can_download(bar):
                self.download()
        self._is_pressed = False

    def _can_download(self, bar: Bar) -> bool:
        symbol = self._scene.symbol
        return symbol is not None and symbol.has_trades and lacks_trades(bar)

    def show_missing(self) -> bool:
        """Bring the gaps of the candle that is read into view, and say where they are; False where there are none."""
        series, bar = self._navigator.series, self._readout.bar
        gaps = gaps_in(self._readout.gaps, bar, series.interval) if series is not None and bar is not None else []
        visible = self._navigator.visible_range_us()
        if not gaps or series is None or visible is None:
            return False
        start_us, end_us = min(gap.start_us for gap in gaps), max(gap.end_us for gap in gaps)
        if not visible[0] <= start_us <= end_us <= visible[1]:
            room_us = max(round((end_us - start_us) * _ROOM_SHARE), 10 * series.interval.length_us)
            self._navigator.show_between(start_us - room_us, end_us + room_us)
        self._note(self._sentence(gaps, start_us, end_us))
        return True

    def _sentence(self, gaps: list[GapBand], start_us: int, end_us: int) -> str:
        series = self._navigator.series
        assert series is not None
        rules = self._scene.time_style.zone.rules_for(series.interval)
        begin, end = (
            full_time(series.interval.open_time_us(time_us), series.interval, rules) for time_us in (start_us, end_us)
        )
        count = sum(gap.missing for gap in gaps)
        trades = "1 trade is" if count == 1 else f"{count:,} trades are"
        when = f"in the candle of {begin}" if begin == end else f"between {begin} and {end}"
        is_repairing = any(gap.repairing for gap in gaps)
        doing = "Being fetched now." if is_repairing else "What is in view is fetched before the rest."
        return f"{trades} missing {when}. {doing}"
