"""
The table of metrics: every number that the program reports about itself, read from the engine on demand.

Counters and gauges are read from the parts that keep them; distributions come from `app.live.recording.measures`.
`prometheus` gives the table Prometheus's form, `metric_history` plots it, and docs/metrics.md is derived from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import psutil

from app.live.engine import Engine
from app.live.recording.measures import Distribution
from app.market.ports.exchange import FeedState
from app.market.ports.storage import WriterStatus

_PREFIX = "cryptopipe_"
_NO_WRITER = WriterStatus()


class MetricKind(StrEnum):
    """The kinds of metrics that Prometheus knows."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


Value = float | None
Stages = tuple[tuple[str, Distribution], ...]
"""Distributions by the value of the label ``stage``; the empty value if there is only one, without a label."""


@dataclass(frozen=True, slots=True)
class MetricDeclaration:
    """
    One metric: its name as Prometheus shows it, its sentence, and how it is read.

    ``read`` returns None while the value is not known; histograms have ``stages`` instead, and figures of brokers of
    quotes ``by_broker``: values by the label ``broker``.
    """

    name: str
    kind: MetricKind
    sentence: str
    read: Callable[[Metrics], Value] = lambda _: None
    stages: Callable[[Metrics], Stages] = lambda _: ()
    by_broker: Callable[[Metrics], Sequence[tuple[str, float]]] | None = None

    @property
    def label(self) -> str:
        """The name of its label; empty if it has none."""
        if self.by_broker is not None:
            return "broker"
        return "stage" if self.name.endswith("trade_delay_seconds") else ""


class Metrics:
    """The metrics of one engine; reads the current values, so call it on the engine's loop."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.measures = engine.recorder.measures
        self.process = psutil.Process()

    @property
    def writer(self) -> WriterStatus:
        """The status of the writer in use; an empty one while there is no database."""
        return self.engine.database.writer.status if self.engine.database is not None else _NO_WRITER

    def value(self, name: str) -> Value:
        """Return a counter or gauge by its name without the prefix; None while it is not known."""
        return _BY_NAME[_PREFIX + name].read(self)


# Readers. A feed or exchange of another kind may lack a figure: then the metric is left out.


def _weight_used(metrics: Metrics) -> Value:
    used = getattr(metrics.engine.exchange, "used_weight", None)  # another exchange than Binance may have none
    return None if used is None else float(used)


def _connections(metrics: Metrics) -> Value:
    return getattr(metrics.engine.feed, "connections", None)


def _weight_limit(metrics: Metrics) -> Value:
    limit = getattr(metrics.engine.exchange, "weight_per_minute", None)
    return None if limit is None else float(limit)


def _skew_s(metrics: Metrics) -> Value:
    skew_us = metrics.engine.exchange_clock.skew_us
    return None if skew_us is None else skew_us / 1e6


def _open_gaps(metrics: Metrics) -> Value:
    return float(metrics.engine.recorder.gaps())


def _connections_down(metrics: Metrics) -> Value:
    return float(metrics.engine.feed.status.down)


def _is_live(metrics: Metrics) -> Value:
    return float(metrics.engine.feed.status.state is FeedState.LIVE and not metrics.engine.feed_reason)


def _broker_live(metrics: Metrics) -> Sequence[tuple[str, float]]:
    brokers = metrics.engine.quotes.brokers.values()
    return [(one.name, float(one.status.state is FeedState.LIVE)) for one in brokers if one.has_live_prices]


def _delays(metrics: Metrics) -> Stages:
    measures = metrics.measures
    return ("received", measures.received), ("stored", measures.stored), ("painted", measures.painted)


def _counter(name: str, sentence: str, read: Callable[[Metrics], Value]) -> MetricDeclaration:
    return MetricDeclaration(f"{_PREFIX}{name}_total", MetricKind.COUNTER, sentence, read)


def _gauge(name: str, sentence: str, read: Callable[[Metrics], Value]) -> MetricDeclaration:
    return MetricDeclaration(_PREFIX + name, MetricKind.GAUGE, sentence, read)


def _histogram(name: str, sentence: str, stages: Callable[[Metrics], Stages]) -> MetricDeclaration:
    return MetricDeclaration(_PREFIX + name, MetricKind.HISTOGRAM, sentence, stages=stages)


METRICS: Sequence[MetricDeclaration] = (
    _gauge("feed_live", "1 while the exchange's stream is live, at least in part, else 0.", _is_live),
    MetricDeclaration(
        f"{_PREFIX}broker_live",
        MetricKind.GAUGE,
        "1 while the stream of that broker of quotes is live, else 0.",
        by_broker=_broker_live,
    ),
    _gauge("symbols_recorded", "Symbols being recorded.", lambda m: len(m.engine.recorded)),
    _counter("messages_received", "Messages of the exchange's stream.", lambda m: m.engine.feed.counters.messages),
    _counter(
        "messages_malformed",
        "Messages of the stream that could not be read and were skipped.",
        lambda m: m.engine.feed.counters.malformed,
    ),
    _counter("reconnects", "Connections to the stream after the first.", lambda m: m.engine.feed.counters.reconnects),
    _gauge("connections", "Connections to the stream that are kept.", _connections),
    _gauge("connections_down", "Connections to the stream that bring nothing just now.", _connections_down),
    _counter(
        "trades_received",
        "Live trades, those that came again not counted.",
        lambda m: m.engine.recorder.trades_received,
    ),
    _counter("trades_stored", "Trades committed to the database in use.", lambda m: m.writer.stored),
    _counter("ticks_received", "Live ticks of brokers of quotes.", lambda m: m.engine.quotes.recorder.ticks_received),
    _counter("ticks_stored", "Ticks committed to the database in use.", lambda m: m.engine.quotes.writer_status.stored),
    _gauge(
        "queued_ticks",
        "Ticks in memory that wait to be committed.",
        lambda m: m.engine.quotes.writer_status.queued + m.engine.quotes.recorder.outbox.waiting,
    ),
    _counter(
        "trades_repaired", "Missing trades that were fetched from the exchange.", lambda m: m.engine.repairer.repaired
    ),
    _counter(
        "trades_contradicted",
        "Trades kept aside because they differ from the stored one of their id.",
        lambda m: m.writer.contradictions,
    ),
    _histogram(
        "trade_delay_seconds",
        "Time from a live trade, by the exchange's clock, until it was received, stored (committed), painted (on the "
        "chart; the newest trade of each paint); corrected for skew.",
        _delays,
    ),
    _histogram("batch_trades", "Trades in each batch committed.", lambda m: (("", m.measures.batch_trades),)),
    _histogram("batch_duration_seconds", "Time that each batch took to commit.", lambda m: (("", m.measures.batch_s),)),
    _gauge(
        "queued_trades",
        "Trades in memory that wait to be committed.",
        lambda m: m.writer.queued + m.engine.waiting_trades,
    ),
    _gauge(
        "spooled_trades",
        "Trades on disk until the database takes them.",
        lambda m: m.engine.spool_status.rows,
    ),
    _gauge("missing_trades", "Trades known to be missing.", lambda m: m.engine.recorder.missing()),
    _gauge("gaps_open", "Stretches of missing trades.", _open_gaps),
    _counter(
        "gaps_repaired", "Stretches of missing trades that were filled.", lambda m: m.engine.repairer.gaps_repaired
    ),
    _counter(
        "trades_absent", "Missing ids that the exchange itself has no trade of.", lambda m: m.engine.repairer.absent
    ),
    _counter(
        "repair_failures", "Requests for missing trades that brought nothing.", lambda m: m.engine.repairer.failures
    ),
    _gauge("rest_weight_used", "Weight of the REST requests in the exchange's current minute.", _weight_used),
    _gauge("rest_weight_limit", "Weight that the exchange allows in a minute.", _weight_limit),
    _gauge(
        "exchange_shut_out_seconds",
        "How long the exchange still wants to be left alone, after too many requests; else 0.",
        lambda m: m.engine.ban.left_s(m.engine.clock.monotonic_s()),
    ),
    _gauge("clock_skew_seconds", "The exchange's clock minus this computer's.", _skew_s),
    _histogram(
        "loop_delay_seconds",
        "How late the program's loop came to work that was due.",
        lambda m: (("", m.measures.loop_s),),
    ),
    _gauge("resident_memory_bytes", "Memory that the process has in use.", lambda m: m.process.memory_info().rss),
)
"""Every metric, in the order of docs/metrics.md."""

_BY_NAME = {declared.name.removesuffix("_total"): declared for declared in METRICS}
