"""
Dukascopy's past behind one reader: the JSON interface and the tree of .bi5 files.

Whichever of the two has an hour gives it; the hour is empty only when both say so. An interface that fails is tried
again in turn with the other, a limited number of times (`retries`), and then the hour is skipped with the reason. While
one has not been there for a while, the other is asked first, and an hour that the other lacks costs two quick tries.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from app.brokers.addresses import host_of
from app.brokers.dukascopy import bi5, decode_json
from app.brokers.dukascopy.endpoints import check_files_base, check_json_base
from app.brokers.dukascopy.http_client import PARALLEL, HttpClient
from app.brokers.dukascopy.instruments import GROUPS, Instrument, code_of, decode_instrument, known_point_e8
from app.brokers.dukascopy.locations import TickBucket
from app.brokers.dukascopy.retries import RetryPlan
from app.brokers.proxy import SYSTEM_PROXY
from app.market.durations import in_words
from app.market.errors import FeedAway, FeedDisconnected, FeedRejected, MalformedMessage, SettingsError, UnknownSymbol
from app.market.interval import SECOND_US
from app.market.ports.clock import Clock
from app.market.ports.quote_history import TickHour
from app.market.quotes.tick_columns import TickColumns, no_ticks
from app.market.symbol import bare_name

log = logging.getLogger(__name__)

_PUBLISHED_US = 300 * SECOND_US  # after its end, what an hour had is there
_SETTLED_US = 3 * 3_600 * SECOND_US  # after its end, an answer that it had nothing is believed
_AWAY_AFTER = 5


class Interface(Enum):
    """One of Dukascopy's two interfaces."""

    JSON = "json"
    FILES = "files"


@dataclass(slots=True)
class _Source:
    """An interface at ``base``. ``failures``: how often in a row it was not there."""

    interface: Interface
    base: str
    failures: int = 0

    @property
    def is_away(self) -> bool:
        """Whether it was not there so often that it is asked last and tried little."""
        return self.failures >= _AWAY_AFTER


@dataclass(slots=True)
class _Inquiry:
    """
    How far the requests for one hour have come.

    ``pending``: the sources that have neither answered nor refused, in turn; ``away``: those that were away when it
    began. ``refusal``: why a source will never answer. ``failures`` of the tries, the last ``in_a_row`` without a wait.
    """

    pending: deque[_Source]
    away: Sequence[Interface]
    refusal: str = ""
    failure: str = ""
    failures: int = 0
    in_a_row: int = 0


class DukascopyHistory:
    """
    Ticks of past hours. Use and `close` it on one event loop.

    ``json_url`` and ``files_url``: the base addresses; an empty one leaves that interface out, and the other's word is
    enough. ``first``: which of them to ask first. ``plan``: how often an ill hour is tried. ``parallel``: requests at
    once, 10 at most. ``proxy``: see `app.brokers.proxy`.

    Raises:
        SettingsError: If an address cannot be one, or both are empty.
    """

    def __init__(
        self,
        json_url: str,
        files_url: str,
        *,
        clock: Clock,
        proxy: str = SYSTEM_PROXY,
        first: Interface = Interface.JSON,
        plan: RetryPlan | None = None,
        parallel: int = PARALLEL,
        timeout_s: float = 20.0,
    ) -> None:
        sources = {}
        if json_url:
            sources[Interface.JSON] = _Source(Interface.JSON, check_json_base(json_url))
        if files_url:
            sources[Interface.FILES] = _Source(Interface.FILES, check_files_base(files_url))
        if not sources:
            raise SettingsError("Dukascopy has no address: set dukascopy_url or dukascopy_files_url.")
        self._sources = sorted(sources.values(), key=lambda source: source.interface is not first)
        self._clock = clock
        self._plan = plan or RetryPlan()
        self._http = HttpClient(clock=clock, proxy=proxy, timeout_s=timeout_s, parallel=parallel)
        self._instruments: dict[str, Instrument | None] = {}
        self._describing: dict[str, asyncio.Lock] = {}

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        await self._http.close()

    async def hour(self, symbol: str, start_us: int) -> TickHour:
        """See `app.market.ports.quote_history.TickHistory`."""
        bucket = TickBucket(symbol, start_us)
        if bucket.end_us + _PUBLISHED_US > self._clock.now_us():
            return TickHour(start_us, no_ticks(symbol), "It is not over yet.")
        await self.instrument(symbol)
        ticks, skipped = await self._answer(bucket)
        return TickHour(start_us, no_ticks(symbol) if ticks is None else ticks, skipped)

    async def instrument(self, symbol: str) -> Instrument | None:
        """
        Return the description of ``symbol``, asked for once; None where only common knowledge of it is to be had.

        Raises:
            UnknownSymbol: If Dukascopy has no such symbol.
            FeedDisconnected: If nothing is known of it, and its description cannot be had just now.
        """
        async with self._describing.setdefault(symbol, asyncio.Lock()):
            if symbol not in self._instruments:
                self._instruments[symbol] = await self._describe(symbol)
            return self._instruments[symbol]

    def _point_e8(self, symbol: str) -> int:
        described = self._instruments.get(symbol)
        point_e8 = described.point_e8 if described is not None else known_point_e8(symbol)
        if point_e8 is None:
            raise FeedRejected(f"The point of {symbol} is not known, so its .bi5 files cannot be read.")
        return point_e8

    async def _describe(self, symbol: str) -> Instrument | None:
        try:
            path = f"/v1/instruments/{code_of(symbol)}"
        except ValueError:
            raise UnknownSymbol(symbol) from None
        is_known = any(bare_name(symbol) in names for names in GROUPS.values())
        sources = [one for one in self._sources if one.interface is Interface.JSON]
        failure: FeedDisconnected | None = None
        for source in sources if is_known else sources * 2:  # tried twice where nothing else tells what it is
            if failure is not None:
                await self._clock.sleep(1.0)
            try:
                body = await self._http.get(source.base, path)
                if body:
                    return decode_instrument(body)
                # Without its description a name that is in no group may be anything: all of its hours would be empty.
                if not is_known:
                    raise UnknownSymbol(symbol)
                return None
            except (FeedDisconnected, MalformedMessage) as error:
                failure = FeedDisconnected(str(error))
        if not is_known and known_point_e8(symbol) is None:
            raise failure or UnknownSymbol(symbol)
        if failure is not None:
            log.info("%s is used without its description: %s", symbol, failure)
        return None

    async def _answer(self, bucket: TickBucket) -> tuple[TickColumns | None, str]:
        """Return the ticks of ``bucket``, None where it has none; or the reason why it is skipped."""
        # sorted() is stable: the one that the setting prefers stays first.
        pending = deque(sorted(self._sources, key=lambda source: source.is_away))
        inquiry = _Inquiry(pending, [source.interface for source in pending if source.is_away])
        while inquiry.pending:
            source = inquiry.pending[0]
            try:
                ticks = await self._ticks(source, bucket)
            except FeedDisconnected as error:
                if not await self._wait_to_retry(inquiry, source, error):
                    return None, inquiry.failure
            except FeedRejected as error:
                inquiry.pending.popleft()
                inquiry.refusal = str(error)
            else:
                source.failures = 0
                if len(ticks):
                    return ticks, ""
                inquiry.pending.popleft()
        if inquiry.refusal:
            return None, inquiry.refusal
        if bucket.end_us + _SETTLED_US > self._clock.now_us():
            return None, "It ended just now, and nothing is published of it yet."
        return None, ""

    async def _ticks(self, source: _Source, bucket: TickBucket) -> TickColumns:
        symbol, start_us = bucket.symbol, bucket.start_us
        path = bucket.json_path if source.interface is Interface.JSON else bucket.file_path
        body = await self._http.get(source.base, path)
        try:
            if source.interface is Interface.JSON:
                return await asyncio.to_thread(decode_json.decode_ticks, body, symbol, start_us)
            return await asyncio.to_thread(bi5.decode_ticks, body, symbol, start_us, self._point_e8(symbol))
        except MalformedMessage as error:
            log.warning("%s: %s", path, error)
            raise FeedDisconnected(f"{host_of(source.base)} gave an answer that cannot be read ({path}).") from error

    async def _wait_to_retry(self, inquiry: _Inquiry, source: _Source, error: FeedDisconnected) -> bool:
        """Note a failure of ``source`` and wait until it makes sense to ask again; return False to give up."""
        is_hopeless = all(one.interface in inquiry.away for one in inquiry.pending)
        plan = self._plan.short if is_hopeless else self._plan
        source.failures += isinstance(error, FeedAway)
        inquiry.failure = str(error)
        inquiry.failures += 1
        inquiry.in_a_row += 1
        if inquiry.failures >= plan.tries or (error.retry_after_s or 0.0) > self._plan.over_s:
            return False
        inquiry.pending.rotate(-1)
        if inquiry.in_a_row >= len(inquiry.pending):
            wait_s = max(plan.wait_s(inquiry.failures, inquiry.in_a_row), error.retry_after_s or 0.0)
            inquiry.in_a_row = 0
            log.info("%s Asking again %s.", inquiry.failure, in_words(wait_s))
            await self._clock.sleep(wait_s)
        return True
