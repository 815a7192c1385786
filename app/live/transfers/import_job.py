"""
The messages between a window and its import process (`app.live.transfers.process_lines`).

The window writes an `ImportJob` and keeps the process's standard input open: closing it cancels the import. The process
writes its progress to standard output, then its report, or why nothing was imported.
"""

from __future__ import annotations

from typing import NamedTuple

from app.live.transfers.import_report import ImportReport
from app.live.transfers.imports import ImportProgress, ImportSource
from app.live.transfers.process_lines import message_of
from app.market.errors import ImportFailed


class ImportJob(NamedTuple):
    """What to import."""

    sources: tuple[ImportSource, ...]


class ImportFailure(NamedTuple):
    """Why nothing was imported, in one sentence."""

    sentence: str


def answer_of(line: bytes) -> ImportProgress | ImportReport:
    """
    Return the message of a line of the import process.

    Raises:
        ImportFailed: If the line says that nothing could be imported, or if it is none of its lines.
    """
    try:
        message: object = message_of(line, ImportProgress, ImportReport, ImportFailure)
    except ValueError as error:
        raise ImportFailed(
            "The process of the import said something that cannot be read; the log file tells more."
        ) from error
    if isinstance(message, ImportFailure):
        raise ImportFailed(message.sentence)
    assert isinstance(message, ImportProgress | ImportReport)
    return message
