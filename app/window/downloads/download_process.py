"""A download as a process of its own: ``cryptopipe history --lines``."""

from __future__ import annotations

import logging
from collections.abc import Callable

from app.config.settings import Settings
from app.live.transfers.downloads.download import DownloadProgress
from app.live.transfers.downloads.outcome import DownloadOutcome
from app.live.transfers.process_lines import message_of
from app.market.errors import DownloadFailed
from app.market.ports.database import OpenedDatabase
from app.window.own_process import OwnProcess
from storage.files.times import format_time
from widgets.dialogs.download_form import ChosenDownload

logger = logging.getLogger(__name__)


class DownloadProcess:
    """
    One download into ``database``; call `run` once.

    ``on_progress`` is called on the loop, about ten times a second.
    """

    def __init__(
        self,
        settings: Settings,
        database: OpenedDatabase,
        chosen: ChosenDownload,
        on_progress: Callable[[DownloadProgress], object],
    ) -> None:
        self._on_progress = on_progress
        self._outcome: DownloadOutcome | None = None
        self._is_cancelled = False
        what = "trades" if chosen.interval is None else chosen.interval.name
        span = ("--from", format_time(chosen.start_us), "--to", format_time(chosen.end_us))
        arguments = ("history", ",".join(chosen.symbols), what, *span, "--lines")
        self._process = OwnProcess("download", settings, database, arguments, self._take)

    async def run(self) -> DownloadOutcome | None:
        """
        Download, and return the outcome; None if it was cancelled. What is stored stays in every case.

        If the task is cancelled, so is the download; the process has ended then, too.

        Raises:
            DownloadFailed: If it could not begin, or ended early; the sentence says why.
        """
        if self._is_cancelled:
            return None
        await self._process.run()
        if self._outcome is None and not self._is_cancelled:
            raise DownloadFailed(self._process.why_it_ended())
        return self._outcome

    def cancel(self) -> None:
        """Stop; `run` then returns soon, and fetches nothing if it was not called before."""
        self._is_cancelled = True
        self._process.cancel()

    def _take(self, line: bytes) -> None:
        try:
            message: object = message_of(line, DownloadProgress, DownloadOutcome)
        except ValueError:
            logger.warning("the process of a download wrote an unknown line: %r", line[:200])
            return
        if isinstance(message, DownloadOutcome):
            self._outcome = message
        elif isinstance(message, DownloadProgress):
            self._on_progress(message)
