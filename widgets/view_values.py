"""
What the panels show, as plain values.

The bridge makes new ones at the panels' slow pace (a few times a second) and hands them over; widgets compare and
redraw what differs. Prices and quantities are whole units, for display; None means not known yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.market.ports.exchange import FeedState
from app.market.symbol import Symbol


@dataclass(frozen=True, slots=True)
class WatchRow:
    """
    One line of the watchlist. ``change_percent`` is over the rolling 24 hours; ``recorded``: its trades are stored;
    ``receiving``: its connection to the exchange is live.
    """

    symbol: Symbol
    last: float | None = None
    change_percent: float | None = None
    bid: float | None = None
    ask: float | None = None
    trades_per_minute: float | None = None
    recorded: bool = False
    receiving: bool = True


@dataclass(frozen=True, slots=True)
class DownloadView:
    """
    Missing trades in gaps too large to be fetched unasked: offered, or (``is_running``) being downloaded. ``left`` of
    ``total`` are still missing, for about ``minutes``.
    """

    total: int
    left: int
    minutes: int
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class QuoteView:
    """
    The chosen symbol: top bar and quote panel. Bid and ask quantities are None where the spread is a setting rather
    than the exchange's book. ``volume`` is the base asset's over 24 hours. ``repairing``: missing trades are being
    fetched now. ``recording`` says in words whether its trades are stored, ``recorded`` whether they are now;
    ``watched`` is whether it is in the watchlist. ``download``: more of what is
    missing can be fetched.
    """

    symbol: Symbol
    last: float | None = None
    change_percent: float | None = None
    bid: float | None = None
    bid_quantity: float | None = None
    ask: float | None = None
    ask_quantity: float | None = None
    high: float | None = None
    low: float | None = None
    volume: float | None = None
    stored_trades: int | None = None
    missing_trades: int = 0
    repairing: bool = False
    recording: str = ""
    recorded: bool = False
    watched: bool = True
    download: DownloadView | None = None


@dataclass(frozen=True, slots=True)
class StatusView:
    """
    The status bar. ``feed_reason``, ``history_reason`` and ``database_reason`` are one sentence each, empty while all
    is well. ``retry_in_s``: how long what one of the first two tells of still waits, None where it does not.
    ``connections_down``: how many of ``connections`` bring nothing just now; ``connections_refused``: some of them are
    not tried again.
    ``skew_s``: the exchange's clock minus this computer's.
    ``contradictions``: trades kept aside since the start because they differ from the stored one of their id.
    ``reading_only`` is one where nothing is recorded because the database may only be read. ``spooled``: trades on disk
    until the database takes them; ``spool_reason`` is one sentence while the disk takes no more.
    """

    feed_state: FeedState = FeedState.IDLE
    feed_reason: str = ""
    delay_ms: float | None = None
    trades_per_s: float = 0.0
    database: str = ""
    database_reason: str = ""
    rows_per_s: float = 0.0
    queued: int = 0
    missing_trades: int = 0
    repairing: bool = False
    malformed: int = 0
    exchange_time_us: int | None = None
    simulated: bool = False
    reading_only: str = ""
    contradictions: int = 0
    history_reason: str = ""
    retry_in_s: float | None = None
    skew_s: float | None = None
    spooled: int = 0
    spool_reason: str = ""
    connections: int = 1
    connections_down: int = 0
    connections_refused: bool = False


@dataclass(frozen=True, slots=True)
class GapBand:
    """Missing trades on the chart: between these two times (UTC microseconds) ``missing`` trades are not held."""

    start_us: int
    end_us: int
    missing: int
    repairing: bool = False


@dataclass(frozen=True, slots=True)
class MetricView:
    """
    One plot of the diagnostics: a value a second, oldest first, at most the last ten minutes; None: not known then.

    ``unit`` follows the number: ``"/s"``, ``"ms"``, ``"MB"``, or nothing for counts. ``warns``: above zero it is a
    warning.
    """

    name: str
    meaning: str
    unit: str
    values: Sequence[float | None]
    warns: bool = False


@dataclass(frozen=True, slots=True)
class LogLine:
    """
    One line of the log. ``time_us``: UTC microseconds. ``level`` is logging's number. ``fields`` are what it carries
    beside its text, such as the symbol, as one text to search in.
    """

    time_us: int
    level: int
    source: str
    text: str
    fields: str = ""
