"""The view's hold on the latest candle, and when older candles should be requested. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from widgets.chart.scales.time_scale import TimeScale


@dataclass(slots=True)
class FollowLatest:
    """
    Moves a `TimeScale` along with the latest candle while ``is_on``; otherwise arriving candles move nothing.

    ``last_slot`` is the latest candle of the current series, None until it has one. ``room_px``: the room right of the
    first one that comes, in logical pixels; None: the usual.
    """

    is_on: bool = True
    last_slot: int | None = None
    room_px: float | None = None
    _requested_before: int | None = None  # the first slot for which older candles were requested

    def begin(self) -> None:
        """Forget the series so far: another one follows."""
        self.last_slot = self._requested_before = None

    def advance(self, time_scale: TimeScale, last: int) -> None:
        """Note ``last`` as the latest slot and, while following, move the view along."""
        if self.is_on:
            if self.last_slot is None:
                time_scale.last = last
                time_scale.show_latest()
                if self.room_px is not None:
                    time_scale.show_last(last, self.room_px)
                    if not time_scale.shows_last():  # it was kept in a wider view
                        time_scale.show_last(last, time_scale.width_px / 2)
                self.room_px = None
            else:
                time_scale.right += time_scale.axis.at(last) - time_scale.axis.at(self.last_slot)
        self.last_slot = last

    def needs_older(self, time_scale: TimeScale) -> bool:
        """Whether the view is within about a screen of the first bar, for which nothing older was requested yet."""
        from_first = time_scale.left - time_scale.axis.at(time_scale.first)
        is_near = self.last_slot is not None and from_first < time_scale.span
        return is_near and self._requested_before != time_scale.first

    def note_older_requested(self, time_scale: TimeScale) -> None:
        """Remember that older candles were requested: `needs_older` is false until the first bar is another."""
        self._requested_before = time_scale.first
