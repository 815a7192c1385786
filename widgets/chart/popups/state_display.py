"""
What the chart says while candles are missing: a panel instead of candles, a chip while some are on their way.

Both widgets are made when first shown: most charts never need them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QWidget

from widgets.chart.frames.frame_timer import single_shot
from widgets.chart.painting.scene import Scene
from widgets.chart.popups.progress_chip import ProgressChip
from widgets.chart.popups.state_panel import StatePanel
from widgets.theme.palettes import Palette

_LOADING_SHOWN_AFTER_MS = 150


class StateDisplay:
    """
    Panel and chip over one chart, and which sentence has the chip: a jump's own comes before all others.

    ``action_chosen`` is called with the text of a button in the panel, ``cancelled`` by the chip's button.
    """

    def __init__(
        self,
        chart: QWidget,
        scene: Scene,
        *,
        action_chosen: Callable[[str], object],
        cancelled: Callable[[], object],
    ) -> None:
        self._chart, self._scene = chart, scene
        self._on_action_chosen, self._on_cancelled = action_chosen, cancelled
        self._panel: StatePanel | None = None
        self._panel_timer = single_shot(chart, lambda: self._show("loading", self._loading_title))
        self._loading_title = ""
        self._loading = ""  # the chip's sentence while candles in view are loading
        self._chip: ProgressChip | None = None

    def set_state(self, state: str, text: str, actions: Sequence[str]) -> None:
        """Cover the chart with a state's panel, or uncover it; see `StatePanel.show_state` for the states."""
        self._panel_timer.stop()
        if state != "loading":
            self._show(state, text, actions)
        else:
            # Most switches take a few frames: the panel would only flash.
            self._loading_title = text
            self._show("ready")
            self._panel_timer.start(_LOADING_SHOWN_AFTER_MS)

    def set_loading(self, text: str) -> None:
        """Show the sentence while some candles in view are still on their way; an empty text: no more."""
        before, self._loading = self._loading, text
        if text == before or self.is_jumping:
            return
        if text:
            self._progress.begin(text, can_cancel=False)
        elif self.sentence == before:
            self.end_jump("")

    def begin_jump(self, text: str) -> None:
        """Show that the candles of a jump are loading, with a button that cancels it."""
        self._progress.begin(text)

    def end_jump(self, text: str) -> None:
        """Show how the jump ended; an empty text shows nothing."""
        if text or self._chip is not None:
            self._progress.end(text)

    def say(self, sentence: str) -> None:
        """Show a sentence for a while, unless a jump has the chip."""
        if not self.is_jumping:
            self.end_jump(sentence)

    @property
    def sentence(self) -> str:
        """The chip's sentence; empty: none."""
        return "" if self._chip is None else self._chip.text

    @property
    def is_jumping(self) -> bool:
        """Whether a jump is loading that can be cancelled."""
        return self._chip is not None and self._chip.is_under_way

    def set_palette(self, palette: Palette) -> None:
        """Show both in a palette."""
        for part in (self._panel, self._chip):
            if part is not None:
                part.set_palette(palette)

    def place(self) -> None:
        """Place both as the scene's layout says."""
        if self._panel is not None:
            self._panel.setGeometry(self._scene.layout.panes.toAlignedRect())
        if self._chip is not None:
            self._chip.place_in(self._scene.leading.rect.toAlignedRect())

    def _show(self, state: str, text: str = "", actions: Sequence[str] = ()) -> None:
        if self._panel is None and state != "ready":
            self._panel = StatePanel(self._chart)
            self._panel.action_chosen.connect(self._on_action_chosen)
            self._panel.set_palette(self._scene.palette)
            self.place()
        if self._panel is not None:
            self._panel.show_state(state, text, actions)

    @property
    def _progress(self) -> ProgressChip:
        if self._chip is None:
            self._chip = ProgressChip(self._chart)
            self._chip.cancelled.connect(self._on_cancelled)
            self._chip.set_palette(self._scene.palette)
            self.place()
        return self._chip
