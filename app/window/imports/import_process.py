"""An import as a process of its own, `app.commands.imports.import_job`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from app.config.settings import Settings
from app.live.transfers.import_job import ImportJob, answer_of
from app.live.transfers.import_report import ImportReport
from app.live.transfers.imports import ImportProgress, ImportSource
from app.live.transfers.process_lines import line_of
from app.market.errors import ImportFailed
from app.market.ports.database import OpenedDatabase
from app.window.own_process import OwnProcess

logger = logging.getLogger(__name__)


class ImportProcess:
    """
    One import into ``database``; call `run` once.

    ``on_progress`` is called on the loop, about ten times a second.
    """

    def __init__(
        self, settings: Settings, database: OpenedDatabase, on_progress: Callable[[ImportProgress], object]
    ) -> None:
        self._on_progress = on_progress
        self._report: ImportReport | None = None
        self._failure: ImportFailed | None = None
        self._process = OwnProcess("import", settings, database, ("import-job",), self._take)

    @property
    def process_id(self) -> int:
        """The process's id while it runs, else 0."""
        return self._process.process_id

    async def run(self, sources: Sequence[ImportSource]) -> ImportReport:
        """
        Import these, and return what became of them.

        If the task is cancelled, so is the import; the process has ended then, too, within about five seconds.

        Raises:
            ImportFailed: If it could not begin, or the process ended before its report; the sentence says why.
        """
        await self._process.run(line_of(ImportJob(tuple(sources))))
        if self._report is not None:
            return self._report
        raise self._failure or ImportFailed(self._process.why_it_ended())

    def cancel(self) -> None:
        """Stop after the batch in hand; `run` then returns what was stored."""
        self._process.cancel()

    def _take(self, line: bytes) -> None:
        try:
            message = answer_of(line)
        except ImportFailed as error:
            logger.warning("an import failed: %s", error)
            self._failure = error
            return
        if isinstance(message, ImportReport):
            self._report = message
        else:
            self._on_progress(message)
