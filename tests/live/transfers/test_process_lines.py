"""A window and a process that works for it understand each other, whatever symbols and files are called."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.transfers.downloads.download import DownloadProgress, SymbolProgress
from app.live.transfers.downloads.outcome import DownloadOutcome
from app.live.transfers.downloads.plan import Piece
from app.live.transfers.downloads.report import SkippedPiece, StoredRows
from app.live.transfers.import_job import ImportFailure, ImportJob, answer_of
from app.live.transfers.import_report import FileReport, ImportReport
from app.live.transfers.imports import ImportProgress, ImportSource
from app.live.transfers.process_lines import line_of, message_of
from app.market.errors import ImportFailed
from app.market.interval import Interval
from app.market.ports.archive import ArchiveFile
from app.market.ports.row_files import ReadingOptions, RowKind

KINDS = (ImportJob, ImportProgress, ImportReport, ImportFailure, DownloadProgress, DownloadOutcome)

# With bytes that are no text, as a file system may have them.
paths = st.binary(min_size=1).map(lambda name: Path(name.decode(errors="surrogateescape")))
texts = st.text()
kinds = st.none() | st.sampled_from(RowKind)
counts = st.integers(0, 10**18)
shares = st.floats(0, 10**6)
intervals = st.sampled_from(["1s", "13m", "1M"]).map(Interval.parse)
options = st.builds(
    ReadingOptions,
    symbol=st.none() | texts,
    kind=kinds,
    interval=st.none() | intervals,
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
rows = st.builds(StoredRows, *[counts] * 5, is_broken=st.booleans(), reason=texts)
archive_files = st.builds(ArchiveFile, texts, st.none() | intervals, counts, counts)
pieces = st.builds(Piece, texts, st.none() | intervals, counts, counts, st.none() | archive_files)
skipped = st.lists(st.builds(SkippedPiece, pieces, texts)).map(tuple)
by_symbol = st.dictionaries(texts, counts)
messages = st.one_of(
    st.builds(ImportJob, st.lists(st.builds(ImportSource, paths, options)).map(tuple)),
    st.builds(ImportProgress, counts, st.floats(0, 1), paths),
    st.builds(ImportReport, st.lists(files), stopped_because=texts),
    st.builds(ImportFailure, texts),
    st.builds(
        DownloadProgress,
        *(shares, shares, counts, texts, texts),
        symbols=st.dictionaries(texts, st.builds(SymbolProgress, shares, shares, texts)),
        skipped=counts,
    ),
    st.builds(DownloadOutcome, rows, skipped, by_symbol, by_symbol, counts, texts),
)


@given(messages)
def test_a_message_is_one_line_and_is_read_as_it_was_written(message: object) -> None:
    line = line_of(message)
    assert line.index(b"\n") == len(line) - 1
    found = message_of(line, *KINDS)
    assert found == message
    assert type(found) is type(message)
    with pytest.raises(ValueError, match="no message of these classes"):
        message_of(line, *(kind for kind in KINDS if kind is not type(message)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["files", "path", "rows", "symbols"]), inner),
)


@given(st.sampled_from(KINDS), st.binary() | JSON)
def test_any_other_line_is_refused(kind: type[object], content: object) -> None:
    line = content if isinstance(content, bytes) else json.dumps({kind.__name__: content}).encode()
    with contextlib.suppress(ValueError):
        found = message_of(line, *KINDS)
        assert message_of(line_of(found), kind) == found  # chance found one


def test_why_nothing_was_imported_is_raised() -> None:
    with pytest.raises(ImportFailed, match=r"^The “disk” is full\.$"):
        answer_of(line_of(ImportFailure("The “disk” is full.")))
    with pytest.raises(ImportFailed, match="said something that cannot be read"):
        answer_of(b"what\n")
