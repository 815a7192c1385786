"""
``cryptopipe collect``: records trades without a window until it is stopped.

Like every command it has two steps: `prepare` refuses bad input before any file exists, and returns the function that
runs the command and returns its exit code.

A recorder is started at boot, perhaps before the network is there. So an exchange that is away does not end it: it
waits, says so, and records as soon as the exchange is back. The symbols' names are checked by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from app.commands.database_session import check_may_record, show_progress
from app.concurrency.latency import low_latency
from app.config.settings import Settings
from app.live.engine import Engine
from app.live.recording.symbol_directory import check_symbols, listed_symbols
from app.market.errors import (
    FeedBanned,
    FeedDisconnected,
    FeedRejected,
    SettingsError,
    StoreUnavailable,
    UsageError,
)
from app.market.ports.exchange import FeedState, FeedStatus
from app.market.symbol import BROKER, broker_of, has_live_prices, history_command, read_symbol
from app.observability.monitoring import monitoring
from app.runtime.exchange_addresses import check_addresses
from app.runtime.instance_lock import InstanceLock
from app.runtime.shutdown import StopEvent, bounded_shutdown, on_signals, parse_duration, unless_stopped
from app.runtime.wiring import engine_for
from app.serving.serving_engine import serving_engine

logger = logging.getLogger(__name__)

_PROGRESS_EVERY_S = 1.0
_CHECK_S = 4.0  # how long the exchange may take to list its symbols before recording begins without that
_SAID_AFTER_S = 5.0  # a connection that broke is back within a second or two, most often
_MAX_LISTED_SYMBOLS = 12  # in the final sentence; of more symbols it gives only the number


def prepare(settings: Settings, duration: str | None) -> Callable[[], int]:
    """
    Return the function that records until Ctrl-C, SIGTERM or the end of ``duration``, then stores what it received.

    The function returns the exit code 0, or raises StoreError, FeedError, UsageError or SettingsError with the reason.

    Raises:
        UsageError: If ``duration`` is not a duration such as 8h, or no symbol has live prices. No file was made.
        SettingsError: If an address of the exchange is malformed. No file was made.
    """
    seconds = parse_duration(duration) if duration else None
    if not any(map(has_live_prices, settings.symbols)):
        raise UsageError(_not_recorded(settings.symbols))
    check_addresses(settings)
    return partial(run_collect, settings, seconds)


def run_collect(settings: Settings, seconds: float | None = None, announce: Callable[[str], None] | None = None) -> int:
    """Record, and serve where the settings name a port; ``announce`` is called with its address. See `prepare`."""
    lock = InstanceLock(settings.data_dir)
    lock.acquire()
    stop = StopEvent()
    try:
        with on_signals(stop.set), bounded_shutdown() as begin_shutdown:
            return asyncio.run(_collect(settings, seconds, stop, begin_shutdown, announce))
    finally:
        lock.release()


async def _collect(
    settings: Settings,
    seconds: float | None,
    stop: StopEvent,
    begin_shutdown: Callable[[], None],
    announce: Callable[[str], None] | None = None,
) -> int:
    outcome = _RecordingResult()
    symbols = [name for name in settings.symbols if broker_of(name) == BROKER]
    quoted = [name for name in settings.symbols if broker_of(name) != BROKER and has_live_prices(name)]
    if past := [name for name in settings.symbols if not has_live_prices(name)]:
        _say(_not_recorded(past))
    async with (
        engine_for(settings) as engine,
        monitoring(engine) as metrics,
        serving_engine(settings, engine, metrics) as served,
    ):
        if served.problem:
            raise SettingsError(served.problem)  # a recorder on a server is watched and read there
        with low_latency():
            if announce is not None:
                announce(served.url)
            # A broker of quotes is asked by its own feed, which says what it does not have.
            found = await unless_stopped(_check(engine, symbols, stop, seconds), stop) if symbols else []
            if found is not None:
                engine.start([*(found or symbols), *quoted], asks_exchange=bool(symbols))
                try:
                    await _record(engine, stop, seconds, quoted, None if found or not symbols else symbols)
                finally:
                    begin_shutdown()
                    outcome = await _close(engine)
                symbols = engine.recorder.symbols
            # Without a recording too: leaving the block closes the connections to the exchange, which may hang.
            begin_shutdown()
    _report(outcome, symbols, quoted)
    return 0


def _not_recorded(symbols: Sequence[str]) -> str:
    """Return why symbols of brokers that have history alone are not recorded."""
    verb, they_are = ("has", "it is") if len(symbols) == 1 else ("have", "they are")
    return (
        f"{_listed(symbols)} {verb} history only, no live prices, so {they_are} not recorded: "
        f"{history_command(symbols[0])} fetches past ticks."
    )


class _RecordingResult(NamedTuple):
    """
    Counts of trades, and of ticks, once the engine is closed; ``unstored`` and ``spooled`` count both.

    ``reason`` says why the database did not take the spooled ones.
    """

    trades: int = 0
    ticks: int = 0
    unstored: int = 0
    spooled: int = 0
    contradictions: int = 0
    reason: str = ""


async def _close(engine: Engine) -> _RecordingResult:
    database = engine.database  # after closing, the engine has none, but the writer's final counts remain
    unstored = await engine.close()
    spooled = _on_disk(engine)
    trades, ticks = engine.recorder.trades_received, engine.quotes.recorder.ticks_received
    show_progress("")
    if database is None:
        return _RecordingResult(trades, ticks, unstored, spooled, reason=engine.database_reason)
    status = database.writer.status
    return _RecordingResult(trades, ticks, unstored, spooled, status.contradictions, status.reason)


def _on_disk(engine: Engine) -> int:
    """Return the number of trades and ticks that wait on disk for the database."""
    return engine.spool_status.rows + engine.quotes.recorder.outbox.spool_status.rows


def _report(outcome: _RecordingResult, symbols: Sequence[str], quoted: Sequence[str]) -> None:
    """
    Print how many trades were recorded, and how many ticks of the symbols ``quoted``.

    Raises:
        StoreUnavailable: If trades or ticks received are not in the database.
    """
    what = "trades and ticks" if symbols and quoted else "ticks" if quoted else "trades"
    received = outcome.trades + outcome.ticks
    if outcome.unstored:
        later = ["the next start fetches the missing trades"] if symbols or not quoted else []
        later += ["the broker does not send lost ticks again"] if quoted else []
        raise StoreUnavailable(
            f"{outcome.unstored} of the {what} received could not be stored ({received} were received): check the "
            f"database with cryptopipe doctor; {', and '.join(later)}."
        )
    if outcome.spooled:
        raise StoreUnavailable(
            f"{outcome.spooled} {what} wait on disk ({received} were received), because the database did not take them "
            f"in time: {outcome.reason or 'it was too slow.'} The next start stores them; cryptopipe doctor checks the "
            "database."
        )
    if symbols or not quoted:
        print(f"{outcome.trades} trades of {_listed(symbols)} received and stored.")
    if quoted:
        print(f"{outcome.ticks} ticks of {_listed(quoted)} received and stored.")
    if outcome.contradictions == 1:
        print(
            "1 trade contradicts the stored trade with the same id: the stored one is kept, the other one is in the "
            "table refused_trades."
        )
    elif outcome.contradictions:
        print(
            f"{outcome.contradictions} trades contradict stored trades with the same ids: the stored ones are kept, "
            "the others are in the table refused_trades."
        )


def _listed(symbols: Sequence[str]) -> str:
    return ", ".join(symbols) if len(symbols) <= _MAX_LISTED_SYMBOLS else f"{len(symbols)} symbols"


async def _check(engine: Engine, names: Sequence[str], stop: StopEvent, seconds: float | None) -> list[str]:
    """
    Return the exchange's names of these symbols; none if it does not answer now.

    Raises:
        UsageError: If it lacks one of them, or none is trading.
        FeedError: If it refuses; during a ban only for a recording of fixed length, others wait for its end.
    """
    while True:
        if seconds is None:
            await _wait_out_ban(engine, stop)
        try:
            async with asyncio.timeout(_CHECK_S):
                return [symbol.name for symbol in await check_symbols(engine.exchange, names)]
        except TimeoutError:
            return []
        except FeedBanned:
            if seconds is not None:
                raise
        except FeedDisconnected:
            return []


async def _wait_out_ban(engine: Engine, stop: StopEvent) -> None:
    """Wait until a ban that an earlier run met is over, or ``stop`` is set."""
    if reason := engine.ban.sentence(engine.clock.monotonic_s()):
        logger.warning("Recording waits for the end of the ban: %s", reason)
    while not stop.is_set and (left_s := engine.ban.left_s(engine.clock.monotonic_s())) > 0:
        show_progress(engine.ban.sentence(engine.clock.monotonic_s()))
        await _pause(stop, min(left_s, _PROGRESS_EVERY_S))


async def _record(
    engine: Engine,
    stop: StopEvent,
    seconds: float | None,
    quoted: Sequence[str],
    unchecked: Sequence[str] | None = None,
) -> None:
    """
    Show the progress until ``stop`` is set or ``seconds`` are over. Raises as `_raise_if_failed`.

    ``quoted``: the symbols of brokers of quotes; ``unchecked``: the others, if it is not known yet whether the exchange
    has them.

    Raises:
        UsageError: If it turns out that nothing can be recorded of them.
        FeedDisconnected: If the exchange was away for all of ``seconds``.
    """
    end_s = math.inf if seconds is None else time.monotonic() + seconds
    # A recording of fixed length that fails says so in one line, at its end.
    say = logger.warning if seconds is not None else _say
    outage = _OutageReport(engine, say, is_away=unchecked is not None)
    brokers = _BrokerReport(engine, quoted, _say if engine.recorder.symbols else say)
    while not stop.is_set and (left_s := end_s - time.monotonic()) > 0:
        _raise_if_failed(engine)
        brokers.look(time.monotonic())
        if unchecked is not None and engine.directory.is_current:
            _check_late(engine, unchecked, quoted)
            unchecked = None
        if engine.recorder.symbols:
            outage.look(time.monotonic())
        show_progress(_progress_line(engine))
        await _pause(stop, min(left_s, _PROGRESS_EVERY_S))
    _raise_if_failed(engine)
    if seconds is not None and not stop.is_set and not (outage.was_live or brokers.was_live):
        away = engine.feed.status if engine.recorder.symbols else engine.status_of(quoted[0])
        reason = away.reason or "It did not answer."
        raise FeedDisconnected(f"Nothing was recorded, because the exchange was away all the time. {reason}")


def _check_late(engine: Engine, names: Sequence[str], quoted: Sequence[str]) -> None:
    """Check the symbols once the exchange is back; go on with those it has. Raises UsageError if there is none."""
    listed = {name: engine.symbol(name) for name in engine.directory.seen}
    resolved = {name: read_symbol(name, listed) for name in names}
    usable = [name for name in dict.fromkeys(resolved.values()) if name in listed]
    listed_symbols(listed, usable or names)
    engine.set_symbols([*usable, *quoted])
    for name in names:
        if resolved[name] not in listed:
            _say(f"“{name}” is not a symbol of the exchange and is not recorded; the others are.")


class _BrokerReport:
    """
    Says why symbols of brokers of quotes are refused, each reason once, and by ``say`` which brokers are away and back.

    Ends a recording of nothing but refused symbols.
    """

    def __init__(self, engine: Engine, quoted: Sequence[str], say: Callable[[str], None]) -> None:
        self.was_live = False
        self._engine = engine
        self._quoted = quoted
        self._say = say
        self._said: set[str] = set()
        self._since_s: dict[str, float] = {}
        self._away: set[str] = set()  # brokers that were said to be away

    def look(self, now_s: float) -> None:
        """Look at the brokers now, about once per second. Raises FeedRejected if all that is recorded is refused."""
        statuses = [self._engine.status_of(name) for name in self._quoted]
        self.was_live = self.was_live or any(status.state is FeedState.LIVE for status in statuses)
        refused = [status.reason for status in statuses if status.state is FeedState.REFUSED]
        if refused and len(refused) == len(self._engine.recorded):
            raise FeedRejected(refused[0])
        for reason in dict.fromkeys(refused):
            if reason not in self._said:
                self._said.add(reason)
                _say(reason)
        for name, status in zip(self._quoted, statuses, strict=True):
            self._look_at(broker_of(name), status, now_s)

    def _look_at(self, broker: str, status: FeedStatus, now_s: float) -> None:
        if status.state is FeedState.REFUSED:
            return
        if status.state is FeedState.LIVE:
            self._since_s.pop(broker, None)
            if broker in self._away:
                self._away.discard(broker)
                self._say(f"{broker} is back; its quotes are recorded again.")
            return
        since_s = self._since_s.setdefault(broker, now_s)
        if broker not in self._away and status.reason and now_s - since_s >= _SAID_AFTER_S:
            self._away.add(broker)
            self._say(f"Waiting for {broker}; its quotes are recorded once it is back. {status.reason}")


class _OutageReport:
    """Says by ``say`` that the exchange is away, and that it is back; each once per outage."""

    def __init__(self, engine: Engine, say: Callable[[str], None], *, is_away: bool) -> None:
        self.was_live = False
        self._engine = engine
        self._say = say
        self._since_s = -math.inf if is_away else math.inf
        self._has_said = False

    def look(self, now_s: float) -> None:
        """Look at the feed now; call it about once per second."""
        status = self._engine.feed.status
        if status.state is FeedState.LIVE:
            self.was_live = True
            if self._has_said:
                self._say("The exchange is back; recording goes on.")
            self._since_s, self._has_said = math.inf, False
            return
        self._since_s = min(self._since_s, now_s)
        if not self._has_said and status.reason and now_s - self._since_s >= _SAID_AFTER_S:
            self._has_said = True
            self._say(f"Waiting for the exchange; recording goes on by itself. {status.reason}")


def _say(sentence: str) -> None:
    """Print a sentence on standard error, and log it."""
    show_progress("")
    logger.warning("%s", sentence)
    print(f"cryptopipe: {sentence}", file=sys.stderr, flush=True)


async def _pause(stop: StopEvent, seconds: float) -> None:
    """Sleep, but wake up at once when ``stop`` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _raise_if_failed(engine: Engine) -> None:
    # The window shows these faults and goes on; without a window an exit code is the only thing a script sees.
    if engine.database is None and engine.database_failed:
        raise StoreUnavailable(engine.database_reason)
    if engine.database is not None:
        check_may_record(engine.database.read_only_reason)
    if engine.feed_reason and engine.recorder.symbols:
        raise FeedRejected(engine.feed_reason)


def _progress_line(engine: Engine) -> str:
    # One count, the trades received, as in the last sentence; the others are what is left to do. The writer's count of
    # stored trades would be another thing: it has the downloaded ones, too.
    queued = engine.database.writer.status.queued if engine.database is not None else 0
    waiting = f" · {queued:,} to be stored" if queued else ""
    spooled = _on_disk(engine)
    on_disk = f" · {spooled:,} on disk" if spooled else ""
    feed = engine.feed.status.sentence(engine.clock.monotonic_s()) or engine.feed.status.state
    has_ticks = engine.quotes.recorder.symbols
    ticks = f" · {engine.quotes.recorder.ticks_received:,} ticks received" if has_ticks else ""
    return (
        f"{feed} · {engine.recorder.trades_received:,} trades received{waiting}{on_disk}"
        f" · {engine.recorder.missing():,} missing{ticks}"
    )
