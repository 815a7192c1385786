"""
The charts of a window in a grid of splitters, and the bar of the active one below them.

Shows a tree of `grid_layout`; which charts there are, and which one is active, is decided elsewhere. A chart that has
all the room hides the others, which then draw nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from contextlib import ExitStack
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QApplication, QSizePolicy, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from widgets.chart.chart_widget import ChartWidget
from widgets.theme.palettes import DARK, Palette
from widgets.workspace.chart_frame import LEAST_HEIGHT_PX, LEAST_WIDTH_PX, ChartFrame
from widgets.workspace.grid_layout import Node, Split, count_across, keys_of, with_shares

_HANDLE_PX = 1


def _do_nothing() -> None:
    """Default callback: do nothing."""


class ChartSplitter(QSplitter):
    """
    Parts of one split of the layout, each a chart's frame or a splitter; ``path`` leads to it from the root.

    ``before_room``: called when it has another size, before it divides that among its parts.
    """

    def __init__(self, before_room: Callable[[], object] = _do_nothing) -> None:
        super().__init__()
        self._before_room = before_room
        self.path: tuple[int, ...] = ()
        self.setObjectName("chartSplitter")
        self.setHandleWidth(_HANDLE_PX)  # Qt lets a few pixels beside it drag, too
        self.setChildrenCollapsible(False)

    def set_direction(self, *, in_columns: bool) -> None:
        """Put the parts beside each other, or below each other."""
        direction = Qt.Orientation.Horizontal if in_columns else Qt.Orientation.Vertical
        if self.orientation() is not direction:
            self.setOrientation(direction)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._before_room()
        super().resizeEvent(event)

    def parts(self) -> list[QWidget]:
        """Return the parts, from left to right or from top to bottom."""
        widgets = (self.widget(at) for at in range(self.count()))
        return [each for each in widgets if each is not None]


class ChartGrid(QWidget):
    """
    Frames by their charts' keys, arranged as `layout_node` says.

    Signals:
        activation_requested(int): make the chart of this key the active one: it has got the focus.
        command_requested(int, str): do this with a chart; carries its key and the name of a command in `widgets.keys`.
        shares_changed(): a splitter was dragged; `layout_node` has the new shares.
    """

    activation_requested = Signal(int)
    command_requested = Signal(int, str)
    shares_changed = Signal()
    _is_arranging = False

    def __init__(self, parent: QWidget | None = None, *, hides_single_head: bool = True) -> None:
        super().__init__(parent)
        self._hides_single_head = hides_single_head
        self.frames: dict[int, ChartFrame] = {}
        self.layout_node: Node | None = None
        self._maximised: int | None = None
        self._active: int | None = None
        self._palette = DARK
        self._root = ChartSplitter(self._set_least_sizes)
        self._root.splitterMoved.connect(partial(self._on_moved, self._root))
        self._root.setMinimumSize(1, 1)  # however many charts there are, the window may be small
        self._bars = QStackedWidget()
        self._bars.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(0)
        self._box.addWidget(self._root, 1)
        self._box.addWidget(self._bars)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._follow_focus)

    def add(self, key: int, chart: ChartWidget) -> ChartFrame:
        """Take a chart in; `show_layout` gives it its place."""
        frame = ChartFrame(key, chart, self)
        frame.hide()
        frame.set_palette(self._palette)
        frame.head.command_requested.connect(partial(self.command_requested.emit, key))
        frame.head.pressed.connect(chart.setFocus)
        self.frames[key] = frame
        self._bars.addWidget(chart.bar)
        return frame

    def release(self, key: int) -> None:
        """Let a chart go to another grid, with its bar."""
        self.remove(key)

    def remove(self, key: int) -> None:
        """Let a chart go; its widget, with its bar, is the caller's to delete."""
        ChartGrid._is_arranging = True
        frame = self.frames.pop(key)
        self._bars.removeWidget(frame.chart.bar)
        frame.chart.bar.setParent(frame.chart)  # is deleted with it: until then the chart goes on using it
        frame.chart.setParent(None)
        frame.setParent(None)  # its splitter has one part less
        frame.deleteLater()
        ChartGrid._is_arranging = False

    def show_layout(self, node: Node, maximised: int | None = None) -> None:
        """Arrange the charts so; with ``maximised``, show that one alone."""
        self.layout_node = node
        self._maximised = maximised
        focus = QApplication.focusWidget()
        had_focus = focus is not None and self.isAncestorOf(focus)
        ChartGrid._is_arranging = True  # Qt gives the focus of a chart that it moves to any other, in any window
        with ExitStack() as held:
            held.callback(setattr, ChartGrid, "_is_arranging", False)
            for frame in self.frames.values():
                held.enter_context(frame.chart.laid_out_once())
            self._fit(self._root, node)
            self._show_states()
            self._set_least_sizes()
            self._show_splitters(self._root, node, set(self.shown_keys()))
            # Qt gives a splitter without visible parts no room, nor one of such splitters, until a turn of the loop
            # later: the innermost first, now.
            for splitter in (*reversed(self._root.findChildren(ChartSplitter)), self._root):
                splitter.refresh()
            self._box.activate()
            self._give_room(self._root, node)
            if had_focus and self._active in self.frames:
                self.frames[self._active].chart.setFocus()

    @property
    def maximised(self) -> int | None:
        """The key of the chart that has all the room; None: they share it."""
        return self._maximised

    def set_active(self, key: int) -> None:
        """Frame this chart, and show its bar."""
        self._active = key
        if key in self.frames:
            self._bars.setCurrentWidget(self.frames[key].chart.bar)
        self._show_states()

    def set_palette(self, palette: Palette) -> None:
        """Draw heads and frames in a palette."""
        self._palette = palette
        for frame in self.frames.values():
            frame.set_palette(palette)

    def shown_keys(self) -> Iterable[int]:
        """Return the keys of the charts in view."""
        if self._maximised is not None:
            return [self._maximised]
        return [] if self.layout_node is None else keys_of(self.layout_node)

    # Splitters

    def _fit(self, splitter: ChartSplitter, node: Node, path: tuple[int, ...] = ()) -> None:
        """
        Bring a splitter's parts into the order of ``node``, at ``path`` in the layout, and give away any others.

        What has its place already stays: a chart that changes its parent is styled, laid out and painted again.
        """
        parts = node.parts if isinstance(node, Split) else (node,)
        splitter.path = path
        splitter.set_direction(in_columns=isinstance(node, Split) and node.in_columns)
        known = [each for each in splitter.parts() if isinstance(each, ChartSplitter)]
        for at, part in enumerate(parts):
            if isinstance(part, Split):
                child: QWidget = self._fitted(known, part, (*path, at))
            else:
                child = self.frames[part]
            if splitter.widget(at) is not child:
                splitter.insertWidget(at, child)
                splitter.handle(at).installEventFilter(self)
        for extra in splitter.parts()[len(parts) :]:
            extra.hide()
            extra.setParent(self)
            if isinstance(extra, ChartSplitter):
                extra.deleteLater()  # after the charts still in it have got their new place

    def _fitted(self, known: list[ChartSplitter], node: Split, path: tuple[int, ...]) -> ChartSplitter:
        """Return a splitter of ``node``, one of ``known`` if that has a chart of it already; it leaves the list."""
        frames = {self.frames[key] for key in keys_of(node)}
        like = next((each for each in known if not frames.isdisjoint(each.findChildren(ChartFrame))), None)
        if like is not None:
            known.remove(like)
        splitter = like or self._new_splitter()
        self._fit(splitter, node, path)
        return splitter

    def _show_splitters(self, splitter: ChartSplitter, node: Node, shown: Set[int]) -> None:
        """Show the splitters with a chart that is shown, and hide the others."""
        for at, part in enumerate(node.parts if isinstance(node, Split) else ()):
            inner = splitter.widget(at)
            if isinstance(inner, ChartSplitter):
                inner.setVisible(not shown.isdisjoint(keys_of(part)))
                self._show_splitters(inner, part, shown)

    def _give_room(self, splitter: ChartSplitter, node: Node) -> None:
        """Divide the room as ``node`` says, among the parts that are shown."""
        if not isinstance(node, Split):
            return
        # Qt gives each part its share of the room in the proportions of any numbers; a hidden one gets none.
        splitter.setSizes([round(share * 100_000) for share in node.shares])
        for at, part in enumerate(node.parts):
            inner = splitter.widget(at)
            if isinstance(inner, ChartSplitter):
                self._give_room(inner, part)

    def _set_least_sizes(self) -> None:
        """Let the charts be as small as it takes for all of them to have room; Qt would lay them over each other."""
        if self.layout_node is None:
            return
        across, down = (count_across(self.layout_node, in_columns=in_columns) for in_columns in (True, False))
        width = (self._root.width() - _HANDLE_PX * (across - 1)) // across
        height = (self._root.height() - _HANDLE_PX * (down - 1)) // down
        for frame in self.frames.values():
            frame.setMinimumSize(max(min(width, LEAST_WIDTH_PX), 1), max(min(height, LEAST_HEIGHT_PX), 1))

    def _new_splitter(self) -> ChartSplitter:
        splitter = ChartSplitter()
        splitter.splitterMoved.connect(partial(self._on_moved, splitter))
        return splitter

    def _on_moved(self, splitter: ChartSplitter, *_: int) -> None:
        sizes: list[int] = splitter.sizes()
        if self.layout_node is not None and any(sizes):
            self.layout_node = with_shares(self.layout_node, splitter.path, sizes)
            self.shares_changed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonDblClick:
            splitter = watched.parent()
            if isinstance(splitter, QSplitter):  # equal parts
                splitter.setSizes([100_000] * splitter.count())
                splitter.splitterMoved.emit(0, 1)
                return True
        return False

    def _show_states(self) -> None:
        keys = set(self.shown_keys())
        is_alone = len(self.frames) == 1 and self._hides_single_head
        for key, frame in self.frames.items():
            frame.set_alone(is_alone)
            frame.set_active(key == self._active)
            frame.head.set_maximised(key == self._maximised)
            frame.setVisible(key in keys)

    def _follow_focus(self, _: QWidget | None, now: QWidget | None) -> None:
        if now is None or self._is_arranging:
            return
        for key, frame in self.frames.items():
            if frame.isAncestorOf(now):
                if key != self._active:
                    self.activation_requested.emit(key)
                return
