"""
Another process of this program that works for the window, with the window's settings and database.

Heavy work in the window's own interpreter would make it miss frames. The process ends when its standard input closes,
so it cannot outlive the window, even one that crashed. Settings and database are passed as environment variables,
because every program on the machine can read a command line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from PySide6.QtCore import QProcess, QProcessEnvironment

from app.config.settings import Settings, as_variables
from app.market.ports.database import OpenedDatabase
from app.runtime.own_program import own_program

logger = logging.getLogger(__name__)

_LEAVE_S = 5.0
_SPOKEN_CHARACTERS = 300


class _End(NamedTuple):
    """How a process ended. ``failure``: why it could not be started. ``spoken``: the end of its standard error."""

    exit_code: int
    crashed: bool
    failure: str
    spoken: str


class OwnProcess:
    """
    One command with these ``arguments``; call `run` once. ``what`` names its work: ``"import"``.

    ``on_line`` is called on the loop with each line of its standard output. When its standard input ends, the command
    has to end its work; what it stored stays.
    """

    def __init__(
        self,
        what: str,
        settings: Settings,
        database: OpenedDatabase,
        arguments: Sequence[str],
        on_line: Callable[[bytes], object],
    ) -> None:
        self._what = what
        self._on_line = on_line
        self._ended: asyncio.Future[_End] = asyncio.get_running_loop().create_future()
        self._unread = b""
        process = self._process = QProcess()
        program, *words = own_program(*arguments)
        variables = as_variables(replace(settings, database_url=database.external_url))
        if not database.external_url:
            words += ["--database-url", ""]  # an empty variable counts as none on Windows
        environment = QProcessEnvironment.systemEnvironment()
        for name, value in variables.items():
            environment.insert(name, value)
        process.setProgram(program)
        process.setArguments(words)
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._end)
        process.errorOccurred.connect(self._on_error)

    @property
    def process_id(self) -> int:
        """The process's id while it runs, else 0."""
        return self._process.processId()

    async def run(self, first_line: bytes = b"") -> None:
        """
        Start it, write the line to its standard input, and return once it has ended.

        If the task is cancelled, it is asked to end; it has ended then, too, within about five seconds.
        """
        self._process.start()
        if first_line:
            self._process.write(first_line)
        try:
            await asyncio.shield(self._ended)
        except asyncio.CancelledError:
            await self._leave()
            raise
        finally:
            self._process.deleteLater()

    def cancel(self) -> None:
        """Ask it to end, by the end of its standard input."""
        self._process.closeWriteChannel()

    def why_it_ended(self) -> str:
        """Return why it ended without the report that was expected, in one sentence; call once `run` has returned."""
        end, again = self._ended.result(), f"what it had stored stays. Begin the {self._what} again to go on."
        logger.warning("the process of the %s ended without a report: %s", self._what, end)
        if end.failure:
            return f"The {self._what} could not be started: {end.failure}."
        if end.crashed:
            return f"The process of the {self._what} was ended from outside or crashed; {again}"
        # One line that the program says to its user, such as a setting that is wrong by now.
        said = end.spoken.rpartition("cryptopipe: ")[2]
        return said if said and "\n" not in said else f"The process of the {self._what} ended too early; {again}"

    async def _leave(self) -> None:
        self.cancel()
        await asyncio.wait({self._ended}, timeout=_LEAVE_S)
        if not self._ended.done():
            logger.warning("the process of the %s did not end in %.0f s and was killed", self._what, _LEAVE_S)
            self._process.kill()
            await asyncio.wait({self._ended}, timeout=_LEAVE_S)

    def _read(self) -> None:
        *lines, self._unread = (self._unread + self._process.readAllStandardOutput().data()).split(b"\n")
        for line in lines:
            self._on_line(line)

    def _end(self) -> None:
        self._read()
        if self._ended.done():
            return
        process = self._process
        is_started = process.error() is not QProcess.ProcessError.FailedToStart
        spoken = bytes(process.readAllStandardError().data()).decode(errors="replace").strip()
        self._ended.set_result(
            _End(
                process.exitCode(),
                process.exitStatus() is QProcess.ExitStatus.CrashExit,
                "" if is_started else process.errorString(),
                spoken[-_SPOKEN_CHARACTERS:],
            )
        )

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:  # every other one is followed by `finished`
            self._end()
