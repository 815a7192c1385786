"""
An import as a process of its own, `app.commands.imports.import_job`.

Reading and checking rows keeps one Python busy for as long as the import takes, and a window that shared it would miss
its frames. The process ends with the window however that ends, because its standard input does. It gets the window's
settings and database as environment variables: every program on the machine can read a command line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import QProcess, QProcessEnvironment

from app.config.settings import Settings, as_variables
from app.live.transfers.import_job import job_line, message_of
from app.live.transfers.import_report import ImportReport
from app.live.transfers.imports import ImportProgress, ImportSource
from app.market.errors import ImportFailed
from app.market.ports.database import OpenedDatabase
from app.runtime.own_program import own_program

logger = logging.getLogger(__name__)

_AGAIN = "what it had stored stays. Import the files again to go on."
_LEAVE_S = 5.0
_SPOKEN_BYTES = 300


class ImportProcess:
    """
    One import into ``database``; call `run` once.

    ``on_progress`` is called on the loop, about ten times a second.
    """

    def __init__(
        self, settings: Settings, database: OpenedDatabase, on_progress: Callable[[ImportProgress], object]
    ) -> None:
        self._on_progress = on_progress
        self._ended = asyncio.get_running_loop().create_future()
        self._unread = b""
        self._report: ImportReport | None = None
        self._failure: ImportFailed | None = None
        process = self._process = QProcess()
        program, *arguments = own_program("import-job")
        variables = as_variables(replace(settings, database_url=database.external_url))
        if not database.external_url:
            arguments += ["--database-url", ""]  # an empty variable counts as none on Windows
        environment = QProcessEnvironment.systemEnvironment()
        for name, value in variables.items():
            environment.insert(name, value)
        process.setProgram(program)
        process.setArguments(arguments)
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._end)
        process.errorOccurred.connect(self._on_error)

    @property
    def process_id(self) -> int:
        """The process's id while it runs, else 0."""
        return self._process.processId()

    async def run(self, sources: Sequence[ImportSource]) -> ImportReport:
        """
        Import these, and return what became of them.

        If the task is cancelled, so is the import; the process has ended then, too, within about five seconds.

        Raises:
            ImportFailed: If it could not begin, or the process ended before its report; the sentence says why.
        """
        self._process.start()
        self._process.write(job_line(sources))
        try:
            await asyncio.shield(self._ended)
            if self._report is not None:
                return self._report
            raise self._failure or ImportFailed(self._why_without_report())
        except asyncio.CancelledError:
            await self._leave()
            raise
        finally:
            self._process.deleteLater()

    def cancel(self) -> None:
        """Stop after the batch in hand; `run` then returns what was stored."""
        self._process.closeWriteChannel()

    async def _leave(self) -> None:
        self.cancel()
        await asyncio.wait({self._ended}, timeout=_LEAVE_S)
        if not self._ended.done():
            logger.warning("the process of an import did not end in %.0f s and was killed", _LEAVE_S)
            self._process.kill()
            await asyncio.wait({self._ended}, timeout=_LEAVE_S)

    def _read(self) -> None:
        *lines, self._unread = (self._unread + self._process.readAllStandardOutput().data()).split(b"\n")
        for line in lines:
            try:
                message = message_of(line)
            except ImportFailed as error:
                logger.warning("an import failed: %s", error)
                self._failure = error
                continue
            if isinstance(message, ImportReport):
                self._report = message
            else:
                self._on_progress(message)

    def _end(self) -> None:
        self._read()
        if not self._ended.done():
            self._ended.set_result(None)

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:  # every other one is followed by `finished`
            self._end()

    def _why_without_report(self) -> str:
        spoken = bytes(self._process.readAllStandardError().data()).decode(errors="replace").strip()
        process = self._process
        logger.warning(
            "the process of an import ended without a report: %s, exit code %d; %s",
            process.exitStatus().name,
            process.exitCode(),
            spoken[-_SPOKEN_BYTES:],
        )
        if process.error() is QProcess.ProcessError.FailedToStart:
            return f"The import could not be started: {process.errorString()}."
        if process.exitStatus() is QProcess.ExitStatus.CrashExit:
            return f"The process of the import was ended from outside or crashed; {_AGAIN}"
        # One line that the program says to its user, such as a setting that is wrong by now.
        said = spoken.rpartition("cryptopipe: ")[2]
        return said if said and "\n" not in said else f"The process of the import ended too early; {_AGAIN}"
