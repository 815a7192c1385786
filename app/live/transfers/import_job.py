"""
The messages between a window and its import process, a line of JSON each.

The window writes the job and keeps the process's standard input open: closing it cancels the import. The process
writes its progress to standard output, then its report, or why nothing was imported.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.live.transfers.import_report import FileReport, ImportReport
from app.live.transfers.imports import ImportProgress, ImportSource
from app.market.errors import ImportFailed, UsageError
from app.market.interval import Interval
from app.market.ports.row_files import ReadingOptions, RowKind

_PROGRESS, _REPORT, _FAILURE = "progress", "report", "failure"


def job_line(sources: Sequence[ImportSource]) -> bytes:
    """Return the line that asks for an import of these."""
    return _line([_source_values(source) for source in sources])


def sources_of(line: bytes) -> list[ImportSource]:
    """Return what the line asks to import. Raises ValueError if it is no job."""
    try:
        return [_source(values) for values in json.loads(line)]
    except (TypeError, KeyError, UsageError) as error:
        raise ValueError("no job of an import") from error


def progress_line(progress: ImportProgress) -> bytes:
    """Return the line of this progress."""
    return _line({_PROGRESS: [progress.rows, progress.share, str(progress.path)]})


def report_line(report: ImportReport) -> bytes:
    """Return the line that ends an import."""
    return _line({_REPORT: dataclasses.asdict(report)})


def failure_line(sentence: str) -> bytes:
    """Return the line that ends an import which could not begin."""
    return _line({_FAILURE: sentence})


def message_of(line: bytes) -> ImportProgress | ImportReport:
    """
    Return the message of a line of the import process.

    Raises:
        ImportFailed: If the line says that nothing could be imported, or if it is none of its lines.
    """
    try:
        ((kind, values),) = json.loads(line).items()
        if kind == _PROGRESS:
            rows, share, path = values
            return ImportProgress(rows, share, Path(path))
        if kind == _REPORT:
            return ImportReport(**{**values, "files": [_file(one) for one in values["files"]]})
        sentence = str(values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ImportFailed(
            "The process of the import said something that cannot be read; the log file tells more."
        ) from error
    raise ImportFailed(sentence)


def _line(values: Any) -> bytes:
    # In ASCII: a file's name may hold bytes that are no text, which JSON's escapes keep.
    return json.dumps(values, default=str).encode("ascii") + b"\n"


def _source_values(source: ImportSource) -> dict[str, Any]:
    options = source.options
    interval = None if options.interval is None else str(options.interval)
    columns = None if options.columns is None else dict(options.columns)
    return {"path": str(source.path), **options._asdict(), "interval": interval, "columns": columns}


def _source(values: dict[str, Any]) -> ImportSource:
    kind, interval = values["kind"], values["interval"]
    return ImportSource(
        Path(values["path"]),
        ReadingOptions(
            symbol=values["symbol"],
            kind=None if kind is None else RowKind(kind),
            interval=None if interval is None else Interval.parse(interval),
            columns=values["columns"],
        ),
    )


def _file(values: dict[str, Any]) -> FileReport:
    kind = values["kind"]
    return FileReport(**{**values, "path": Path(values["path"]), "kind": None if kind is None else RowKind(kind)})
