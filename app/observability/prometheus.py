"""
The metrics as Prometheus reads them.

Each `Metrics` has its own registry, so that two engines in one process do not mix. Call these on the engine's loop, so
that no half-made change is read; that takes a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.live.recording.measures import Distribution
from app.observability.metrics import METRICS, MetricDeclaration, MetricKind, Metrics


def metrics_text(metrics: Metrics) -> bytes:
    """Return the current metrics as Prometheus's text."""
    return generate_latest(registry_of(metrics))


def registry_of(metrics: Metrics) -> CollectorRegistry:
    """Return a registry that reads the current metrics at each scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_EngineCollector(metrics))
    return registry


class _EngineCollector(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        """Return all metrics without values."""
        return [_family(declared) for declared in METRICS]

    def collect(self) -> Iterator[Metric]:
        for declared in METRICS:
            family = _family(declared)
            if isinstance(family, HistogramMetricFamily):
                for stage, distribution in declared.stages(self._metrics):
                    buckets = _cumulative(distribution)
                    family.add_metric([stage] if declared.label else [], buckets, distribution.total)
                yield family
            elif declared.by_broker is not None:
                for broker, figure in declared.by_broker(self._metrics):
                    family.add_metric([broker], figure)
                yield family
            elif (value := declared.read(self._metrics)) is not None:
                family.add_metric([], value)
                yield family


def _family(declared: MetricDeclaration) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    labels = [declared.label] if declared.label else []
    if declared.kind is MetricKind.HISTOGRAM:
        return HistogramMetricFamily(declared.name, declared.sentence, labels=labels)
    kind = CounterMetricFamily if declared.kind is MetricKind.COUNTER else GaugeMetricFamily
    return kind(declared.name, declared.sentence, labels=labels)


def _cumulative(distribution: Distribution) -> list[tuple[str, float]]:
    """Return Prometheus's cumulative buckets: each counts all values up to its bound."""
    buckets, below = [], 0
    counts = tuple(distribution.counts)  # a copy: the writer's thread may add meanwhile
    for bound, count in zip((*map(str, distribution.bounds), "+Inf"), counts, strict=True):
        below += count
        buckets.append((bound, float(below)))
    return buckets
