"""
The metrics at http://127.0.0.1:<metrics_port>/metrics, for Prometheus.

Served on this machine only, and on the engine's loop, so a scrape never reads a half-made change; it costs a few
milliseconds. Each `Metrics` has its own registry, so that two engines in one process do not mix.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.live.recording.measures import Distribution
from app.market.errors import SettingsError
from app.observability.metrics import METRICS, MetricDeclaration, MetricKind, Metrics

HOST = "127.0.0.1"


class MetricsServer:
    """Serves ``metrics`` from `start` until `stop`; port 0 picks a free one."""

    def __init__(self, metrics: Metrics, port: int) -> None:
        self.port = port
        self._registry = registry_of(metrics)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address to scrape."""
        return f"http://{HOST}:{self.port}/metrics"

    async def start(self) -> None:
        """
        Begin to serve.

        Raises:
            SettingsError: If the port cannot be used.
        """
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self.port).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise SettingsError(
                f"The metrics cannot be served at port {self.port} ({_reason(error)}): set metrics_port to another, "
                "or to 0 for none."
            ) from error
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop serving."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        del request
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _reason(error: OSError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return "ports end at 65535"
    return "it is in use" if error.errno == errno.EADDRINUSE else str(error.strerror)


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
