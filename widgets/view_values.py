"""
The values that the panels show, as plain data.

The program makes new ones a few times a second, slow enough to be read; widgets compare them and redraw only what
differs. Prices and quantities are floats in whole units, for display alone. None means not known yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.market.ports.exchange import FeedState
from app.market.symbol import Symbol


@dataclass(frozen=True, slots=True)
class ComponentView:
    """A package that the program is made of: ``licence`` names its licence, ``text`` has that in full, or nothing."""

    name: str
    version: str
    licence: str
    text: str


@dataclass(frozen=True, slots=True)
class WatchRow:
    """
    One row of the watchlist.

    ``change_percent`` is over the last 24 hours. ``recorded``: the symbol's trades are being stored. ``receiving``: its
    connection to the exchange is live. ``live``: its figures are those of now; others are dimmed.
    """

    symbol: Symbol
    last: float | None = None
    change_percent: float | None = None
    bid: float | None = None
    ask: float | None = None
    trades_per_minute: float | None = None
    recorded: bool = False
    receiving: bool = True
    live: bool = True


@dataclass(frozen=True, slots=True)
class DownloadView:
    """
    A download of missing trades in gaps too large to fetch unasked: offered or, with ``is_running``, under way.

    ``left`` of ``total`` trades are still missing; fetching them takes about ``minutes``.
    """

    total: int
    left: int
    minutes: int
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class QuoteView:
    """
    The chart's symbol, for the top bar and the quote panel.

    Bid and ask quantities are None where the spread comes from a setting, not from the exchange's book. ``high``,
    ``low`` and ``volume`` (of the base asset) are over the last 24 hours. ``repairing``: missing trades are being
    fetched. ``recorded``: its trades are being stored; ``recording`` says so, or why not, in words. ``watched``: it is
    in a watchlist. ``live``: its figures are those of now; others are dimmed. ``ticks``: how many were received since
    the start, of a symbol without trades; None for the others, and while it is not recorded.
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
    live: bool = True
    download: DownloadView | None = None
    ticks: int | None = None


@dataclass(frozen=True, slots=True)
class StatusView:
    """
    The state of the feed and of the database, for the status bar.

    - ``broker``: whose feed it is, where that is not the exchange: ``"OANDA"``. ``history_only``: it has no
      live prices. ``counted``: what arrives there and is queued, ``"trades"`` or ``"ticks"``.
    - ``feed_reason``, ``history_reason``, ``database_reason``: one sentence about what is wrong, else empty.
      ``retry_in_s``: the time until the feed or the history is tried again, None where nothing waits.
    - ``delay_ms``: the age of the exchange's messages on arrival.
    - ``queued``: trades waiting to be written. ``spooled``: trades on disk until the database takes them;
      ``spool_reason`` is one sentence while the disk takes no more.
    - ``read_only_reason``: one sentence where the database is read-only, so nothing is recorded.
    - ``connections_down`` of ``connections`` receive nothing at present; with ``connections_refused``, some of them are
      not tried again.
    - ``malformed``: messages skipped since the start because they could not be read. ``contradictions``: trades refused
      since the start because a different trade of the same id is stored.
    - ``skew_s``: the exchange's clock minus this computer's.
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
    read_only_reason: str = ""
    contradictions: int = 0
    history_reason: str = ""
    retry_in_s: float | None = None
    skew_s: float | None = None
    spooled: int = 0
    spool_reason: str = ""
    connections: int = 1
    connections_down: int = 0
    connections_refused: bool = False
    broker: str = ""
    counted: str = "trades"
    history_only: bool = False


@dataclass(frozen=True, slots=True)
class GapBand:
    """A gap on the chart: ``missing`` trades are not stored between two times (UTC microseconds)."""

    start_us: int
    end_us: int
    missing: int
    repairing: bool = False


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """A candle that differs from the exchange's; ``fields`` names what differs: ``"volume, trades"``."""

    open_time_us: int
    fields: str


@dataclass(frozen=True, slots=True)
class MetricView:
    """
    One plot of the diagnostics: one value per second of the last ten minutes or less, oldest first.

    A value is None where it was not known. ``unit`` follows the number: ``"/s"``, ``"ms"``, ``"MB"``, or ``""`` for
    counts. ``warns``: a value above zero is shown as a warning.
    """

    name: str
    meaning: str
    unit: str
    values: Sequence[float | None]
    warns: bool = False


@dataclass(frozen=True, slots=True)
class LogLine:
    """
    One line of the log. ``time_us`` is in UTC microseconds, ``level`` is a level of `logging`.

    ``fields`` holds what the line carries besides its text, such as the symbol, as one text to search in.
    """

    time_us: int
    level: int
    source: str
    text: str
    fields: str = ""
