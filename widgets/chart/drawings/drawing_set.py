"""
The drawings on one chart: those of its symbol, which is chosen, and the one that is being placed or changed.

It keeps their figures, which are computed again only for what changed: most frames just move the view. A drawing that
is being changed has figures of its own, so that dragging one of a thousand is as cheap as dragging one; regression
channels have, too, as they follow the candles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from app.market.drawings.drawing import Drawing, DrawingKind
from app.market.series.series import CandleSeries
from widgets.chart.drawings.figures import Figures, Projection, View
from widgets.chart.drawings.label_columns import LabelColumns
from widgets.chart.drawings.shapes import Shape, shape_of
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import decimals_of

_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Drawings with their shapes, figures and labels, as they were computed for ``key``."""

    key: _Key
    drawings: Sequence[Drawing]
    shapes: Sequence[Shape]
    figures: Figures
    labels: LabelColumns


class DrawingSet:
    """
    Drawings on one scene's price pane, in the order of painting.

    ``alerts``: by id how many alerts wait for a drawing; these have a bell. ``chosen``: the id of the drawing that
    handles, keys and the style bar act on. ``held``: the index of its anchor that keys move; None: they move all of it.
    ``series``: the one on the chart, set by each frame.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._drawings: tuple[Drawing, ...] = ()
        self._by_id: dict[str, Drawing] = {}
        self._regressions: list[Drawing] = []
        self._preview: Drawing | None = None
        self._is_shown = True
        self._content, self._preview_version = 0, 0  # rise with every change
        self._shapes: dict[str, tuple[Drawing, _Key, Shape]] = {}
        self._built: dict[str, Group] = {}
        self._groups: list[Group] = []
        self._groups_key: _Key = ()
        self._projected: list[tuple[Group, Projection]] = []
        self._projected_key: _Key = ()
        self.alerts: dict[str, int] = {}
        self.chosen: str | None = None
        self.held: int | None = None
        self.series: CandleSeries | None = None

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """All of the symbol's drawings, hidden ones included."""
        return self._drawings

    def set_drawings(self, drawings: Iterable[Drawing]) -> None:
        """Show these, given in the order of painting; the choice stays while its drawing does."""
        self._drawings = tuple(drawings)
        self._by_id = {one.id: one for one in self._drawings}
        if self.chosen not in self._by_id:
            self.chosen = self.held = None
        self._shapes = {key: kept for key, kept in self._shapes.items() if key in self._by_id}
        self._regressions = [one for one in self._drawings if one.kind is DrawingKind.REGRESSION_CHANNEL]
        self._content += 1

    @property
    def is_shown(self) -> bool:
        """Whether drawings are painted at all."""
        return self._is_shown

    def set_shown(self, *, shown: bool) -> None:
        """Paint the drawings, or none of them."""
        self._is_shown = shown
        self._content += 1

    @property
    def preview(self) -> Drawing | None:
        """The drawing that is being placed or changed: it stands for the one with its id."""
        return self._preview

    def set_preview(self, drawing: Drawing | None) -> None:
        """Paint this drawing for the one with its id; None: no longer."""
        self._preview = drawing
        self._preview_version += 1

    def get(self, drawing_id: str | None) -> Drawing | None:
        """Return the drawing of an id, None if it is not here."""
        return self._by_id.get(drawing_id or "")

    @property
    def chosen_drawing(self) -> Drawing | None:
        """The chosen drawing, as it is being changed."""
        preview = self.preview
        if preview is not None and preview.id == self.chosen:
            return preview
        return self.get(self.chosen)

    def shape(self, drawing: Drawing) -> Shape:
        """Return a drawing's parts on the series in view."""
        decimals, series = decimals_of(self._scene), self.series
        key: _Key = (decimals,)
        if drawing.kind is DrawingKind.REGRESSION_CHANNEL and series is not None:
            key = (decimals, id(series), *_revision(series, drawing))
        kept = self._shapes.get(drawing.id)
        if kept is None or kept[0] is not drawing or kept[1] != key:
            kept = self._shapes[drawing.id] = drawing, key, shape_of(drawing, decimals, series)
        return kept[2]

    def groups(self) -> list[Group]:
        """
        Return the drawings to paint, bottom to top: those that stay, those that follow the newest candle, the preview.

        Empty without a series, and while there is no drawing.
        """
        series, scene = self.series, self._scene
        if not self._drawings and self._preview is None:
            return []  # at once: most charts have none, and every frame asks
        if series is None or not len(series) or scene.price.rect.isEmpty():
            return []
        # Asked for several times in a frame: only a change makes it look at every drawing.
        key = series, series.revision, series.shape_revision, self._content, self._preview_version, scene.symbol
        if key != self._groups_key:
            self._groups, self._groups_key = self._made_groups(series), key
        return self._groups

    def _made_groups(self, series: CandleSeries) -> list[Group]:
        decimals, preview, interval = decimals_of(self._scene), self._preview, series.interval
        beside = None if preview is None else preview.id
        last_us = int(series.column("open_time_us")[-1])
        following = [one for one in self._regressions if _end_us(one) >= last_us and one.id != beside]
        fixed: _Key = (self._content, beside, interval, decimals, tuple(one.id for one in following))
        if self._regressions:
            fixed = (*fixed, series, series.shape_revision)
        ids = {one.id for one in following}

        def painted(*, follows: bool) -> list[Drawing]:
            return [one for one in self._painted(beside) if (one.id in ids) is follows]

        moving: _Key = (*fixed, series.revision) if following else fixed
        shown: _Key = (self._preview_version, interval, decimals, series, series.revision)
        return [
            self._group("fixed", fixed, series, partial(painted, follows=False)),
            self._group("following", moving, series, partial(painted, follows=True)),
            self._group("preview", shown, series, lambda: [] if preview is None else [preview]),
        ]

    def _painted(self, beside: str | None) -> list[Drawing]:
        if not self._is_shown:
            return []
        return [one for one in self._drawings if not one.hidden and one.id != beside]

    def _group(self, name: str, key: _Key, series: CandleSeries, members: Callable[[], list[Drawing]]) -> Group:
        kept = self._built.get(name)
        if kept is None or kept.key != key:
            drawings = members()
            shapes = [self.shape(one) for one in drawings]
            figures = Figures(drawings, shapes, series.interval)
            kept = self._built[name] = Group(
                key, drawings, shapes, figures, LabelColumns(drawings, shapes, series.interval)
            )
        return kept

    def watched(self) -> Group | None:
        """Return the drawings in the scene that alerts wait for, a changed one as it is being changed; None if none."""
        series = self.series
        if not self.alerts or series is None or not self.groups():
            return None
        preview = self._preview
        shown = self._painted(None)
        members = [preview if preview is not None and one.id == preview.id else one for one in shown]
        members = [one for one in members if one.id in self.alerts]
        shapes = [self.shape(one) for one in members]
        key = (series.interval, *members, *map(id, shapes))
        return self._group("watched", key, series, lambda: members) if members else None

    def view(self, reach: float = 0.0) -> View:
        """Return where the price pane shows what; ``reach``: how far beyond its sides it goes."""
        scene, rect = self._scene, self._scene.price.rect
        return View(scene.time_scale, scene.price.value_scale, rect.top(), rect.width(), rect.height(), reach)

    def projections(self) -> list[tuple[Group, Projection]]:
        """Return the lines in view, bottom to top."""
        groups = self.groups()
        key = *(group.figures for group in groups), *self.view_key()
        if key != self._projected_key:
            view = self.view()
            self._projected = [(group, group.figures.project(view)) for group in groups if group.drawings]
            self._projected_key = key
        return self._projected

    def view_key(self) -> _Key:
        """Return all that decides where drawings are painted."""
        return (*self.place_key(), self._scene.time_scale.right, self._scene.price.value_scale.ends)

    def place_key(self) -> _Key:
        """Return what decides where drawings are painted, but for the view's place on both axes: see `view_key`."""
        scene = self._scene
        time_scale, value_scale, rect = scene.time_scale, scene.price.value_scale, scene.price.rect
        return (
            (time_scale.bar_px, time_scale.width_px, time_scale.axis),
            (value_scale.is_log, value_scale.inverted),
            (rect.top(), rect.width(), rect.height()),
        )


def _end_us(drawing: Drawing) -> int:
    return max(anchor.time_us for anchor in drawing.anchors)


def _revision(series: CandleSeries, drawing: Drawing) -> _Key:
    """Return what changes when the candles under a regression do."""
    if not len(series):
        return (id(series), 0)
    covers_last = _end_us(drawing) >= int(series.column("open_time_us")[-1])
    return (id(series), series.shape_revision, series.revision if covers_last else 0)
