"""A window and the process that imports for it understand each other, whatever the files are called."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.transfers.import_job import (
    failure_line,
    job_line,
    message_of,
    progress_line,
    report_line,
    sources_of,
)
from app.live.transfers.import_report import FileReport, ImportReport
from app.live.transfers.imports import ImportProgress, ImportSource
from app.market.errors import ImportFailed
from app.market.interval import Interval
from app.market.ports.row_files import ReadingOptions, RowKind

# With bytes that are no text, as a file system may have them.
paths = st.binary(min_size=1).map(lambda name: Path(name.decode(errors="surrogateescape")))
texts = st.text()
kinds = st.none() | st.sampled_from(RowKind)
counts = st.integers(0, 10**12)
options = st.builds(
    ReadingOptions,
    symbol=st.none() | texts,
    kind=kinds,
    interval=st.none() | st.sampled_from(["1s", "13m", "1M"]).map(Interval.parse),
    columns=st.none() | st.dictionaries(texts, texts),
)
files = st.builds(
    FileReport,
    path=paths,
    kind=kinds,
    symbols=st.lists(texts),
    **dict.fromkeys(["read", "stored", "held", "refused", "missing", "differing"], counts),
    is_short=st.booleans(),
    is_broken=st.booleans(),
    reasons=st.lists(texts),
)


@given(st.lists(st.builds(ImportSource, paths, options)))
def test_a_job_is_one_line_and_is_read_as_it_was_written(sources: list[ImportSource]) -> None:
    line = job_line(sources)
    assert line.index(b"\n") == len(line) - 1
    assert sources_of(line) == sources


@given(
    st.builds(ImportProgress, counts, st.floats(0, 1), paths),
    st.builds(ImportReport, st.lists(files), stopped_because=texts),
)
def test_progress_and_report_are_read_as_they_were_written(progress: ImportProgress, report: ImportReport) -> None:
    assert message_of(progress_line(progress)) == progress
    assert message_of(report_line(report)) == report


def test_why_nothing_was_imported_is_raised() -> None:
    with pytest.raises(ImportFailed, match=r"^The “disk” is full\.$"):
        message_of(failure_line("The “disk” is full."))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["progress", "report", "files", "path"]), inner),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_other_line_is_refused(line: bytes) -> None:
    with contextlib.suppress(ImportFailed):
        assert isinstance(message_of(line), (ImportProgress, ImportReport))  # chance found one
    with contextlib.suppress(ValueError):
        assert sources_of(line) == []
