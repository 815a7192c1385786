"""Runs retention in the background while the program records: soon after opening, then daily."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from app.market.errors import StoreError
from storage.postgres.connection import Connection
from storage.postgres.connection_thread import ConnectionThread
from storage.retention.lake_check import OpenLake
from storage.retention.policy import enforce
from storage.schema.retention_period import RetentionPeriod

logger = logging.getLogger(__name__)

_DAY_S, _HOUR_S = 86_400.0, 3_600.0


class RetentionJob:
    """
    A thread that enforces retention until `close`. Several programs may run one on the same database.

    ``connect`` opens a connection and may raise StoreError; the thread calls it for each run. ``proposed``,
    ``open_lake``: see `storage.retention.policy.enforce`. The first run is after ``first_after_s``, so that a short
    command drops nothing.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        proposed: RetentionPeriod | str | None,
        *,
        first_after_s: float = 10.0,
        open_lake: OpenLake | None = None,
    ) -> None:
        self._connect = connect
        self._open_lake = open_lake
        self._proposed = proposed
        self._wait_s = first_after_s
        self._thread = ConnectionThread(self._run, "retention")
        self._thread.start()

    def close(self) -> None:
        """End the thread; cancel a drop or a check of the lake in progress. Blocks for about three seconds at most."""
        self._thread.close()

    def _run(self) -> None:
        closing = self._thread.closing
        while not closing.wait(self._wait_s):
            try:
                with contextlib.closing(self._connect()) as connection:
                    self._thread.connection = connection
                    enforce(connection, self._proposed, self._open_lake, closing.is_set)
                self._wait_s = _DAY_S
            except StoreError as error:
                if not closing.is_set():
                    logger.warning("Retention failed and runs again in an hour: %s", error)
                self._wait_s = _HOUR_S
            finally:
                self._thread.connection = None
