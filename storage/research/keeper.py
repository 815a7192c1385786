"""
Keeps series of rolling windows up to date while a program records: appends rows as minutes close, mends changed ones.

It keeps only the series of `research build --keep`; a database without any costs one short query per round.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from app.market.errors import CryptopipeError, StoreError
from storage.postgres.connection import Connection, translated
from storage.postgres.connection_thread import ConnectionThread
from storage.postgres.pool import ConnectionPool

if TYPE_CHECKING:
    from storage.research.day_states import DayStateReader, DayStates
    from storage.research.minutes import MinuteRange
    from storage.research.series_builder import ResearchStore, SeriesBuilder
    from storage.research.tables import Series

logger = logging.getLogger(__name__)

_AFTER_FAILURE_S = 60.0
_IDLE_S = 30.0
_NEWEST_AGAIN_S = 60.0
# Of several programs on one database, the one whose session holds this lock keeps the rows.
_LEAD = "SELECT pg_try_advisory_lock(1668446579, hashtext(current_schema()))"


class ResearchKeeper:
    """
    A thread that keeps the rows until `close`. Several programs may run one on the same database.

    ``connect`` opens a connection and may raise StoreError; the thread calls it once there is a series to keep.
    ``pool`` gives the connection for that question. The thread looks every ``every_s``, or each half minute without a
    series, and writes once a minute at most.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        pool: ConnectionPool,
        store: ResearchStore,
        *,
        first_after_s: float = 10.0,
        every_s: float = 10.0,
    ) -> None:
        self._connect, self._pool, self._store = connect, pool, store
        self._wait_s, self._every_s = first_after_s, every_s
        self._work: _Work | None = None
        self._has_series = False
        self._thread = ConnectionThread(self._run, "research")
        self._thread.start()

    def close(self) -> None:
        """End the thread and cancel its statement. Blocks for about three seconds at most."""
        self._thread.close()

    def _run(self) -> None:
        while not self._thread.closing.wait(self._wait_s):
            try:
                self._wait_s = self._every_s if self._keep() else max(self._every_s, _IDLE_S)
            except CryptopipeError as error:
                # Where nobody keeps a series, nothing is late, and what else needs the database reports its outage.
                if self._has_series and not self._thread.closing.is_set():
                    logger.warning("The tables of research are not up to date; the next try is in a minute: %s", error)
                self._leave()
                self._wait_s = _AFTER_FAILURE_S
        self._leave()

    def _keep(self) -> bool:
        """Bring the kept series up to date; return whether there are any."""
        with self._pool.borrowed("read the series that are kept") as connection:
            found = connection.execute("SELECT EXISTS (SELECT FROM research_series WHERE kept)").fetchone()
        self._has_series = found == (True,)
        if not self._has_series:
            self._leave()
            return False
        own = self._thread.connection
        if own is None:
            own = self._thread.connection = self._connect()
        with translated("keep the tables of research"):
            if self._work is None:
                if own.execute(_LEAD).fetchone() != (True,):
                    return True
                self._work = _Work(own, self._store)
            self._work.run(self._thread.closing.is_set)
        return True

    def _leave(self) -> None:
        """Give up the connection, and with it the lead."""
        self._work = None
        connection = self._thread.connection
        self._thread.connection = None
        if connection is not None:
            connection.close()


class _Seen(NamedTuple):
    """The input of a symbol's last update; ``before``: the states of all days but the newest."""

    series: list[Series]
    stored: MinuteRange
    before: DayStates
    states: DayStates
    at_s: float


class _Work:
    """The rounds of the thread, and its knowledge between them."""

    def __init__(self, connection: Connection, store: ResearchStore) -> None:
        from storage.research.day_states import DayStateReader  # here: most programs keep no series
        from storage.research.series_builder import SeriesBuilder

        self._connection, self._store = connection, store
        self._builder: SeriesBuilder = SeriesBuilder(connection, store)
        self._states: DayStateReader = DayStateReader(connection)
        self._seen: dict[str, _Seen] = {}

    def run(self, is_closing: Callable[[], bool]) -> None:
        """Bring every kept series up to date; one that fails leaves the others alone. Raises StoreError."""
        from storage.research.tables import series_of

        kept = [one for one in series_of(self._connection) if one.kept]
        failed: StoreError | None = None
        for symbol, series in groupby(kept, key=lambda one: one.symbol):
            if is_closing():
                return
            try:
                self._run_symbol(symbol, list(series))
            except StoreError as error:
                failed = error
        if failed is not None:
            raise failed

    def _run_symbol(self, symbol: str, series: list[Series]) -> None:
        from storage.research.minutes import stored_range

        states = self._states.read(symbol)
        stored = stored_range(self._store, symbol)
        if stored is None:
            return
        # Trades change the state of the newest day within the minute: it waits until the minute has closed.
        before = {day: state for day, state in states.items() if day != max(states)}
        seen, now_s = self._seen.get(symbol), time.monotonic()
        is_known = seen is not None and (seen.series, seen.stored, seen.before) == (series, stored, before)
        if is_known and seen is not None and (seen.states == states or now_s - seen.at_s < _NEWEST_AGAIN_S):
            return
        changed = self._builder.keep(symbol, series, states, stored)
        self._seen[symbol] = _Seen(series, stored, before, states, now_s)
        if changed:
            logger.debug("%d rows of research were brought up to date for %s", changed, symbol)
