"""Where the files of ``cryptopipe export`` go: to the file or the folder of ``--out``, here, or to standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.market.errors import UsageError
from app.market.export_plan import ExportPlan, RowsRequest
from app.market.file_format import FileFormat, format_of_name
from app.market.ports.files import ExportFile
from storage.files.target import NewFile, OpenStream, check_target, make_folder

STREAM = Path("-")


def check_path(plan: ExportPlan, path: Path | None, *, as_json: bool) -> None:
    """
    Check that the plan's files can go to ``path``, before anything is read for them.

    Raises:
        UsageError: If it cannot.
    """
    if path == STREAM:
        if as_json:
            raise UsageError("--json and --out - would both print on standard output: leave one of them out.")
        if plan.is_several:
            raise UsageError("Several files cannot go to standard output: name a folder with --out.")
        if plan.file_format is FileFormat.XLSX:
            raise UsageError("An Excel workbook cannot go to standard output: name a file with --out.")
    elif path is not None and not os.path.isdir(path):
        if plan.is_several:
            if os.path.lexists(path) or format_of_name(path.name):
                raise UsageError(f"{path} is one file, and these are several: name a folder with --out.")
        else:
            check_target(path)


def open_file(plan: ExportPlan, path: Path | None, request: RowsRequest, name: str | None) -> ExportFile:
    """Open the file of a request; ``name``: its name in a folder; None: named by its rows. Blocks."""
    from storage.files.export_file import rows_file  # here, because Arrow takes a quarter of a second

    return rows_file(_target(plan, path, name), plan.file_format, plan.layout_of(request), request.rows)


def _target(plan: ExportPlan, path: Path | None, name: str | None) -> NewFile | OpenStream:
    if path == STREAM:
        return OpenStream(sys.stdout.buffer)
    if plan.is_several:
        make_folder(path or Path())
    if path is None or os.path.isdir(path):
        return NewFile(path or Path(), name)
    return NewFile(path.parent, path.name)
