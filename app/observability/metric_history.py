"""
The last ten minutes of the metrics, one value per second, for the plots of the window's diagnostics.

Totals become rates, distributions the mean of each second; gauges stay as they are. Sampling goes on while the dock is
closed, so that the minutes before a trouble can be seen; a sample costs about a millisecond.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from app.live.recording.measures import Distribution, Measures
from app.observability.metrics import Metrics, Value
from widgets.view_values import MetricView

KEPT_S = 600


class _Reading(Protocol):
    def __call__(self, metrics: Metrics, elapsed_s: float) -> Value: ...


@dataclass(slots=True)
class _Plot:
    name: str
    unit: str
    meaning: str
    read: _Reading
    warns: bool = False
    values: deque[Value] = field(default_factory=lambda: deque(maxlen=KEPT_S))


class MetricHistory:
    """Call `sample` once per second; `views` returns the plots, in a fixed order."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._plots = _plots()
        self._at_s: float | None = None

    def sample(self) -> None:
        """Read every metric."""
        now_s = self._metrics.engine.clock.monotonic_s()
        elapsed_s = 0.0 if self._at_s is None else now_s - self._at_s
        self._at_s = now_s
        for plot in self._plots:
            plot.values.append(plot.read(self._metrics, elapsed_s))

    def views(self) -> list[MetricView]:
        """Return the plots with their values, oldest first."""
        return [MetricView(one.name, one.meaning, one.unit, tuple(one.values), one.warns) for one in self._plots]


class _GaugeSeries:
    """The value itself, in another unit."""

    def __init__(self, name: str, factor: float = 1.0) -> None:
        self._name, self._factor = name, factor

    def __call__(self, metrics: Metrics, elapsed_s: float) -> Value:
        value = metrics.value(self._name)
        return None if value is None else value * self._factor


class _RateSeries:
    """The growth of a total per second; 0 where it starts over, as with another database."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._before: Value = None

    def __call__(self, metrics: Metrics, elapsed_s: float) -> Value:
        now = metrics.value(self._name)
        before, self._before = self._before, now
        if now is None or before is None or elapsed_s <= 0:
            return None
        return max(now - before, 0.0) / elapsed_s


class _MeanSeries:
    """The mean of the values added since the last sample; None if there were none."""

    def __init__(self, of: Callable[[Measures], Distribution], factor: float = 1.0) -> None:
        self._of, self._factor = of, factor
        self._count, self._total = 0, 0.0

    def __call__(self, metrics: Metrics, elapsed_s: float) -> Value:
        distribution = self._of(metrics.measures)
        count, total = distribution.count, distribution.total
        new, added = count - self._count, total - self._total
        self._count, self._total = count, total
        return self._factor * max(added, 0.0) / new if new > 0 else None


def _plots() -> list[_Plot]:
    return [
        _Plot("Trades received", "/s", "Live trades received each second", _RateSeries("trades_received")),
        _Plot("Ticks received", "/s", "Live ticks of bid and ask received each second", _RateSeries("ticks_received")),
        _Plot("Trades stored", "/s", "Trades committed to the database each second", _RateSeries("trades_stored")),
        _Plot(
            "Receipt delay",
            "ms",
            "How old trades are when they arrive, by the exchange's clock; the mean of each second",
            _MeanSeries(lambda m: m.received, 1e3),
        ),
        _Plot(
            "Storage delay",
            "ms",
            "How old live trades are when they are committed; the mean of each second",
            _MeanSeries(lambda m: m.stored, 1e3),
        ),
        _Plot(
            "Screen delay",
            "ms",
            "How old the newest trade is when the chart shows it; the mean of each second",
            _MeanSeries(lambda m: m.painted, 1e3),
        ),
        _Plot(
            "Clock skew", "ms", "The exchange's clock minus this computer's", _GaugeSeries("clock_skew_seconds", 1e3)
        ),
        _Plot("Batch size", "trades", "Trades in a batch committed; the mean", _MeanSeries(lambda m: m.batch_trades)),
        _Plot("Batch time", "ms", "What it takes to commit a batch; the mean", _MeanSeries(lambda m: m.batch_s, 1e3)),
        _Plot("Queue", "trades", "Trades in memory that wait to be committed", _GaugeSeries("queued_trades")),
        _Plot(
            "On disk", "trades", "Trades that wait on disk for the database", _GaugeSeries("spooled_trades"), warns=True
        ),
        _Plot("Missing trades", "", "Trades known to be missing", _GaugeSeries("missing_trades"), warns=True),
        _Plot("Open gaps", "", "Stretches of missing trades", _GaugeSeries("gaps_open"), warns=True),
        _Plot("Repaired gaps", "", "Stretches of missing trades filled since the start", _GaugeSeries("gaps_repaired")),
        _Plot("Repaired trades", "", "Missing trades fetched since the start", _GaugeSeries("trades_repaired")),
        _Plot("Reconnects", "", "Connections after the first since the start", _GaugeSeries("reconnects")),
        _Plot(
            "Unreadable",
            "",
            "Messages of the exchange that could not be read and were skipped",
            _GaugeSeries("messages_malformed"),
            warns=True,
        ),
        _Plot(
            "REST weight",
            "",
            "Weight of the requests in the exchange's current minute",
            _GaugeSeries("rest_weight_used"),
        ),
        _Plot("Memory", "MB", "Memory that the program has in use", _GaugeSeries("resident_memory_bytes", 1e-6)),
        _Plot(
            "Loop delay", "ms", "How late the program came to work that was due", _MeanSeries(lambda m: m.loop_s, 1e3)
        ),
    ]
