"""
The chart's panes: made by their keys, kept in the scene as a `PaneLayout` says, and changed by the user.

A `PaneLayout` and a `ChartStyle` are values without Qt; here they become panes and layers. Studies without a pane of
their own are layers of the price pane, or of the pane that has the volume.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QRectF

from app.market.indicators import Placement, Unit
from app.market.series.series import CandleSeries
from widgets.chart.indicators.compare_lines import CompareLine, ZeroLine
from widgets.chart.indicators.study import MOST_STUDIES, Study, StudySet
from widgets.chart.indicators.study_layer import StudyLayer
from widgets.chart.model.chart_style import ChartStyle, PriceStyle
from widgets.chart.model.legend import TICKS
from widgets.chart.model.line_style import LineStyle
from widgets.chart.model.pane_layout import PRICE, VOLUME, VOLUME_SHARE, PaneLayout
from widgets.chart.painting.chart_overlay import LEGEND_ROW_PX
from widgets.chart.painting.layers import PriceBars, SpreadBand, Volume
from widgets.chart.painting.pane import Pane, ValueFormat
from widgets.chart.painting.scene import Scene
from widgets.chart.scales.value_scale import Margins, ScaleMode, ValueScale

PRICE_MARGINS = Margins(56.0, 24.0)  # at the top: room for the legend
_VOLUME_MARGINS = Margins(24.0, 0.0)  # for the title; columns stand on the pane's edge
_STUDY_MARGINS = Margins(24.0, 8.0)
_PRICE_TICK_PX, _TICK_PX = 56.0, 36.0
_COMPARED_PX = 2.0  # the line of the chart's own symbol beside others
_STEP_PX = 24.0  # that a key grows a pane by
_OUT_OF_VIEW_PX = -100_000.0  # the top of panes while another one has all the room: far above the chart

TITLES = {PRICE: "Price", VOLUME: "Volume"}


def make_pane(key: str) -> Pane:
    """Return a new pane for prices or volume. Raises KeyError for any other key."""
    if key == PRICE:
        return Pane(key, ValueFormat.PRICE, PRICE_MARGINS, [PriceBars()], _PRICE_TICK_PX)
    if key == VOLUME:
        return Pane(key, ValueFormat.QUANTITY, _VOLUME_MARGINS, [Volume()], _TICK_PX, ValueScale(grounded=True))
    raise KeyError(key)


def study_pane(study: Study) -> Pane:
    """Return a new pane for a study that has one of its own."""
    value_format = ValueFormat.QUANTITY if study.indicator.unit is Unit.QUANTITY else ValueFormat.NUMBER
    levels = study.indicator.levels
    return Pane(study.key, value_format, _STUDY_MARGINS, [StudyLayer(study)], _TICK_PX, levels=levels)


def overlay_studies(panes: list[Pane], studies: StudySet, *, fits_prices_only: bool) -> None:
    """
    Draw the studies without a pane of their own over the prices and over the volume, wherever that is.

    ``fits_prices_only``: the price axis follows only the studies that the user had it follow, not all.
    """
    volume = next((layer for pane in panes for layer in pane.layers if isinstance(layer, Volume)), None)
    for pane in panes:
        if pane.key in TITLES:
            over = studies.at(Placement.PRICE) if pane.key == PRICE else []
            beside = studies.at(Placement.VOLUME) if volume in pane.layers and volume is not None else []
            pane.layers = [layer for layer in pane.layers if not isinstance(layer, StudyLayer)]
            pane.layers += [StudyLayer(study, is_fitted=study.is_fitted or not fits_prices_only) for study in over]
            pane.layers += [StudyLayer(study, volume.value_scale) for study in beside if volume is not None]


def apply_style(panes: list[Pane], style: ChartStyle) -> None:
    """Set the style of the panes' layers and of the price axis."""
    for pane in panes:
        if pane.key == PRICE:
            _set_underlaid(pane, underlaid=style.underlaid)
            _set_scale_mode(pane.value_scale, style)
        for layer in pane.layers:
            if isinstance(layer, PriceBars):
                layer.set_style(style.price_style)
            elif isinstance(layer, Volume):
                layer.takers = style.takers


def _set_scale_mode(value_scale: ValueScale, style: ChartStyle) -> None:
    if (value_scale.mode, value_scale.inverted) != (style.scale_mode, style.inverted):
        value_scale.mode, value_scale.inverted, value_scale.auto = style.scale_mode, style.inverted, True


def _set_underlaid(pane: Pane, *, underlaid: bool) -> None:
    is_underlaid = isinstance(pane.layers[0], Volume)
    if underlaid and not is_underlaid:
        pane.layers.insert(0, Volume(underlaid=True))
    elif is_underlaid and not underlaid:
        del pane.layers[0]
    pane.margins = PRICE_MARGINS._replace(bottom_share=VOLUME_SHARE) if underlaid else PRICE_MARGINS


def _can_stay(pane: Pane, own: Mapping[str, Study]) -> bool:
    # A restored study is another object, though its key may be the same.
    layer = pane.layers[0]
    return not isinstance(layer, StudyLayer) or own.get(pane.key) is layer.study


class PaneSet:
    """
    The panes of one scene. ``changed``: called after each change by the user, and after each change of a study.

    `set_style`, `set_layout` and `restore` are for the program; the other methods are the user's. One pane may be
    chosen, for the keyboard: `choose_next`, then `grow`, `move` and `close`. One may have all the room: `maximise`.
    """

    def __init__(self, scene: Scene, changed: Callable[[], object]) -> None:
        self._scene, self._changed = scene, changed
        self._layout = PaneLayout()
        self._style = ChartStyle()
        self._spread = SpreadBand()
        self._compared: list[CompareLine] = []
        self._zero = ZeroLine(scene)
        self.studies = StudySet()

    @property
    def style(self) -> ChartStyle:
        return self._style

    def set_style(self, style: ChartStyle) -> None:
        """Draw in a style. A style with volume behind the prices closes the volume's own pane."""
        self._style = style
        layout = self._layout.without(VOLUME) if style.underlaid else self._layout
        self.set_layout(layout)

    def change_style(self, style: ChartStyle) -> None:
        """Draw in the style that the user chose."""
        if style != self._style:
            self.set_style(style)
            self._changed()

    @property
    def layout(self) -> PaneLayout:
        return self._layout

    def set_layout(self, layout: PaneLayout) -> None:
        """
        Show these panes; a pane that was there before keeps its range of values.

        Panes of an unknown key are left out. Studies whose own pane is not in ``layout`` are removed.
        """
        own = {study.key: study for study in self.studies if study.has_pane}
        for key in layout.keys:
            if key not in TITLES and key not in own:
                layout = layout.without(key)
        for key in own.keys() - set(layout.keys):
            self.studies.remove(key)
        kept = {pane.key: pane for pane in self._scene.panes if _can_stay(pane, own)}
        self._scene.panes[:] = [
            kept.get(key) or (study_pane(own[key]) if key in own else make_pane(key)) for key in layout.keys
        ]
        self._layout = layout
        self._apply_style()
        self._scene.shows_axis_labels = self._style.axis_labels
        overlay_studies(self._scene.panes, self.studies, fits_prices_only=self._style.fits_prices_only)
        self.reserve_legend_rows(self._scene.legend_rows)
        if self._scene.chosen_pane not in layout.keys:
            self._scene.chosen_pane = None
        if self._scene.maximised_pane not in layout.keys:
            self._scene.maximised_pane = None
        self._scene.marked_separator = None

    @property
    def counts_ticks(self) -> bool:
        """Whether the symbol shown has ticks, not trades: its volume counts them, and they have no taker."""
        symbol = self._scene.symbol
        return symbol is not None and not symbol.has_trades

    def note_symbol(self) -> None:
        """Draw the scene's symbol, which is another one, as its broker's data allow."""
        self._apply_style()

    def set_spread(self, bid_and_ask: tuple[CandleSeries, CandleSeries] | None) -> None:
        """Draw the spread between these series of bid and ask as a band; None: no longer."""
        self._spread.series = bid_and_ask
        self._apply_style()

    def set_compared(self, compared: Sequence[tuple[str, CandleSeries]]) -> None:
        """Draw these series, each with its name, as lines in percent beside the prices; none: no longer."""
        self._compared = [
            CompareLine(self._scene, series, name, number) for number, (name, series) in enumerate(compared)
        ]
        self._apply_style()

    def _apply_style(self) -> None:
        # Ticks are quotes: nobody took them.
        style = replace(self._style, takers=self._style.takers and not self.counts_ticks)
        if self._compared:  # percents compare, and lines do not cover each other
            style = replace(style, scale_mode=ScaleMode.PERCENT, price_style=PriceStyle.LINE)
        apply_style(self._scene.panes, style)
        self._scene.price_side = self._style.price_side
        price = self._scene.price
        price.layers = [
            layer
            for layer in price.layers
            if layer not in (self._spread, self._zero) and not isinstance(layer, CompareLine)
        ]
        for layer in price.layers:
            if isinstance(layer, PriceBars):
                layer.set_line_width(_COMPARED_PX if self._compared else None)
        price.layers += self._compared
        self._scene.is_compared = bool(self._compared)
        at = next(index for index, layer in enumerate(price.layers) if isinstance(layer, PriceBars))
        if self._compared:
            price.layers.insert(at, self._zero)
        if self._spread.series is not None:
            price.layers.insert(at, self._spread)

    def reserve_legend_rows(self, legend_rows: int) -> None:
        """Keep the prices clear of that many rows of studies below the legend."""
        self._scene.legend_rows = legend_rows
        price = self._scene.price
        price.margins = price.margins._replace(top_px=PRICE_MARGINS.top_px + legend_rows * LEGEND_ROW_PX)

    def lay_out(self) -> None:
        """Set every pane's rectangle from the scene's layout."""
        area, top = self._scene.layout.panes, self._scene.layout.panes.top()
        for pane, height in zip(self._scene.panes, self._heights(), strict=True):
            pane.rect, pane.scale = QRectF(area.left(), top, area.width(), height), self._scene.styles.scale
            top += height
        maximised = self._scene.maximised_pane
        if maximised is not None:
            for pane in self._scene.panes:
                pane.rect.moveTop(_OUT_OF_VIEW_PX)
            self._scene.pane(maximised).rect = QRectF(area)

    def drag(self, separator: int, by_px: float) -> None:
        """Move a separator, named by the index of the pane above it, down by logical pixels."""
        self._change_layout(self._layout.dragged(separator, by_px, self._total))

    def choose_next(self, by: int) -> None:
        """Choose the pane ``by`` places below the chosen one; without one, from the top; past the last, none."""
        keys: list[str | None] = [None, *self._layout.keys]
        present = self._scene.chosen_pane
        if self._scene.maximised_pane is not None:
            keys, present = keys[1:], self._scene.maximised_pane  # the next one has all the room, then
        chosen = keys[(keys.index(present) + by) % len(keys)]
        self._scene.chosen_pane = chosen
        if self._scene.maximised_pane is not None:
            self._scene.maximised_pane = chosen
        self._changed()

    def choose(self, key: str | None) -> None:
        """Choose a pane; None: none."""
        self._scene.chosen_pane = key
        self._changed()

    @property
    def maximised(self) -> str | None:
        """The key of the pane that has all the room; None: they share it."""
        return self._scene.maximised_pane

    def maximise(self, key: str | None) -> bool:
        """Give a pane all the room; None: all panes share it again. False: there is no other pane, or no change."""
        if key == self._scene.maximised_pane or (key is not None and len(self._layout.keys) < 2):
            return False
        self._scene.maximised_pane = key
        self._scene.marked_separator = None
        self._changed()
        return True

    def grow(self, key: str, steps: int) -> None:
        """Make a pane higher by that many steps, at the cost of its neighbour."""
        self._change_layout(self._layout.grown(key, steps * _STEP_PX, self._total))

    def move(self, key: str, by: int) -> None:
        """Move a pane down by that many places."""
        self._change_layout(self._layout.moved(key, by))

    def close(self, key: str) -> None:
        """Close a pane, and remove the study that has it; the price pane stays."""
        self.studies.remove(key)
        self._change_layout(self._layout.without(key))

    def open(self, key: str) -> None:
        """Open a pane at the bottom; the volume's moves there from behind the prices."""
        if key == VOLUME:
            self._style = replace(self._style, underlaid=False)
        self._change_layout(self._layout.with_pane(key))

    def title_of(self, key: str) -> str:
        """Return a pane's name for the user."""
        study = self.studies.get(key)
        if study is not None:
            return study.label
        return TICKS if key == VOLUME and self.counts_ticks else TITLES[key]

    def note_change(self) -> None:
        """Lay out again and report a change of what else the scene shows, such as the folded legend."""
        self._changed()

    # Studies

    def add_study(self, study: Study) -> bool:
        """Add a study, in a pane of its own at the bottom or over another; False where the chart has no room for it."""
        layout = self._layout
        if study.has_pane:
            layout = layout.with_pane(study.key)
        elif study.placement is Placement.VOLUME and not self._style.underlaid:
            layout = layout.with_pane(VOLUME)
        # A full layout returns itself without the new pane.
        needed = study.key if study.has_pane else PRICE
        if needed not in layout.keys or len(self.studies) >= MOST_STUDIES:
            return False
        self.studies.add(study)
        self._apply(layout)
        return True

    def change_study(
        self,
        key: str,
        settings: Mapping[str, Any],
        colours: Mapping[str, str],
        styles: Mapping[str, LineStyle] | None = None,
    ) -> None:
        """Set a study's settings, colours and, unless None, styles. Raises UsageError for an invalid parameter."""
        study = self.studies.get(key)
        if study is not None:
            study.change(settings, colours, styles)
            self.studies.seat(study)
            self._apply(self._layout)

    def move_study(self, key: str, by: int) -> None:
        """Move a study down by that many places: its own pane, or its entry and lines among those beside it."""
        study = self.studies.get(key)
        if study is not None and study.has_pane:
            self.move(key, by)
        elif study is not None:
            self.studies.move(key, by)
            self._apply(self._layout)

    def set_own_pane(self, key: str, *, own: bool) -> bool:
        """Move a study into a pane of its own, or back over the prices or the volume; False where there is no room."""
        study = self.studies.get(key)
        if study is None or study.own_pane == own:
            return False
        layout = self._layout.with_pane(key) if own else self._layout.without(key)
        if own and key not in layout.keys:
            return False
        study.own_pane = own
        self._apply(layout)
        return True

    def fit_study(self, key: str, *, fitted: bool) -> None:
        """Have the automatic price axis follow a study over the prices, or not."""
        study = self.studies.get(key)
        if study is not None and study.is_fitted != fitted:
            study.is_fitted = fitted
            self._apply(self._layout)

    def hide_study(self, key: str, *, hidden: bool) -> None:
        """Hide a study, or show it again."""
        study = self.studies.get(key)
        if study is not None and study.is_hidden != hidden:
            study.is_hidden = hidden
            self._apply(self._layout)

    def remove_study(self, key: str) -> None:
        """Remove a study, and its own pane."""
        self.studies.remove(key)
        self._apply(self._layout.without(key) if key not in TITLES else self._layout)

    def restore(self, layout: PaneLayout, studies: object, maximised: object = None) -> None:
        """
        Show these panes, and restore the studies from the values of `StudySet.to_values`.

        ``maximised``: the key of the pane that has all the room; any other value: none has.
        """
        self.studies.restore(studies)
        for study in self.studies:
            if study.has_pane:
                layout = layout.with_pane(study.key)
        self._scene.maximised_pane = maximised if isinstance(maximised, str) and len(layout.keys) > 1 else None
        self.set_layout(layout)

    def _apply(self, layout: PaneLayout) -> None:
        if layout.keys != self._layout.keys:
            self._scene.maximised_pane = None  # what the user opened or closed is seen
        self.set_layout(layout)
        self._changed()

    def _change_layout(self, layout: PaneLayout) -> None:
        if layout != self._layout:
            # The separator that is being dragged stays marked, which a new layout would end.
            marked = self._scene.marked_separator
            self._scene.maximised_pane = None  # what the user moved, opened or closed is seen
            self.set_layout(layout)
            self._scene.marked_separator = marked
            self._changed()

    def _heights(self) -> list[int]:
        return self._layout.heights(self._total)

    @property
    def _total(self) -> int:
        return int(self._scene.layout.panes.height())
