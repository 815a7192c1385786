"""The report of a feed soak, in Markdown."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_WARM_S = 60.0
_LONG_LIFE_S = 300.0
_MB = 1e6


@dataclass
class Life:
    """One recording process: when it began, its memory as (seconds since, bytes), and its last report."""

    began_s: float
    memory: list[tuple[float, int]] = field(default_factory=list)
    last_report: dict[str, Any] = field(default_factory=dict)
    cpu_s: float = 0.0

    @property
    def length_s(self) -> float:
        return self.memory[-1][0] if self.memory else 0.0

    @property
    def most_mb(self) -> float:
        """The most memory it had."""
        return max((size for _, size in self.memory), default=0) / _MB

    def slope_mb_h(self) -> float | None:
        """Return the growth of its memory after warm-up, in MB/h; None if it lived too briefly."""
        samples = [(at_s / 3600, size / _MB) for at_s, size in self.memory if at_s > _WARM_S]
        if self.length_s < _LONG_LIFE_S or len(samples) < 3:
            return None
        return statistics.linear_regression(*zip(*samples, strict=True)).slope


@dataclass
class FeedReport:
    """Counts and times of one soak; the soak failed if ``differences`` is not empty."""

    seed: int
    command: str
    minutes: float = 0.0
    rate: float = 0.0
    trades: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    without_effect: Counter[str] = field(default_factory=Counter)
    lives: list[Life] = field(default_factory=list)
    outages_s: list[float] = field(default_factory=list)
    refused_outages_s: list[float] = field(default_factory=list)
    delays_ms: Counter[float] = field(default_factory=Counter)
    per_minute: list[dict[str, Any]] = field(default_factory=list)
    most: dict[str, float] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    settled_after_s: float = 0.0
    sandbox_cpu_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def has_lost(self) -> bool:
        return bool(self.differences)

    def note_most(self, what: str, value: float) -> None:
        """Keep the largest value of that name."""
        self.most[what] = max(value, self.most.get(what, 0))

    def total(self, what: str) -> int:
        """Return the sum of that value over the last reports of all lives."""
        return sum(int(life.last_report.get(what, 0)) for life in self.lives)

    def markdown(self) -> str:
        parts = [self._head(), self._results(), self._memory(), self._kinds()]
        return "\n\n".join(parts) + "\n"

    def _head(self) -> str:
        return (
            "# A soak of the feed\n\n"
            f"`{self.command}`\n\n"
            f"{sum(self.kinds.values()):,} random faults over {self.minutes:.0f} minutes of a simulated market of "
            f"{len(self.trades)} symbols with {self.rate:,.0f} trades/s on average, injected into a recording process "
            "over real sockets and into its database server. Then the market was stopped, every trade was compared "
            "with what was stored, to the digit, the rollups were recomputed from the trades, and `verify` was run."
        )

    def _results(self) -> str:
        found = "nothing" if not self.differences else "; ".join(self.differences)
        rows = [
            ("Trades of the market, from the first one sent", f"{sum(self.trades.values()):,}"),
            ("Trades lost, duplicated or changed; rollups that differ", found),
            ("Complete again after the last fault", f"{self.settled_after_s:.1f} s"),
            ("Time to live again, exchange answering", _times(self.outages_s)),
            ("Time to live again, exchange refusing or slow", _times(self.refused_outages_s)),
            ("Trades fetched over REST", f"{self.total('repaired'):,}"),
            ("Most trades missing at once", f"{self.most.get('missing', 0):,.0f}"),
            ("Reconnects", f"{self.total('reconnects'):,}"),
            ("Unreadable messages", f"{self.total('malformed'):,}"),
            ("Most trades queued in memory", f"{self.most.get('waiting', 0):,.0f}"),
            ("Largest spool on disk", f"{self.most.get('spool_bytes', 0) / _MB:.1f} MB"),
            ("Event loop delay", _delays(self.delays_ms)),
            ("Kills of the recording process", f"{len(self.lives) - 1}"),
            ("CPU of the recording", f"{sum(life.cpu_s for life in self.lives) / (self.minutes * 60):.2f} cores"),
            ("CPU of the exchange and the soak", f"{self.sandbox_cpu_s / (self.minutes * 60):.2f} cores"),
        ]
        return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)

    def _memory(self) -> str:
        slopes = [(life, slope) for life in self.lives if (slope := life.slope_mb_h()) is not None]
        growth = [
            f"{slope:+.1f} MB/h over {life.length_s / 60:.0f} min (at the end {life.memory[-1][1] / _MB:.0f} MB)"
            for life, slope in slopes
        ]
        lines = [
            "## Memory",
            "Growth of the resident memory of each process that lived for five minutes or more, without its first "
            f"minute: {'; '.join(growth) if growth else 'none lived that long'}.",
            "| minute | resident MB | received since its start | missing | queued |\n|---|---|---|---|---|\n"
            + "\n".join(
                f"| {row['minute']} | {row['rss'] / _MB:.0f} | {row['received']:,} | {row['missing']:,} "
                f"| {row['waiting']:,} |"
                for row in self.per_minute
            ),
        ]
        return "\n\n".join(lines)

    def _kinds(self) -> str:
        rows = [f"| {name} | {count} |" for name, count in sorted(self.kinds.items())]
        idle = sum(self.without_effect.values())
        return "\n\n".join(
            [
                "## Faults",
                f"{idle} of them had no effect within five seconds, mostly because the recording or its connection was "
                "down at the time. Each outage of the database lasted 2 to 15 s.",
                "| kind | times |\n|---|---|\n" + "\n".join(rows),
            ]
        )


def _times(seconds: list[float]) -> str:
    if not seconds:
        return "never"
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return (
        f"median {statistics.median(ordered):.2f} s, 99th percentile {p99:.2f} s, longest {ordered[-1]:.2f} s "
        f"({len(ordered)} times)"
    )


def _delays(delays: Counter[float]) -> str:
    total = sum(delays.values())
    if not total:
        return "not measured"
    wanted, passed, found = [0.5, 0.99, 0.999], 0, []
    for delay, count in sorted(delays.items()):
        passed += count
        while wanted and passed >= wanted[0] * total:
            wanted.pop(0)
            found.append(delay)
    return f"median {found[0]:.1f} ms, 99 % {found[1]:.1f} ms, 99.9 % {found[2]:.1f} ms, longest {max(delays):.0f} ms"
