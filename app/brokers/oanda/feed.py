"""
The live feed: one pricing stream of all instruments, kept alive.

`OandaFeed` implements `app.market.ports.exchange.TradeFeed` for ticks. It follows the table of states of
`app.brokers.connection_state`. Other symbols need another stream, which replaces the old one once it is open. What a
stream missed cannot be asked for again: the next one begins with the last price of each instrument, and history is
repaired by OANDA's candles. An instrument that the account does not have costs no other its prices.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection

from app.brokers.addresses import host_of
from app.brokers.connection_state import ConnectionEvent, backoff_s, next_state, retry_delay_s
from app.brokers.oanda.endpoints import BROKER, SILENCE_S, check_stream_base, instrument_of, stream_path
from app.brokers.oanda.error_mapping import BadRequest, explain
from app.brokers.oanda.http_client import HttpClient
from app.brokers.oanda.pricing_stream import PricingStream
from app.brokers.oanda.tick_order import TickOrder
from app.concurrency.tasks import first_of
from app.market.durations import in_words
from app.market.errors import FeedDisconnected, FeedRejected
from app.market.ports.clock import Clock
from app.market.ports.exchange import EventHandler, FeedCounters, FeedState, FeedStatus, SymbolSource
from app.market.quotes.tick import Tick
from app.market.symbol import broker_of

log = logging.getLogger(__name__)

_SETTLE_S = 0.5  # changes of the symbols within that time need one new stream
_PROVEN_AFTER_S = 60.0
_OVERLAP_S = 0.5  # what was sent to the old stream before the new one began has arrived by then


class OandaFeed:
    """
    Live ticks of the chosen symbols (``"oanda:EURUSD"``), sampled by OANDA: at most four a second and instrument.

    ``http`` holds the token and the limits that requests share with it. ``instruments`` tells which symbols the account
    has, and is asked when OANDA refuses some. ``stall_after_s``: silence, heartbeats included, after which the stream
    is replaced; ``max_attempts``: failed attempts in a row after which to give up, 0 for never. ``chance`` spreads the
    retries in time.

    Raises:
        SettingsError: If ``stream_url`` cannot be the address of the stream.
    """

    def __init__(
        self,
        stream_url: str,
        http: HttpClient,
        instruments: SymbolSource,
        *,
        clock: Clock,
        stall_after_s: float = SILENCE_S,
        max_attempts: int = 0,
        connect_timeout_s: float = 10.0,
        chance: random.Random | None = None,
    ) -> None:
        self._base = check_stream_base(stream_url)
        self._host = host_of(self._base)
        self._http = http
        self._instruments = instruments
        self._clock = clock
        self._stall_after_s = stall_after_s
        self._max_attempts = max_attempts
        self._connect_timeout_s = connect_timeout_s
        self._chance = chance or random.Random()  # noqa: S311  # because it spreads retries in time, hides nothing
        self._counters = FeedCounters()
        self._status = FeedStatus()
        self._listeners: list[Callable[[FeedStatus], None]] = []
        self._symbols: frozenset[str] = frozenset()
        self._unknown: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._retry = asyncio.Event()
        self._doubt = ""
        self._order = TickOrder()
        self._tick_s = min(1.0, stall_after_s / 4)
        self._failures = 0
        self._has_connected = False
        self._handler: EventHandler | None = None
        self._stream: PricingStream | None = None

    @property
    def status(self) -> FeedStatus:
        """The current status; ``refused`` names the symbols that the account does not have."""
        return self._status

    @property
    def counters(self) -> FeedCounters:
        """Totals since the feed was created; a live object."""
        return self._counters

    def status_of(self, symbol: str) -> FeedStatus:
        """Return the feed's status; refused for a symbol that the account does not have."""
        if symbol in self._unknown:
            return FeedStatus(FeedState.REFUSED, _unknown_sentence([symbol]), refused=(symbol,))
        return self._status

    def on_status(self, listener: Callable[[FeedStatus], None]) -> None:
        """Call ``listener`` on the loop at each change of state."""
        self._listeners.append(listener)

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Receive exactly these symbols; those of other brokers are passed over."""
        self._symbols = frozenset(symbol for symbol in symbols if broker_of(symbol) == BROKER)
        self._changed.set()
        if self._stream is not None:
            self._stream.wakeup.set()

    def retry_now(self) -> None:
        """End a wait between attempts at once, unless OANDA itself asked for it; ask for refused symbols again."""
        self._retry.set()
        if self._unknown:
            self._unknown = frozenset()
            self._changed.set()

    def doubt(self, reason: str, symbol: str | None = None) -> None:
        """Replace the stream at once; ``reason`` is a sentence without its full stop. One stream has all symbols."""
        del symbol
        self._doubt = reason
        self._retry.set()
        if self._stream is not None:
            self._stream.wakeup.set()

    async def run(self, handler: EventHandler) -> None:
        """
        Receive until cancelled; reconnect without end, or until ``max_attempts`` failed in a row.

        Raises:
            FeedRejected: If OANDA refuses the token, the account or all symbols, or attempts ran out. It may be `run`
                again.
            RuntimeError: If it is running already.
        """
        if self._handler is not None:
            raise RuntimeError("the feed is already running")
        self._handler = handler
        self._failures = 0
        self._doubt = ""
        try:
            await self._until_wanted()
            self._change_state(ConnectionEvent.STARTED)
            await self._keep_connected()
        except FeedRejected as error:
            self._change_state(ConnectionEvent.REJECTED, str(error))
            raise
        finally:
            await self._stop()

    @property
    def _wanted(self) -> frozenset[str]:
        return self._symbols - self._unknown

    async def _until_wanted(self) -> None:
        while not self._wanted:
            self._changed.clear()
            await self._changed.wait()

    async def _keep_connected(self) -> None:
        while True:
            began_s = self._clock.monotonic_s()
            try:
                if self._stream is None:
                    self._stream = await self._open()
                    self._change_state(ConnectionEvent.OPENED)
                self._stream = await self._watch(self._stream)
            except FeedDisconnected as error:
                # Failures in a row are counted from zero once a stream has delivered or lasted.
                proven = self._stream is not None and not self._failures
                took_s = self._clock.monotonic_s() - began_s if self._stream is None else 0.0
                await self._close_stream()
                await self._back_off(error, proven=proven, took_s=took_s)

    async def _open(self, overlap_s: float = 0.0) -> PricingStream:
        """
        Return a new stream of the wanted symbols, without those that OANDA does not know.

        ``overlap_s``: how long it waits before it is read, while the old stream is still read.

        Raises:
            FeedError: If there is none.
        """
        while True:
            await self._until_wanted()
            self._changed.clear()
            instruments = frozenset(map(instrument_of, self._wanted))
            parameters = {"instruments": ",".join(sorted(instruments)), "snapshot": "true"}
            try:
                response = await self._http.open_stream(
                    self._base, stream_path(self._http.account), parameters, timeout_s=self._connect_timeout_s
                )
            except BadRequest as error:
                await self._find_unknown(error)
                continue
            self._counters.reconnects += self._has_connected
            self._has_connected = True
            self._doubt = ""  # it was about the stream before
            try:
                await self._clock.sleep(overlap_s)
            except BaseException:
                response.close()
                raise
            return PricingStream(response, instruments, self._deliver, self._counters, self._clock, self._host)

    async def _find_unknown(self, refusal: BadRequest) -> None:
        """Note which of the wanted symbols the account does not have; raises ``refusal`` if it has them all."""
        known = {symbol.name for symbol in await self._instruments.symbols()}
        unknown = self._wanted - known
        if not unknown:
            raise refusal
        self._unknown |= unknown
        log.warning("%s", _unknown_sentence(sorted(unknown)))
        if not self._wanted:
            raise FeedRejected(_unknown_sentence(sorted(unknown)))

    async def _watch(self, stream: PricingStream) -> PricingStream:
        """Watch ``stream`` until another has replaced it, and return that one; raises FeedError if it ended."""
        replace_at_s: float | None = None
        postponed = 0
        while True:
            await first_of(stream.wakeup.wait(), self._clock.sleep(self._tick_s))
            stream.wakeup.clear()
            now_s = self._clock.monotonic_s()
            if stream.heard or now_s - stream.opened_at_s > _PROVEN_AFTER_S:
                self._failures = 0
            self._raise_if_ended(stream)
            # Heartbeats come also where nothing moves, so a silence is never a quiet market.
            if stream.silent_s(now_s) >= self._stall_after_s:
                reason = f"{self._host} has gone silent; opening a new stream."
                return await self._replace_suspect(stream, ConnectionEvent.SILENT, reason)
            if self._doubt:
                reason = f"{self._doubt}; opening a new stream."
                return await self._replace_suspect(stream, ConnectionEvent.DOUBTED, reason)
            is_same = not self._wanted or frozenset(map(instrument_of, self._wanted)) == stream.instruments
            if is_same:
                replace_at_s = None
            elif replace_at_s is None:
                replace_at_s = now_s + _SETTLE_S
            elif now_s >= replace_at_s:
                try:
                    return await self._replace(stream, _OVERLAP_S)
                except FeedDisconnected as error:
                    # The old stream still serves the symbols that it has.
                    postponed += 1
                    delay_s = backoff_s(postponed, error.retry_after_s, chance=self._chance)
                    replace_at_s = self._clock.monotonic_s() + delay_s
                    log.warning("No new stream yet: %s; again %s.", str(error).rstrip("."), in_words(delay_s))

    async def _replace_suspect(self, old: PricingStream, event: ConnectionEvent, reason: str) -> PricingStream:
        """Return the stream that replaced ``old``, which is probably dead."""
        self._doubt = ""
        self._change_state(event, reason)
        return await self._replace(old)

    async def _replace(self, old: PricingStream, overlap_s: float = 0.0) -> PricingStream:
        stream = await self._open(overlap_s)
        self._change_state(ConnectionEvent.REPLACED)
        # The new one begins with the last price of each instrument, so the old one is of no more use.
        self._stream = stream
        await old.close()
        return stream

    def _raise_if_ended(self, stream: PricingStream) -> None:
        error = stream.ended()
        if error is not None:
            raise explain(error, self._host) or error

    async def _back_off(self, error: FeedDisconnected, *, proven: bool, took_s: float) -> None:
        self._failures += 1
        delay_s = retry_delay_s(
            error,
            self._failures,
            max_attempts=self._max_attempts,
            chance=self._chance,
            proven=proven,
            took_s=took_s,
        )
        if not self._doubt:  # a doubt that came while connecting is a reason to try again at once
            self._retry.clear()
        self._doubt = ""
        self._change_state(ConnectionEvent.FAILED, str(error), retry_in_s=delay_s)
        if error.retry_after_s is None:
            await first_of(self._retry.wait(), self._clock.sleep(delay_s))
        else:
            await self._clock.sleep(delay_s)
        self._change_state(ConnectionEvent.RETRIED, str(error))  # as long as none succeeds, that is why

    async def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()

    async def _stop(self) -> None:
        # REFUSED is the result of the run, which the user must be able to see afterwards.
        is_over = self._status.state in (FeedState.REFUSED, FeedState.IDLE, FeedState.CLOSED)
        if not is_over:
            self._change_state(ConnectionEvent.STOPPED)
        try:
            await self._close_stream()
        finally:
            self._handler = None
            if not is_over:
                self._change_state(ConnectionEvent.ENDED)

    def _deliver(self, tick: Tick) -> Awaitable[None] | None:
        # A stream that is about to be replaced may still deliver what nobody wants any more.
        if tick.symbol not in self._symbols or self._handler is None:
            return None
        new = self._order.take(tick)
        return None if new is None else self._handler(new, self._clock.now_us())

    def _change_state(self, event: ConnectionEvent, reason: str = "", *, retry_in_s: float | None = None) -> None:
        before = self._status.state
        state = next_state(before, event)
        now_s = self._clock.monotonic_s()
        retry_at_s = None if retry_in_s is None else now_s + retry_in_s
        refused = tuple(sorted(self._unknown))
        if state is FeedState.LIVE and refused:
            reason = _unknown_sentence(refused)
        self._status = FeedStatus(state, reason, self._failures, retry_in_s, retry_at_s, refused=refused)
        is_news = reason and event is not ConnectionEvent.RETRIED
        level = logging.WARNING if is_news else logging.INFO
        sentence = self._status.sentence(now_s) if is_news else ""
        fields = {"connection": "oanda", "state": state.value, "attempt": self._failures, "retry_in_s": retry_in_s}
        log.log(level, "OANDA %s: %s → %s. %s", event.value, before, state, sentence, extra=fields)
        for listener in self._listeners:
            listener(self._status)


def _unknown_sentence(symbols: Collection[str]) -> str:
    names = ", ".join(f"“{symbol}”" for symbol in list(symbols)[:3])
    more = f" and {len(symbols) - 3} more" if len(symbols) > 3 else ""
    what = "is not an instrument" if len(symbols) == 1 else "are not instruments"
    return f"{names}{more} {what} of the OANDA account."
