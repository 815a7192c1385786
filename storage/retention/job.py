"""Runs retention in the background while the program records: soon after opening, then daily."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

import psycopg

from app.market.errors import StoreError
from storage.postgres.connection import Connection
from storage.retention.lake_check import OpenLake
from storage.retention.policy import enforce
from storage.schema.retention_period import RetentionPeriod

logger = logging.getLogger(__name__)

_DAY_S, _HOUR_S = 86_400.0, 3_600.0
_CLOSE_S = 2.0  # closing the program must not wait for a large drop


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
        self._closing = threading.Event()
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and cancel a drop in progress. Blocks for about three seconds at most."""
        self._closing.set()
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe(timeout=1.0)
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while not self._closing.wait(self._wait_s):
            try:
                with contextlib.closing(self._connect()) as self._connection:
                    enforce(self._connection, self._proposed, self._open_lake)
                self._wait_s = _DAY_S
            except StoreError as error:
                if not self._closing.is_set():
                    logger.warning("Retention failed and runs again in an hour: %s", error)
                self._wait_s = _HOUR_S
            finally:
                self._connection = None
